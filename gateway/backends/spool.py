"""Content that is put together before it is sent: in memory while it is small and in order, else on disk.

The file on disk has no name, so nothing of it is left when the process is killed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.backends.localpart import pwrite_all, read_full
from gateway.backends.threads import Threads
from gateway.errors import GatewayError, Kind

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolRules:
    """Where content is put together, and how much of one file may be.

    Attributes:
        folder: on a disk of this machine; made when it is needed.
    """

    folder: Path
    max_bytes: int


class Spool:
    """The content of one file, readable and writable at any place; an async context manager."""

    def __init__(self, rules: SpoolRules, *, is_on_disk: bool = False) -> None:
        self._rules = rules
        self._threads = Threads()
        self._memory = bytearray()
        self._descriptor = -1
        self._begins_on_disk = is_on_disk
        self.size = 0

    async def __aenter__(self) -> Self:
        if self._begins_on_disk:
            await self.move_to_disk()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            await self._threads.run(os.close, descriptor)

    async def move_to_disk(self) -> None:
        """Hold the content on disk from now on."""
        if self._descriptor < 0:
            self._descriptor = await self._threads.run(self._opened)
            await self._threads.run(pwrite_all, self._descriptor, bytes(self._memory), 0)
            self._memory.clear()

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`.

        Raises:
            GatewayError: `TOO_LARGE` if it would become too large; `NO_SPACE`.
        """
        self._refuse_size(offset + len(data))
        if self._descriptor >= 0:
            await self._threads.run(pwrite_all, self._descriptor, data, offset)
        else:
            self._memory.extend(bytes(max(0, offset - len(self._memory))))
            self._memory[offset : offset + len(data)] = data
        self.size = max(self.size, offset + len(data))

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`, fewer only at the end."""
        if self._descriptor >= 0:
            return await self._threads.run(read_full, self._descriptor, offset, length)
        return bytes(self._memory[offset : offset + length])

    async def truncate(self, size: int) -> None:
        """Cut or extend the content."""
        self._refuse_size(size)
        if self._descriptor >= 0:
            await self._threads.run(os.ftruncate, self._descriptor, size)
        else:
            self._memory.extend(bytes(max(0, size - len(self._memory))))
            del self._memory[size:]
        self.size = size

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the whole content."""
        place = 0
        while piece := await self.read_at(place, PIECE_BYTES):
            yield piece
            place += len(piece)

    def _opened(self) -> int:
        self._rules.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=self._rules.folder) as file:
            return os.dup(file.fileno())

    def _refuse_size(self, size: int) -> None:
        if size > self._rules.max_bytes:
            raise GatewayError(
                Kind.TOO_LARGE, "This storage takes a file of this size only if it is written from front to back."
            )
