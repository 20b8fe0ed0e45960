"""A folder of this machine as a storage (DESIGN 6): a local disk, or whatever the system has mounted there.

This module says what each verb does; the steps inside the threads are in `localfs` (finding things and staying
inside the root), `locallist`, `localpart` (reading, and atomic writing), `localbulk` (many small files at once),
`localopen` (bytes at any place) and `localtree` (copying, moving, removing). Symbolic links are never followed and not
shown. A root that is not there is an outage, not an empty storage.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.backends import localbulk, localopen, localtree
from gateway.backends.base import WHOLE, OpenMode, SmallFile
from gateway.backends.base import OpenFile as OpenAtFile
from gateway.backends.localfs import Tree, entry_of
from gateway.backends.locallist import Listing
from gateway.backends.localpart import Condition, OpenFile, Part, is_time
from gateway.backends.threads import Stop, Threads
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written

CHUNK_BYTES = 256 * 1024


class LocalBackend:
    """A folder of this machine and all below it.

    Args:
        root: the folder; every path is seen from here.
        pool: threads for the blocking calls, by default those of the event loop.
        is_durable: whether a write is on the disk when it is answered (`fsync`).
        marker: a name that must exist in `root`, so that a disk that is not mounted is noticed.
    """

    def __init__(
        self, root: Path, *, pool: Executor | None = None, is_durable: bool = True, marker: str | None = None
    ) -> None:
        self._tree = Tree(root, marker)
        self._threads = Threads(pool)
        self._is_durable = is_durable

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        return await self._threads.run(_stat, self._tree, path)

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder, a batch at a time."""
        listing = Listing(self._tree, path)
        try:
            await self._threads.run(listing.open)
            while batch := await self._threads.run(listing.next_batch):
                for entry in batch:
                    yield entry
        finally:
            listing.close()

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        """Open a piece of a file; its bytes stay the same while it is open."""
        file = OpenFile(self._tree, path)
        try:
            entry = await self._threads.run(file.open)
            if if_match not in (None, "*", entry.etag):
                raise GatewayError(Kind.PRECONDITION_FAILED, "The file is not the one that the condition names.")
            resolved = _resolved(span, entry.size or 0)
            yield Content(entry=entry, span=resolved, chunks=self._chunks(file, resolved))
        finally:
            file.close()

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
        part = Part(self._tree, path, Condition(if_match, if_none_match), is_durable=self._is_durable)
        try:
            await self._threads.run(part.begin)
            count = 0
            async for piece in _gathered(chunks):
                count += len(piece)
                _refuse_size(count, size, is_complete=False)
                await self._threads.run(part.write, piece)
            _refuse_size(count, size, is_complete=True)
            return await self._threads.run(part.commit)
        finally:
            await self._threads.run(part.close)

    async def find_all(self, paths: Sequence[ResourcePath]) -> Sequence[Entry | None]:
        """Return what is at each path, or None where nothing is."""
        return await self._threads.run_stoppable(partial(localbulk.find_all, self._tree, paths))

    async def put_all(self, files: Sequence[SmallFile]) -> Sequence[Written | GatewayError]:
        """Write files from memory, each as `write` does; return what became of each."""
        return await self._threads.run_stoppable(
            partial(localbulk.put_all, self._tree, files, is_durable=self._is_durable)
        )

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        await self._threads.run(_mkdir, self._tree, path)

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file, or a folder with all that is in it, as far as that goes."""
        if path.is_root:
            raise GatewayError(Kind.FORBIDDEN, "The root of the storage cannot be removed.")
        await self._threads.run_stoppable(partial(_delete, self._tree, path))

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder, by renaming where that is possible."""
        _refuse_overlap(source, target)
        return await self._threads.run_stoppable(
            lambda stop: localtree.move(self._tree, source, target, overwrite=overwrite, stop=stop)
        )

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder; the target appears when the copy is complete."""
        _refuse_overlap(source, target)
        return await self._threads.run_stoppable(
            lambda stop: localtree.copy(self._tree, source, target, overwrite=overwrite, deep=deep, stop=stop)
        )

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification, in seconds since the epoch."""
        if not is_time(modified):
            raise GatewayError(Kind.INVALID, "The storage cannot hold this time.")
        await self._threads.run(_set_time, self._tree, path, modified)

    async def quota(self, path: ResourcePath) -> Quota:
        """Return how full the disk is on which `path` lies."""
        return await self._threads.run(_quota, self._tree, path)

    async def file_descriptor(self, path: ResourcePath) -> tuple[int, Entry]:
        """Return a fresh descriptor, which the caller closes, and the entry it belongs to."""
        file = OpenFile(self._tree, path)
        try:
            entry = await self._threads.run(file.open)
            return file.detach(), entry
        finally:
            file.close()

    def open_at(
        self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False
    ) -> AbstractAsyncContextManager[OpenAtFile]:
        """Open a file for bytes at any place."""
        match mode:
            case OpenMode.READ:
                return localopen.reading(self._threads, OpenFile(self._tree, path))
            case OpenMode.UPDATE:
                file = localopen.InPlace(self._tree, path)
                return localopen.updating(self._threads, file, is_durable=self._is_durable)
            case OpenMode.REPLACE:
                condition = Condition(if_none_match="*" if is_new else None)
                part = Part(self._tree, path, condition, is_durable=self._is_durable)
                return localopen.replacing(self._threads, part)

    async def sweep_temporaries(self, older_than: float) -> int:
        """Remove what killed processes left unfinished before `older_than` (seconds since the epoch); count it."""
        return await self._threads.run_stoppable(partial(localtree.sweep, self._tree, older_than))

    async def _chunks(self, file: OpenFile, span: Span) -> AsyncIterator[bytes]:
        position, left = span.start, span.length or 0
        while left:
            chunk = await self._threads.run(file.read, position, min(left, CHUNK_BYTES))
            if not chunk:
                # The length was promised already; only a broken stream tells the client that this is not all.
                raise GatewayError(Kind.UNAVAILABLE, "The file was cut short while it was read.", retry_after=1)
            yield chunk
            position += len(chunk)
            left -= len(chunk)


