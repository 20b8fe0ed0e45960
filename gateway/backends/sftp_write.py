"""Writing files of an SFTP server: new content grows under a temporary name beside the old, and replaces it at the end.

Requests are sent ahead of their answers, in bounded number. Before the content takes its place its size is asked for,
since servers and their disks lose bytes. How it takes its place is in `sftp_place`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from stat import S_IMODE
from typing import Any

import asyncssh
from asyncssh import SFTPAttrs

from gateway.backends.localpart import PERMISSION_BITS, a_folder
from gateway.backends.sftp_channel import CLOSE_SECONDS, OPEN_NEW, OPEN_READ, OPEN_WRITE, Channel
from gateway.backends.sftp_errors import Dropped, NotOffered, Vague, nonsense
from gateway.backends.sftp_place import put_in_nothing, replace
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_read import dropped
from gateway.backends.sftp_server import SftpAccount
from gateway.backends.sftp_tree import Spot, as_asked, entry_of, etag_of, is_folder, joined, look_up
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath, Written

# How much of one file is under way to the server.
WRITE_AHEAD_BYTES = 2 * 1024 * 1024
# Our own new times run ahead of the clock by a second for each write within one; a date further off was set on purpose.
TIME_AHEAD_MAX_SECONDS = 3600
TIME_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of the present file (RFC 9110, 13.1): entity tags or `*`."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, found: SFTPAttrs | None) -> None:
        """Do nothing if the condition holds.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if it does not.
        """
        present = () if found is None else ("*", etag_of(found))
        if (self.if_match is not None and self.if_match not in present) or (
            self.if_none_match is not None and self.if_none_match in present
        ):
            raise GatewayError(Kind.PRECONDITION_FAILED, "The file is not the one that the condition names.")


class WriteBehind:
    """Bytes on their way into an open file, one request after the other without waiting for each answer."""

    def __init__(self, channel: Channel, file: asyncssh.SFTPClientFile, folder: bytes) -> None:
        self._channel = channel
        self._file = file
        self._folder = folder
        self._under_way: deque[asyncio.Task[bytes]] = deque()
        self._most = max(2, WRITE_AHEAD_BYTES // channel.piece_bytes)
        self.count = 0

    async def put(self, data: bytes) -> None:
        """Send bytes behind those before; returns when not too many are under way."""
        size = self._channel.piece_bytes
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._under_way.append(asyncio.ensure_future(self._write(self.count, piece)))
            self.count += len(piece)
            while len(self._under_way) >= self._most:
                await self._next()

    async def flush(self) -> None:
        """Wait until the server has all of it.

        Raises:
            GatewayError: `NO_SPACE` if it could not; as `Channel.ask`.
        """
        while self._under_way:
            await self._next()

    async def drop(self) -> None:
        """Give up what is under way."""
        await dropped(self._under_way)

    async def _next(self) -> None:
        await self._channel.ask(self._under_way.popleft(), self._channel.patience.idle)

    async def _write(self, offset: int, data: bytes) -> bytes:
        await write_at(self._channel, self._file, self._folder, offset, data)
        return b""


async def write_at(channel: Channel, file: asyncssh.SFTPClientFile, folder: bytes, offset: int, data: bytes) -> None:
    """Write one piece.

    Raises:
        GatewayError: `NO_SPACE` if the disk is full, which version 3 calls `failure`; as `Channel.ask`.
    """
    try:
        await channel.untimed(file.write(data, offset))
    except Vague as error:
        if await _is_full(channel, folder, len(data)):
            raise GatewayError(Kind.NO_SPACE, "The storage is full.") from error
        raise


class Part:
    """New content for one path, from its first byte until it takes the place of the old."""

    def __init__(
        self,
        pool: SftpPool,
        account: SftpAccount,
        channel: Channel,
        spot: Spot,
        condition: Condition,
        *,
        is_durable: bool,
    ) -> None:
        self._pool = pool
        self._account = account
        self._channel = channel
        self._spot = spot
        self._condition = condition
        self._is_durable = is_durable
        self._temporary = joined(spot.folder, channel.temporary_name())
        self._is_there = False
        self._is_open = False
        self.file: asyncssh.SFTPClientFile

    async def begin(self) -> None:
        """Refuse what can be refused before the first byte, then open the temporary."""
        self._check(self._spot)
        attrs = SFTPAttrs()
        if self._spot.found is not None and self._spot.found.permissions is not None:
            attrs.permissions = S_IMODE(self._spot.found.permissions) & PERMISSION_BITS
        self._is_there = True
        try:
            self.file = await self._channel.open(self._temporary, OPEN_READ | OPEN_WRITE | OPEN_NEW, attrs)
        except Vague as error:
            if await _is_full(self._channel, self._spot.folder, 1):
                raise GatewayError(Kind.NO_SPACE, "The storage is full.") from error
            raise
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                raise _folder_gone() from error
            raise
        self._is_open = True

    async def commit(self, path: ResourcePath, size: int) -> Written:
        """Put the content of `size` bytes in its place.

        Raises:
            GatewayError: `PRECONDITION_FAILED`, or `CONFLICT` if the folder is gone; nothing is changed then.
        """
        if self._is_durable:
            with suppress(NotOffered):
                await self._channel.ask(self.file.fsync())
        async with self._pool.turn(self._spot.folder):
            spot = await look_up(self._channel, self._spot.folder, as_asked(self._spot.name))
            self._check(spot)
            found = await self._finished(spot.found)
            if found.size != size:
                raise nonsense("the file does not have the size that was written")
            created = await self._place(spot)
        self._is_there = False
        return Written(entry=entry_of(path, found), created=created)

    async def discard(self) -> None:
        """Remove the temporary if it is still there, and close it; on another connection if this one is gone."""
        if self._is_open:
            self._is_open = False
            await self._channel.close_file(self.file)
        if not self._is_there:
            return
        if self._channel.is_stalled:
            self._pool.remove_later(self._account, self._temporary)
            return
        try:
            await self._channel.ask(self._channel.sftp.remove(self._temporary), CLOSE_SECONDS)
        except Dropped:
            self._pool.remove_later(self._account, self._temporary)
        except GatewayError:
            # It was never made, or it is left to `sweep_temporaries`.
            pass

    def _check(self, spot: Spot) -> None:
        found = spot.replaceable()
        if found is not None and is_folder(found):
            raise a_folder()
        self._condition.check(found)

    async def _finished(self, old: SFTPAttrs | None) -> SFTPAttrs:
        """Give the temporary the rights of the old file and a time of its own, close it, and return its facts."""
        found = await self._channel.fstat(self.file)
        if old is not None:
            await _keep_rights(self._channel, self.file, old, found)
            await move_time_on(self._channel, self.file, old, found)
            found = await self._channel.fstat(self.file)
        self._is_open = False
        await self._channel.ask(self.file.close())
        return found

    async def _place(self, spot: Spot) -> bool:
        try:
            if spot.found is None and await put_in_nothing(self._channel, self._temporary, spot.path):
                return True
            self._refuse_old()
            await replace(self._channel, self._temporary, spot)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                raise _folder_gone() from error
            raise
        return False

    def _refuse_old(self) -> None:
        if self._condition.if_none_match == "*":
            raise GatewayError(Kind.PRECONDITION_FAILED, "There is a file already.")


async def move_time_on(channel: Channel, file: asyncssh.SFTPClientFile, old: SFTPAttrs, new: SFTPAttrs) -> None:
    """Let changed content have a later time than what it replaces, so that it has another tag (`etag_of`)."""
    if old.mtime is None or new.mtime is None:
        return
    if 0 <= old.mtime - new.mtime <= TIME_AHEAD_MAX_SECONDS and old.mtime < TIME_MAX:
        accessed = new.mtime if new.atime is None else new.atime
        with suppress(NotOffered):
            await channel.ask(file.setstat(SFTPAttrs(atime=accessed, mtime=old.mtime + 1)))


async def settled(work: Coroutine[Any, Any, Any]) -> None:
    """Do `work` to its end even if the caller is cancelled; it is bounded by its own time-outs."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


async def _keep_rights(channel: Channel, file: asyncssh.SFTPClientFile, old: SFTPAttrs, new: SFTPAttrs) -> None:
    """Give new content the owner (where we may) and the permission bits of the old."""
    if old.uid is not None and old.gid is not None and (old.uid, old.gid) != (new.uid, new.gid):
        with suppress(GatewayError):
            await channel.ask(file.setstat(SFTPAttrs(uid=old.uid, gid=old.gid)))
    if old.permissions is not None:
        with suppress(GatewayError):
            bits = S_IMODE(old.permissions) & PERMISSION_BITS
            await channel.ask(file.setstat(SFTPAttrs(permissions=bits)))


async def _is_full(channel: Channel, folder: bytes, wanted: int) -> bool:
    try:
        disk = await channel.ask(channel.sftp.statvfs(folder))
    except GatewayError:
        return False
    return disk.bavail * disk.frsize < wanted or (disk.files > 0 and disk.favail == 0)


def _folder_gone() -> GatewayError:
    return GatewayError(Kind.CONFLICT, "The folder was removed meanwhile.")
