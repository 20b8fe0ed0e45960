"""Between WebDAV properties and our entries: what we ask for, and what we make of the answers."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from gateway.backends.davanswer import Described
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, EntryKind, Quota, ResourcePath

_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'
ENTRY_REQUEST = (
    _DECLARATION + b'<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/>'
    b"<getcontenttype/></prop></propfind>"
)
QUOTA_REQUEST = (
    _DECLARATION + b'<propfind xmlns="DAV:"><prop><quota-available-bytes/><quota-used-bytes/></prop></propfind>'
)

_COLLECTION = "DAV:}collection"
_NUMBER = re.compile(r"\d{1,19}")
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]{0,1000}"')
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}/[\x20-\x7e]{1,255}")


def expect_folder(entry: Entry) -> None:
    """Raise `CONFLICT` unless this is a folder."""
    if not entry.is_folder:
        raise GatewayError(Kind.CONFLICT, "This is not a folder.")


def entry_of(path: ResourcePath, described: Described) -> Entry:
    """Return the entry at `path` from its properties; those that make no sense count as not told."""
    given = described.properties
    modified = time_of(given.get("DAV:}getlastmodified", ""))
    etag = etag_of(given.get("DAV:}getetag", ""))
    if _COLLECTION in described.children.get("DAV:}resourcetype", ()):
        return Entry(path=path, kind=EntryKind.FOLDER, modified=modified, etag=etag)
    return Entry(
        path=path,
        kind=EntryKind.FILE,
        size=_number(given.get("DAV:}getcontentlength", "")),
        modified=modified,
        etag=etag,
        content_type=_matching(_MEDIA_TYPE, given.get("DAV:}getcontenttype", "")),
    )


def etag_of(text: str) -> str | None:
    """Return an entity tag as it came, or None if it is none (RFC 9110, 8.8.3); missing quotes are added."""
    # wsgidav leaves the quotes out in PROPFIND.
    quoted = text if text.endswith('"') else f'"{text}"'
    return _matching(_ETAG, quoted) if text else None


def is_strong(etag: str) -> bool:
    """Tell whether a tag can be used in `If-Match`, which compares strong ones only (RFC 9110, 13.1.1)."""
    return not etag.startswith("W/")


def is_same_tag(etag: str, entry: Entry | None) -> bool:
    """Tell whether `etag` (or `*`) is that of the entry by weak comparison (RFC 9110, 8.8.3.2)."""
    if entry is None:
        return False
    return etag == "*" or (entry.etag is not None and etag.removeprefix("W/") == entry.etag.removeprefix("W/"))


def quota_of(described: Described) -> Quota:
    """Return the quota from its properties; negative numbers, by which some mean "unlimited", count as not told."""
    given = described.properties
    return Quota(
        used=_number(given.get("DAV:}quota-used-bytes", "")),
        available=_number(given.get("DAV:}quota-available-bytes", "")),
    )


def time_request(http_date: str) -> bytes:
    """Return the PROPPATCH body that sets the time of modification."""
    return _DECLARATION + (
        '<propertyupdate xmlns="DAV:"><set><prop><getlastmodified>'
        f"{http_date}</getlastmodified></prop></set></propertyupdate>"
    ).encode("ascii")


def _matching(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and _NUMBER.fullmatch(text) else None


def time_of(text: str) -> float | None:
    """Return what an HTTP date means, in seconds since the epoch, or None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
