"""GET of a piece of a file at a WebDAV storage, and how its answer shows of which file it is.

Whoever has listed a folder knows what PROPFIND would tell of each file in it, and asks for the file at once. Then it is
the answer that has to show that the file is still the one of the listing: by the same entity tag, or where the storage
has none, by the same length and time. What it does not show is asked for in the careful way.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.backends.webdav_digest import WANTED, digests_of
from gateway.backends.webdav_entry import etag_of, is_same_tag, is_strong, time_of
from gateway.backends.webdav_http import Answer
from gateway.backends.webdav_span import piece
from gateway.backends.webdav_status import storage_error
from gateway.model.resource import Content, Entry, Span

# Servers tell times in whole seconds, rounded this way or that.
_TIME_SLACK_SECONDS = 2.0


def question(entry: Entry, span: Span, if_match: str | None, *, wants_digests: bool) -> dict[str, str]:
    """Return the header fields that ask for a piece; where the size is known it is a closed range."""
    headers = _range(span, entry)
    if if_match is not None and is_strong(if_match):
        headers["If-Match"] = if_match
    return headers | (WANTED if wants_digests else {})


def content_of(answer: Answer, entry: Entry, span: Span) -> Content:
    """Return what came.

    Raises:
        GatewayError: if it is no success, or another piece.
    """
    if answer.status not in (200, 206):
        raise storage_error(answer.status, answer.headers)
    return replace(piece(answer, entry, span), digests=digests_of(answer.headers))


def shows(answer: Answer, content: Content, entry: Entry) -> bool:
    """Tell whether an answer from the storage itself shows that its file is that of `entry`."""
    if content.entry.size != entry.size:
        return False
    tag = etag_of(answer.headers.get("ETag", ""))
    if tag is not None and entry.etag is not None:
        return is_same_tag(tag, entry)
    modified = time_of(answer.headers.get("Last-Modified", ""))
    return modified is not None and entry.modified is not None and abs(modified - entry.modified) <= _TIME_SLACK_SECONDS


def _range(span: Span, entry: Entry) -> dict[str, str]:
    if span == Span(0, entry.size) or span.length is None:
        return {"Range": f"bytes={span.start}-"} if span.start else {}
    return {"Range": f"bytes={span.start}-{span.start + span.length - 1}"}
