"""One share as the WebDAV door serves it, and one request to it.

`DavShare` is made for a proven grant: its storage is already narrowed, so nothing here can reach beyond it. `DavCall`
is what each method works on; it knows where answers point and looks at the `If` header once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from gateway.backends.base import Backend, ResponseSink
from gateway.errors import GatewayError, Kind
from gateway.model import ifheader
from gateway.model.resource import Entry, Quota, ResourcePath
from gateway.model.share import Permission
from gateway.web import conditions
from gateway.web.davlocks import DavLocks
from gateway.web.davpath import DavRoot, Located
from gateway.web.head import RequestHead


@dataclass(frozen=True, slots=True, kw_only=True)
class DavShare:
    """A share behind the door.

    Attributes:
        backend: the storage narrowed to the share; it enforces permissions and locks itself.
        permissions: what the grant allows; `write` implies `read`.
        root: how the share is addressed.
        locks: its locks, or None where there are none (class 1).
        folder_etag: makes the tag of a folder, where the storage's own does not change with what is below it.
        permissions_at: what is allowed at one place, where that differs from place to place.
        resource_id: makes the lasting id of a resource, where it is the same in every share that shows it.
        quota: tells how full the storage was a moment ago; by default the storage itself is asked, if it knows.
        on_root_missing: told when what was shared is not where it was.
    """

    backend: Backend
    permissions: frozenset[Permission]
    root: DavRoot
    locks: DavLocks | None = None
    folder_etag: Callable[[Entry], Awaitable[str | None]] | None = None
    on_root_missing: Callable[[], Awaitable[None]] | None = None
    resource_id: Callable[[ResourcePath], str] | None = None
    permissions_at: Callable[[ResourcePath], frozenset[Permission]] | None = None
    quota: Callable[[ResourcePath], Awaitable[Quota]] | None = None

    def allowed_at(self, path: ResourcePath) -> frozenset[Permission]:
        """Return what is allowed at `path`."""
        return self.permissions if self.permissions_at is None else self.permissions_at(path)

    @property
    def may_write(self) -> bool:
        """Whether anything may be changed."""
        return Permission.WRITE in self.permissions

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`, a folder with the tag that peers watch."""
        return await self.with_etag(await self.backend.stat(path))

    async def find(self, path: ResourcePath) -> Entry | None:
        """Return the entry at `path`, or None if nothing is there."""
        try:
            return await self.stat(path)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                return None
            raise

    async def with_etag(self, entry: Entry) -> Entry:
        """Return `entry` with the tag that peers see."""
        if not entry.is_folder or self.folder_etag is None:
            return entry
        return Entry(path=entry.path, kind=entry.kind, modified=entry.modified, etag=await self.folder_etag(entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class DavCall:
    """One request to a share.

    Attributes:
        body: the request body; the client is told to send it when the first piece is asked for.
        writes_to: the share's storage, in which the lock tokens of this request count as presented.
        lists: the parsed `If` header.
    """

    head: RequestHead
    body: AsyncIterator[bytes]
    sink: ResponseSink
    share: DavShare
    place: Located
    writes_to: Backend
    lists: tuple[ifheader.ConditionList, ...]

    @property
    def path(self) -> ResourcePath:
        """The resource that the request names."""
        return self.place.path

    async def check_conditions(self, entry: Entry | None) -> None:
        """Let a write to `entry` (None: nothing is there) pass only if all conditions of the request hold.

        Raises:
            GatewayError: `PRECONDITION_FAILED`.
        """
        conditions.check_write(conditions.parse(self.head.headers), entry)
        await self.check_if()

    async def check_if(self) -> None:
        """Let the request pass only if its `If` header holds.

        Raises:
            GatewayError: `PRECONDITION_FAILED`.
        """
        if not await ifheader.holds(self.lists, self._state_of):
            raise conditions.failed()

    async def check_unlocked(self) -> None:
        """Let a change pass only if the lock on the resource, if there is one, was named by its token.

        The storage asks the same of every verb it has; this is for changes that reach it late or not at all.

        Raises:
            GatewayError: `LOCKED`.
        """
        if self.share.locks is None:
            return
        tokens = {lock.token for lock in await self.share.locks.discover(self.path)}
        if tokens and not tokens - {""} & ifheader.presented_tokens(self.lists):
            raise GatewayError(Kind.LOCKED, "This is locked.", code="lock-token-submitted")

    async def _state_of(self, resource: str | None) -> ifheader.State:
        path = self.path
        if resource is not None:
            try:
                path = self.share.root.locate_url(resource, host=self.head.headers.get("Host")).path
            except GatewayError:
                # What is not ours has no state that we know, so only a `Not` can hold for it.
                return ifheader.State()
        locks = await self.share.locks.discover(path) if self.share.locks else ()
        entry = await self.share.find(path)
        return ifheader.State(frozenset(lock.token for lock in locks if lock.token), entry.etag if entry else None)
