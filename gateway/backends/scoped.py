"""A storage narrowed to one grant (ACC-6; DESIGN 3, "a grant is applied once").

Paths are seen from the share's root, and nothing above it can be named. Every verb first asks whether the grant still
stands, then whether it allows the verb. The root itself can be neither removed, moved nor replaced; of a shared file
only the content can be changed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from gateway.backends.base import (
    WHOLE,
    Backend,
    FileDescriptor,
    HasQuota,
    KeepsProperties,
    KeepsSums,
    OpenAt,
    OpenFile,
    OpenMode,
    SetTime,
)
from gateway.backends.openfile import AskingFile
from gateway.errors import ROOT_MISSING, GatewayError, Kind, unavailable
from gateway.model.grant import Grant
from gateway.model.props import Changes, Properties
from gateway.model.resource import Content, Entry, EntryKind, Outcome, Quota, ResourcePath, Span, Written


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a storage that a grant opens.

    Attributes:
        still_stands: raises if the grant has ended, or if that cannot be known.
    """

    grant: Grant
    still_stands: Callable[[], Awaitable[None]]

    async def admit(self, *paths: ResourcePath, writes: bool = False) -> None:
        """Let a verb on `paths`, seen from the share's root, pass.

        Raises:
            GatewayError: what `still_stands` raises; `FORBIDDEN` if the grant is only for reading; `NOT_FOUND` for
                anything below a shared file.
        """
        await self.still_stands()
        if writes and not self.grant.may_write:
            raise GatewayError(Kind.FORBIDDEN, "This share is for reading only.")
        if self.grant.kind is EntryKind.FILE and not all(path.is_root for path in paths):
            raise _missing()

    async def admit_to_member(self, *paths: ResourcePath) -> None:
        """Let a verb that makes, removes or replaces `paths` pass.

        Raises:
            GatewayError: as `admit`; `FORBIDDEN` for the root of the share.
        """
        await self.admit(*paths, writes=True)
        if any(path.is_root for path in paths):
            raise GatewayError(Kind.FORBIDDEN, "The shared resource itself stays as and where it is.")

    def inner(self, path: ResourcePath) -> ResourcePath:
        """Return `path` as the storage knows it."""
        return self.grant.root / path


