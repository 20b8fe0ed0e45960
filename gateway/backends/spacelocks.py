"""The locks of a tree that is one user's own, as she may see and take them (RFC 4918, 6).

To `Locked` what `ShareLocks` is to a grant's storage, but the tree begins where the locks do. Taking a lock needs the
right to change what is locked; what another holder has shows without its token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.backends.locked import Locked
from gateway.model.lock import DavLock, SeenLock
from gateway.model.resource import ResourcePath


class SpaceLocks:
    """The locks of one user's tree.

    Args:
        admit: raises if nothing may be changed at a path.
    """

    def __init__(self, locked: Locked, admit: Callable[[ResourcePath], Awaitable[None]]) -> None:
        self._locked = locked
        self._admit = admit

    def presenting(self, tokens: frozenset[str]) -> Locked:
        """Return the tree, in which these lock tokens count as presented."""
        return self._locked.presenting(tokens)

    async def lock(
        self, path: ResourcePath, *, is_deep: bool, is_exclusive: bool, owner_xml: str, seconds: int
    ) -> SeenLock:
        """Take a lock.

        Raises:
            GatewayError: `LOCKED` if it conflicts with another.
        """
        await self._admit(path)
        taken = await self._locked.lock(
            path, is_deep=is_deep, is_exclusive=is_exclusive, owner_xml=owner_xml, seconds=seconds
        )
        return self._seen(taken, path)

    async def refresh(self, path: ResourcePath, token: str, *, seconds: int) -> SeenLock:
        """Prolong a lock that covers `path`.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if there is no such lock, `FORBIDDEN` if it is another's.
        """
        await self._admit(path)
        return self._seen(await self._locked.refresh(path, token, seconds=seconds), path)

    async def unlock(self, path: ResourcePath, token: str) -> None:
        """Give a lock up that covers `path`.

        Raises:
            GatewayError: `CONFLICT` if there is no such lock, `FORBIDDEN` if it is another's.
        """
        await self._locked.unlock(path, token)

    async def discover(self, path: ResourcePath, *, with_members: bool = False) -> tuple[SeenLock, ...]:
        """Return the locks that cover `path`, and if `with_members` those rooted below it."""
        locks = await self._locked.discover(path, with_members=with_members)
        return tuple(self._seen(lock, path) for lock in locks)

    def _seen(self, lock: DavLock, path: ResourcePath) -> SeenLock:
        rules = self._locked.rules
        # The part of the root that the request named is spelled as the request spelled it.
        depth = len(lock.root.parts)
        spelled = (path.parts + lock.root.parts[len(path.parts) :])[:depth]
        return SeenLock(
            token=lock.token if lock.holder == rules.holder else "",
            root=ResourcePath(spelled),
            is_deep=lock.is_deep,
            is_exclusive=lock.is_exclusive,
            owner_xml=lock.owner_xml,
            seconds_left=max(0, int(lock.expires_at - rules.now())),
        )
