"""Pieces of files: which bytes a span means, and whether a GET really brings them (`ANCHORS.md` 1.3, Q9 and Q19)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.backends.webdav_http import Answer
from gateway.backends.webdav_status import nonsense
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, Span

_PARTIAL = 206
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_LENGTH = re.compile(r"\d{1,19}")


def resolve(span: Span, size: int | None) -> Span:
    """Return the span cut to a file of `size` bytes (None: the storage does not say).

    Raises:
        GatewayError: `RANGE_INVALID` if it starts behind the end.
    """
    if size is None:
        return span
    if span.start > size or (span.start == size and span.start > 0):
        raise GatewayError(Kind.RANGE_INVALID, "The file is shorter than that.")
    rest = size - span.start
    return Span(span.start, rest if span.length is None else min(span.length, rest))


def piece(answer: Answer, entry: Entry, span: Span) -> Content:
    """Return the content of an answer with 200 or 206 to the question for `span`.

    A storage that sends the whole file instead is cut to measure; one that sends another piece is not believed.

    Raises:
        GatewayError: `UNAVAILABLE` if `Content-Range` does not fit.
    """
    described = replace(entry, etag=answer.headers.get("ETag", entry.etag))
    if answer.status == _PARTIAL:
        return _part(answer, described, span)
    total = _total(answer)
    if total is None:
        total = entry.size
    exact = resolve(span, total)
    chunks = _cut(answer.chunks(), skip=exact.start, length=exact.length)
    return Content(entry=replace(described, size=total), span=exact, chunks=chunks)


def _part(answer: Answer, entry: Entry, span: Span) -> Content:
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None:
        raise nonsense("206 without a plain Content-Range")
    start, end = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    length = end - start + 1
    if start != span.start or length <= 0 or (span.length is not None and length != span.length):
        raise nonsense("206 with another range than was asked for")
    if total is not None and end >= total:
        raise nonsense("206 beyond the end of the file")
    chunks = _cut(answer.chunks(), skip=0, length=length)
    return Content(entry=replace(entry, size=total), span=Span(start, length), chunks=chunks)


def _total(answer: Answer) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


async def _cut(chunks: AsyncIterator[bytes], *, skip: int, length: int | None) -> AsyncIterator[bytes]:
    """Yield `length` bytes (None: all) behind the first `skip`.

    Raises:
        GatewayError: `UNAVAILABLE` if there are fewer.
    """
    left = length
    async for chunk in chunks:
        useful = chunk[skip:] if skip else chunk
        skip = max(0, skip - len(chunk))
        if left is not None:
            useful = useful[:left]
            left -= len(useful)
        if useful:
            yield useful
        if left == 0:
            return
    if left:
        raise nonsense("body ends early")
