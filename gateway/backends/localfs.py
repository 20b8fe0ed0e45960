"""Finding things in a folder of this machine, and nothing outside it (DESIGN 6, paths).

Every look-up starts at the root and yields an open folder; all further work names things relative to that folder, so
that a swapped symbolic link cannot lead it elsewhere. Links, devices, sockets and our own temporaries are not served:
to a reader they do not exist, a writer may not replace them. Names are the bytes on disk, found exactly or else by
the one other Unicode normal form that exists.
"""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from gateway.backends import localsys
from gateway.backends.threads import told
from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.resource import Entry, EntryKind, ResourcePath

TEMPORARY_PREFIX = ".ocm-part-"
# An old folder on its way out, where the file system cannot exchange two names. Unlike a temporary it is never swept:
# if the power fails at the wrong moment it is the only copy.
ASIDE_PREFIX = ".ocm-aside-"

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a pipe that takes the file's place in the last moment would hold us for ever.
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# A link, or a file, in the middle of a path: below it there is nothing.
_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_ENCODED_TYPES = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in an open folder, and what has that name.

    Attributes:
        folder: descriptor of the folder, good as long as the context that gave it.
        name: the name as stored, or as asked for if nothing has it.
        found: what is there, links not followed; None if nothing is.
    """

    folder: int
    name: str
    found: os.stat_result | None

    def served(self) -> os.stat_result:
        """Return what is there.

        Raises:
            GatewayError: `NOT_FOUND` if it is nothing, or nothing that we serve.
        """
        if self.found is None or not is_served(self.found) or is_hidden(self.name):
            raise missing()
        return self.found

    def replaceable(self) -> os.stat_result | None:
        """Return the file or folder that a writer would replace, or None.

        Raises:
            GatewayError: `FORBIDDEN` if something is there that we do not serve, or if the name is reserved.
        """
        if is_hidden(self.name) or (self.found is not None and not is_served(self.found)):
            raise GatewayError(Kind.FORBIDDEN, "This name cannot be used here.")
        return self.found


@dataclass(frozen=True, slots=True)
class Tree:
    """The folder of this machine that a storage consists of.

    Attributes:
        marker: a name that must exist in the root. It tells a disk that is not mounted, and leaves its empty mount
            point behind, from one on which everything was deleted.
    """

    root: Path
    marker: str | None = None

    @contextmanager
    def spot(self, path: ResourcePath) -> Iterator[Spot]:
        """Give the place of something that is expected to exist.

        Raises:
            GatewayError: `NOT_FOUND` if the folder that should hold it does not exist.
        """
        with self._folder(path.parent.parts) as folder:
            if path.is_root:
                yield Spot(folder, ".", os.stat(".", dir_fd=folder))
            else:
                yield look_up(folder, path.name)

    @contextmanager
    def new_spot(self, path: ResourcePath) -> Iterator[Spot]:
        """Give the place of something to be made or replaced.

        Raises:
            GatewayError: `CONFLICT` if the folder that is to hold it does not exist.
        """
        with ExitStack() as stack:
            try:
                spot = stack.enter_context(self.spot(path))
            except GatewayError as error:
                if error.kind is not Kind.NOT_FOUND:
                    raise
                raise GatewayError(Kind.CONFLICT, "The folder above does not exist.") from error
            yield spot

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        root = self._open_root()
        try:
            folder = _open_below(root, parts)
        except OSError as error:
            raise (missing() if error.errno in _NO_FOLDER else told(error)) from error
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

    def _open_root(self) -> int:
        """Open the root; if that fails the disk is not there, which must not look like deleted shares."""
        try:
            root = os.open(self.root, _FOLDER)
        except OSError as error:
            raise unavailable("The storage is not there.", log=f"root folder: {error.strerror}") from error
        if self.marker is not None and not _exists(root, self.marker):
            os.close(root)
            raise unavailable("The storage is not there.", log="the marker is missing in the root folder")
        return root


def look_up(folder: int, name: str) -> Spot:
    """Return what has `name`, or else what alone has it in another Unicode normal form."""
    spot = exact(folder, name)
    if spot.found is not None or name.isascii():
        return spot
    others = {unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)} - {name}
    matches = [known for known in (_in_other_form(folder, other) for other in others) if known.found is not None]
    return matches[0] if len(matches) == 1 else spot


def exact(folder: int, name: str) -> Spot:
    """Return what has exactly this name, links not followed."""
    try:
        return Spot(folder, name, os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return Spot(folder, name, None)


def _in_other_form(folder: int, name: str) -> Spot:
    try:
        return exact(folder, name)
    except OSError as error:
        # Decomposed, a name may have three times as many bytes, more than the file system takes: nothing has it.
        if error.errno != errno.ENAMETOOLONG:
            raise
        return Spot(folder, name, None)


def open_folder(folder: int, name: str) -> int:
    """Open a folder for reading its members, without following a link."""
    return os.open(name, READ_FOLDER, dir_fd=folder)


def is_hidden(name: str) -> bool:
    """Tell whether this name is one of ours, which nobody sees."""
    return name.startswith((TEMPORARY_PREFIX, ASIDE_PREFIX))


def is_served(found: os.stat_result) -> bool:
    """Tell whether this is a file or folder, not a link, device, pipe or socket."""
    return S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)


def entry_of(path: ResourcePath, found: os.stat_result) -> Entry:
    """Return the entry for what was found at `path`."""
    if S_ISDIR(found.st_mode):
        return Entry(path=path, kind=EntryKind.FOLDER, modified=found.st_mtime, etag=etag_of(found))
    return Entry(
        path=path,
        kind=EntryKind.FILE,
        size=found.st_size,
        modified=found.st_mtime,
        etag=etag_of(found),
        content_type=content_type_of(path.name),
    )


def etag_of(found: os.stat_result) -> str:
    """Return the entity tag: it changes with every content, since we write each into a file of its own."""
    facts = f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    return f'"{hashlib.blake2b(facts.encode(), digest_size=12).hexdigest()}"'


def content_type_of(name: str) -> str:
    """Return the media type that the ending of `name` stands for."""
    # The slash keeps a name such as `data:text/html,x` from being read as a URL.
    kind, encoding = mimetypes.guess_type("/" + name)
    if encoding is not None:
        return _ENCODED_TYPES.get(encoding, "application/octet-stream")
    return kind or "application/octet-stream"


def missing() -> GatewayError:
    """Return the error for what does not exist, or does not for strangers."""
    return GatewayError(Kind.NOT_FOUND, "There is no such file or folder.")


def _open_below(root: int, parts: tuple[str, ...]) -> int:
    if any(is_hidden(part) for part in parts):
        raise missing()
    if localsys.has_openat2():
        try:
            return localsys.openat2(root, "/".join(parts) or ".", _FOLDER)
        except FileNotFoundError:
            if all(part.isascii() for part in parts):
                raise
        except BlockingIOError:
            # Something was renamed during the look-up; walking step by step is safe too.
            pass
    return _walk(root, parts)


def _walk(root: int, parts: tuple[str, ...]) -> int:
    folder = os.dup(root)
    for part in parts:
        try:
            deeper = os.open(look_up(folder, part).name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
        folder = deeper
    return folder


def _exists(folder: int, name: str) -> bool:
    try:
        return exact(folder, name).found is not None
    except OSError:
        return False
