"""Byte ranges (RFC 9110, 14): which piece of a file a request asks for.

One range is served; several are allowed to be answered with the whole file (14.2). A range that is not understood is
ignored, one behind the end is told as 416 by the caller.
"""

from __future__ import annotations

import re

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, Span
from gateway.web.conditions import is_strong, parse_date
from gateway.web.head import Headers

_ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", re.ASCII | re.IGNORECASE)


def wanted_span(headers: Headers, entry: Entry) -> Span | None:
    """Return the one piece that is asked for, or None for the whole file.

    Raises:
        GatewayError: `RANGE_INVALID` if it lies behind the end.
    """
    text = headers.get("Range")
    if text is None or entry.size is None or not _if_range_holds(headers.get("If-Range"), entry):
        return None
    return parse_range(text, entry.size)


def parse_range(text: str, size: int) -> Span | None:
    """Return the closed piece of a file of `size` bytes that `text` names, or None if it is not one range.

    Raises:
        GatewayError: `RANGE_INVALID` if it lies behind the end.
    """
    match = _ONE_RANGE.fullmatch(text.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        start, end = size - length, size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < int(first):
            return None
    if start > end:
        raise GatewayError(Kind.RANGE_INVALID, f"This file has only {size} bytes.")
    return Span(start, end - start + 1)


def content_range(span: Span, size: int) -> str:
    """Return the `Content-Range` of a closed piece."""
    assert span.length is not None
    return f"bytes {span.start}-{span.start + span.length - 1}/{size}"


def _if_range_holds(text: str | None, entry: Entry) -> bool:
    if text is None:
        return True
    if '"' in text:
        return is_strong(entry.etag) and text.strip() == entry.etag
    date = parse_date(text)
    # RFC 9110, 13.1.5: the date has to be the very one that was told.
    return date is not None and entry.modified is not None and int(entry.modified) == int(date)
