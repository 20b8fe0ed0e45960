"""A line to a server that can be cut: a port behind which connections are handed on, byte for byte, until it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PIECE_BYTES = 65_536


@dataclass
class Line:
    """Where it begins, to which port of this machine it leads, and how many connections it took."""

    port: int = 0
    to: int = 0
    is_cut: bool = False
    taken_count: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """Drop every connection, and take no more."""
        self.is_cut = True
        for task in self._tasks:
            task.cancel()

    def mend(self) -> None:
        """Lead on again."""
        self.is_cut = False

    async def taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand one connection on."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.taken_count += 1
        try:
            if not self.is_cut:
                await self._hand_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            ways = [asyncio.create_task(_carry(reader, back)), asyncio.create_task(_carry(there, writer))]
            try:
                await asyncio.gather(*ways)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def cut_line() -> AsyncIterator[Line]:
    """Run a line; `to` says where it leads before the first connection comes."""
    line = Line()
    server = await asyncio.start_server(line.taken, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        line.cut()
        await server.wait_closed()
