"""One SFTP session on a connection: each request with its time-out, each failure in our own words.

A session is lent to one verb at a time. When a verb ends in a way that leaves anything open on the server (a
cancellation, a time-out, nonsense), the session is `spoilt` and closed, and the server closes its files with it.
Paths are bytes as the server stores them. Version 3 is asked for: it is what every server speaks alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, cast

import asyncssh
from asyncssh import SFTPAttrs

from gateway.backends.localfs import TEMPORARY_PREFIX
from gateway.backends.localpart import temporary_name
from gateway.backends.sftp_errors import Dropped, told
from gateway.backends.sftp_server import SftpPatience
from gateway.errors import GatewayError, Kind

T = TypeVar("T")

# What a server may put into one request or answer, whatever it says that it can.
PIECE_MAX_BYTES = 256 * 1024
CLOSE_SECONDS = 5.0
BATCH_ENTRIES = 100
OPEN_READ = 0x01
OPEN_WRITE = 0x02
OPEN_NEW = 0x08 | 0x20
_FAILURES = (asyncssh.Error, OSError, ValueError, EOFError)


class Channel:
    """An SFTP session.

    Attributes:
        is_reused: whether it has served a verb before, so that its connection may have died meanwhile.
        is_spoilt: whether it must not serve another one.
        is_stalled: whether an answer did not come in time, so that the connection is not to be trusted either.
    """

    def __init__(
        self, sftp: asyncssh.SFTPClient, patience: SftpPatience, temporary_prefix: str = TEMPORARY_PREFIX
    ) -> None:
        self.sftp = sftp
        self.patience = patience
        self._temporary_prefix = temporary_prefix
        self.is_reused = False
        self.is_spoilt = False
        self.is_stalled = False
        self._apart: set[asyncio.Task[Any]] = set()

    @property
    def piece_bytes(self) -> int:
        """How many bytes are read or written with one request."""
        limits = self.sftp.limits
        return max(1, min(PIECE_MAX_BYTES, limits.max_read_len, limits.max_write_len))

    def temporary_name(self) -> bytes:
        """Return a fresh name for what is unfinished."""
        return temporary_name(self._temporary_prefix).encode()

    async def ask(self, request: Awaitable[T], seconds: float | None = None) -> T:
        """Return the answer to a request.

        Raises:
            GatewayError: `Dropped` if there is none in `seconds`, by default `patience.first_byte`; else as `told`.
        """
        try:
            async with asyncio.timeout(seconds or self.patience.first_byte):
                return await request
        except _FAILURES as error:
            raise self._told(error) from error

    async def untimed(self, request: Awaitable[T]) -> T:
        """Do as `ask`, for one of several requests under way: their time is measured where the first is waited for."""
        try:
            return await request
        except _FAILURES as error:
            raise self._told(error) from error

    async def lstat(self, path: bytes) -> SFTPAttrs | None:
        """Return what is at `path`, a link not followed; None if nothing is."""
        return await _or_none(self.ask(self.sftp.lstat(path)))

    async def stat(self, path: bytes) -> SFTPAttrs | None:
        """Return what is at `path`, links followed; for the root, which the operator named."""
        return await _or_none(self.ask(self.sftp.stat(path)))

    async def fstat(self, file: asyncssh.SFTPClientFile) -> SFTPAttrs:
        """Return the facts of an open file."""
        return await self.ask(file.stat())

    async def open(self, path: bytes, flags: int, attrs: SFTPAttrs | None = None) -> asyncssh.SFTPClientFile:
        """Open a file; it reads and writes what one request can hold, without tasks of its own."""
        opening = self.sftp.open(path, flags, attrs or SFTPAttrs(), encoding=None, block_size=0)
        return await self.ask(opening)

    async def close_file(self, file: asyncssh.SFTPClientFile) -> None:
        """Close a file that nothing more is expected of; a spoilt session closes it with itself."""
        if self.is_spoilt:
            return
        with suppress(GatewayError):
            await self.ask(file.close(), CLOSE_SECONDS)

    async def members(self, path: bytes) -> AsyncGenerator[asyncssh.SFTPName, None]:
        """Yield what the server says is in a folder, `.` and `..` too, unchecked."""
        names = cast("AsyncGenerator[asyncssh.SFTPName, None]", self.sftp.scandir(path))
        try:
            while batch := await self._ask_apart(_batch(names)):
                for name in batch:
                    yield name
        finally:
            if not self._apart:
                with suppress(GatewayError):
                    await self.ask(names.aclose(), CLOSE_SECONDS)

    async def _ask_apart(self, request: Coroutine[Any, Any, T]) -> T:
        """Do as `ask`, but leave the request alone when it takes too long: it would wait for its own cleaning up.

        It ends when the session is closed.
        """
        task = asyncio.get_running_loop().create_task(request)
        self._apart.add(task)
        try:
            await asyncio.wait([task], timeout=self.patience.first_byte)
            if not task.done():
                raise TimeoutError
            self._apart.discard(task)
            return task.result()
        except _FAILURES as error:
            raise self._told(error) from error
        finally:
            if not task.done():
                self.is_spoilt = True
                task.add_done_callback(_noticed)

    def _told(self, error: Exception) -> GatewayError:
        meaning = Dropped("time-out", is_timeout=True) if isinstance(error, TimeoutError) else told(error)
        if isinstance(meaning, Dropped):
            self.is_spoilt = True
            self.is_stalled = self.is_stalled or meaning.is_timeout
        return meaning


async def _batch(names: AsyncIterator[asyncssh.SFTPName]) -> list[asyncssh.SFTPName]:
    batch: list[asyncssh.SFTPName] = []
    async for name in names:
        batch.append(name)
        if len(batch) >= BATCH_ENTRIES:
            break
    return batch


def _noticed(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _or_none(answer: Awaitable[SFTPAttrs]) -> SFTPAttrs | None:
    try:
        return await answer
    except GatewayError as error:
        if error.kind is Kind.NOT_FOUND:
            return None
        raise
