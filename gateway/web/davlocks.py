"""What the WebDAV door asks of locks, and how locks are written in XML (RFC 4918, 6, 9.10, 14.1).

The locks themselves live below the door, where every other door obeys them too. Here they are seen from the share's
root, and a token that belongs to another grant is blank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gateway.backends.base import Backend
from gateway.model.lock import SeenLock as SeenLock  # noqa: PLC0414 - what this module's callers speak of
from gateway.model.resource import Entry, ResourcePath
from gateway.web.davpath import Located
from gateway.web.davxml import text_xml

LOCK_MAX_SECONDS = 24 * 3600
LOCK_DEFAULT_SECONDS = 3600


class DavLocks(Protocol):
    """The locks of one share."""

    def presenting(self, tokens: frozenset[str]) -> Backend:
        """Return the share's storage, in which these lock tokens count as presented."""

    async def lock(
        self, path: ResourcePath, *, is_deep: bool, is_exclusive: bool, owner_xml: str, seconds: int
    ) -> SeenLock:
        """Take a lock.

        Raises:
            GatewayError: `LOCKED` if it conflicts with another.
        """

    async def refresh(self, path: ResourcePath, token: str, *, seconds: int) -> SeenLock:
        """Prolong a lock that covers `path`.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if there is no such lock, `FORBIDDEN` if it is another grant's.
        """

    async def unlock(self, path: ResourcePath, token: str) -> None:
        """Give a lock up that covers `path`.

        Raises:
            GatewayError: `CONFLICT` if there is no such lock, `FORBIDDEN` if it is another grant's.
        """

    async def discover(self, path: ResourcePath, *, with_members: bool = False) -> tuple[SeenLock, ...]:
        """Return the locks that cover `path`, and if `with_members` those rooted below it."""


SUPPORTED_XML = "".join(
    f"<d:lockentry><d:lockscope><d:{scope}/></d:lockscope><d:locktype><d:write/></d:locktype></d:lockentry>"
    for scope in ("exclusive", "shared")
)


def active_locks_xml(locks: Iterable[SeenLock], place: Located, entry: Entry) -> str:
    """Return the `activelock` elements of `lockdiscovery` of `entry`, lock roots in the form of the request."""
    return "".join(
        # What locks from above is a folder.
        _active_lock(lock, place.href_of(lock.root, is_folder=entry.is_folder or lock.root != entry.path))
        for lock in locks
        if lock.covers(entry.path)
    )


def parse_timeout(text: str | None) -> int:
    """Return the seconds of a `Timeout` header (10.7): the first wish that is understood, within our bound."""
    for wish in (text or "").split(","):
        word = wish.strip().lower()
        if word == "infinite":
            return LOCK_MAX_SECONDS
        digits = word.removeprefix("second-")
        if digits != word and digits.isascii() and digits.isdigit():
            return max(1, min(int(digits[:10]), LOCK_MAX_SECONDS))
    return LOCK_DEFAULT_SECONDS


def _active_lock(lock: SeenLock, href: str) -> str:
    token = f"<d:locktoken><d:href>{text_xml(lock.token)}</d:href></d:locktoken>" if lock.token else ""
    return (
        "<d:activelock><d:locktype><d:write/></d:locktype>"
        f"<d:lockscope><d:{'exclusive' if lock.is_exclusive else 'shared'}/></d:lockscope>"
        f"<d:depth>{'infinity' if lock.is_deep else '0'}</d:depth>{lock.owner_xml}"
        f"<d:timeout>Second-{lock.seconds_left}</d:timeout>{token}"
        f"<d:lockroot><d:href>{text_xml(href)}</d:href></d:lockroot></d:activelock>"
    )
