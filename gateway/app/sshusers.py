"""Local users at the SSH door: their own log-in, an app password or a registered key opens what they have received."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from gateway.app.mount import Mounts
from gateway.backends.base import Backend, OpenAt
from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret
from gateway.model.share import SSH_USER_PREFIX
from gateway.ssh.guests import Guest
from gateway.web.mountgate import Mounter

# How often it is asked during a session whether what opened it still holds, in seconds.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUsers:
    """Lets in our own users."""

    mounts: Mounts
    opener: Callable[[Backend], OpenAt]
    takes_passwords: bool = True

    async def by_key(self, claimed_user: str, claimed_key: str) -> Guest | None:
        """Return the user who registered this key."""
        if claimed_user.startswith(SSH_USER_PREFIX):
            return None
        found = await self.mounts.user_keys.find(claimed_user, claimed_key)
        return self._guest(Mounter(*found)) if found is not None else None

    async def by_password(self, claimed_user: str, password: Secret, address: str) -> Guest | None:
        """Return the user whom this pass word proves; wrong ones are counted with those of all other doors."""
        if claimed_user.startswith(SSH_USER_PREFIX):
            return None
        try:
            return self._guest(await self.mounts.gate.log_in(claimed_user, password, address=address))
        except GatewayError as error:
            if error.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
                return None
            raise

    def _guest(self, mounter: Mounter) -> Guest:
        tree = self.mounts.trees.locked(self.mounts.trees.tree(mounter))
        return Guest(
            name=f"user {mounter.user.identifier}",
            room=f"user {mounter.user.identifier}",
            backend=tree,
            files=self.opener(tree),
            may_write=True,
            serving=partial(_serving, mounter),
        )


@contextmanager
def _serving(mounter: Mounter) -> Iterator[None]:
    """Cancel the running task as soon as what let the user in is withdrawn."""
    task = asyncio.current_task()
    assert task is not None
    looking = asyncio.create_task(_look(mounter, task))
    try:
        yield
    finally:
        looking.cancel()


async def _look(mounter: Mounter, task: asyncio.Task[object]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await mounter.still_stands()
        except GatewayError as error:
            # While the store is away nothing is known; each verb then says so by itself.
            if error.kind is Kind.UNAUTHENTICATED:
                task.cancel("withdrawn")
                return
