"""The storage port (DESIGN 6): the verbs that every storage really has, and the abilities that only some have.

A `Backend` sees one tree of files. Failures are `GatewayError`s by the status discipline of DESIGN 6: an outage, a
refused log-in or a time-out of the storage is `UNAVAILABLE` (never `UNAUTHENTICATED` or `NOT_FOUND`, on which peers
delete mounts). A richer ability is a second Protocol that callers ask for with `isinstance`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from gateway.errors import GatewayError
from gateway.model.props import Changes, Properties
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written

WHOLE = Span()


class Backend(Protocol):
    """One tree of files and folders."""

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`.

        Raises:
            GatewayError: `NOT_FOUND`, `FORBIDDEN` or `UNAVAILABLE`.
        """

    def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder as they come, in no order; the folder itself is not among them.

        Raises:
            GatewayError: as `stat`; `CONFLICT` if `path` is a file.
        """

    def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Content]:
        """Open a piece of a file for reading; `Content.span` says what really comes, its length resolved.

        Args:
            if_match: an entity tag that the file must have, or `PRECONDITION_FAILED` is raised.

        Raises:
            GatewayError: as `stat`; `CONFLICT` if `path` is a folder; `RANGE_INVALID` if `span` starts behind the end.
        """

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file; the old content stays until the new is complete, where the storage can do so.

        Args:
            size: the number of bytes to come, where known; fewer or more is `INVALID` and changes nothing.
            if_match: entity tag (or `*`) that the present file must have.
            if_none_match: entity tag (or `*`: nothing may be there) that it must not have.

        Raises:
            GatewayError: `CONFLICT` if the folder above is missing or `path` is a folder; `PRECONDITION_FAILED`;
                `NO_SPACE`; as `stat`. What `chunks` raises passes through, and the old content stays.
        """

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder.

        Raises:
            GatewayError: `NOT_ALLOWED` if something is there; `CONFLICT` if the folder above is missing.
        """

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file, or a folder with all that is in it."""

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move (rename) a file or folder.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if the target exists and `overwrite` is false; `CONFLICT` if the folder
                above it is missing; `FORBIDDEN` if one path lies within the other.
        """

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder; a folder without its members if `deep` is false. Raises as `move`."""


@runtime_checkable
class SetTime(Protocol):
    """A storage that can set the modification time."""

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification, in seconds since the epoch."""


@runtime_checkable
class HasQuota(Protocol):
    """A storage that knows how full it is."""

    async def quota(self, path: ResourcePath) -> Quota:
        """Return the quota that holds at `path`."""


@runtime_checkable
class FileDescriptor(Protocol):
    """A storage whose files are open files of this process, so that the kernel can send them."""

    async def file_descriptor(self, path: ResourcePath) -> tuple[int, Entry]:
        """Return a fresh descriptor, which the caller closes, and the entry it belongs to."""


@runtime_checkable
class OpenKnown(Protocol):
    """A storage that opens a file by what its listing told of it, and need not be asked for that again."""

    def open_known(self, entry: Entry, span: Span = WHOLE) -> AbstractAsyncContextManager[Content]:
        """Open a piece of the file that `entry` describes; raises as `open` does whose `if_match` is its tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFile:
    """A file that is written from memory, as a whole.

    Attributes:
        modified: the time of last modification that it gets, in seconds since the epoch, where the storage can.
        is_new: whether nothing may be at `path` yet.
    """

    path: ResourcePath
    content: bytes
    modified: float | None = None
    is_new: bool = False


@runtime_checkable
class Bulk(Protocol):
    """A storage for which many small things at once cost less than one after the other."""

    async def find_all(self, paths: Sequence[ResourcePath]) -> Sequence[Entry | None]:
        """Return what is at each path, or None where nothing is. Raises as `stat`, but for `NOT_FOUND`."""

    async def put_all(self, files: Sequence[SmallFile]) -> Sequence[Written | GatewayError]:
        """Write files, each of which is there as a whole or not at all; return what `write` would return or raise.

        One that is refused does not stop the others. If the call itself raises, or is cancelled, any of them may have
        been written.
        """


