"""SFTP: one session of one client, request by request, in the order in which they come.

The answers to a client's requests are given in their order, so what it writes and then reads is what it wrote. A
request that fails is told so and nothing more; only bytes that are no packets end the session. All that is open when
the session ends, however it does, is given up.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

from gateway.backends.base import OpenMode
from gateway.backends.openfile import Synced
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.ssh.handles import Count, FileHandle, FolderHandle, Handles
from gateway.ssh.names import Names
from gateway.ssh.pipe import Pipe
from gateway.ssh.requests import framed, next_request, read_init
from gateway.ssh.view import View, path_of
from gateway.ssh.wire import (
    DATA_MAX_BYTES,
    PACKET_MAX_BYTES,
    VERSION,
    Answer,
    Ask,
    BadPacketError,
    Open,
    Packet,
    Status,
    Tell,
    attrs_of,
    name_of,
    status,
    status_of,
    string,
)

log = get_logger(__name__)

# What of OpenSSH's extensions is served (PROTOCOL, 4).
EXTENSIONS = (
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
)
LISTING_MAX_BYTES = 64 * 1024

OK: Answer = status(Status.OK)
EOF: Answer = status(Status.EOF)


class Sftp:
    """One session.

    Args:
        count: of open files and folders, shared with the other sessions of the connection.
    """

    def __init__(self, pipe: Pipe, view: View, count: Count, now: Callable[[], float]) -> None:
        self._pipe = pipe
        self._view = view
        self._handles = Handles(count)
        self._names = Names(view, self._handles)
        self._now = now
        self._answers: dict[int, Callable[[Packet], Awaitable[Answer]]] = {
            Ask.OPEN: self._open,
            Ask.CLOSE: self._close,
            Ask.READ: self._read,
            Ask.WRITE: self._write,
            Ask.FSTAT: self._fstat,
            Ask.FSETSTAT: self._fsetstat,
            Ask.OPENDIR: self._opendir,
            Ask.READDIR: self._readdir,
            **self._names.answers(),
            Ask.EXTENDED: self._extended,
        }
        self._extensions: dict[bytes, Callable[[Packet], Awaitable[Answer]]] = {
            b"fsync@openssh.com": self._fsync,
            b"fstatvfs@openssh.com": self._fstatvfs,
            b"limits@openssh.com": self._limits,
            **self._names.extensions(),
        }

    async def run(self) -> None:
        """Serve the session until the client ends it.

        Raises:
            BadPacketError: if what comes in is no SFTP.
        """
        try:
            await self._greet()
            while True:
                request = await next_request(self._pipe)
                answer = await self._answer(request.kind, request.packet)
                await self._pipe.write(*(part for number in request.numbers for part in framed(answer, number)))
        except EOFError:
            pass
        finally:
            await self._handles.discard_all()

    async def _greet(self) -> None:
        await read_init(self._pipe)
        extensions = b"".join(string(name) + string(data) for name, data in EXTENSIONS)
        body = struct.pack(">BI", Tell.VERSION, VERSION) + extensions
        await self._pipe.write(string(body))

    async def _answer(self, kind: int, packet: Packet) -> Answer:
        answer = self._answers.get(kind)
        if answer is None:
            return status(Status.OP_UNSUPPORTED, "This is not served here.")
        try:
            return await answer(packet)
        except BadPacketError:
            return status(Status.BAD_MESSAGE, "The request cannot be read.")
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                log.warning("sftp request failed", guest=self._view.guest.name, reason=str(error))
            return status(status_of(error), error.public)
        except (EOFError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("sftp request failed", guest=self._view.guest.name)
            return status(Status.FAILURE, "The gateway has failed.")

    async def _open(self, packet: Packet) -> Answer:
        path, flags = path_of(packet.string()), packet.uint32()
        packet.attrs()
        self._handles.count.take()
        try:
            handle = await self._opened(path, flags)
            await handle.open()
        except BaseException:
            self._handles.count.give_back()
            raise
        return bytes([Tell.HANDLE]), string(self._handles.add(handle))

    async def _opened(self, path: ResourcePath, flags: int) -> FileHandle:
        files, inner = self._view.guest.files, self._view.inner(path)
        if not flags & Open.WRITE:
            return FileHandle(path, files.open_at(inner, OpenMode.READ))
        # Before the first byte: some storages would refuse only what has come.
        self._view.refuse_reader()
        is_there = None
        if not flags & Open.TRUNC or not flags & Open.CREAT:
            is_there = await self._view.find(path) is not None
        if not flags & Open.CREAT and not is_there:
            raise GatewayError(Kind.NOT_FOUND, "There is no such file.")
        if flags & Open.TRUNC or not is_there or flags & Open.EXCL:
            opening = files.open_at(inner, OpenMode.REPLACE, is_new=bool(flags & Open.EXCL))
            return FileHandle(path, opening, is_appending=bool(flags & Open.APPEND), is_pending=True)
        opening = files.open_at(inner, OpenMode.UPDATE)
        return FileHandle(path, opening, is_appending=bool(flags & Open.APPEND))

    async def _close(self, packet: Packet) -> Answer:
        handle = self._handles.drop(packet.string())
        if isinstance(handle, FolderHandle):
            await handle.discard()
            return OK
        try:
            await handle.close()
        except BaseException:
            await handle.discard()
            raise
        if handle.modified is not None:
            await self._names.set_time(handle.path, handle.modified)
        return OK

    async def _read(self, packet: Packet) -> Answer:
        name, offset, length = packet.string(), packet.uint64(), packet.uint32()
        data = await self._handles.file(name).file.read_at(offset, min(length, DATA_MAX_BYTES))
        if not data and length:
            return EOF
        return bytes([Tell.DATA]), len(data).to_bytes(4), data

    async def _write(self, packet: Packet) -> Answer:
        name, offset, data = packet.string(), packet.uint64(), packet.string()
        await self._handles.file(name).write(offset, data)
        return OK

    async def _fstat(self, packet: Packet) -> Answer:
        handle = self._handles.file(packet.string())
        entry = await handle.file.stat()
        return bytes([Tell.ATTRS]), attrs_of(entry, may_write=self._view.guest.may_write)

    async def _fsetstat(self, packet: Packet) -> Answer:
        handle, attrs = self._handles.file(packet.string()), packet.attrs()
        self._names.refuse_reader()
        if attrs.size is not None:
            await handle.file.truncate(attrs.size)
        if attrs.modified is not None:
            # Every write changes the time; what the client wants is the time after its last.
            handle.modified = attrs.modified
        return OK

    async def _opendir(self, packet: Packet) -> Answer:
        path = path_of(packet.string())
        if not (await self._view.stat(path)).is_folder:
            raise GatewayError(Kind.CONFLICT, "This is not a folder.")
        self._handles.count.take()
        return bytes([Tell.HANDLE]), string(self._handles.add(FolderHandle(self._names.listing(path))))

    async def _readdir(self, packet: Packet) -> Answer:
        members, found, size = self._handles.folder(packet.string()).members, [], 0
        may_write, now = self._view.guest.may_write, self._now()
        async for name, entry in members:
            line = name_of(name, entry, may_write=may_write, now=now)
            found.append(line)
            size += len(line)
            if size > LISTING_MAX_BYTES:
                break
        if not found:
            return EOF
        return bytes([Tell.NAME]), len(found).to_bytes(4), *found

    async def _extended(self, packet: Packet) -> Answer:
        answer = self._extensions.get(packet.string())
        return await answer(packet) if answer else status(Status.OP_UNSUPPORTED, "This is not served here.")

    async def _fsync(self, packet: Packet) -> Answer:
        file = self._handles.file(packet.string()).file
        if not isinstance(file, Synced):
            return status(Status.OP_UNSUPPORTED, "The storage cannot do this.")
        await file.sync()
        return OK

    async def _fstatvfs(self, packet: Packet) -> Answer:
        return await self._names.space(self._handles.file(packet.string()).path)

    async def _limits(self, _packet: Packet) -> Answer:
        limits = (PACKET_MAX_BYTES, DATA_MAX_BYTES, DATA_MAX_BYTES, self._handles.count.most)
        return bytes([Tell.EXTENDED_REPLY]), struct.pack(">QQQQ", *limits)
