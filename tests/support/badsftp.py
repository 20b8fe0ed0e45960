"""SFTP servers with one fault each, named for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import asyncssh
from asyncssh import FILEXFER_TYPE_DIRECTORY, FILEXFER_TYPE_REGULAR, SFTPAttrs, SFTPName, SFTPVFSAttrs

from support.smalldisk import names_in

FILE_BITS = 0o100644
FOLDER_BITS = 0o040755


def named(name: bytes, permissions: int | None = FILE_BITS, **facts) -> SFTPName:
    """Return what a listing says of a member."""
    attrs = SFTPAttrs(size=1, mtime=1_000_000_000, atime=0, **facts)
    if permissions is not None:
        attrs.permissions = permissions
        attrs.type = FILEXFER_TYPE_DIRECTORY if permissions == FOLDER_BITS else FILEXFER_TYPE_REGULAR
    return SFTPName(name, b"longname", attrs)


class Naming(asyncssh.SFTPServer):
    """Lists what the test says, whatever is there."""

    names: tuple[SFTPName, ...] = ()

    async def scandir(self, path):
        """Yield the names."""
        for name in self.names:
            yield name


class Endless(asyncssh.SFTPServer):
    """Has folders without end."""

    async def scandir(self, path):
        """Yield names for ever."""
        number = 0
        while True:
            yield named(b"file-%d" % number)
            number += 1


class NoTypes(asyncssh.SFTPServer):
    """Does not say in listings what is a file and what a folder."""

    async def scandir(self, path):
        """Yield names without types."""
        for name in names_in(Path(os.fsdecode(self.map_path(path)))):
            yield named(os.fsencode(name), None)


class WrongSize(asyncssh.SFTPServer):
    """Says that every file is `said` bytes long."""

    said = 0

    def lstat(self, path):
        """Lie."""
        return self._lie(super().lstat(path))

    def fstat(self, file_obj):
        """Lie."""
        return self._lie(super().fstat(file_obj))

    def _lie(self, found):
        attrs = SFTPAttrs.from_local(found)
        if attrs.type == FILEXFER_TYPE_REGULAR:
            attrs.size = self.said
        return attrs


class Lavish(asyncssh.SFTPServer):
    """Sends more bytes than were asked for."""

    def read(self, file_obj, offset, size):
        """Add some."""
        return super().read(file_obj, offset, size) + b"and more"


class Meagre(asyncssh.SFTPServer):
    """Sends at most 1,000 bytes with one answer, as it may."""

    def read(self, file_obj, offset, size):
        """Send less than was asked for."""
        return super().read(file_obj, offset, min(size, 1000))


class Forgetful(asyncssh.SFTPServer):
    """Says that it has written, and has not."""

    def write(self, file_obj, offset, data):
        """Lose every byte."""
        return len(data)


class FullDisk(asyncssh.SFTPServer):
    """Has no room left."""

    def write(self, file_obj, offset, data):
        """Fail as a full disk does, which version 3 can only call a failure."""
        raise OSError(errno.ENOSPC, "No space left on device")

    def statvfs(self, path):
        """Tell it."""
        disk = SFTPVFSAttrs.from_local(super().statvfs(path))
        disk.bavail = 0
        return disk


class DropsReading(asyncssh.SFTPServer):
    """Cuts the connection at the second piece of a file."""

    def read(self, file_obj, offset, size):
        """Cut it."""
        if offset:
            self.connection.abort()
        return super().read(file_obj, offset, size)


class DropsWriting(asyncssh.SFTPServer):
    """Cuts the connection at the second piece that is written."""

    def write(self, file_obj, offset, data):
        """Cut it."""
        if offset:
            self.connection.abort()
        return super().write(file_obj, offset, data)


class Silent(asyncssh.SFTPServer):
    """Does not answer one kind of request, named by the test."""

    silent = "read"

    def __getattribute__(self, name):
        """Put silence in the place of the request."""
        get = super().__getattribute__
        if name == get("silent"):
            return get("_never" if name == "scandir" else "_silence")
        return get(name)

    async def _silence(self, *_args):
        await self.connection.wait_closed()
        raise asyncssh.SFTPFailure("too late")

    async def _never(self, *_args):
        await self._silence()
        yield


class LinkSwapper(asyncssh.SFTPServer):
    """Puts a link in the place of a file between our look and our opening it."""

    secret = ""

    def open(self, path, pflags, attrs):
        """Swap, then open."""
        place = Path(os.fsdecode(self.map_path(path)))
        if not place.is_symlink():
            place.unlink()
            place.symlink_to(self.secret)
        return super().open(path, pflags, attrs)


class FolderSwapper(asyncssh.SFTPServer):
    """Puts a link in the place of a folder between our look and our listing it."""

    elsewhere = ""

    async def scandir(self, path):
        """Swap, then list."""
        self._swap(Path(os.fsdecode(self.map_path(path))))
        async for name in super().scandir(path):
            yield name

    def _swap(self, place):
        place.rmdir()
        place.symlink_to(self.elsewhere)
