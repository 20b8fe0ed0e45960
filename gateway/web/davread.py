"""GET, HEAD and OPTIONS (RFC 9110; RFC 4918, 9.4 and 10.1).

What peers and users store is handed out so that no browser shows or runs it on our origin (DESIGN 6). A folder has a
small page of links: curl and browsers ask for one, and some clients try HEAD on a folder before anything else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from html import escape

from gateway.model.resource import Entry
from gateway.web import conditions
from gateway.web.davfind import PIECE_BYTES, showable_members
from gateway.web.davparts import send_file
from gateway.web.davpath import attachment
from gateway.web.davprops import entry_name, media_type
from gateway.web.davshare import DavCall
from gateway.web.davsums import digest_fields
from gateway.web.respond import HeaderList, Reply, http_date, send

SAFE_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox; default-src 'none'"))
PAGE_TYPE = "text/html; charset=utf-8"


async def get(call: DavCall) -> None:
    """Answer GET."""
    entry = await call.share.stat(call.path)
    await call.check_if()
    if entry.is_folder:
        await _send_page(call)
    elif conditions.is_unmodified(conditions.parse(call.head.headers), entry):
        await send(Reply(304, tuple(_validators(entry))), call.sink)
    else:
        headers = _file_headers(call, entry) + await digest_fields(call, entry)
        await send_file(call, entry, headers, [*SAFE_HEADERS])


async def head(call: DavCall) -> None:
    """Answer HEAD: what GET would say, without opening anything; ranges are for GET only (RFC 9110, 14.2)."""
    entry = await call.share.stat(call.path)
    await call.check_if()
    if entry.is_folder:
        await call.sink.start(200, [("Content-Type", PAGE_TYPE), *SAFE_HEADERS])
    elif conditions.is_unmodified(conditions.parse(call.head.headers), entry):
        await send(Reply(304, tuple(_validators(entry))), call.sink)
    else:
        digests = await digest_fields(call, entry)
        await call.sink.start(200, _file_headers(call, entry) + digests + _length(entry.size))


def _file_headers(call: DavCall, entry: Entry) -> HeaderList:
    return [
        ("Content-Type", media_type(entry, call.share)),
        ("Content-Disposition", attachment(entry_name(entry, call.share))),
        ("Accept-Ranges", "bytes"),
        *SAFE_HEADERS,
        *_validators(entry),
    ]


def _validators(entry: Entry) -> HeaderList:
    headers: HeaderList = []
    if entry.etag is not None:
        headers.append(("ETag", entry.etag))
    if entry.modified is not None:
        headers.append(("Last-Modified", http_date(entry.modified)))
    return headers


def _length(size: int | None) -> HeaderList:
    return [] if size is None else [("Content-Length", str(size))]


async def _send_page(call: DavCall) -> None:
    async with aclosing(_lines(call)) as lines:
        text = await anext(lines)
        await call.sink.start(200, [("Content-Type", PAGE_TYPE), *SAFE_HEADERS])
        async for line in lines:
            text += line
            if len(text) >= PIECE_BYTES:
                await call.sink.write(text.encode())
                text = ""
        await call.sink.write(text.encode())


async def _lines(call: DavCall) -> AsyncGenerator[str, None]:
    title = escape(call.path.name or call.share.root.name or "Shared folder")
    start = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n<ul>\n'
    async with aclosing(showable_members(call)) as members:
        async for member in members:
            href = call.place.href_of(member.path, is_folder=member.is_folder)
            slash = "/" if member.is_folder else ""
            yield f'{start}<li><a href="{escape(href)}">{escape(member.path.name)}{slash}</a></li>\n'
            start = ""
    yield f"{start}</ul>\n</html>\n"