def _stat(tree: Tree, path: ResourcePath) -> Entry:
    with tree.spot(path) as spot:
        return entry_of(path, spot.served())


def _mkdir(tree: Tree, path: ResourcePath) -> None:
    with tree.new_spot(path) as spot:
        if spot.replaceable() is not None:
            raise _there_already()
        try:
            os.mkdir(spot.name, dir_fd=spot.folder)
        except FileExistsError as error:
            raise _there_already() from error
        except FileNotFoundError as error:
            raise GatewayError(Kind.CONFLICT, "The folder above was removed meanwhile.") from error


def _delete(tree: Tree, path: ResourcePath, stop: Stop) -> None:
    with tree.spot(path) as spot:
        spot.served()
        localtree.remove(spot.folder, spot.name, stop)


def _set_time(tree: Tree, path: ResourcePath, modified: float) -> None:
    with tree.spot(path) as spot:
        accessed = spot.served().st_atime
        os.utime(spot.name, (accessed, modified), dir_fd=spot.folder, follow_symlinks=False)


def _quota(tree: Tree, path: ResourcePath) -> Quota:
    with tree.spot(path) as spot:
        spot.served()
        disk = os.fstatvfs(spot.folder)
    return Quota(used=(disk.f_blocks - disk.f_bfree) * disk.f_frsize, available=disk.f_bavail * disk.f_frsize)


def _resolved(span: Span, size: int) -> Span:
    if span.start < 0 or (span.start and span.start >= size):
        raise GatewayError(Kind.RANGE_INVALID, "The range starts behind the end of the file.")
    rest = size - span.start
    return Span(span.start, rest if span.length is None else max(0, min(span.length, rest)))


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces that are worth a thread's while."""
    held: list[bytes] = []
    count = 0
    async for chunk in chunks:
        held.append(chunk)
        count += len(chunk)
        if count >= CHUNK_BYTES:
            yield b"".join(held)
            held.clear()
            count = 0
    if held:
        yield b"".join(held)


def _refuse_size(count: int, size: int | None, *, is_complete: bool) -> None:
    if size is not None and (count > size or (is_complete and count < size)):
        raise GatewayError(Kind.INVALID, "The content is not as long as was said.", code="size-mismatch")


def _refuse_overlap(source: ResourcePath, target: ResourcePath) -> None:
    if source.is_within(target) or target.is_within(source):
        raise GatewayError(Kind.FORBIDDEN, "One of these paths lies within the other.")


def _there_already() -> GatewayError:
    return GatewayError(Kind.NOT_ALLOWED, "There is something already.")
