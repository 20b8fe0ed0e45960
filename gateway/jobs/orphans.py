"""Forgets what is kept of files that vanished behind our back: dead properties and checksums.

What is removed or moved through us takes along what is kept of it. What the old service or a user's shell removes is
found here: each run looks at a few paths, chosen by chance, so that all have their turn in time and no run is a load.
A file that is away with its whole storage (not mounted, not answering) is not taken for removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.props import KeptTable
from gateway.model.resource import ResourcePath

log = get_logger(__name__)

# How many paths of one owner's files on one storage are looked at in a run.
PATHS_A_RUN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Looks for them.

    Attributes:
        view: a space as the service account sees it, or None if its storage is not configured (any more).
    """

    tables: tuple[KeptTable, ...]
    view: Callable[[str], Backend | None]

    async def sweep(self) -> int:
        """Look at a few paths of one space of each table; return of how many something was forgotten."""
        return sum([await self._sweep(table) for table in self.tables])

    async def _sweep(self, table: KeptTable) -> int:
        space = await table.some_space()
        view = self.view(space) if space is not None else None
        if space is None or view is None or not await _is_there(view):
            return 0
        forgotten = 0
        for path, seen in (await table.some(space, PATHS_A_RUN)).items():
            if await _has_vanished(view, path):
                forgotten += await table.forget(space, path, seen)
        if forgotten:
            log.info("forgot what was kept of vanished files", paths=forgotten)
        return forgotten


async def _is_there(view: Backend) -> bool:
    """Tell whether the owner's files are there: an empty folder may be a place where nothing is mounted now."""
    try:
        async for _entry in view.list(ResourcePath()):
            return True
    except GatewayError as error:
        log.debug("vanished files are looked for later", reason=str(error))
    return False


async def _has_vanished(view: Backend, path: ResourcePath) -> bool:
    # A name that can be spelled in several ways may stand there in one for which this storage has to be listed.
    if not all(part.isascii() for part in path.parts):
        return False
    try:
        await view.stat(path)
    except GatewayError as error:
        return error.kind is Kind.NOT_FOUND
    return False
