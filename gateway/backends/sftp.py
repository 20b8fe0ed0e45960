"""A folder on an SSH server as a storage, over SFTP (DESIGN 6).

This module says what each verb does; the connections are in `sftp_pool`, finding things and staying inside the root in
`sftp_tree`, reading in `sftp_read`, atomic writing in `sftp_write`, files open for both in `sftp_open`, and whole trees
in `sftp_copy`. Symbolic links are never followed and not shown. A root that is not there is an outage.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from asyncssh import SFTPAttrs

from gateway.backends import sftp_copy
from gateway.backends.base import WHOLE, OpenFile, OpenMode
from gateway.backends.sftp_channel import Channel
from gateway.backends.sftp_errors import NotOffered, Vague
from gateway.backends.sftp_open import opened_at
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_read import chunks, open_file, resolved
from gateway.backends.sftp_server import SftpAccount
from gateway.backends.sftp_tree import (
    Spot,
    Tree,
    as_asked,
    entry_of,
    exact,
    is_folder,
    is_hidden_name,
    is_served,
    size_of,
)
from gateway.backends.sftp_write import TIME_MAX, Condition, Part, WriteBehind, settled
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written

log = get_logger(__name__)


class SftpBackend:
    """A folder of an SSH server and all below it, as one account sees it.

    Args:
        pool: the connections to the server, shared by all its backends.
        account: who is logged in.
        root: the folder, every path is seen from here. One without a leading slash starts where the log-in leads.
        is_durable: whether a write is on the server's disk when it is answered, where the server can say so (`fsync`).
    """

    def __init__(
        self, pool: SftpPool, account: SftpAccount, root: str | bytes = b"", *, is_durable: bool = True
    ) -> None:
        self._pool = pool
        self._account = account
        self._tree = Tree(root.encode(errors="surrogateescape") if isinstance(root, str) else root)
        self._is_durable = is_durable

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        async with self._at(path) as (_channel, spot):
            return entry_of(path, spot.served())

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder as the server tells them; names that no path can hold are left out."""
        async with self._at(path) as (channel, spot):
            if not is_folder(spot.served()):
                raise GatewayError(Kind.CONFLICT, "This is not a folder.")
            dropped = 0
            async with aclosing(_checked(channel, spot)) as members:
                async for member in members:
                    try:
                        where = path / as_asked(member.name)
                    except GatewayError:
                        dropped += 1
                        continue
                    if member.found is not None and is_served(member.found) and not is_hidden_name(member.name):
                        yield entry_of(where, member.found)
            if dropped:
                log.warning("names that no path can hold are not shown", folder=str(path), names=dropped)

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        """Open a piece of a file; on most servers its bytes stay the same while it is open."""
        async with self._at(path) as (channel, spot):
            file, found = await open_file(channel, spot)
            try:
                entry = entry_of(path, found)
                if if_match not in (None, "*", entry.etag):
                    raise GatewayError(Kind.PRECONDITION_FAILED, "The file is not the one that the condition names.")
                exact_span = resolved(span, size_of(found))
                yield Content(entry=entry, span=exact_span, chunks=chunks(channel, file, exact_span))
            except asyncio.CancelledError:
                channel.is_spoilt = True
                raise
            finally:
                await settled(channel.close_file(file))

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file beside the old one and put it in its place when it is complete."""
        if path.is_root:
            raise GatewayError(Kind.CONFLICT, "This is a folder.")
        condition = Condition(if_match, if_none_match)
        async with self._new_at(path) as (channel, spot):
            part = Part(self._pool, self._account, channel, spot, condition, is_durable=self._is_durable)
            try:
                await part.begin()
                behind = WriteBehind(channel, part.file, spot.folder)
                try:
                    async for chunk in chunks:
                        _refuse_size(behind.count + len(chunk), size, is_complete=False)
                        await behind.put(chunk)
                    _refuse_size(behind.count, size, is_complete=True)
                    await behind.flush()
                finally:
                    await behind.drop()
                return await part.commit(path, behind.count)
            finally:
                await settled(part.discard())

    def open_at(
        self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False
    ) -> AbstractAsyncContextManager[OpenFile]:
        """Open a file for bytes at any place; with `REPLACE` the old content stays until the context is left well."""
        return opened_at(self._pool, self._account, self._tree, path, mode, is_new=is_new, is_durable=self._is_durable)

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        async with self._new_at(path) as (channel, spot):
            if spot.replaceable() is not None:
                raise _there_already()
            try:
                await channel.ask(channel.sftp.mkdir(spot.path))
            except Vague as error:
                if await channel.lstat(spot.path) is None:
                    raise
                raise _there_already() from error
            except GatewayError as error:
                if error.kind is Kind.NOT_FOUND:
                    raise GatewayError(Kind.CONFLICT, "The folder above was removed meanwhile.") from error
                raise

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file, or a folder with all that is in it, as far as that goes."""
        if path.is_root:
            raise GatewayError(Kind.FORBIDDEN, "The root of the storage cannot be removed.")
        async with self._at(path) as (channel, spot):
            spot.served()
            await sftp_copy.remove(channel, spot.path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder, by renaming where that is possible."""
        _refuse_overlap(source, target)
        async with self._at(source) as (channel, old):
            new = await self._tree.find_new(channel, target)
            return await sftp_copy.move(channel, old, new, target, overwrite=overwrite)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder; the target appears when the copy is complete."""
        _refuse_overlap(source, target)
        async with self._at(source) as (channel, old):
            new = await self._tree.find_new(channel, target)
            return await sftp_copy.copy(channel, old, new, target, overwrite=overwrite, deep=deep)

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification, in seconds since the epoch; SFTP keeps whole ones."""
        if not (math.isfinite(modified) and 0 <= modified <= TIME_MAX):
            raise GatewayError(Kind.INVALID, "The storage cannot hold this time.")
        async with self._at(path) as (channel, spot):
            found = spot.served()
            time = int(modified)
            attrs = SFTPAttrs(atime=time if found.atime is None else found.atime, mtime=time)
            try:
                await channel.ask(channel.sftp.setstat(spot.path, attrs, follow_symlinks=False))
            except NotOffered:
                await channel.ask(channel.sftp.setstat(spot.path, attrs))

    async def quota(self, path: ResourcePath) -> Quota:
        """Return how full the disk is on which `path` lies; nothing where the server does not tell."""
        async with self._at(path) as (channel, spot):
            spot.served()
            try:
                disk = await channel.ask(channel.sftp.statvfs(spot.path))
            except (NotOffered, Vague):
                return Quota()
        return Quota(used=max(0, disk.blocks - disk.bfree) * disk.frsize, available=disk.bavail * disk.frsize)

    async def sweep_temporaries(self, older_than: float) -> int:
        """Remove what broken writes left unfinished before `older_than` (seconds since the epoch); count it."""
        async with self._at(ResourcePath()) as (channel, spot):
            return await sftp_copy.sweep(channel, spot.path, older_than)

    def _at(self, path: ResourcePath) -> AbstractAsyncContextManager[tuple[Channel, Spot]]:
        return self._pool.begun(self._account, self._tree.spot(path))

    def _new_at(self, path: ResourcePath) -> AbstractAsyncContextManager[tuple[Channel, Spot]]:
        return self._pool.begun(self._account, self._tree.new_spot(path))


async def _checked(channel: Channel, folder: Spot) -> AsyncGenerator[Spot, None]:
    """Yield the members of a folder, and see that what was opened was not behind a link put there after our look."""
    is_checked = not folder.name
    async with aclosing(sftp_copy.members(channel, folder.path)) as members:
        async for member in members:
            if not is_checked:
                (await exact(channel, folder.folder, folder.name)).served()
                is_checked = True
            yield member


def _refuse_size(count: int, size: int | None, *, is_complete: bool) -> None:
    if size is not None and (count > size or (is_complete and count < size)):
        raise GatewayError(Kind.INVALID, "The content is not as long as was said.", code="size-mismatch")


def _refuse_overlap(source: ResourcePath, target: ResourcePath) -> None:
    if source.is_within(target) or target.is_within(source):
        raise GatewayError(Kind.FORBIDDEN, "One of these paths lies within the other.")


def _there_already() -> GatewayError:
    return GatewayError(Kind.NOT_ALLOWED, "There is something already.")
