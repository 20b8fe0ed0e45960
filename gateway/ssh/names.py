"""The requests of SFTP that name a path: looking at it, making, moving and removing what is there."""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from gateway.backends.base import HasQuota, OpenMode, SetTime
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath
from gateway.ssh.handles import Handles
from gateway.ssh.view import View, path_of, raw_of
from gateway.ssh.wire import Answer, Ask, Packet, Status, Tell, attrs_of, status, string

BLOCK_BYTES = 4096
NAME_MAX_BYTES = 255
_READ_ONLY, _NO_SUID = 1, 2
_OK = status(Status.OK)

Verb = Callable[[Packet], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Names:
    """Answers requests about paths.

    Attributes:
        handles: files in the making among them are there for their own client.
    """

    view: View
    handles: Handles

    def answers(self) -> dict[int, Verb]:
        """Return the answer to each type of request."""
        return {
            Ask.STAT: self._stat,
            Ask.LSTAT: self._stat,
            Ask.SETSTAT: self._setstat,
            Ask.REMOVE: self._remove,
            Ask.MKDIR: self._mkdir,
            Ask.RMDIR: self._rmdir,
            Ask.REALPATH: self._realpath,
            Ask.RENAME: self._rename,
            Ask.READLINK: self._no_links,
            Ask.SYMLINK: self._no_links,
        }

    def extensions(self) -> dict[bytes, Verb]:
        """Return the answer to each extension."""
        return {
            b"posix-rename@openssh.com": self._posix_rename,
            b"statvfs@openssh.com": self._statvfs,
            b"lsetstat@openssh.com": self._setstat,
        }

    async def listing(self, path: ResourcePath) -> AsyncIterator[tuple[bytes, Entry]]:
        """Yield a folder's members with their names, the folder itself and the one above among them."""
        itself = await self.view.stat(path)
        yield b".", itself
        yield b"..", itself
        async for entry in self.view.list(path):
            yield os.fsencode(entry.path.name), entry

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification, where the storage can; where it cannot, its own time stays."""
        if isinstance(self.view.guest.backend, SetTime):
            await self.view.guest.backend.set_time(self.view.inner(path), modified)

    async def space(self, path: ResourcePath) -> Answer:
        """Answer how full the storage is."""
        backend = self.view.guest.backend
        if not isinstance(backend, HasQuota):
            return status(Status.OP_UNSUPPORTED, "The storage does not tell.")
        quota = await backend.quota(path if self.view.guest.file_name is None else ResourcePath())
        if quota.available is None:
            return status(Status.OP_UNSUPPORTED, "The storage does not tell.")
        free = quota.available // BLOCK_BYTES
        blocks = free + (quota.used or 0) // BLOCK_BYTES
        flags = _NO_SUID if self.view.guest.may_write else _NO_SUID | _READ_ONLY
        fields = (BLOCK_BYTES, BLOCK_BYTES, blocks, free, free, 0, 0, 0, 0, flags, NAME_MAX_BYTES)
        return bytes([Tell.EXTENDED_REPLY]), struct.pack(">11Q", *fields)

    def refuse_reader(self) -> None:
        """Do nothing for a guest who may change things.

        Raises:
            GatewayError: `FORBIDDEN` for one who may not.
        """
        self.view.refuse_reader()

    async def _stat(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        pending = self.handles.pending(path)
        entry = await (pending.file.stat() if pending else self.view.stat(path))
        return bytes([Tell.ATTRS]), attrs_of(entry, may_write=self.view.guest.may_write)

    async def _setstat(self, packet: Packet) -> Answer:
        path, attrs = path_of(packet.string()), packet.attrs()
        self.refuse_reader()
        pending = self.handles.pending(path)
        if pending is not None:
            pending.modified = attrs.modified if attrs.modified is not None else pending.modified
            if attrs.size is not None:
                await pending.file.truncate(attrs.size)
            return _OK
        if attrs.size is not None:
            async with self.view.guest.files.open_at(self.view.inner(path), OpenMode.UPDATE) as file:
                await file.truncate(attrs.size)
        if attrs.modified is not None:
            await self.set_time(path, attrs.modified)
        elif attrs.size is None:
            # Owners and mode bits mean nothing here; but what is not there cannot have any.
            await self.view.stat(path)
        return _OK

    async def _remove(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        self.refuse_reader()
        if (await self.view.stat(path)).is_folder:
            raise GatewayError(Kind.CONFLICT, "This is a folder.")
        await self.view.guest.backend.delete(self.view.inner(path))
        return _OK

    async def _mkdir(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        packet.attrs()
        self.refuse_reader()
        await self.view.guest.backend.mkdir(self._member(path))
        return _OK

    async def _rmdir(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        self.refuse_reader()
        async for _ in self.view.list(path):
            raise GatewayError(Kind.CONFLICT, "The folder is not empty.")
        await self.view.guest.backend.delete(self._member(path))
        return _OK

    async def _realpath(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        return bytes([Tell.NAME]), (1).to_bytes(4), string(raw_of(path)), string(raw_of(path)), bytes(4)

    async def _rename(self, packet: Packet) -> Answer:
        source, target = path_of(packet.string()), path_of(packet.string())
        return await self._moved(source, target, overwrite=False)

    async def _posix_rename(self, packet: Packet) -> Answer:
        source, target = path_of(packet.string()), path_of(packet.string())
        return await self._moved(source, target, overwrite=True)

    async def _moved(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Answer:
        self.refuse_reader()
        if source == target:
            await self.view.stat(source)
            return _OK
        there = await self.view.find(target) if overwrite else None
        if there is not None and (there.is_folder or (await self.view.stat(source)).is_folder):
            # WebDAV would replace the whole folder, rename (2) never does.
            raise GatewayError(Kind.CONFLICT, "There is something already.")
        outcome = await self.view.guest.backend.move(self._member(source), self._member(target), overwrite=overwrite)
        if outcome.failures:
            raise outcome.failures[0][1]
        return _OK

    async def _statvfs(self, packet: Packet) -> Answer:
        return await self.space(path_of(packet.string()))

    async def _no_links(self, _packet: Packet) -> Answer:
        return status(Status.OP_UNSUPPORTED, "There are no links here.")

    def _member(self, path: ResourcePath) -> ResourcePath:
        """Return where in the storage `path` is, to be made, moved or removed; a single file stays where it is."""
        if self.view.guest.file_name is not None:
            raise GatewayError(Kind.FORBIDDEN, "Only the content of the shared file can be changed.")
        return path