class OpenMode(StrEnum):
    """What an open file is for: reading, changing in place, or content that replaces the old as a whole."""

    READ = "read"
    UPDATE = "update"
    REPLACE = "replace"


class OpenFile(Protocol):
    """A file that is open for bytes at any place; offsets and lengths in bytes."""

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; none at all only at or behind the end of the file."""

    async def write_at(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset`; what lies between the old end and it reads as zeros.

        Raises:
            GatewayError: `NO_SPACE`; `FORBIDDEN` if the file is open for reading only.
        """

    async def truncate(self, size: int) -> None:
        """Cut or extend the file to `size` bytes."""

    async def stat(self) -> Entry:
        """Return the entry of the open file as it now is."""


@runtime_checkable
class OpenAt(Protocol):
    """A storage whose files can be read and written at any place."""

    def open_at(
        self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False
    ) -> AbstractAsyncContextManager[OpenFile]:
        """Open a file; the end of the context closes it.

        With `REPLACE` the old content stays in place until the context is left without an exception; left with one
        (a client that went away, an ended grant), nothing has changed and no half file is left, where the storage can
        do so.

        Args:
            is_new: with `REPLACE`: nothing may be there yet, also when the new content is put in place.

        Raises:
            GatewayError: `NOT_FOUND` if there is no file for `READ` or `UPDATE`; `CONFLICT` if `path` is a folder or
                the folder above is missing; `PRECONDITION_FAILED` if `is_new` and something is there; as `stat`.
        """


@runtime_checkable
class KeepsProperties(Protocol):
    """A storage whose files and folders may have dead properties (RFC 4918, 4)."""

    async def properties(self, path: ResourcePath, *, with_members: bool = False) -> Mapping[ResourcePath, Properties]:
        """Return what is kept of `path`, and if `with_members` of what lies in it, by their `one_spelling`."""

    async def change_properties(self, path: ResourcePath, changes: Changes) -> None:
        """Set and remove properties, all or none.

        Raises:
            GatewayError: `LOCKED`; `NO_SPACE` if they are too many or too large.
        """


@runtime_checkable
class KeepsSums(Protocol):
    """A storage with whose files the sums of their content are kept (see `web.davsums`)."""

    async def sums(self, path: ResourcePath, *, with_members: bool = False) -> Mapping[ResourcePath, Properties]:
        """Return what is kept of `path`, and if `with_members` of what lies in it, by their `one_spelling`."""

    async def keep_sums(self, path: ResourcePath, sums: Changes) -> None:
        """Keep sums of what was just written at `path`."""


@runtime_checkable
class Sweepable(Protocol):
    """A storage in which a killed process may leave unfinished files, under names that are not shown."""

    async def sweep_temporaries(self, older_than: float) -> int:
        """Remove what was left before `older_than` (seconds since the epoch) and nobody works on; count it."""


class ResponseSink(Protocol):
    """Where a relay writes its answer."""

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send the head; called once, before any `write`."""

    async def write(self, chunk: bytes) -> None:
        """Send a piece of the body; returns when the client can take more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayCall:
    """One WebDAV request for a relay: checked values, never the raw request (DESIGN 6).

    Attributes:
        path: the target, and
        destination: that of COPY and MOVE, both seen from the share's root.
        headers: the request's header fields by lower-case name; the relay takes what it knows, the rest never passes.
        body: the request body in pieces, or None. Its length is in `headers` where the client told it.
        href_base: the percent-encoded path by which the client addressed the share's root, with a trailing slash;
            hrefs in the answer are written below it.
        other_bases: other such paths by which the client may name the root in `If` (with and without the share's id).
    """

    method: str
    path: ResourcePath
    destination: ResourcePath | None = None
    headers: Mapping[str, str]
    body: AsyncIterator[bytes] | None = None
    href_base: str
    other_bases: tuple[str, ...] = ()


@runtime_checkable
class Relay(Protocol):
    """A storage that speaks WebDAV itself, so that requests can be passed on almost as they are."""

    async def relay(self, call: RelayCall, sink: ResponseSink) -> None:
        """Carry out `call` and write the answer to `sink`.

        Raises:
            GatewayError: if nothing was written to `sink` yet; after that a failure closes the sink's connection.
        """
