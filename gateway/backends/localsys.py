"""Two system calls that Python's `os` lacks: `openat2` (look up below a folder) and `renameat2` (rename with a rule).

Where the kernel, a sandbox or a file system refuses them, callers learn it from `has_openat2` and `NotSupported`,
and do the same by other means.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from functools import cache

_OPENAT2 = 437  # The same number on every architecture that Python's Linux wheels exist for.
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
# What a kernel, a sandbox or a file system says that does not know the call or the flag.
_UNKNOWN = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY})


class NotSupported(Exception):  # noqa: N818 - not an error but an answer
    """The kernel or this file system cannot do it."""


@cache
def has_openat2() -> bool:
    """Tell whether `openat2` works here; asked once, since a sandbox may answer it with any error."""
    if sys.platform != "linux":
        return False
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(openat2(folder, ".", os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


def openat2(folder: int, path: str, flags: int) -> int:
    """Open `path` below `folder`; the kernel follows no symbolic link and no way out, whatever happens meanwhile."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    opened: int = _libc().syscall(_OPENAT2, folder, os.fsencode(path), how, len(how))
    return opened if opened >= 0 else _fail(path)


def rename_to_nothing(source: int, name: str, target: int, new_name: str) -> None:
    """Rename, in one step, only if nothing has the new name.

    Raises:
        FileExistsError: if something has it.
        NotSupported: if that cannot be promised here.
    """
    _renameat2(source, name, target, new_name, _RENAME_NOREPLACE)


def exchange(source: int, name: str, target: int, new_name: str) -> None:
    """Let two names change places in one step.

    Raises:
        NotSupported: if that cannot be done here.
    """
    _renameat2(source, name, target, new_name, _RENAME_EXCHANGE)


def is_unknown(error: OSError) -> bool:
    """Tell whether `error` means that the kernel or file system does not know the call."""
    return error.errno in _UNKNOWN


def is_other_disk(error: OSError) -> bool:
    """Tell whether `error` means that two names are not on the same file system."""
    return error.errno == errno.EXDEV


def _renameat2(source: int, name: str, target: int, new_name: str, flag: int) -> None:
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        raise NotSupported
    if call(source, os.fsencode(name), target, os.fsencode(new_name), flag) != 0:
        if ctypes.get_errno() in _UNKNOWN:
            raise NotSupported
        _fail(name)


def _fail(name: str) -> int:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code), name)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
