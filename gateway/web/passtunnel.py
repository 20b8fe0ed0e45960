"""A connection that the service agreed to switch to another protocol, WebSocket above all (RFC 9110, 7.8).

From its 101 on the bytes are nobody's but the two ends': they go both ways as they come, a half-closed side stays so,
an abort of one is an abort of the other. A fast sender waits for a slow reader; what stands still too long is cut.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from gateway.web.passwire import READ_BYTES

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def join(client: Ends, service: Ends, idle_seconds: float) -> None:
    """Carry bytes both ways until both sides have ended, one broke off, or none has sent for `idle_seconds`."""
    tunnel = _Tunnel(idle_seconds)
    ways = {
        asyncio.create_task(tunnel.carry(client[0], service[1])),
        asyncio.create_task(tunnel.carry(service[0], client[1])),
    }
    is_whole = False
    try:
        is_whole = await tunnel.watch(ways)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for _, writer in (client, service):
            writer.close() if is_whole else writer.transport.abort()


def take_over(request: web.Request) -> Ends:
    """Take a client's connection out of HTTP; its end is still told to the server that accepted it."""
    protocol, transport = request.protocol, request.transport
    if transport is None:
        raise ConnectionResetError
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ_BYTES, loop=loop)
    # What the client sent behind its request lies in the server; a parser is how it hands that out.
    protocol.set_parser(_Collector(reader))  # type: ignore[arg-type]  # only these two methods of a parser are called
    streams = _Handed(reader, protocol, loop)
    transport.set_protocol(streams)
    streams.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, streams, reader, loop)


@dataclass(slots=True)
class _Tunnel:
    idle_seconds: float
    moved_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(READ_BYTES):
            writer.write(piece)
            await writer.drain()
            self.moved_at = asyncio.get_running_loop().time()
        if writer.can_write_eof():
            writer.write_eof()

    async def watch(self, ways: set[asyncio.Task[None]]) -> bool:
        """Return whether both ways came to a good end."""
        now = asyncio.get_running_loop().time
        waiting = ways
        while waiting:
            left = self.moved_at + self.idle_seconds - now()
            if left <= 0:
                return False
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(way.exception() is not None for way in done):
                return False
        return True


class _Handed(asyncio.StreamReaderProtocol):
    """Streams over a connection that a server had before, and whose end that server waits for."""

    def __init__(
        self, reader: asyncio.StreamReader, former: asyncio.BaseProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(reader, loop=loop)
        self._former = former

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell both."""
        super().connection_lost(exc)
        self._former.connection_lost(exc)


@dataclass(slots=True)
class _Collector:
    reader: asyncio.StreamReader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing: the streams hear of the end themselves."""
