"""The locks of one share as its recipient may see and take them (RFC 4918, 6; DESIGN 6, relay).

To `Locked` what `Scoped` is to a storage: paths are seen from the share's root, taking a lock needs the right to
write, and what belongs to another grant shows without its token, so that nobody can use it.
"""

from __future__ import annotations

from gateway.backends.locked import Locked
from gateway.backends.scoped import Scope, Scoped
from gateway.model.lock import DavLock, SeenLock
from gateway.model.resource import ResourcePath


class ShareLocks:
    """The locks of one share."""

    def __init__(self, locked: Locked, scope: Scope) -> None:
        self._locked = locked
        self._scope = scope

    def presenting(self, tokens: frozenset[str]) -> Scoped:
        """Return the share's storage, in which these lock tokens count as presented."""
        return Scoped(self._locked.presenting(tokens), self._scope.grant, self._scope.still_stands)

    async def lock(
        self, path: ResourcePath, *, is_deep: bool, is_exclusive: bool, owner_xml: str, seconds: int
    ) -> SeenLock:
        """Take a lock.

        Raises:
            GatewayError: `LOCKED` if it conflicts with another.
        """
        await self._scope.admit(path, writes=True)
        taken = await self._locked.lock(
            self._scope.inner(path), is_deep=is_deep, is_exclusive=is_exclusive, owner_xml=owner_xml, seconds=seconds
        )
        return self._seen(taken, path)

    async def refresh(self, path: ResourcePath, token: str, *, seconds: int) -> SeenLock:
        """Prolong a lock that covers `path`.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if there is no such lock, `FORBIDDEN` if it is another grant's.
        """
        await self._scope.admit(path, writes=True)
        return self._seen(await self._locked.refresh(self._scope.inner(path), token, seconds=seconds), path)

    async def unlock(self, path: ResourcePath, token: str) -> None:
        """Give a lock up that covers `path`.

        Raises:
            GatewayError: `CONFLICT` if there is no such lock, `FORBIDDEN` if it is another grant's.
        """
        await self._scope.admit(path, writes=True)
        await self._locked.unlock(self._scope.inner(path), token)

    async def discover(self, path: ResourcePath, *, with_members: bool = False) -> tuple[SeenLock, ...]:
        """Return the locks that cover `path`, and if `with_members` those rooted below it."""
        await self._scope.admit(path)
        locks = await self._locked.discover(self._scope.inner(path), with_members=with_members)
        return tuple(self._seen(lock, path) for lock in locks)

    def _seen(self, lock: DavLock, path: ResourcePath) -> SeenLock:
        rules = self._locked.rules
        return SeenLock(
            token=lock.token if lock.holder == rules.holder else "",
            root=self._root(lock, path),
            is_deep=lock.is_deep,
            is_exclusive=lock.is_exclusive,
            owner_xml=lock.owner_xml,
            seconds_left=max(0, int(lock.expires_at - rules.now())),
        )

    def _root(self, lock: DavLock, path: ResourcePath) -> ResourcePath:
        """Return the lock's root seen from the share, spelled as the request spelled it."""
        depth = max(0, len(lock.root.parts) - len(self._scope.grant.root.parts))
        below = lock.root.parts[len(self._scope.grant.root.parts) + len(path.parts) :]
        return ResourcePath((path.parts + below)[:depth])
