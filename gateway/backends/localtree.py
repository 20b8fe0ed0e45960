"""Whole trees of a local storage: removing, copying, moving, listing them, and sweeping up what a crash left.

All work is relative to open folders and follows no link; links, devices and pipes are not copied, but go with the
folder that is removed. A copy is made under a temporary name and put in its place when it is complete, so that the
target is at no time half old and half new. What cannot be copied is reported and left out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from stat import S_IMODE, S_ISDIR

from gateway.backends import localsys
from gateway.backends.localfs import (
    ASIDE_PREFIX,
    READ_FILE,
    TEMPORARY_PREFIX,
    Spot,
    Tree,
    exact,
    is_hidden,
    is_served,
    open_folder,
)
from gateway.backends.localpart import PERMISSION_BITS, hold, new_file, put_in_nothing, temporary_name, write_all
from gateway.backends.threads import Stop, told
from gateway.errors import GatewayError, Kind
from gateway.model.resource import PATH_MAX_DEPTH, Outcome, ResourcePath

COPY_PIECE_BYTES = 4 * 1024 * 1024


def remove(folder: int, name: str, stop: Stop, depth: int = 0) -> None:
    """Remove a file, or a folder with all that is in it; what can be removed is, even if something cannot.

    Raises:
        OSError: the first that happened, or
        GatewayError: `CONFLICT` if it is nested too deeply.
    """
    stop.check()
    if not S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    _refuse_depth(depth)
    errors: list[OSError | GatewayError] = []
    with _opened(folder, name) as inner:
        for member in os.listdir(inner):  # noqa: PTH208 - a descriptor, not a path
            try:
                remove(inner, member, stop, depth + 1)
            except FileNotFoundError:
                continue
            except (OSError, GatewayError) as error:
                errors.append(error)
    if errors:
        raise errors[0]
    os.rmdir(name, dir_fd=folder)


def move(tree: Tree, source: ResourcePath, target: ResourcePath, *, overwrite: bool, stop: Stop) -> Outcome:
    """Move by renaming, or by copying where the target is on another disk."""
    with tree.spot(source) as old, tree.new_spot(target) as new:
        old.served()
        if _is_same(old, new):
            # Only the spelling changes, say from one Unicode normal form to the other.
            os.rename(old.name, target.name, src_dir_fd=old.folder, dst_dir_fd=new.folder)
            return Outcome(created=True)
        _refuse_overwrite(new, overwrite=overwrite)
        try:
            return Outcome(created=_place(old, new, stop))
        except OSError as error:
            if not localsys.is_other_disk(error):
                raise
        outcome = copy(tree, source, target, overwrite=overwrite, deep=True, stop=stop)
        if not outcome.failures:
            remove(old.folder, old.name, stop)
        return outcome


def copy(tree: Tree, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool, stop: Stop) -> Outcome:
    """Copy under a temporary name, then put the copy in its place.

    Raises:
        OSError: if the file, or the folder itself, cannot be copied; the target is as it was then.
    """
    with tree.spot(source) as old, tree.new_spot(target) as new:
        old.served()
        _refuse_overwrite(new, overwrite=overwrite)
        making = _Copy(stop=stop, deep=deep)
        temporary = temporary_name()
        try:
            made = making.make(old, new.folder, temporary, target)
            try:
                created = _place(Spot(new.folder, temporary, old.found), new, stop)
            finally:
                os.close(made)
        except BaseException:
            with suppress(OSError):
                remove(new.folder, temporary, Stop())
            raise
        return Outcome(created=created, failures=tuple(making.failures))


def sweep(tree: Tree, older_than: float, stop: Stop) -> int:
    """Remove temporaries that nobody works on and that have not changed since `older_than`; return how many."""
    swept = 0
    with tree.spot(ResourcePath()) as root:
        for _, folders, files, folder in os.fwalk(".", dir_fd=root.folder):
            left = [name for name in (*folders, *files) if name.startswith(TEMPORARY_PREFIX)]
            folders[:] = [name for name in folders if not is_hidden(name)]
            swept += sum(_sweep_one(folder, name, older_than, stop) for name in left)
    return swept


@dataclass(slots=True, kw_only=True)
class _Copy:
    """One copy of a tree. Its methods return the descriptor of what they made, for the caller to close."""

    stop: Stop
    deep: bool
    failures: list[tuple[ResourcePath, GatewayError]] = field(default_factory=list)

    def make(self, old: Spot, target: int, name: str, path: ResourcePath, depth: int = 0) -> int:
        """Copy one thing to `name` in the folder `target`; `path` is where that will be seen."""
        self.stop.check()
        found = old.served()
        is_folder = S_ISDIR(found.st_mode)
        made = self._folder(old, target, name, path, depth) if is_folder else self._file(old, target, name)
        with suppress(PermissionError):
            os.fchmod(made, S_IMODE(found.st_mode) & PERMISSION_BITS)
        return made

    def _file(self, old: Spot, target: int, name: str) -> int:
        reading = os.open(old.name, READ_FILE, dir_fd=old.folder)
        try:
            writing = new_file(target, name)
            with _closed_on_error(writing):
                _copy_bytes(reading, writing, self.stop)
        finally:
            os.close(reading)
        return writing

    def _folder(self, old: Spot, target: int, name: str, path: ResourcePath, depth: int) -> int:
        _refuse_depth(depth)
        os.mkdir(name, dir_fd=target)
        making = open_folder(target, name)
        with _closed_on_error(making):
            hold(making)
            if not self.deep:
                return making
            with _opened(old.folder, old.name) as reading:
                for spot in _members(reading):
                    where = _below(path, spot.name)
                    try:
                        os.close(self.make(spot, making, spot.name, where, depth + 1))
                    except (OSError, GatewayError) as error:
                        self.failures.append((where, told(error) if isinstance(error, OSError) else error))
                        self._discard(making, spot.name)
        return making

    def _discard(self, folder: int, name: str) -> None:
        """Remove what a failure left of a member; half a file must not look like a whole one."""
        with suppress(OSError, GatewayError):
            remove(folder, name, self.stop)


def _members(folder: int) -> Iterator[Spot]:
    for name in os.listdir(folder):
        spot = exact(folder, name)
        if spot.found is not None and is_served(spot.found) and not is_hidden(name):
            yield spot


def _copy_bytes(reading: int, writing: int, stop: Stop) -> None:
    """Copy inside the kernel, where a file system may share the blocks, else piece by piece."""
    try:
        while os.copy_file_range(reading, writing, COPY_PIECE_BYTES):
            stop.check()
    except OSError as error:
        if not (localsys.is_other_disk(error) or localsys.is_unknown(error)):
            raise
        while piece := os.read(reading, COPY_PIECE_BYTES):
            stop.check()
            write_all(writing, piece)


def _place(old: Spot, new: Spot, stop: Stop) -> bool:
    """Give what is at `old` the name of `new`, in the place of what is there; tell whether that was nothing."""
    if new.found is None:
        with suppress(FileExistsError):
            put_in_nothing(old.folder, old.name, new.folder, new.name)
            return True
    assert old.found is not None
    if new.found is not None and (S_ISDIR(old.found.st_mode) or S_ISDIR(new.found.st_mode)):
        _replace_folder(old, new, stop)
    else:
        os.rename(old.name, new.name, src_dir_fd=old.folder, dst_dir_fd=new.folder)
    return False


def _replace_folder(old: Spot, new: Spot, stop: Stop) -> None:
    """Let the old and the new change places, and then remove the old; it is hidden from the first moment on."""
    leftover = temporary_name()
    try:
        localsys.exchange(old.folder, old.name, new.folder, new.name)
        os.rename(old.name, leftover, src_dir_fd=old.folder, dst_dir_fd=old.folder)
        folder = old.folder
    except localsys.NotSupported:
        leftover = leftover.replace(TEMPORARY_PREFIX, ASIDE_PREFIX)
        folder = new.folder
        _swap_by_hand(old, new, leftover)
    # What cannot be removed is out of sight already; the new is in its place, and that was asked for.
    with suppress(OSError, GatewayError):
        remove(folder, leftover, stop)


def _swap_by_hand(old: Spot, new: Spot, aside: str) -> None:
    os.rename(new.name, aside, src_dir_fd=new.folder, dst_dir_fd=new.folder)
    try:
        os.rename(old.name, new.name, src_dir_fd=old.folder, dst_dir_fd=new.folder)
    except OSError:
        os.rename(aside, new.name, src_dir_fd=new.folder, dst_dir_fd=new.folder)
        raise


def _refuse_overwrite(new: Spot, *, overwrite: bool) -> None:
    if new.replaceable() is not None and not overwrite:
        raise GatewayError(Kind.PRECONDITION_FAILED, "There is something at the target already.")


def _refuse_depth(depth: int) -> None:
    if depth > PATH_MAX_DEPTH:
        raise GatewayError(Kind.CONFLICT, "The folders are nested too deeply.")


def _is_same(old: Spot, new: Spot) -> bool:
    return old.name == new.name and os.path.samestat(os.fstat(old.folder), os.fstat(new.folder))


def _below(path: ResourcePath, name: str) -> ResourcePath:
    """Return the path of a member, or of its folder if the name has no path."""
    try:
        return path / name
    except GatewayError:
        return path


def _sweep_one(folder: int, name: str, older_than: float, stop: Stop) -> int:
    try:
        descriptor = os.open(name, READ_FILE, dir_fd=folder)
    except OSError:
        return 0
    try:
        if os.fstat(descriptor).st_mtime > older_than:
            return 0
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(folder, name, stop)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return 1


@contextmanager
def _opened(folder: int, name: str) -> Iterator[int]:
    descriptor = open_folder(folder, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _closed_on_error(descriptor: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise
