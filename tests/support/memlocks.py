"""A `LockTable` in memory, for tests of what stands on it; the real one is held to the same rules by a contract."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.errors import GatewayError, Kind


@dataclass
class MemoryLockTable:
    """Keeps locks by space and token, by the clock `now`."""

    now: object
    held: dict = field(default_factory=dict)

    def live(self, space):
        return [lock for lock in self.held.get(space, {}).values() if lock.expires_at > self.now()]

    async def acquire(self, space, lock):
        near = {*await self.covering(space, lock.root)}
        if lock.is_deep:
            near |= {*await self.below(space, lock.root)}
        if any(lock.is_exclusive or other.is_exclusive for other in near):
            raise GatewayError(Kind.LOCKED, "This resource is locked.")
        self.held.setdefault(space, {})[lock.token] = lock

    async def refresh(self, space, token, *, expires_at):
        for lock in self.live(space):
            if lock.token == token:
                self.held[space][token] = replace(lock, expires_at=expires_at)
                return self.held[space][token]
        return None

    async def release(self, space, token):
        return self.held.get(space, {}).pop(token, None) is not None

    async def covering(self, space, path):
        return tuple(
            lock for lock in self.live(space) if lock.root == path or (lock.is_deep and path.is_within(lock.root))
        )

    async def below(self, space, path):
        return tuple(lock for lock in self.live(space) if lock.root.is_within(path))

    async def release_holder(self, space, holder):
        kept = {token: lock for token, lock in self.held.get(space, {}).items() if lock.holder != holder}
        self.held[space] = kept
