"""Conditional requests (RFC 9110, 13): what the client knows of a resource, against what is there now.

Pure rules over header fields and an `Entry`. A tag that is not written as a tag matches nothing, so a condition that
we cannot read never lets a write through. WebDAV's own `If` lives in `model/ifheader`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry
from gateway.web.head import Headers

ANY = "*"
_TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The conditions of one request: entity tags as they came (`*` for any), times in seconds since the epoch."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: float | None = None
    if_unmodified_since: float | None = None

    @property
    def has_any(self) -> bool:
        """Whether there is a condition at all."""
        return any(
            value is not None
            for value in (self.if_match, self.if_none_match, self.if_modified_since, self.if_unmodified_since)
        )


def parse(headers: Headers) -> Conditions:
    """Return the conditions in `headers`; dates that are none are ignored (RFC 9110, 13.1.3)."""
    return Conditions(
        if_match=_tags(headers.get("If-Match")),
        if_none_match=_tags(headers.get("If-None-Match")),
        if_modified_since=parse_date(headers.get("If-Modified-Since")),
        if_unmodified_since=parse_date(headers.get("If-Unmodified-Since")),
    )


def check_write(conditions: Conditions, entry: Entry | None) -> None:
    """Let a write pass only if its conditions hold for what is there (None: nothing is).

    Raises:
        GatewayError: `PRECONDITION_FAILED`.
    """
    _check_match(conditions, entry)
    if conditions.if_none_match is not None and _matches(conditions.if_none_match, entry, weak=True):
        raise failed()


def is_unmodified(conditions: Conditions, entry: Entry) -> bool:
    """Tell whether a read is answered with 304.

    Raises:
        GatewayError: `PRECONDITION_FAILED`.
    """
    _check_match(conditions, entry)
    if conditions.if_none_match is not None:
        return _matches(conditions.if_none_match, entry, weak=True)
    since = conditions.if_modified_since
    return since is not None and entry.modified is not None and int(entry.modified) <= since


def parse_date(text: str | None) -> float | None:
    """Return an HTTP date in seconds since the epoch, or None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def is_strong(etag: str | None) -> bool:
    """Tell whether a tag promises the very same bytes."""
    return etag is not None and etag.startswith('"')


def failed() -> GatewayError:
    """Return the error for a condition that does not hold."""
    return GatewayError(Kind.PRECONDITION_FAILED, "The resource is not in the state that the request expects.")


def _check_match(conditions: Conditions, entry: Entry | None) -> None:
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, entry, weak=False):
            raise failed()
    elif (
        conditions.if_unmodified_since is not None
        and entry is not None
        and entry.modified is not None
        and int(entry.modified) > conditions.if_unmodified_since
    ):
        raise failed()


def _matches(tags: tuple[str, ...], entry: Entry | None, *, weak: bool) -> bool:
    if entry is None:
        return False
    if ANY in tags:
        return True
    if entry.etag is None:
        return False
    if weak:
        return entry.etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
    return is_strong(entry.etag) and entry.etag in tags


def _tags(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return (ANY,) if text.strip() == ANY else tuple(_TAG.findall(text))
