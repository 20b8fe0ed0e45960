"""What wraps an open file: a question before each of its verbs, and the path under which it is seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from gateway.backends.base import OpenFile
from gateway.model.resource import Entry

Question = Callable[[], Awaitable[None]]


@runtime_checkable
class Synced(Protocol):
    """An open file that can be put on the disk before it is closed."""

    async def sync(self) -> None:
        """Return when all that was written is on the disk."""


async def _nothing() -> None:
    pass


def _as_it_is(entry: Entry) -> Entry:
    return entry


class AskingFile:
    """An `OpenFile` around another, which asks before each verb; what a question raises, the verb raises.

    Args:
        seen: the entry as those see it to whom the file is given.
    """

    sync: Question

    def __init__(
        self,
        file: OpenFile,
        *,
        before_read: Question = _nothing,
        before_write: Question = _nothing,
        seen: Callable[[Entry], Entry] = _as_it_is,
    ) -> None:
        self._file = file
        self._before_read = before_read
        self._before_write = before_write
        self._seen = seen
        if isinstance(file, Synced):
            self._sync_inner = file.sync
            self.sync = self._sync

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        await self._before_read()
        return await self._file.read_at(offset, length)

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`."""
        await self._before_write()
        await self._file.write_at(offset, data)

    async def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        await self._before_write()
        await self._file.truncate(size)

    async def stat(self) -> Entry:
        """Return the entry of the open file as it now is."""
        await self._before_read()
        return self._seen(await self._file.stat())

    async def _sync(self) -> None:
        await self._before_write()
        await self._sync_inner()
