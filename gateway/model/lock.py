"""WebDAV write locks, and the port to where they are kept (RFC 4918, 6 and 7).

They stand here because both sides need the words: the store, which keeps locks for all replicas, and the storage
wrapper that obeys them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.model.resource import ResourcePath


@dataclass(frozen=True, slots=True, kw_only=True)
class DavLock:
    """A WebDAV write lock (RFC 4918, 6).

    Attributes:
        token: the lock token, a `urn:uuid:` URI.
        root: the locked resource, seen from the owner's root in the storage.
        holder: the grant that owns it; nobody else may use the token.
        owner_xml: the client's `DAV:owner` element, kept as it came.
        expires_at: seconds since the epoch.
    """

    token: str
    root: ResourcePath
    is_deep: bool
    is_exclusive: bool
    holder: str
    owner_xml: str = ""
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLock:
    """A lock as one grant may see it.

    Attributes:
        token: empty if the lock belongs to another grant.
        root: the locked resource seen from the share's root; a lock from above the share shows as the root itself.
        seconds_left: whole seconds until it ends.
    """

    token: str
    root: ResourcePath
    is_deep: bool
    is_exclusive: bool
    owner_xml: str
    seconds_left: int

    def covers(self, path: ResourcePath) -> bool:
        """Tell whether the lock protects `path`."""
        return self.root == path or (self.is_deep and path.is_within(self.root))


class LockTable(Protocol):
    """WebDAV locks of one storage view (`space`), shared by all replicas; expired ones do not exist."""

    async def acquire(self, space: str, lock: DavLock) -> None:
        """Take a lock.

        Raises:
            GatewayError: `LOCKED` if it conflicts with one on the same path, above (if deep) or (if deep) below;
                `NO_SPACE` if there are too many in the space, or too many of this holder.
        """

    async def refresh(self, space: str, token: str, *, expires_at: float) -> DavLock | None:
        """Prolong a lock and return it, or None if it is gone."""

    async def release(self, space: str, token: str) -> bool:
        """Give a lock up; tell whether it was there."""

    async def covering(self, space: str, path: ResourcePath) -> tuple[DavLock, ...]:
        """Return the locks that protect `path`: on it, or deep above it."""

    async def below(self, space: str, path: ResourcePath) -> tuple[DavLock, ...]:
        """Return the locks rooted at or below `path`."""

    async def release_holder(self, space: str, holder: str) -> None:
        """Give up every lock of one grant (it was revoked)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockClaim:
    """Which grant a lock token of a relayed storage belongs to, until `expires_at` (seconds since the epoch)."""

    token: str
    holder: str
    expires_at: float