class Scoped:
    """A `Backend` over the share of one grant; it has the abilities that the storage has.

    Args:
        still_stands: as in `Scope`, asked before every verb.
        goes_on: raises if the grant has ended; asked before every verb of an open file, in which it may be more lenient
            while nothing can be known. What an open file replaces takes its place only if the grant `still_stands`.
    """

    set_time: Callable[[ResourcePath, float], Awaitable[None]]
    quota: Callable[[ResourcePath], Awaitable[Quota]]
    file_descriptor: Callable[[ResourcePath], Awaitable[tuple[int, Entry]]]
    open_at: Callable[..., AbstractAsyncContextManager[OpenFile]]
    properties: Callable[..., Awaitable[Mapping[ResourcePath, Properties]]]
    change_properties: Callable[[ResourcePath, Changes], Awaitable[None]]
    sums: Callable[..., Awaitable[Mapping[ResourcePath, Properties]]]
    keep_sums: Callable[[ResourcePath, Changes], Awaitable[None]]

    def __init__(
        self,
        backend: Backend,
        grant: Grant,
        still_stands: Callable[[], Awaitable[None]],
        goes_on: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._backend = backend
        self._scope = Scope(grant, still_stands)
        self._goes_on = goes_on or still_stands
        if isinstance(backend, SetTime):
            self._set_inner_time = backend.set_time
            self.set_time = self._set_time
        if isinstance(backend, HasQuota):
            self._inner_quota = backend.quota
            self.quota = self._quota
        if isinstance(backend, FileDescriptor):
            self._inner_descriptor = backend.file_descriptor
            self.file_descriptor = self._file_descriptor
        if isinstance(backend, OpenAt):
            self._open_inner_at = backend.open_at
            self.open_at = self._open_at
        if isinstance(backend, KeepsProperties):
            self._keeper = backend
            self.properties = self._properties
            self.change_properties = self._change_properties
        if isinstance(backend, KeepsSums):
            self._summed = backend
            self.sums = self._sums
            self.keep_sums = self._keep_sums

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        await self._scope.admit(path)
        async with self._telling_missing_root(path):
            return self._seen(await self._backend.stat(self._scope.inner(path)), path)

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder."""
        await self._scope.admit(path)
        if self._scope.grant.kind is EntryKind.FILE:
            raise GatewayError(Kind.CONFLICT, "This is not a folder.")
        members = self._backend.list(self._scope.inner(path))
        try:
            async with self._telling_missing_root(path):
                async for entry in members:
                    yield replace(entry, path=path / entry.path.name)
        finally:
            if isinstance(members, AsyncGenerator):
                await members.aclose()

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        """Open a piece of a file for reading."""
        await self._scope.admit(path)
        opening = self._backend.open(self._scope.inner(path), span, if_match=if_match)
        async with self._telling_missing_root(path), opening as content:
            yield replace(content, entry=self._seen(content.entry, path))

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file."""
        await self._admit_content(path)
        written = await self._backend.write(
            self._scope.inner(path), chunks, size=size, if_match=if_match, if_none_match=if_none_match
        )
        return replace(written, entry=self._seen(written.entry, path))

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        await self._scope.admit(path, writes=True)
        if path.is_root:
            raise GatewayError(Kind.NOT_ALLOWED, "There is something already.")
        await self._backend.mkdir(self._scope.inner(path))

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file or folder in the share."""
        await self._scope.admit_to_member(path)
        await self._backend.delete(self._scope.inner(path))

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder within the share."""
        await self._scope.admit_to_member(source, target)
        inner = self._scope.inner
        return self._told(await self._backend.move(inner(source), inner(target), overwrite=overwrite), target)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder within the share."""
        await self._scope.admit(source)
        await self._scope.admit_to_member(target)
        inner = self._scope.inner
        outcome = await self._backend.copy(inner(source), inner(target), overwrite=overwrite, deep=deep)
        return self._told(outcome, target)

    async def _set_time(self, path: ResourcePath, modified: float) -> None:
        await self._scope.admit(path, writes=True)
        await self._set_inner_time(self._scope.inner(path), modified)

    async def _properties(self, path: ResourcePath, *, with_members: bool = False) -> Mapping[ResourcePath, Properties]:
        await self._scope.admit(path)
        return self._outer(await self._keeper.properties(self._scope.inner(path), with_members=with_members))

    async def _change_properties(self, path: ResourcePath, changes: Changes) -> None:
        await self._scope.admit(path, writes=True)
        await self._keeper.change_properties(self._scope.inner(path), changes)

    async def _sums(self, path: ResourcePath, *, with_members: bool = False) -> Mapping[ResourcePath, Properties]:
        await self._scope.admit(path)
        return self._outer(await self._summed.sums(self._scope.inner(path), with_members=with_members))

    async def _keep_sums(self, path: ResourcePath, sums: Changes) -> None:
        await self._scope.admit(path, writes=True)
        await self._summed.keep_sums(self._scope.inner(path), sums)

    def _outer(self, found: Mapping[ResourcePath, Properties]) -> Mapping[ResourcePath, Properties]:
        root = self._scope.grant.root.one_spelling
        return {place.below(root): kept for place, kept in found.items()}

    async def _quota(self, path: ResourcePath) -> Quota:
        await self._scope.admit(path)
        async with self._telling_missing_root(path):
            return await self._inner_quota(self._scope.inner(path))

    async def _file_descriptor(self, path: ResourcePath) -> tuple[int, Entry]:
        await self._scope.admit(path)
        async with self._telling_missing_root(path):
            descriptor, entry = await self._inner_descriptor(self._scope.inner(path))
        return descriptor, replace(entry, path=path)

    @asynccontextmanager
    async def _open_at(self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False) -> AsyncIterator[OpenFile]:
        ask, seen = self._goes_on, partial(self._seen, path=path)
        if mode is OpenMode.READ:
            await self._scope.admit(path)
        else:
            await self._admit_content(path)
        opening = self._open_inner_at(self._scope.inner(path), mode, is_new=is_new)
        async with self._telling_missing_root(path), opening as file:
            yield AskingFile(file, before_read=ask, before_write=ask, seen=seen)
            # The end puts a replacement in place, which is a write like any other.
            await (self._scope.still_stands if mode is OpenMode.REPLACE else ask)()

    async def _admit_content(self, path: ResourcePath) -> None:
        """Let the content of a file be changed; a shared file must still be there, its owner may have removed it."""
        await self._scope.admit(path, writes=True)
        if path.is_root:
            if self._scope.grant.kind is EntryKind.FOLDER:
                raise GatewayError(Kind.CONFLICT, "This is a folder.")
            await self.stat(path)

    def _seen(self, entry: Entry, path: ResourcePath) -> Entry:
        """Return the entry as seen from the share; a folder in the place of a shared file was never shared."""
        if entry.is_folder and self._scope.grant.kind is EntryKind.FILE:
            raise _missing()
        return replace(entry, path=path)

    def _told(self, outcome: Outcome, target: ResourcePath) -> Outcome:
        root = self._scope.grant.root
        failures = ((path.below(root) if path.is_within(root) else target, error) for path, error in outcome.failures)
        return replace(outcome, failures=tuple(failures))

    @asynccontextmanager
    async def _telling_missing_root(self, path: ResourcePath) -> AsyncIterator[None]:
        """Say that the shared resource is gone only if the folder that held it answers: peers drop mounts on it."""
        try:
            yield
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND and path.is_root:
                await self._prove_missing(error)
            raise

    async def _prove_missing(self, error: GatewayError) -> None:
        root = self._scope.grant.root
        try:
            if not root.is_root:
                await self._backend.stat(root.parent)
        except GatewayError as trouble:
            raise unavailable("The storage does not answer.", log=f"folder above a share: {trouble}") from error
        if root.is_root:
            raise unavailable("The storage does not answer.", log="its root is missing") from error
        raise GatewayError(Kind.NOT_FOUND, error.public, code=ROOT_MISSING) from error


def _missing() -> GatewayError:
    return GatewayError(Kind.NOT_FOUND, "There is no such file or folder.")
