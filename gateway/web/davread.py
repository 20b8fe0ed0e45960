"""GET, HEAD and OPTIONS (RFC 9110; RFC 4918, 9.4 and 10.1).

What peers and users store is handed out so that no browser shows or runs it on our origin (DESIGN 6). A folder has a
small page of links: curl and browsers ask for one, and some clients try HEAD on a folder before anything else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from html import escape

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, Span
from gateway.web import conditions
from gateway.web.davfind import PIECE_BYTES, showable_members
from gateway.web.davpath import attachment
from gateway.web.davprops import entry_name, media_type
from gateway.web.davshare import DavCall
from gateway.web.head import closing
from gateway.web.ranges import content_range, wanted_span
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
        await _send_file(call, entry)


async def head(call: DavCall) -> None:
    """Answer HEAD: what GET would say, without opening anything; ranges are for GET only (RFC 9110, 14.2)."""
    entry = await call.share.stat(call.path)
    await call.check_if()
    if entry.is_folder:
        await call.sink.start(200, [("Content-Type", PAGE_TYPE), *SAFE_HEADERS])
    elif conditions.is_unmodified(conditions.parse(call.head.headers), entry):
        await send(Reply(304, tuple(_validators(entry))), call.sink)
    else:
        await call.sink.start(200, _file_headers(call, entry) + _length(entry.size))


async def _send_file(call: DavCall, entry: Entry) -> None:
    try:
        span = wanted_span(call.head.headers, entry)
    except GatewayError as error:
        if error.kind is not Kind.RANGE_INVALID:
            raise
        await send(Reply(416, (("Content-Range", f"bytes */{entry.size}"), *SAFE_HEADERS)), call.sink)
        return
    # The conditions were checked against `entry`; where there are any, that very file has to be opened.
    is_bound = "If-Match" in call.head.headers or "If-Range" in call.head.headers
    if_match = entry.etag if is_bound and conditions.is_strong(entry.etag) else None
    async with call.share.backend.open(call.path, span or Span(), if_match=if_match) as content:
        await _send_content(call, content, is_piece=span is not None)


async def _send_content(call: DavCall, content: Content, *, is_piece: bool) -> None:
    headers = _file_headers(call, content.entry) + _length(content.span.length)
    if is_piece and content.entry.size is not None and content.span.length is not None:
        headers.append(("Content-Range", content_range(content.span, content.entry.size)))
    await call.sink.start(206 if is_piece else 200, headers)
    async with closing(content.chunks) as chunks:
        async for chunk in chunks:
            await call.sink.write(chunk)


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
