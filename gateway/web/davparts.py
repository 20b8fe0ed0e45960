"""A file's content as an answer: whole, one piece, or several pieces in one body (RFC 9110, 14 and 15.3.7)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.backends.base import OpenKnown
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, Span
from gateway.web import conditions
from gateway.web.davshare import DavCall
from gateway.web.head import closing
from gateway.web.ranges import content_range, wanted_spans
from gateway.web.respond import HeaderList, Reply, send


async def send_file(call: DavCall, entry: Entry, headers: HeaderList, refused: HeaderList) -> None:
    """Answer with what the request asks for of a file.

    Args:
        headers: the fields of an answer with content, without its length and type of body.
        refused: further fields of an answer that no asked byte exists.
    """
    try:
        spans = wanted_spans(call.head.headers, entry)
    except GatewayError as error:
        if error.kind is not Kind.RANGE_INVALID:
            raise
        await send(Reply(416, (("Content-Range", f"bytes */{entry.size}"), *refused)), call.sink)
        return
    if len(spans) > 1 and conditions.is_strong(entry.etag):
        await _send_parts(call, entry, spans, headers)
        return
    # The conditions were checked against `entry`; where there are any, that very file has to be opened.
    is_bound = "If-Match" in call.head.headers or "If-Range" in call.head.headers
    if_match = entry.etag if is_bound and conditions.is_strong(entry.etag) else None
    # Pieces that cannot be promised to be of one file are not put into one answer.
    span = spans[0] if len(spans) == 1 else None
    async with _opened(call, entry, span or Span(), if_match) as content:
        await _send_content(call, content, headers, is_piece=span is not None)


@asynccontextmanager
async def _opened(call: DavCall, entry: Entry, span: Span, if_match: str | None) -> AsyncIterator[Content]:
    """Open a piece of a file that was just looked up; a storage that can is not asked for its facts again."""
    backend = call.share.backend
    async with AsyncExitStack() as stack:
        content: Content | None = None
        if isinstance(backend, OpenKnown):
            try:
                content = await stack.enter_async_context(backend.open_known(entry, span))
            except GatewayError as error:
                # Whoever named no tag gets the file as it now is.
                if error.kind is not Kind.PRECONDITION_FAILED or if_match is not None:
                    raise
        if content is None:
            content = await stack.enter_async_context(backend.open(call.path, span, if_match=if_match))
        yield content


async def _send_content(call: DavCall, content: Content, headers: HeaderList, *, is_piece: bool) -> None:
    length = content.span.length
    fields = headers + ([] if length is None else [("Content-Length", str(length))])
    if is_piece and content.entry.size is not None and length is not None:
        fields.append(("Content-Range", content_range(content.span, content.entry.size)))
    await call.sink.start(206 if is_piece else 200, fields)
    await _write(call, content)


async def _write(call: DavCall, content: Content) -> None:
    async with closing(content.chunks) as chunks:
        async for chunk in chunks:
            await call.sink.write(chunk)


async def _send_parts(call: DavCall, entry: Entry, spans: tuple[Span, ...], headers: HeaderList) -> None:
    size = entry.size or 0
    boundary = secrets.token_hex(16)
    media_type = dict(headers)["Content-Type"]
    fields = [field for field in headers if field[0] != "Content-Type"]
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range(span, size)}\r\n\r\n".encode()
        for span in spans
    ]
    end = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(span.length or 0 for span in spans) + len(end)
    fields += [("Content-Type", f"multipart/byteranges; boundary={boundary}"), ("Content-Length", str(length))]
    is_started = False
    for span, head in zip(spans, heads, strict=True):
        # Each piece is of the very file whose tag was told, or the answer breaks off.
        async with call.share.backend.open(call.path, span, if_match=entry.etag) as content:
            if not is_started:
                await call.sink.start(206, fields)
                is_started = True
            await call.sink.write(head)
            await _write(call, content)
    await call.sink.write(end)
