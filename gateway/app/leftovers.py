"""Removes what killed processes left unfinished in the storages, long after nobody can be working on it any more.

Such files have names that are never shown (`.ocm-part-…`), so nobody but us would find them. Where we reach everybody's
files, we look through all of them; where only the owners' own accounts open a storage, through the files of those who
share from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from gateway.app.openstorage import Opened
from gateway.backends.base import Backend, Sweepable
from gateway.backends.storages import WebdavStorage
from gateway.errors import GatewayError
from gateway.log import get_logger
from gateway.model.share import SentShare
from gateway.store.base import Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Sweeps all storages that can hold such files.

    Attributes:
        kept_seconds: how long nothing may have changed in what is removed.
    """

    storages: Mapping[str, Opened]
    shares: Table[SentShare]
    kept_seconds: float
    now: Callable[[], float]

    async def sweep(self) -> int:
        """Remove what was left; return how much that was. A storage that is away does not stop the rest."""
        swept = 0
        for name, opened in self.storages.items():
            async for backend in self._places(name, opened):
                try:
                    swept += await backend.sweep_temporaries(self.now() - self.kept_seconds)
                except GatewayError as error:
                    log.warning("unfinished files are left for now", storage=name, reason=str(error))
        if swept:
            log.info("removed unfinished files", count=swept)
        return swept

    async def _places(self, name: str, opened: Opened) -> AsyncIterator[Sweepable]:
        if isinstance(opened, WebdavStorage) and not opened.is_swept:
            # Whatever it is writing is its own affair.
            return
        whole = opened.as_a_whole()
        if whole is not None:
            backends: list[Backend] = [whole]
        else:
            backends = [opened.as_service(owner) for owner in await self._owners(name)]
        for backend in backends:
            if isinstance(backend, Sweepable):
                yield backend

    async def _owners(self, storage: str) -> list[str]:
        """Return who shares from a storage."""
        owners: set[str] = set()
        cursor = None
        while True:
            page = await self.shares.page("storage", storage, cursor=cursor)
            owners.update(share.owner for share in page.records)
            cursor = page.cursor
            if cursor is None:
                return sorted(owners)
