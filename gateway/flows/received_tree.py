"""Everything a user has received as one `Backend` (flow 6): her shares side by side, each with what is in it below.

The list of shares comes from our own records, so it is there at once, however slow or absent a sender may be; what a
sender's storage answers concerns its own share only. The list itself belongs to the gateway: shares are neither made,
renamed nor removed here. A change inside a share needs the right that its sender granted. Whoever streams for long is
asked again each second whether he still may.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.backends.base import WHOLE, Backend, HasQuota, SetTime
from gateway.errors import GatewayError, Kind
from gateway.flows.across import copy_across, move_across
from gateway.flows.ports import Clock
from gateway.flows.received_shelf import ReceivedShelf, unknown_share
from gateway.flows.use_remote import UseRemote
from gateway.model.resource import Content, Entry, EntryKind, Outcome, Quota, ResourcePath, Span, Written
from gateway.model.share import Permission, ReceivedShare
from gateway.model.user import LocalUser

# How often it is asked during a transfer whether it may go on, in seconds.
STILL_STANDS_SECONDS = 1.0


async def always_stands() -> None:
    """Let everything pass: nothing but the log-in itself has to hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path inside a received share: which one, its storage, and the path as the storage knows it."""

    share: ReceivedShare
    backend: Backend
    path: ResourcePath


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedTree:
    """A user's received shares.

    Attributes:
        still_stands: raises if what the user was let in by has been withdrawn.
    """

    user: LocalUser
    shelf: ReceivedShelf
    use_remote: UseRemote
    now: Clock
    still_stands: Callable[[], Awaitable[None]] = field(default=always_stands)

    async def permissions(self) -> Callable[[ResourcePath], frozenset[Permission]]:
        """Return what tells what the user may do at a path; at the root: what she may do in any of her shares."""
        shelf = await self.shelf.of(self.user.identifier)

        def at(path: ResourcePath) -> frozenset[Permission]:
            # What is not there is told as missing, not as forbidden.
            shares = [shelf[path.parts[0]]] if path.parts and path.parts[0] in shelf else shelf.values()
            return frozenset({Permission.READ}.union(*(share.webdav.permissions for share in shares)))

        return at

    async def check_writable(self, path: ResourcePath) -> None:
        """Raise if the user may change nothing at `path`."""
        await self._writable(path)

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`; only the root is answered without asking a sender."""
        if path.is_root:
            await self.still_stands()
            return Entry(path=path, kind=EntryKind.FOLDER)
        place = await self._place(path)
        entry = await place.backend.stat(place.path)
        if place.path.is_root:
            await self.shelf.learn(place.share, entry)
        return replace(entry, path=path)

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the user's shares, or the members of a folder in one."""
        if path.is_root:
            await self.still_stands()
            shelf = await self.shelf.of(self.user.identifier)
            self.shelf.look_soon(shelf)
            for name, share in shelf.items():
                yield _as_recorded(path / name, share)
            return
        place = await self._place(path)
        members = place.backend.list(place.path)
        try:
            async for member in members:
                yield replace(member, path=path / member.path.name)
        finally:
            close = getattr(members, "aclose", None)
            if close is not None:
                await close()

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        """Open a piece of a file for reading."""
        if path.is_root:
            raise GatewayError(Kind.CONFLICT, "This is a folder.")
        place = await self._place(path)
        async with place.backend.open(place.path, span, if_match=if_match) as content:
            chunks = self._watched(place.share, content.chunks)
            yield replace(content, entry=replace(content.entry, path=path), chunks=chunks)

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file in a share."""
        place = await self._writable(path)
        if len(path.parts) == 1:
            # What was shared as one file may be written, if its sender has not removed it.
            await place.backend.stat(place.path)
        watched = self._watched(place.share, chunks)
        written = await place.backend.write(
            place.path, watched, size=size, if_match=if_match, if_none_match=if_none_match
        )
        if place.path.is_root:
            await self.shelf.learn(place.share, written.entry)
        return replace(written, entry=replace(written.entry, path=path))

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder in a share."""
        place = await self._writable(path)
        if place.path.is_root:
            raise GatewayError(Kind.NOT_ALLOWED, "There is something of this name already.")
        await place.backend.mkdir(place.path)

    async def delete(self, path: ResourcePath) -> None:
        """Remove something from a share."""
        place = await self._writable_member(path)
        await place.backend.delete(place.path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move within a share; a file also into another share, through us.

        Raises:
            GatewayError: `FORBIDDEN` for a folder that would go into another share, besides what every storage raises.
        """
        here, there = await self._writable_member(source), await self._writable_member(target)
        if here.share.share_id == there.share.share_id:
            outcome = await here.backend.move(here.path, there.path, overwrite=overwrite)
            return _seen_from(target.parts[:1], outcome)
        return await move_across(self, source, target, overwrite=overwrite)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy within a share, or from one into another, through us."""
        if source.is_root:
            raise GatewayError(Kind.FORBIDDEN, "Copy what is in it, share by share.")
        here, there = await self._place(source), await self._writable_member(target)
        if here.share.share_id == there.share.share_id:
            outcome = await here.backend.copy(here.path, there.path, overwrite=overwrite, deep=deep)
            return _seen_from(target.parts[:1], outcome)
        return await copy_across(self, source, target, overwrite=overwrite, deep=deep)

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification, where the sender's storage can."""
        place = await self._writable(path)
        if not isinstance(place.backend, SetTime):
            raise GatewayError(Kind.NOT_IMPLEMENTED, "The storage does not set times.")
        await place.backend.set_time(place.path, modified)

    async def quota(self, path: ResourcePath) -> Quota:
        """Return the quota that holds at `path`; the list of shares has none."""
        if path.is_root:
            return Quota()
        place = await self._place(path)
        return await place.backend.quota(place.path) if isinstance(place.backend, HasQuota) else Quota()

    async def _place(self, path: ResourcePath) -> Place:
        await self.still_stands()
        share = (await self.shelf.of(self.user.identifier)).get(path.parts[0]) if path.parts else None
        if share is None:
            raise unknown_share()
        return Place(share, await self.use_remote.open(self.user, share), ResourcePath(path.parts[1:]))

    async def _writable(self, path: ResourcePath) -> Place:
        shelf = await self.shelf.of(self.user.identifier)
        if path.is_root or (len(path.parts) == 1 and path.parts[0] not in shelf):
            raise _not_here()
        if path.parts[0] not in shelf:
            raise GatewayError(Kind.CONFLICT, "The folder above is missing.")
        if Permission.WRITE not in shelf[path.parts[0]].webdav.permissions:
            raise GatewayError(Kind.FORBIDDEN, "This share is for reading only.")
        return await self._place(path)

    async def _writable_member(self, path: ResourcePath) -> Place:
        if len(path.parts) == 1:
            raise _not_here()
        return await self._writable(path)

    async def _watched(self, share: ReceivedShare, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass bytes on as long as the share is there and the user may have it."""
        asked_at = self.now()
        async for chunk in chunks:
            yield chunk
            if self.now() - asked_at >= STILL_STANDS_SECONDS:
                await self._check(share)
                asked_at = self.now()

    async def _check(self, share: ReceivedShare) -> None:
        await self.still_stands()
        shelf = await self.shelf.of(self.user.identifier)
        if share.share_id not in {one.share_id for one in shelf.values()}:
            raise unknown_share()


def _as_recorded(path: ResourcePath, share: ReceivedShare) -> Entry:
    """Return a share's root as far as it is known here; senders may say `file` for folders too (SHARE-3)."""
    seen = share.seen
    if seen is not None:
        modified = share.received_at if seen.modified is None else seen.modified
        return Entry(path=path, kind=seen.kind, size=seen.size, modified=modified)
    is_file = share.resource_type == "file" and "." in share.name.strip(".")
    kind = EntryKind.FILE if is_file else EntryKind.FOLDER
    return Entry(path=path, kind=kind, size=share.webdav.size if is_file else None, modified=share.received_at)


def _seen_from(above: tuple[str, ...], outcome: Outcome) -> Outcome:
    failures = tuple((ResourcePath(above + path.parts), error) for path, error in outcome.failures)
    return replace(outcome, failures=failures)


def _not_here() -> GatewayError:
    return GatewayError(
        Kind.FORBIDDEN,
        "This is the list of what you received: put files into a share that you may change, and answer or give back "
        "shares on the gateway's pages.",
        code="shares-only",
    )
