"""What `Locked` goes by: where locks and dead properties are kept, for whom it acts, and who is told of changes."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.model.lock import LockTable
from gateway.model.props import Changes, Properties, PropertyTable
from gateway.model.resource import ResourcePath

# A write that took longer than this, in seconds, looks at the locks once more before it takes effect.
LOOK_AGAIN_SECONDS = 1.0


def new_token() -> str:
    """Return a fresh lock token (RFC 4918, 6.5)."""
    return uuid.uuid4().urn


def locked() -> GatewayError:
    """Return the error for what another's lock protects."""
    return GatewayError(Kind.LOCKED, "This resource is locked.", code="lock-token-submitted")


async def report_to_nobody(*_paths: ResourcePath) -> None:
    """Do nothing about a write or a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRules:
    """Whose writes and locks these are.

    Attributes:
        space: the view of the storage in which the locks meet.
        holder: the grant (or local user) that acts; a token counts only for the holder of its lock.
        on_write: told every path that was, or may have been, changed.
        on_move: told where something was and where it now is.
        properties: where dead properties are kept, or None if nowhere, and
        sums: checksums, likewise.
    """

    locks: LockTable
    space: str
    holder: str
    now: Callable[[], float]
    on_write: Callable[[ResourcePath], Awaitable[None]] = report_to_nobody
    on_move: Callable[[ResourcePath, ResourcePath], Awaitable[None]] = report_to_nobody
    properties: PropertyTable | None = None
    sums: PropertyTable | None = None
    new_token: Callable[[], str] = new_token

    @property
    def kept(self) -> tuple[PropertyTable, ...]:
        """All that is kept with files, and goes where they go."""
        return tuple(table for table in (self.properties, self.sums) if table is not None)


async def exists(backend: Backend, path: ResourcePath) -> bool:
    """Tell whether something is at a path."""
    try:
        await backend.stat(path)
    except GatewayError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return False
    return True


async def read_kept(
    table: PropertyTable, space: str, path: ResourcePath, *, with_members: bool = False
) -> Mapping[ResourcePath, Properties]:
    """Return what a table keeps of `path`, under whatever spelling."""
    return await table.read(space, path.one_spelling, with_members=with_members)


async def keep(table: PropertyTable, space: str, path: ResourcePath, changes: Changes) -> None:
    """Change what a table keeps of `path`, under whatever spelling."""
    await table.change(space, path.one_spelling, changes)
