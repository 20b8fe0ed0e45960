"""Files of an SFTP server that are open for bytes at any place (`OpenAt`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncssh
from asyncssh import SFTPAttrs

from gateway.backends.base import OpenFile, OpenMode
from gateway.backends.sftp_channel import OPEN_READ, OPEN_WRITE, Channel
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_read import READ_AHEAD_BYTES, open_file, read_some
from gateway.backends.sftp_server import SftpAccount
from gateway.backends.sftp_tree import Tree, entry_of, size_of
from gateway.backends.sftp_write import Condition, Part, move_time_on, settled, write_at
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath


@asynccontextmanager
async def opened_at(
    pool: SftpPool,
    account: SftpAccount,
    tree: Tree,
    path: ResourcePath,
    mode: OpenMode,
    *,
    is_new: bool,
    is_durable: bool,
) -> AsyncIterator[OpenFile]:
    """Open a file as `OpenAt.open_at` tells."""
    if path.is_root:
        raise GatewayError(Kind.CONFLICT, "This is a folder.")
    if mode is not OpenMode.REPLACE:
        async with pool.begun(account, tree.spot(path)) as (channel, spot):
            flags = OPEN_READ | (OPEN_WRITE if mode is OpenMode.UPDATE else 0)
            file, found = await open_file(channel, spot, flags)
            open_now = SftpOpenFile(
                channel, file, spot.folder, path, size_of(found), is_writable=mode is OpenMode.UPDATE
            )
            try:
                yield open_now
            finally:
                await settled(_end_update(channel, file, found, has_changed=open_now.has_changed))
        return
    condition = Condition(if_none_match="*" if is_new else None)
    async with pool.begun(account, tree.new_spot(path)) as (channel, spot):
        part = Part(pool, account, channel, spot, condition, is_durable=is_durable)
        try:
            await part.begin()
            open_now = SftpOpenFile(channel, part.file, spot.folder, path, 0, is_writable=True)
            yield open_now
            await part.commit(path, open_now.size)
        finally:
            await settled(part.discard())


class SftpOpenFile:
    """An open file (`OpenFile`); several reads and writes may be under way at once.

    Attributes:
        size: what the file's size is by what we know: found at first, and changed by us since.
        has_changed: whether anything was written.
    """

    def __init__(
        self,
        channel: Channel,
        file: asyncssh.SFTPClientFile,
        folder: bytes,
        path: ResourcePath,
        size: int,
        *,
        is_writable: bool,
    ) -> None:
        self._channel = channel
        self._file = file
        self._folder = folder
        self._path = path
        self._is_writable = is_writable
        self.size = size
        self.has_changed = False

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; none at all only at or behind the end of the file."""
        size = self._channel.piece_bytes
        end = offset + min(length, READ_AHEAD_BYTES)
        starts = range(offset, end, size)
        reads = (read_some(self._channel, self._file, start, min(size, end - start)) for start in starts)
        pieces = await self._channel.ask(asyncio.gather(*reads), self._channel.patience.idle)
        whole = bytearray()
        for start, piece in zip(starts, pieces, strict=True):
            whole += piece
            if len(piece) < min(size, end - start):
                break
        return bytes(whole)

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`."""
        self._refuse_reader()
        self.has_changed = True
        size = self._channel.piece_bytes
        for start in range(0, len(data), size):
            writing = write_at(self._channel, self._file, self._folder, offset + start, data[start : start + size])
            await self._channel.ask(writing, self._channel.patience.idle)
        self.size = max(self.size, offset + len(data))

    async def truncate(self, size: int) -> None:
        """Cut or extend the file to `size` bytes."""
        self._refuse_reader()
        self.has_changed = True
        await self._channel.ask(self._file.setstat(SFTPAttrs(size=size)))
        self.size = size

    async def stat(self) -> Entry:
        """Return the entry of the open file as it now is."""
        return entry_of(self._path, await self._channel.fstat(self._file))

    def _refuse_reader(self) -> None:
        if not self._is_writable:
            raise GatewayError(Kind.FORBIDDEN, "The file is open for reading only.")


async def _end_update(channel: Channel, file: asyncssh.SFTPClientFile, old: SFTPAttrs, *, has_changed: bool) -> None:
    if has_changed:
        with suppress(GatewayError):
            await move_time_on(channel, file, old, await channel.fstat(file))
    await channel.close_file(file)
