"""Files in the making and open files of a local storage: what happens inside the threads, step by step.

New content grows under a temporary name in the same folder and takes its place by one rename. Until then the old
content stands; whatever goes wrong, the temporary is removed. A process that is killed leaves it behind for
`localtree.sweep`, which knows by a lock on the file whether its writer still lives.
"""

from __future__ import annotations

import fcntl
import math
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from stat import S_IMODE, S_ISDIR, S_ISREG
from threading import Lock

from gateway.backends import localsys
from gateway.backends.localfs import (
    READ_FILE,
    TEMPORARY_PREFIX,
    Spot,
    Tree,
    entry_of,
    etag_of,
    look_up,
    open_folder,
)
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath, Written

PERMISSION_BITS = 0o777
# The last second that file systems with 64-bit times can hold without surprise (the year 9999).
_LATEST_TIME = 253_402_300_799.0
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A condition is checked and the file put in place with no other writer of this process in between.
_TURNS = tuple(Lock() for _ in range(64))


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of the present file (RFC 9110, 13.1): entity tags or `*`."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, found: os.stat_result | None) -> None:
        """Do nothing if the condition holds.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if it does not.
        """
        present = () if found is None else ("*", etag_of(found))
        if (self.if_match is not None and self.if_match not in present) or self.if_none_match in present:
            raise GatewayError(Kind.PRECONDITION_FAILED, "The file is not the one that the condition names.")


class OpenFile:
    """A file opened for reading. Its bytes stay the same, unless somebody changes it in place on purpose."""

    flags = READ_FILE

    def __init__(self, tree: Tree, path: ResourcePath) -> None:
        self._tree = tree
        self._path = path
        self._descriptor = -1

    def open(self) -> Entry:
        """Open it and return its entry.

        Raises:
            GatewayError: `CONFLICT` if it is a folder.
        """
        with self._tree.spot(self._path) as spot:
            if S_ISDIR(spot.served().st_mode):
                raise a_folder()
            self._descriptor = os.open(spot.name, self.flags, dir_fd=spot.folder)
        found = os.fstat(self._descriptor)
        if not S_ISREG(found.st_mode):
            raise a_folder()
        return entry_of(self._path, found)

    def read(self, start: int, length: int) -> bytes:
        """Return bytes from `start` on, fewer only at the end."""
        return os.pread(self._descriptor, length, start)

    def read_full(self, start: int, length: int) -> bytes:
        """Return bytes from `start` on, fewer only at the end of the file, however the system cuts them."""
        return read_full(self._descriptor, start, length)

    def stat(self) -> Entry:
        """Return the entry of the open file."""
        return entry_of(self._path, os.fstat(self._descriptor))

    def detach(self) -> int:
        """Return the descriptor, which the caller closes."""
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def close(self) -> None:
        """Close it; reading fails from now on, and can never reach another file under the same number."""
        descriptor = self.detach()
        if descriptor >= 0:
            os.close(descriptor)


