"""A server that says whatever a test wants it to say, byte for byte, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request: its first line, its fields by lower-case name, and its body."""

    line: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def method(self) -> str:
        """The method."""
        return self.line.split()[0]

    @property
    def target(self) -> str:
        """The request target."""
        return self.line.split()[1]


Respond = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class EvilServer:
    """Where it listens, and what it was asked so far."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its root, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def evil_server(respond: Respond) -> AsyncIterator[EvilServer]:
    """Run a server that calls `respond` for each request and closes the connection when that returns."""
    evil = EvilServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            asked = await _read(reader, writer)
            evil.asked.append(asked)
            await respond(asked, writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    evil.port = server.sockets[0].getsockname()[1]
    try:
        yield evil
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(status: int, body: bytes = b"", **headers: str) -> Respond:
    """Return a responder that always answers this; `_` in the names of headers stands for `-`."""

    async def respond(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(render(status, body, **headers))

    return respond


def render(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as bytes, with a `Content-Length` unless one is given."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Word\r\n{head}\r\n".encode() + body


def response(href: str, *, folder: bool = False, size: int = 3, extra: str = "") -> str:
    """Return one `response` element."""
    kind = "<d:collection/>" if folder else ""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{kind}</d:resourcetype>"
        f'<d:getcontentlength>{size}</d:getcontentlength><d:getetag>"e"</d:getetag>{extra}</d:prop>'
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def multistatus(*responses: str, before: str = "") -> bytes:
    """Return a whole answer to PROPFIND."""
    return (f'{before}<d:multistatus xmlns:d="DAV:">' + "".join(responses) + "</d:multistatus>").encode()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in fields)}
    asked = Asked(line, headers)
    if "expect" not in headers and "content-length" in headers:
        asked.body = await reader.readexactly(int(headers["content-length"]))
    return asked
