"""What a client has open: files and folders, counted, and closed whatever becomes of the client.

A file that replaces another is put in its place when the client closes it, and only if every byte that the client
wrote was taken: one whose writes failed, or whose client is gone, is thrown away.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field

from gateway.backends.base import OpenFile
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath

# How long the name of a handle is.
HANDLE_BYTES = 4


class AbandonedError(Exception):
    """The client did not finish what it began."""


class FileHandle:
    """One open file.

    Args:
        path: where it is, as the client sees it.
        is_appending: whether writes go to the end, whatever place they name.
        is_pending: whether others see the content only when it is complete.
    """

    def __init__(
        self,
        path: ResourcePath,
        opening: AbstractAsyncContextManager[OpenFile],
        *,
        is_appending: bool = False,
        is_pending: bool = False,
    ) -> None:
        self.path = path
        self.is_appending = is_appending
        self.is_pending = is_pending
        self.modified: float | None = None
        self._opening = opening
        self._file: OpenFile | None = None
        self._failure: GatewayError | None = None

    async def open(self) -> None:
        """Open it."""
        self._file = await self._opening.__aenter__()

    @property
    def file(self) -> OpenFile:
        """The open file."""
        assert self._file is not None
        return self._file

    async def write(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`, or at the end; after a failure nothing more is tried: clients have sent it already."""
        if self._failure is not None:
            raise self._failure
        try:
            if self.is_appending:
                offset = (await self.file.stat()).size or 0
            await self.file.write_at(offset, data)
        except GatewayError as error:
            self._failure = error
            raise

    async def close(self) -> None:
        """Put the content in its place.

        Raises:
            GatewayError: if it cannot be, or if a write has failed before; then nothing has changed.
        """
        if self._failure is not None:
            await self.discard()
            raise self._failure
        self._file = None
        await self._opening.__aexit__(None, None, None)

    async def discard(self) -> None:
        """Give it up, and what is pending with it."""
        if self._file is None:
            return
        self._file = None
        error = AbandonedError("closed without its client")
        with suppress(AbandonedError, GatewayError):
            await self._opening.__aexit__(AbandonedError, error, error.__traceback__)


class FolderHandle:
    """One open folder."""

    def __init__(self, members: AsyncIterator[tuple[bytes, Entry]]) -> None:
        self.members = members

    async def discard(self) -> None:
        """Give it up."""
        if isinstance(self.members, AsyncGenerator):
            await self.members.aclose()


Handle = FileHandle | FolderHandle


@dataclass(slots=True)
class Count:
    """How many of something there are; `told` is called with every change."""

    most: int
    told: Callable[[int], None] = lambda _change: None
    now: int = 0

    def take(self) -> None:
        """Count one more.

        Raises:
            GatewayError: `LIMITED` if there are too many.
        """
        if self.now >= self.most:
            raise GatewayError(Kind.LIMITED, "Too many files are open.")
        self.now += 1
        self.told(1)

    def give_back(self) -> None:
        """Count one less."""
        self.now -= 1
        self.told(-1)


@dataclass(slots=True)
class Handles:
    """The handles of one session.

    Attributes:
        count: shared by all sessions of a connection.
    """

    count: Count
    _open: dict[bytes, Handle] = field(default_factory=dict)
    _next: int = 0

    def add(self, handle: Handle) -> bytes:
        """Keep a handle and return its name. `count.take` was called before it was opened."""
        name = self._next.to_bytes(HANDLE_BYTES)
        self._next = (self._next + 1) % 256**HANDLE_BYTES
        self._open[name] = handle
        return name

    def file(self, name: bytes) -> FileHandle:
        """Return the open file with this name.

        Raises:
            GatewayError: `INVALID` if there is none.
        """
        handle = self._open.get(name)
        if not isinstance(handle, FileHandle):
            raise _no_handle()
        return handle

    def folder(self, name: bytes) -> FolderHandle:
        """Return the open folder with this name.

        Raises:
            GatewayError: `INVALID` if there is none.
        """
        handle = self._open.get(name)
        if not isinstance(handle, FolderHandle):
            raise _no_handle()
        return handle

    def pending(self, path: ResourcePath) -> FileHandle | None:
        """Return the file in the making at `path`, which only its own client can see yet."""
        for handle in self._open.values():
            if isinstance(handle, FileHandle) and handle.is_pending and handle.path == path:
                return handle
        return None

    def drop(self, name: bytes) -> Handle:
        """Return the handle with this name and forget it.

        Raises:
            GatewayError: `INVALID` if there is none.
        """
        handle = self._open.pop(name, None)
        if handle is None:
            raise _no_handle()
        self.count.give_back()
        return handle

    async def discard_all(self) -> None:
        """Give all up."""
        while self._open:
            name = next(iter(self._open))
            await self.drop(name).discard()


def _no_handle() -> GatewayError:
    return GatewayError(Kind.INVALID, "This is not open.")
