"""A storage that obeys WebDAV locks and keeps dead properties, whatever door a write comes through (RFC 4918, 4 to 7).

`Locked` stands directly around the storage, inside `Scoped`: its paths are those of the owner's root, under which
all grants of one storage meet. It also reports every write, so that whoever watches a folder above learns of it.
A lock is kept under the path's NFC form: a storage may find one file under several spellings, and none of them may
be a way around its lock. Dead properties are kept likewise; they, and the shares rooted there, go along with a move.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial

from gateway.backends.base import (
    WHOLE,
    Backend,
    Bulk,
    FileDescriptor,
    HasQuota,
    OpenAt,
    OpenFile,
    OpenKnown,
    OpenMode,
    SetTime,
)
from gateway.backends.lockedbulk import put_all_locked
from gateway.backends.lockrules import LOOK_AGAIN_SECONDS, LockRules, exists, keep, locked, read_kept
from gateway.backends.openfile import AskingFile
from gateway.errors import GatewayError, Kind
from gateway.model.lock import DavLock
from gateway.model.props import Changes, Properties
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written


class Locked:
    """A `Backend` around another; it has the abilities that the other has.

    Args:
        tokens: the lock tokens that count as presented.
    """

    set_time: Callable[[ResourcePath, float], Awaitable[None]]
    quota: Callable[[ResourcePath], Awaitable[Quota]]
    file_descriptor: Callable[[ResourcePath], Awaitable[tuple[int, Entry]]]
    open_at: Callable[..., AbstractAsyncContextManager[OpenFile]]
    open_known: Callable[..., AbstractAsyncContextManager[Content]]
    find_all: Callable[..., Awaitable[Sequence[Entry | None]]]
    put_all: Callable[..., Awaitable[Sequence[Written | GatewayError]]]
    properties: Callable[..., Awaitable[Mapping[ResourcePath, Properties]]]
    change_properties: Callable[[ResourcePath, Changes], Awaitable[None]]
    sums: Callable[..., Awaitable[Mapping[ResourcePath, Properties]]]
    keep_sums: Callable[[ResourcePath, Changes], Awaitable[None]]

    def __init__(self, backend: Backend, rules: LockRules, tokens: frozenset[str] = frozenset()) -> None:
        self._backend = backend
        self._rules = rules
        self._tokens = tokens
        if isinstance(backend, SetTime):
            self._set_inner_time = backend.set_time
            self.set_time = self._set_time
        if isinstance(backend, HasQuota):
            self.quota = backend.quota
        if isinstance(backend, FileDescriptor):
            self.file_descriptor = backend.file_descriptor
        if isinstance(backend, Bulk):
            self.find_all = backend.find_all
            self.put_all = partial(put_all_locked, backend, rules, self._check_content)
        if isinstance(backend, OpenAt):
            self._open_inner_at = backend.open_at
            self.open_at = self._open_at
        if isinstance(backend, OpenKnown):
            self.open_known = backend.open_known
        if rules.properties is not None:
            self._kept = rules.properties
            self.properties = partial(read_kept, rules.properties, rules.space)
            self.change_properties = self._change_properties
        if rules.sums is not None:
            self.sums = partial(read_kept, rules.sums, rules.space)
            self.keep_sums = partial(keep, rules.sums, rules.space)

    @property
    def rules(self) -> LockRules:
        """Whose writes and locks these are."""
        return self._rules

    def presenting(self, tokens: frozenset[str]) -> Locked:
        """Return the same storage, in which these lock tokens count as presented."""
        return Locked(self._backend, self._rules, tokens)

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        return await self._backend.stat(path)

    def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder."""
        return self._backend.list(path)

    def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Content]:
        """Open a piece of a file for reading; locks are against writing only."""
        return self._backend.open(path, span, if_match=if_match)

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file, if no lock of another protects it, or the folder in which it would be new."""
        await self._check_content(path)
        watched = self._watched(path, chunks)
        async with self._reporting(path, is_whole=True):
            written = await self._backend.write(
                path, watched, size=size, if_match=if_match, if_none_match=if_none_match
            )
        if written.created:
            await self._begin(path)
        return written

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        await self._check_member(path)
        async with self._reporting(path, is_whole=True):
            await self._backend.mkdir(path)
        await self._begin(path)

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file or folder, and with it every lock on it and below it."""
        await self._check_member(path, with_members=True)
        async with self._reporting(path):
            await self._backend.delete(path)
        await asyncio.shield(self._end(path))

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder; its locks do not go with it, and those at the target end (RFC 4918, 7.6, 9.9)."""
        await self._check_member(source, with_members=True)
        await self._check_member(target, with_members=True)
        async with self._reporting(source, target):
            outcome = await self._backend.move(source, target, overwrite=overwrite)
        if not outcome.failures:
            await asyncio.shield(self._follow(source, target))
        return outcome

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder; what is locked may be copied, but not overwritten."""
        await self._check_member(target, with_members=True)
        async with self._reporting(target):
            outcome = await self._backend.copy(source, target, overwrite=overwrite, deep=deep)
        if not outcome.created:
            await self._forget(target, is_itself_kept=True)
        for table in self._rules.kept:
            keys = source.one_spelling, target.one_spelling
            await asyncio.shield(table.copy(self._rules.space, *keys, is_deep=deep))
        return outcome

    async def lock(
        self, path: ResourcePath, *, is_deep: bool, is_exclusive: bool, owner_xml: str, seconds: float
    ) -> DavLock:
        """Take a lock.

        Raises:
            GatewayError: `LOCKED` if it conflicts with another.
        """
        rules = self._rules
        lock = DavLock(
            token=rules.new_token(),
            root=path.one_spelling,
            is_deep=is_deep,
            is_exclusive=is_exclusive,
            holder=rules.holder,
            owner_xml=owner_xml,
            expires_at=rules.now() + seconds,
        )
        try:
            await rules.locks.acquire(rules.space, lock)
        except GatewayError as error:
            if error.kind is Kind.LOCKED:
                raise GatewayError(Kind.LOCKED, "Somebody holds a lock here.", code="no-conflicting-lock") from error
            raise
        return replace(lock, root=path)

    async def refresh(self, path: ResourcePath, token: str, *, seconds: float) -> DavLock:
        """Prolong a lock that covers `path`.

        Raises:
            GatewayError: `PRECONDITION_FAILED` if there is no such lock, `FORBIDDEN` if it is another's.
        """
        rules = self._rules
        found = await self._own(path, token)
        if found is not None:
            found = await rules.locks.refresh(rules.space, token, expires_at=rules.now() + seconds)
        if found is None:
            raise GatewayError(
                Kind.PRECONDITION_FAILED, "There is no such lock.", code="lock-token-matches-request-uri"
            )
        return found

    async def unlock(self, path: ResourcePath, token: str) -> None:
        """Give a lock up that covers `path`.

        Raises:
            GatewayError: `CONFLICT` if there is no such lock, `FORBIDDEN` if it is another's.
        """
        if await self._own(path, token) is None or not await self._rules.locks.release(self._rules.space, token):
            raise GatewayError(Kind.CONFLICT, "There is no such lock.", code="lock-token-matches-request-uri")

    async def discover(self, path: ResourcePath, *, with_members: bool = False) -> tuple[DavLock, ...]:
        """Return the locks that cover `path`, and if `with_members` those rooted below it, with all tokens."""
        return tuple((await self._found(path, with_members=with_members)).values())

    async def _set_time(self, path: ResourcePath, modified: float) -> None:
        await self._check_content(path)
        async with self._reporting(path, is_whole=True):
            await self._set_inner_time(path, modified)

    async def _change_properties(self, path: ResourcePath, changes: Changes) -> None:
        await self._check_content(path)
        await keep(self._kept, self._rules.space, path, changes)

    @asynccontextmanager
    async def _open_at(self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False) -> AsyncIterator[OpenFile]:
        opening = self._open_inner_at(path, mode, is_new=is_new)
        if mode is OpenMode.READ:
            async with opening as file:
                yield file
            return
        await self._check_content(path)
        look_again = self._looking_again(path)
        async with self._reporting(path, is_whole=mode is OpenMode.REPLACE), opening as file:
            # A replacement takes effect at its end; what is changed in place does so with every write.
            yield AskingFile(file, before_write=look_again) if mode is OpenMode.UPDATE else file
            await look_again()

    def _looking_again(self, path: ResourcePath) -> Callable[[], Awaitable[None]]:
        """Return a check that asks for the locks again when it last did so too long ago."""
        looked_at = self._rules.now()

        async def look() -> None:
            nonlocal looked_at
            if self._rules.now() - looked_at > LOOK_AGAIN_SECONDS:
                await self._check_content(path)
                looked_at = self._rules.now()

        return look

    async def _own(self, path: ResourcePath, token: str) -> DavLock | None:
        lock = (await self._found(path)).get(token)
        if lock is not None and lock.holder != self._rules.holder:
            raise GatewayError(Kind.FORBIDDEN, "This lock belongs to somebody else.")
        return lock

    async def _check_content(self, path: ResourcePath) -> None:
        """Let the content at `path` be changed; a folder's own lock matters only if the file is new in it."""
        covering, above = await asyncio.gather(self._found(path), self._found(path.parent))
        self._check(covering.values())
        if not self._may_pass(above.values()) and not await exists(self._backend, path):
            raise locked()

    async def _check_member(self, path: ResourcePath, *, with_members: bool = False) -> None:
        """Let `path` appear in or vanish from its folder, with all that is below it."""
        here, above = await asyncio.gather(self._found(path, with_members=with_members), self._found(path.parent))
        self._check((here | above).values())

    def _check(self, locks: Iterable[DavLock]) -> None:
        if not self._may_pass(locks):
            raise locked()

    def _may_pass(self, locks: Iterable[DavLock]) -> bool:
        """Tell whether of each locked resource one lock was presented by its holder (of shared ones, any: 7.4)."""
        presented: dict[ResourcePath, bool] = {}
        for lock in locks:
            is_ours = lock.token in self._tokens and lock.holder == self._rules.holder
            presented[lock.root] = presented.get(lock.root, False) or is_ours
        return all(presented.values())

    async def _found(self, path: ResourcePath, *, with_members: bool = False) -> dict[str, DavLock]:
        locks, space, key = self._rules.locks, self._rules.space, path.one_spelling
        found = await locks.covering(space, key)
        if with_members:
            found = (*found, *await locks.below(space, key))
        return {lock.token: lock for lock in found}

    async def _watched(self, path: ResourcePath, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the bytes on; after a long time a lock may have been taken, which stops the write at its end."""
        start = self._rules.now()
        async for chunk in chunks:
            yield chunk
        if self._rules.now() - start > LOOK_AGAIN_SECONDS:
            await self._check_content(path)

    @asynccontextmanager
    async def _reporting(self, *paths: ResourcePath, is_whole: bool = False) -> AsyncIterator[None]:
        """Report a change of `paths`, also if it failed half-way; with `is_whole` a refusal has changed nothing."""
        try:
            yield
        except GatewayError:
            if not is_whole:
                await self._report(paths)
            raise
        except BaseException:
            await asyncio.shield(self._report(paths))
            raise
        await self._report(paths)

    async def _report(self, paths: tuple[ResourcePath, ...]) -> None:
        for path in paths:
            await self._rules.on_write(path)

    async def _begin(self, path: ResourcePath) -> None:
        """Let nothing cling to what is new that was kept of something which vanished behind our back."""
        for table in self._rules.kept:
            await table.delete(self._rules.space, path.one_spelling)

    async def _end(self, path: ResourcePath) -> None:
        await self._forget(path)
        await self._begin(path)

    async def _follow(self, source: ResourcePath, target: ResourcePath) -> None:
        await self._forget(source)
        await self._forget(target)
        for table in self._rules.kept:
            await table.move(self._rules.space, source.one_spelling, target.one_spelling)
        await self._rules.on_move(source, target)

    async def _forget(self, path: ResourcePath, *, is_itself_kept: bool = False) -> None:
        """Release the locks on what does not exist any more."""
        key = path.one_spelling
        for lock in await self._rules.locks.below(self._rules.space, key):
            if not (is_itself_kept and lock.root == key):
                await self._rules.locks.release(self._rules.space, lock.token)
