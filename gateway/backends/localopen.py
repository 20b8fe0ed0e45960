"""Files of a local storage that are open for bytes at any place (`OpenAt`): reading, changing in place, replacing.

Reading goes ahead of a reader that goes straight through the file, so that one trip to a thread serves several small
reads. A replacement is a `Part`: it is seen only when it is put in place. What is changed in place is seen at once,
as every writer of this kind expects; it is the one way to change a file without giving it another inode.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from gateway.backends.localpart import OpenFile, Part, pwrite_all
from gateway.backends.threads import Threads
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry

READ_AHEAD_BYTES = 1024 * 1024
OFFSET_MAX = 2**63 - 1


class _ReadAhead:
    """What was read beyond what was asked for.

    Args:
        read: reads bytes at an offset, in a thread.
    """

    def __init__(self, threads: Threads, read: Callable[[int, int], bytes]) -> None:
        self._threads = threads
        self._read = read
        self._start = 0
        self._held = memoryview(b"")
        self._expected = 0

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        check_place(offset, length)
        at = offset - self._start
        if not (at >= 0 and at + length <= len(self._held)):
            is_straight = offset == self._expected
            wanted = max(length, READ_AHEAD_BYTES) if is_straight else length
            self._held = memoryview(await self._threads.run(self._read, offset, wanted))
            self._start, at = offset, 0
        self._expected = offset + length
        return bytes(self._held[at : at + length])


class ReadingFile:
    """A file open for reading."""

    def __init__(self, threads: Threads, file: OpenFile) -> None:
        self._threads = threads
        self._file = file
        self._ahead = _ReadAhead(threads, file.read_full)

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        return await self._ahead.read_at(offset, length)

    async def write_at(self, offset: int, data: bytes) -> None:  # noqa: ARG002 - the port's signature
        """Refuse."""
        raise _only_reading()

    async def truncate(self, size: int) -> None:  # noqa: ARG002 - the port's signature
        """Refuse."""
        raise _only_reading()

    async def stat(self) -> Entry:
        """Return the entry of the open file."""
        return await self._threads.run(self._file.stat)


class _Changeable(Protocol):
    """What can be changed at any place, by blocking calls."""

    def read_full(self, start: int, length: int) -> bytes: ...

    def write_at(self, start: int, data: bytes) -> None: ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None: ...

    def stat(self) -> Entry: ...


class WritingFile:
    """A file open for changing in place, or a replacement in the making."""

    def __init__(self, threads: Threads, file: _Changeable) -> None:
        self._threads = threads
        self._file = file

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        check_place(offset, length)
        return await self._threads.run(self._file.read_full, offset, length)

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`."""
        check_place(offset, len(data))
        await self._threads.run(self._file.write_at, offset, data)

    async def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        check_place(size, 0)
        await self._threads.run(self._file.truncate, size)

    async def sync(self) -> None:
        """Return when all that was written is on the disk."""
        await self._threads.run(self._file.sync)

    async def stat(self) -> Entry:
        """Return the entry of the open file as it now is."""
        return await self._threads.run(self._file.stat)


class InPlace(OpenFile):
    """A file opened for reading and writing in place."""

    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

    def write_at(self, start: int, data: bytes) -> None:
        """Put `data` at `start`."""
        pwrite_all(self._descriptor, data, start)

    def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Put the content on the disk."""
        os.fsync(self._descriptor)


@asynccontextmanager
async def reading(threads: Threads, file: OpenFile) -> AsyncIterator[ReadingFile]:
    """Open a file for reading."""
    try:
        await threads.run(file.open)
        yield ReadingFile(threads, file)
    finally:
        await threads.run(file.close)


@asynccontextmanager
async def updating(threads: Threads, file: InPlace, *, is_durable: bool) -> AsyncIterator[WritingFile]:
    """Open a file for changing in place; on the disk, if that is asked for, when the context is left."""
    try:
        await threads.run(file.open)
        yield WritingFile(threads, file)
        if is_durable:
            await threads.run(file.sync)
    finally:
        await threads.run(file.close)


@asynccontextmanager
async def replacing(threads: Threads, part: Part) -> AsyncIterator[WritingFile]:
    """Begin a replacement; it is put in place when the context is left without an exception."""
    try:
        await threads.run(part.begin)
        yield WritingFile(threads, part)
        await threads.run(part.commit)
    finally:
        await threads.run(part.close)


def check_place(offset: int, length: int) -> None:
    """Do nothing if bytes can stand there.

    Raises:
        GatewayError: `INVALID` for a place that no file has.
    """
    if offset < 0 or length < 0 or offset + length > OFFSET_MAX:
        raise GatewayError(Kind.INVALID, "No file has bytes at this place.")


def _only_reading() -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, "The file is open for reading only.")
