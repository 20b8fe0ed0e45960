"""The bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02): packets, attributes, names and status codes.

Version 3 is what every client speaks; what later versions added and clients use comes as extensions of OpenSSH
(PROTOCOL, section 4).
"""

from __future__ import annotations

import stat
import struct
import time
from dataclasses import dataclass
from enum import IntEnum

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry

VERSION = 3
# What OpenSSH's own server allows: 256 KiB with some room for the fields around the data.
PACKET_MAX_BYTES = 256 * 1024
DATA_MAX_BYTES = PACKET_MAX_BYTES - 1024


# An answer in pieces: its type first, the number of the request goes between that and the rest.
Answer = tuple[bytes, ...]


class Ask(IntEnum):
    """Requests."""

    INIT = 1
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    EXTENDED = 200


class Tell(IntEnum):
    """Answers."""

    VERSION = 2
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """Outcomes."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


class Open(IntEnum):
    """Bits of OPEN."""

    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREAT = 0x08
    TRUNC = 0x10
    EXCL = 0x20


_SIZE, _OWNER, _MODE, _TIMES, _EXTENDED = 0x01, 0x02, 0x04, 0x08, 0x80000000
_FOLDER_MODE, _FILE_MODE, _WRITE_BITS = 0o040755, 0o100644, 0o200
# What an entry without a time shows.
_NO_TIME = 0
_YEAR_SECONDS = 182 * 86_400
_TIME_MAX = 2**32 - 1

_STATUS_OF = {
    Kind.NOT_FOUND: Status.NO_SUCH_FILE,
    Kind.FORBIDDEN: Status.PERMISSION_DENIED,
    Kind.UNAUTHENTICATED: Status.PERMISSION_DENIED,
    Kind.LOCKED: Status.PERMISSION_DENIED,
    Kind.NOT_IMPLEMENTED: Status.OP_UNSUPPORTED,
}


class BadPacketError(Exception):
    """A packet that does not hold what its type promises."""


class Packet:
    """Reads the fields of a packet; bytes behind the last field that is asked for do not matter.

    rclone up to 1.60 sends writes whose packet is longer than the data it names; OpenSSH's server ignores the rest too.

    Args:
        tail: the end of the packet, if it was received as a piece of its own: a field that is all of it is not copied.
    """

    def __init__(self, head: bytes, tail: bytes = b"") -> None:
        self._head = head
        self._tail = tail
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        return self._take(1)[0]

    def uint32(self) -> int:
        """Return the next 32-bit number."""
        return int.from_bytes(self._take(4))

    def uint64(self) -> int:
        """Return the next 64-bit number."""
        return int.from_bytes(self._take(8))

    def string(self) -> bytes:
        """Return the next string."""
        return self._take(self.uint32())

    def attrs(self) -> Attrs:
        """Return the next attributes."""
        flags = self.uint32()
        size = self.uint64() if flags & _SIZE else None
        if flags & _OWNER:
            self._take(8)
        if flags & _MODE:
            self.uint32()
        times = (self.uint32(), self.uint32()) if flags & _TIMES else None
        if flags & _EXTENDED:
            for _ in range(2 * min(self.uint32(), PACKET_MAX_BYTES)):
                self.string()
        return Attrs(size=size, modified=times[1] if times else None)

    def _take(self, count: int) -> bytes:
        at, end, split = self._at, self._at + count, len(self._head)
        if end > split + len(self._tail):
            raise BadPacketError
        self._at = end
        if at >= split:
            return self._tail[at - split : end - split]
        return self._head[at:end] + self._tail[: max(end - split, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attrs:
    """Those attributes that mean something here; owner and mode bits do not."""

    size: int | None = None
    modified: int | None = None


def string(data: bytes) -> bytes:
    """Return a string with its length before it."""
    return len(data).to_bytes(4) + data


def status(code: Status, message: str = "") -> Answer:
    """Return the fields of a status."""
    return struct.pack(">BI", Tell.STATUS, code), string(message.encode()) + string(b"en")


def status_of(error: GatewayError) -> Status:
    """Return what an error is in SFTP; all without a code of its own is a failure."""
    return _STATUS_OF.get(error.kind, Status.FAILURE)


def attrs_of(entry: Entry, *, may_write: bool) -> bytes:
    """Return the attributes of an entry."""
    modified = _time_of(entry)
    size = entry.size or 0
    return struct.pack(">IQIII", _SIZE | _MODE | _TIMES, size, _mode_of(entry, may_write=may_write), modified, modified)


def name_of(name: bytes, entry: Entry, *, may_write: bool, now: float) -> bytes:
    """Return one entry of a listing."""
    long_name = _long_name(name, entry, _mode_of(entry, may_write=may_write), now)
    return string(name) + string(long_name) + attrs_of(entry, may_write=may_write)


def _mode_of(entry: Entry, *, may_write: bool) -> int:
    mode = _FOLDER_MODE if entry.is_folder else _FILE_MODE
    return mode if may_write else mode & ~_WRITE_BITS


def _long_name(name: bytes, entry: Entry, mode: int, now: float) -> bytes:
    modified = _time_of(entry)
    stamp = time.strftime("%b %e %H:%M" if abs(now - modified) < _YEAR_SECONDS else "%b %e  %Y", time.gmtime(modified))
    facts = f"{stat.filemode(mode)} {1:>4} {'ocm':<8} {'ocm':<8} {entry.size or 0:>8} {stamp} "
    return facts.encode() + name


def _time_of(entry: Entry) -> int:
    return min(max(int(entry.modified or _NO_TIME), 0), _TIME_MAX)