class Part:
    """New content for one path, from its first byte until it takes the place of the old.

    Args:
        is_durable: whether the content must be on the disk before `commit` returns.
    """

    def __init__(self, tree: Tree, path: ResourcePath, condition: Condition, *, is_durable: bool) -> None:
        self._tree = tree
        self._path = path
        self._condition = condition
        self._is_durable = is_durable
        self._cleanup = ExitStack()
        self._spot = Spot(-1, "", None)
        self._temporary = ""
        self._descriptor = -1

    def begin(self) -> None:
        """Refuse what can be refused before the first byte, then open the temporary."""
        self._spot = self._cleanup.enter_context(self._tree.new_spot(self._path))
        self._check(self._spot)
        self._temporary = temporary_name()
        self._descriptor = new_file(self._spot.folder, self._temporary)
        self._cleanup.callback(os.close, self._descriptor)
        self._cleanup.callback(_unlink, self._spot.folder, self._temporary)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        write_all(self._descriptor, data)

    def write_at(self, start: int, data: bytes) -> None:
        """Put `data` at `start`."""
        pwrite_all(self._descriptor, data, start)

    def read_full(self, start: int, length: int) -> bytes:
        """Return what was written, from `start` on."""
        return read_full(self._descriptor, start, length)

    def truncate(self, size: int) -> None:
        """Cut or extend the content."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Put what was written on the disk."""
        os.fsync(self._descriptor)

    def stat(self) -> Entry:
        """Return the entry that the content would have now."""
        return entry_of(self._path, os.fstat(self._descriptor))

    def set_time(self, modified: float) -> None:
        """Give the content its time of last modification, if the storage can hold it."""
        if is_time(modified):
            os.utime(self._descriptor, (time.time(), modified))

    def commit(self, *, with_folder: bool = True) -> Written:
        """Put the content in its place.

        Args:
            with_folder: whether its name must be on the disk as well; who says no calls `sync_folder`.

        Raises:
            GatewayError: `PRECONDITION_FAILED`, or `CONFLICT` if the folder is gone; nothing is changed then.
        """
        if self._is_durable:
            os.fsync(self._descriptor)
        with _turn(self._spot.folder):
            spot = look_up(self._spot.folder, self._spot.name)
            self._check(spot)
            _keep_rights(self._descriptor, spot.found)
            created = self._place(spot)
        if self._is_durable and with_folder:
            self.sync_folder()
        return Written(entry=entry_of(self._path, os.fstat(self._descriptor)), created=created)

    def sync_folder(self) -> None:
        """Put the names in the folder on the disk."""
        descriptor = open_folder(self._spot.folder, ".")
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Remove the temporary if it is still there, and close everything."""
        self._cleanup.close()

    def _check(self, spot: Spot) -> None:
        found = spot.replaceable()
        if found is not None and S_ISDIR(found.st_mode):
            raise a_folder()
        self._condition.check(found)

    def _place(self, spot: Spot) -> bool:
        try:
            put_in_nothing(spot.folder, self._temporary, spot.folder, spot.name)
        except FileExistsError as error:
            if self._condition.if_none_match == "*":
                raise GatewayError(Kind.PRECONDITION_FAILED, "There is a file already.") from error
            os.rename(self._temporary, spot.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
            return False
        except FileNotFoundError as error:
            raise GatewayError(Kind.CONFLICT, "The folder was removed meanwhile.") from error
        return True


def new_file(folder: int, name: str) -> int:
    """Create a file and hold a lock on it, by which `localtree.sweep` sees that its writer lives."""
    descriptor = os.open(name, _NEW_FILE, 0o666, dir_fd=folder)
    hold(descriptor)
    return descriptor


def hold(descriptor: int) -> None:
    """Mark a temporary as being worked on; not every file system can."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def put_in_nothing(source: int, name: str, target: int, new_name: str) -> None:
    """Rename only if nothing has the new name, as surely as this file system can.

    Raises:
        FileExistsError: if something has it.
    """
    try:
        localsys.rename_to_nothing(source, name, target, new_name)
    except localsys.NotSupported:
        if look_up(target, new_name).found is not None:
            raise FileExistsError(new_name) from None
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)


def write_all(descriptor: int, data: bytes) -> None:
    """Write the whole of `data`, in as many steps as the system likes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def pwrite_all(descriptor: int, data: bytes, start: int) -> None:
    """Write the whole of `data` at `start`."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, start)
        view, start = view[count:], start + count


def read_full(descriptor: int, start: int, length: int) -> bytes:
    """Return bytes from `start` on, fewer only at the end of the file."""
    data = os.pread(descriptor, length, start)
    while 0 < len(data) < length and (more := os.pread(descriptor, length - len(data), start + len(data))):
        data += more
    return data


def temporary_name(prefix: str = TEMPORARY_PREFIX) -> str:
    """Return a fresh name for something unfinished."""
    return prefix + secrets.token_hex(12)


def is_time(modified: float) -> bool:
    """Tell whether file systems can hold this time."""
    return math.isfinite(modified) and abs(modified) <= _LATEST_TIME


def a_folder() -> GatewayError:
    """Return the error for a folder where a file is needed."""
    return GatewayError(Kind.CONFLICT, "This is a folder.")


@contextmanager
def _turn(folder: int) -> Iterator[None]:
    with _TURNS[os.fstat(folder).st_ino % len(_TURNS)]:
        yield


def _keep_rights(descriptor: int, old: os.stat_result | None) -> None:
    """Give new content the owner (where we may) and the permission bits of the old."""
    if old is None:
        return
    with suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    with suppress(PermissionError):
        os.fchmod(descriptor, S_IMODE(old.st_mode) & PERMISSION_BITS)


def _unlink(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
