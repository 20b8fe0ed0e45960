"""Connections to the service behind: so many at most, kept while they are quiet, and used again only if clean.

A connection goes back only after a whole answer that left nothing unread. Bytes that come while nobody asked would be
taken for the next client's answer, so a connection that has some, or that has ended, is thrown away.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.errors import GatewayError, unavailable
from gateway.web.passwire import HEAD_MAX_BYTES

# Services close idle connections after 5 seconds (the shortest common default) or later.
KEEP_SECONDS = 4.0


class Reader(asyncio.StreamReader):
    """A reader that tells whether something lies in it unread."""

    def has_unread(self) -> bool:
        """Tell whether bytes came that nobody has taken."""
        return bool(self._buffer)  # type: ignore[attr-defined]  # there is no other way to ask without waiting


@dataclass(slots=True)
class Line:
    """One connection.

    Attributes:
        is_used: whether it has carried an exchange before; then the service may be closing it at this moment.
        is_reusable: whether its last answer was read to its end and another may follow.
    """

    reader: Reader
    writer: asyncio.StreamWriter
    is_used: bool = False
    is_reusable: bool = False
    idle_since: float = 0.0

    def is_clean(self, now: float) -> bool:
        """Tell whether a next request may go over it."""
        is_over = self.reader.at_eof() or self.reader.exception() is not None or self.writer.is_closing()
        return not is_over and not self.reader.has_unread() and now - self.idle_since < KEEP_SECONDS


@dataclass(slots=True, kw_only=True)
class Pool:
    """The connections to one service.

    Attributes:
        origin: `http://host:port`, or https; a path behind it goes before each path.
        most: how many may be in use at the same time.
        connect_seconds: how long making one, or waiting for a free one, may take.
    """

    origin: str
    most: int
    connect_seconds: float
    _free: asyncio.Semaphore = field(init=False)
    _idle: deque[Line] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        """Begin without connections."""
        self._free = asyncio.Semaphore(self.most)

    async def take(self, *, fresh: bool = False) -> Line:
        """Return a connection, a new one if `fresh`; it has to be put back whatever happens.

        Raises:
            GatewayError: `UNAVAILABLE` if the service takes none, or too many are in use.
        """
        try:
            async with asyncio.timeout(self.connect_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise unavailable("The service behind this gateway is busy.", log="passthrough.connections") from error
        try:
            return (None if fresh else self._quiet()) or await self._connect()
        except BaseException:
            self._free.release()
            raise

    @property
    def base_path(self) -> str:
        """The path below which the service lives, without a slash at the end."""
        return urlsplit(self.origin).path.rstrip("/")

    def put_back(self, line: Line) -> None:
        """Keep a connection if it may be used again, else cut it: what is under way on it never looks whole."""
        self._free.release()
        if not line.is_reusable:
            line.writer.transport.abort()
            return
        line.is_used, line.is_reusable = True, False
        line.idle_since = asyncio.get_running_loop().time()
        self._idle.append(line)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            line = self._idle.pop()
            line.writer.transport.abort()

    def _quiet(self) -> Line | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            line = self._idle.pop()
            if line.is_clean(now):
                return line
            line.writer.transport.abort()
        return None

    async def _connect(self) -> Line:
        parts = urlsplit(self.origin)
        is_tls = parts.scheme == "https"
        loop = asyncio.get_running_loop()
        reader = Reader(limit=HEAD_MAX_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            async with asyncio.timeout(self.connect_seconds):
                transport, _ = await loop.create_connection(
                    lambda: protocol,
                    parts.hostname or "",
                    parts.port or (443 if is_tls else 80),
                    ssl=ssl.create_default_context() if is_tls else None,
                )
        except (OSError, TimeoutError) as error:
            raise _away(error) from error
        return Line(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


def _away(error: BaseException) -> GatewayError:
    return unavailable("The service behind this gateway does not answer.", log=repr(error))
