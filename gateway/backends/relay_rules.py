"""The relay's closed lists: header fields both ways, time-outs of locks, and the ports it needs.

What is not listed does not pass. Above all no query, no `Source`, no `TransferHeader*`, no `Remote-User` or
`X-Forwarded-*`: research storage takes those for commands or for proof (`ANCHORS.md` 1.6).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.backends.lockrules import report_to_nobody
from gateway.errors import GatewayError, Kind
from gateway.model.grant import Grant
from gateway.model.resource import Quota, ResourcePath

LENGTH_MAX_DIGITS = 19
LOCK_DEFAULT_SECONDS = 1800
# A lock of a grant that ends, or of a client that dies, must not bar the owner from her own file for long.
LOCK_MAX_SECONDS = 3600

_ANY = re.compile(r"[\x20-\x7e\x80-\xff]{1,8000}")
# Field by field: what passes to the storage, and the form it must have. `If`, `Lock-Token`, `Timeout` and what
# frames the body are made anew; see `relay_locks` and `webdav_body`.
_REQUEST_FIELDS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "content-type": ("Content-Type", _ANY),
    "depth": ("Depth", re.compile(r"0|1|infinity", re.IGNORECASE)),
    "overwrite": ("Overwrite", re.compile(r"[TF]", re.IGNORECASE)),
    "if-match": ("If-Match", _ANY),
    "if-none-match": ("If-None-Match", _ANY),
    "if-modified-since": ("If-Modified-Since", _ANY),
    "if-unmodified-since": ("If-Unmodified-Since", _ANY),
    "if-range": ("If-Range", _ANY),
    "range": ("Range", re.compile(r"bytes=[0-9, -]{1,500}")),
    "x-oc-mtime": ("X-OC-Mtime", re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")),
    "oc-checksum": ("OC-Checksum", re.compile(r"[A-Za-z0-9:=+/ -]{1,500}")),
}
_ANSWER_FIELDS = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Encoding",
    "Accept-Ranges",
    "ETag",
    "OC-ETag",
    "Last-Modified",
    "X-OC-Mtime",
)
_ENTITY_FIELDS = frozenset({"Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges"})
_TIMEOUT = re.compile(r"\s*(?:Second-([0-9]{1,10})|Infinite)\s*", re.IGNORECASE)


class LockOwners(Protocol):
    """Remembers for all replicas which grant a lock token of the storage belongs to."""

    async def check_room(self, grant_id: str) -> None:
        """Raise `NO_SPACE` if the grant holds as many tokens as it may."""

    async def claim(self, token: str, grant_id: str, expires: float) -> None:
        """Note that the grant owns the token until `expires` (seconds since the epoch)."""

    async def owner(self, token: str) -> str | None:
        """Return the grant that owns the token, or None if it is nobody's here."""

    async def release(self, token: str) -> None:
        """Forget the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPorts:
    """What the relay asks of the rest.

    Attributes:
        still_stands: raises if the grant has ended; asked before every request.
        root_etag: makes the tag of a shared folder from the storage's own (empty if it has none): one that changes
            with anything below.
        on_write: told every path that was changed, as seen from the owner's root.
        on_move: told where something was and where it now is, seen likewise.
        quota: what the owner may still store; by default the storage is asked by each listing.
    """

    still_stands: Callable[[], Awaitable[None]]
    lock_owners: LockOwners
    root_etag: Callable[[Grant, str], Awaitable[str]]
    on_write: Callable[[ResourcePath], Awaitable[None]]
    now: Callable[[], float]
    on_move: Callable[[ResourcePath, ResourcePath], Awaitable[None]] = report_to_nobody
    quota: Callable[[], Awaitable[Quota]] | None = None


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a request that pass to the storage.

    Raises:
        GatewayError: `INVALID` if one of them is malformed, `FORBIDDEN` for a copy from elsewhere (`Source`).
    """
    if "source" in headers:
        raise GatewayError(Kind.FORBIDDEN, "Copies from other servers are not made here.")
    passing = {}
    for name, (wire_name, form) in _REQUEST_FIELDS.items():
        value = headers.get(name)
        if value is None:
            continue
        if not form.fullmatch(value):
            raise GatewayError(Kind.INVALID, f"The header {wire_name} is not as it should be.")
        passing[wire_name] = value
    return passing


def answered(headers: Mapping[str, str], *, has_entity: bool = False) -> list[tuple[str, str]]:
    """Return the fields of the storage's answer that pass to the client.

    Args:
        has_entity: whether the storage's body goes along, and so the fields that describe it.
    """
    names = (name for name in _ANSWER_FIELDS if has_entity or name not in _ENTITY_FIELDS)
    return [(name, headers[name]) for name in names if name in headers]


def lock_seconds(timeout: str | None) -> int:
    """Return the life of a lock from a `Timeout` field (RFC 4918, 10.7), cut to what we allow."""
    first = _TIMEOUT.fullmatch((timeout or f"Second-{LOCK_DEFAULT_SECONDS}").split(",")[0])
    if first is None:
        raise GatewayError(Kind.INVALID, "The header Timeout is not as it should be.")
    return min(int(first[1] or LOCK_MAX_SECONDS), LOCK_MAX_SECONDS)


def body_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body where the client told it."""
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > LENGTH_MAX_DIGITS:
        raise GatewayError(Kind.INVALID, "The header Content-Length is not as it should be.")
    return int(text)
