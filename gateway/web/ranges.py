"""Byte ranges (RFC 9110, 14): which piece of a file a request asks for.

A few pieces are served; many, or overlapping ones, are answered with the whole file, as 14.2 allows. What is not
understood is ignored; ranges that all lie behind the end are told as 416 by the caller.
"""

from __future__ import annotations

import re
from itertools import pairwise

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, Span
from gateway.web.conditions import is_strong, parse_date
from gateway.web.head import Headers

# More pieces than this in one request are no way to read a file (RFC 9110, 14.2 and 17.15): it is served whole.
RANGES_MAX = 16

_RANGES = re.compile(r"bytes\s*=(.{1,1000})", re.ASCII | re.IGNORECASE)
_ONE_RANGE = re.compile(r"\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII)


def wanted_spans(headers: Headers, entry: Entry) -> tuple[Span, ...]:
    """Return the pieces that are asked for, or none for the whole file.

    Raises:
        GatewayError: `RANGE_INVALID` if all of them lie behind the end.
    """
    text = headers.get("Range")
    if text is None or entry.size is None or not _if_range_holds(headers.get("If-Range"), entry):
        return ()
    return parse_ranges(text, entry.size)


def parse_ranges(text: str, size: int) -> tuple[Span, ...]:
    """Return the closed pieces of a file of `size` bytes that `text` names, or none if the whole is to be served.

    That is so if `text` is no list of ranges, if there are too many, or if they overlap, and so are more than a file.

    Raises:
        GatewayError: `RANGE_INVALID` if all of them lie behind the end.
    """
    match = _RANGES.fullmatch(text.strip())
    items = match[1].split(",") if match is not None else []
    matches = [one for one in map(_ONE_RANGE.fullmatch, items) if one is not None]
    if not items or len(matches) < len(items) or len(items) > RANGES_MAX or not all(map(_is_range, matches)):
        return ()
    spans = tuple(span for span in (_span(one[1], one[2], size) for one in matches) if span is not None)
    if not spans:
        raise GatewayError(Kind.RANGE_INVALID, f"This file has only {size} bytes.")
    return () if _overlap(spans) else spans


def _is_range(match: re.Match[str]) -> bool:
    first, last = match.groups()
    return bool(first or last) and not (first and last and int(last) < int(first))


def _span(first: str, last: str, size: int) -> Span | None:
    """Return the part of a range that the file has, or None if it has none of it."""
    start = int(first) if first else size - min(int(last), size)
    end = min(int(last), size - 1) if first and last else size - 1
    return Span(start, end - start + 1) if start <= end else None


def _overlap(spans: tuple[Span, ...]) -> bool:
    ordered = sorted(spans, key=lambda span: span.start)
    return any(one.start + (one.length or 0) > other.start for one, other in pairwise(ordered))


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
