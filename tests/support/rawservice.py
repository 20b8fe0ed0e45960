"""A service on raw sockets that keeps every byte it was sent, and reads requests as strictly as the RFC allows.

What a proxy let through is judged by what arrived here, not by what some library made of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_HEX = re.compile(rb"([0-9a-f]{1,16})\r\n")


@dataclass
class Seen:
    """One request as it was read: its lines, and its body."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.split(b"\r\n")[0]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The fields in their order, names as they were written."""
        lines = self.head.strip().split(b"\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]

    def all(self, name: bytes) -> list[bytes]:
        """The values of all fields of this lower-case name."""
        return [value for key, value in self.fields if key.lower() == name]


Respond = Callable[["Seen", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class RawService:
    """Where it listens and what came; `raw` has the bytes of each connection."""

    port: int = 0
    raw: list[bytearray] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self.port}"


class _Reader(asyncio.StreamReader):
    def __init__(self, record: bytearray) -> None:
        super().__init__(limit=2**20)
        self._record = record

    def feed_data(self, data: bytes) -> None:
        if len(self._record) < 2**20:
            self._record += data
        super().feed_data(data)


async def always_ok(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Read the body, answer 200, and go on."""
    seen.body = await read_body(seen, reader)
    writer.write(OK)
    return True


def says(answer: bytes, *, go_on: bool = False) -> Respond:
    """Return a responder that reads the body and then writes these bytes."""

    async def respond(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen.body = await read_body(seen, reader)
        writer.write(answer)
        return go_on

    return respond


async def read_body(seen: Seen, reader: asyncio.StreamReader) -> bytes:
    """Return the body of a request; a request that two readers might read differently fails the test."""
    codings, lengths = seen.all(b"transfer-encoding"), seen.all(b"content-length")
    assert len(codings) + len(lengths) <= 1, seen.head
    if lengths:
        return await reader.readexactly(int(lengths[0]))
    body = b""
    while codings:
        size = await reader.readuntil(b"\r\n")
        match = _HEX.fullmatch(size)
        assert match is not None, size
        piece = await reader.readexactly(int(match[1], 16) + 2)
        assert piece.endswith(b"\r\n"), piece
        if piece == b"\r\n":
            break
        body += piece[:-2]
    return body


@asynccontextmanager
async def raw_service(respond: Respond = always_ok) -> AsyncIterator[RawService]:
    """Run a service that calls `respond` for each request, until that returns False."""
    service = RawService()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, EOFError, asyncio.CancelledError):
            go_on = True
            while go_on:
                seen = Seen(await reader.readuntil(b"\r\n\r\n"))
                service.seen.append(seen)
                go_on = await respond(seen, reader, writer)
                await writer.drain()
        writer.close()

    def protocol() -> asyncio.StreamReaderProtocol:
        record = bytearray()
        service.raw.append(record)
        return asyncio.StreamReaderProtocol(_Reader(record), serve)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
