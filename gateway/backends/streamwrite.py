"""Writing at any place to a storage that takes whole files: a streamed upload behind a window.

At first all is held back: until the window is full, bytes may come in any order. When it is full and has no holes the
upload begins, and from then on pieces may overtake each other by as much as the window. A client that really jumps
before that gets its file put together on disk; one that jumps later is refused, for what was sent cannot be changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.backends.base import Backend
from gateway.backends.spool import Spool
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, EntryKind, ResourcePath

WINDOW_BYTES = 4 * 1024 * 1024
OFFSET_MAX = 2**63 - 1
# Pieces that wait for the storage, at most.
QUEUE_PIECES = 16


async def upload(backend: Backend, path: ResourcePath, spool: Spool, *, if_match: str | None = None) -> None:
    """Send what was put together as the new content."""
    await backend.write(path, spool.chunks(), size=spool.size, if_match=if_match)


class SpooledFile:
    """A file that is changed on disk, to be uploaded whole."""

    def __init__(self, spool: Spool, entry: Entry) -> None:
        self._spool = spool
        self._entry = entry
        self.is_changed = False

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        _check_place(offset, length)
        return await self._spool.read_at(offset, length)

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`."""
        _check_place(offset, len(data))
        self.is_changed = True
        await self._spool.write_at(offset, data)

    async def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        _check_place(size, 0)
        self.is_changed = True
        await self._spool.truncate(size)

    async def stat(self) -> Entry:
        """Return the entry of the file as it will be."""
        return replace(self._entry, size=self._spool.size)


class StreamWriter:
    """A replacement in the making."""

    def __init__(self, backend: Backend, path: ResourcePath, spool: Spool, *, if_none_match: str | None) -> None:
        self._backend = backend
        self._path = path
        self._spool = spool
        self._if_none_match = if_none_match
        # Where the bytes without holes end, and what has come for behind that.
        self._front = 0
        self._islands: dict[int, int] = {}
        self._is_spooled = False
        self._upload: Upload | None = None

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return what was written, as long as it is still here."""
        _check_place(offset, length)
        if self._upload is not None:
            raise _in_order()
        return await self._spool.read_at(offset, length)

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`."""
        _check_place(offset, len(data))
        if self._upload is not None:
            await self._upload.write_at(offset, data)
            return
        if not self._is_spooled and offset > self._front + WINDOW_BYTES:
            self._is_spooled = True
            await self._spool.move_to_disk()
        await self._spool.write_at(offset, data)
        if not self._is_spooled:
            self._note(offset, offset + len(data))
            if self._front == self._spool.size >= WINDOW_BYTES:
                await self._begin()

    async def truncate(self, size: int) -> None:
        """Cut or extend the content, as long as it is still here."""
        _check_place(size, 0)
        if self._upload is not None:
            await self._upload.extend(size)
            return
        if size > WINDOW_BYTES and not self._is_spooled:
            self._is_spooled = True
            await self._spool.move_to_disk()
        await self._spool.truncate(size)
        self._front = min(self._front, size)

    async def stat(self) -> Entry:
        """Return the entry that the content would have now."""
        size = self._spool.size if self._upload is None else self._upload.end
        return Entry(path=self._path, kind=EntryKind.FILE, size=size)

    async def finish(self) -> None:
        """Send what is still here, and return when the storage has it all."""
        if self._upload is not None:
            await self._upload.finish()
        else:
            chunks, size = self._spool.chunks(), self._spool.size
            await self._backend.write(self._path, chunks, size=size, if_none_match=self._if_none_match)

    async def close(self) -> None:
        """Break off an upload that was not finished."""
        if self._upload is not None:
            await self._upload.close()

    def _note(self, start: int, end: int) -> None:
        self._islands[start] = max(self._islands.get(start, 0), end)
        while reached := [island for island in self._islands if island <= self._front]:
            for island in reached:
                self._front = max(self._front, self._islands.pop(island))

    async def _begin(self) -> None:
        self._upload = Upload(self._backend, self._path, if_none_match=self._if_none_match)
        async for chunk in self._spool.chunks():
            await self._upload.write_at(self._upload.front, chunk)
        await self._spool.truncate(0)


class Upload:
    """A running upload, fed in order."""

    def __init__(self, backend: Backend, path: ResourcePath, *, if_none_match: str | None) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_PIECES)
        self._waiting: dict[int, bytes] = {}
        self.front = 0
        self.end = 0
        self._task = asyncio.create_task(backend.write(path, self._chunks(), if_none_match=if_none_match))

    async def write_at(self, offset: int, data: bytes) -> None:
        """Send bytes when it is their turn.

        Raises:
            GatewayError: what the storage raises; `NOT_IMPLEMENTED` for a place that was sent, or too far ahead.
        """
        is_held = any(
            offset < start + len(held) and start < offset + len(data) for start, held in self._waiting.items()
        )
        if is_held or offset < self.front or offset + len(data) > self.front + WINDOW_BYTES:
            raise _in_order()
        self.end = max(self.end, offset + len(data))
        if data:
            self._waiting[offset] = data
        while self.front in self._waiting:
            piece = self._waiting.pop(self.front)
            await self._put(piece)
            self.front += len(piece)

    async def extend(self, size: int) -> None:
        """Let the file be at least as long as it is, and not more than a window longer."""
        if size < self.end or size > self.front + WINDOW_BYTES:
            raise _in_order()
        self.end = size

    async def finish(self) -> None:
        """Fill holes with zeros, end the upload, and return when the storage has it all."""
        while self.front < self.end:
            hole_ends = min(self._waiting, default=self.end)
            await self.write_at(self.front, bytes(hole_ends - self.front))
        await self._put(None)
        await self._task

    async def close(self) -> None:
        """Break it off, if it is still running."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _put(self, piece: bytes | None) -> None:
        putting = asyncio.ensure_future(self._pieces.put(piece))
        try:
            await asyncio.wait({putting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if self._task.done() and (piece is not None or self._task.exception() is not None):
            # The storage has ended it before its time.
            await self._task
            raise GatewayError(Kind.UNAVAILABLE, "The storage did not take the whole file.", retry_after=1)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


def _check_place(offset: int, length: int) -> None:
    if offset < 0 or length < 0 or offset + length > OFFSET_MAX:
        raise GatewayError(Kind.INVALID, "No file has bytes at this place.")


def _in_order() -> GatewayError:
    return GatewayError(Kind.NOT_IMPLEMENTED, "This storage takes a file of this size only from front to back.")
