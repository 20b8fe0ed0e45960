"""Shares of a user follow her files to another storage (gradual migration, DESIGN 1).

The files are moved by the operator, with whatever suits; then each share gets the new storage's name. First every
shared file or folder is looked up there, and nothing is changed if one is missing. A share that was moved is no longer
found under the old storage, so a run that was cut off is simply started again. Every replica forgets the grant, cuts
what it is serving under it, and opens it on the new storage at the next request: peers notice nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock, GrantEnded, Storages
from gateway.log import get_logger
from gateway.model.share import SentShare
from gateway.store.base import Table

log = get_logger(__name__)

PAGE_SIZE = 100


@dataclass(slots=True, kw_only=True)
class Rebinding:
    """What was found: shares that can move, and those whose file or folder is not in the new storage."""

    movable: list[SentShare] = field(default_factory=list)
    missing: list[SentShare] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebind:
    """Moves shares from one storage to another.

    Attributes:
        release_locks: gives up the locks that a grant holds in the old storage.
    """

    shares: Table[SentShare]
    storages: Storages
    tell_moved: GrantEnded
    release_locks: Callable[[SentShare], Awaitable[None]]
    now: Clock

    async def look(self, user: str, *, old: str, new: str) -> Rebinding:
        """Return which of the user's standing shares could move.

        Raises:
            GatewayError: `UNAVAILABLE` if the new storage does not answer or is not configured.
        """
        found = Rebinding()
        backend = self.storages.as_service(user, new)
        for share in await self._standing(user, old):
            try:
                entry = await backend.stat(share.root)
            except GatewayError as error:
                if error.kind not in (Kind.NOT_FOUND, Kind.FORBIDDEN):
                    raise
                found.missing.append(share)
            else:
                (found.movable if entry.kind is share.kind else found.missing).append(share)
        return found

    async def run(self, user: str, *, old: str, new: str, leave_missing: bool = False) -> Rebinding:
        """Move the shares and return what was done; with `leave_missing` those that cannot move stay as they are.

        Raises:
            GatewayError: `CONFLICT` if one is missing in the new storage, and then nothing is moved; else as `look`.
        """
        found = await self.look(user, old=old, new=new)
        if found.missing and not leave_missing:
            names = ", ".join(str(share.root) for share in found.missing)
            raise GatewayError(Kind.CONFLICT, f"Not in the storage {new}: {names}. Nothing was changed.")
        for share in found.movable:
            await self._move(share, old, new)
        return found

    async def _standing(self, user: str, storage: str) -> list[SentShare]:
        shares: list[SentShare] = []
        cursor = None
        while True:
            # All of them first: a share that moves leaves the list that is being read.
            page = await self.shares.page("root", f"{storage}\n{user}", cursor=cursor, limit=PAGE_SIZE)
            shares += [share for share in page.records if share.stands(self.now())]
            cursor = page.cursor
            if cursor is None:
                return shares

    async def _move(self, share: SentShare, old: str, new: str) -> None:
        def moved(current: SentShare) -> SentShare:
            return replace(current, storage=new, problem="") if current.storage == old else current

        await self.shares.update(share.provider_id, moved)
        await self.tell_moved(share.provider_id)
        await self.release_locks(share)
        log.info("share moved to another storage", share=share.provider_id, old=old, new=new)
