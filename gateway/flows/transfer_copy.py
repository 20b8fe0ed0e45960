"""One file of a transfer: fetched into a hidden partial file, checked, and only then given its name.

Whatever breaks, nothing unfinished ever has the final name: the new content grows beside it, and takes its place by a
rename. The partial file's name follows from the file's place in the plan, so a later run finds it. A source that
changes on the way is noticed by its entity tag, or else by size and time, and fetched anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from gateway.backends.base import Backend, OpenAt, OpenKnown, SetTime
from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_digest import Check
from gateway.flows.transfer_name import give_name
from gateway.flows.transfer_pieces import Pieces, step_of
from gateway.flows.transfer_ports import SourceChanged, TransferRules, Where, on
from gateway.flows.transfer_prepare import Prepare, at, find, free_name
from gateway.model.resource import Content, Entry, ResourcePath, Span
from gateway.model.transfer import Conflict, Item, ItemState, Transfer, partial_name

WHOLE = Span()
# Storages round times; a file whose time moved by less is the same.
TIME_SLACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where one file grows, and what hears of its progress.

    Attributes:
        came: told the number of bytes of each piece that came.
        stands: told how many bytes are there already.
        keep: told the item in a form that is worth keeping.
    """

    number: int
    place: int
    is_carried_on: bool
    came: Callable[[int], None]
    stands: Callable[[int], None]
    keep: Callable[[Item], None]


@dataclass(slots=True, kw_only=True)
class CopyFile:
    """Copies the files of one transfer."""

    source: Backend
    target: Backend
    transfer: Transfer
    prepare: Prepare
    rules: TransferRules
    _sets_time: bool = field(init=False)

    def __post_init__(self) -> None:
        """Ask once what the target can do."""
        self._sets_time = isinstance(self.target, SetTime)

    async def copy(self, item: Item, spot: Spot) -> Item:
        """Return the item, copied or found to be no more to do.

        Raises:
            GatewayError: `SourceChanged`, or a `Trouble` that says on which side it was.
        """
        if spot.is_carried_on:
            item = await self.left_over(item, spot)
            if item.state is not ItemState.TODO:
                return item
        partial = self.partial(item, spot.number, spot.place)
        await self._fetch(item, partial, spot)
        await self._set_time(item, partial)
        return await self._put_in_place(item, partial)

    async def remove_partial(self, item: Item, number: int, place: int) -> None:
        """Remove what is left of an unfinished file."""
        with suppress(GatewayError), on(Where.OWN):
            await self.target.delete(self.partial(item, number, place))

    def partial(self, item: Item, number: int, place: int) -> ResourcePath:
        """Return where an item grows."""
        return at(self.transfer.target, item).parent / partial_name(self.transfer.transfer_id, number, place)

    async def left_over(self, item: Item, spot: Spot) -> Item:
        """Return the item as the run before this one left it, which may have died before it could say so.

        Raises:
            GatewayError: if the own storage does not tell.
        """
        if await find(self.target, self.partial(item, spot.number, spot.place)) is not None:
            return item
        found = await find(self.target, at(self.transfer.target, item))
        if found is None or self.transfer.conflict is Conflict.OVERWRITE:
            return item
        # The name was free when the batch was prepared: a whole file there was put there by that run.
        if not found.is_folder and found.size == item.size:
            return replace(item, state=ItemState.DONE)
        return await self.prepare.decide(item)

    async def _fetch(self, item: Item, partial: ResourcePath, spot: Spot) -> None:
        if item.size is not None and item.size >= self.rules.large_bytes and isinstance(self.target, OpenAt):
            await self._fetch_pieces(item, partial, spot)
            return
        async with self.opened(item, WHOLE) as content:
            with on(Where.OWN):
                await self.target.write(partial, checked(content, spot), size=item.size)

    async def _fetch_pieces(self, item: Item, partial: ResourcePath, spot: Spot) -> None:
        if await find(self.target, partial) is None:
            item = replace(item, pieces="")
            with on(Where.OWN):
                await self.target.write(partial, _nothing(), size=0)
        pieces = Pieces(
            target=self.target,
            partial=partial,
            item=item,
            step=step_of(item.size or 0, self.rules.large_bytes),
            parallel=self.rules.parallel_pieces,
            opened=self.opened,
            came=spot.came,
            keep=spot.keep,
        )
        spot.stands(pieces.there)
        await pieces.fetch()

    @asynccontextmanager
    async def opened(self, item: Item, span: Span) -> AsyncIterator[Content]:
        """Open a piece of an item at the sender.

        Raises:
            SourceChanged: if it is not the file of the plan.
        """
        async with AsyncExitStack() as stack:
            opening = self._opening(item, span)
            try:
                with on(Where.SENDER):
                    content = await stack.enter_async_context(opening)
            except GatewayError as error:
                if error.kind in (Kind.PRECONDITION_FAILED, Kind.RANGE_INVALID):
                    raise SourceChanged from error
                raise
            _expect_same(item, content)
            yield content

    def _opening(self, item: Item, span: Span) -> AbstractAsyncContextManager[Content]:
        path = self.transfer.source / item.path
        if not isinstance(self.source, OpenKnown):
            return self.source.open(path, span, if_match=item.etag)
        known = Entry(path=path, kind=item.kind, size=item.size, modified=item.modified, etag=item.etag)
        return self.source.open_known(known, span)

    async def _set_time(self, item: Item, partial: ResourcePath) -> None:
        if not self._sets_time or item.modified is None or not isinstance(self.target, SetTime):
            return
        try:
            await self.target.set_time(partial, item.modified)
        except GatewayError as error:
            # A courtesy; many storages keep the time to themselves, and none is asked twice.
            self._sets_time = error.kind is Kind.INVALID

    async def _put_in_place(self, item: Item, partial: ResourcePath) -> Item:
        is_replacing = self.transfer.conflict is Conflict.OVERWRITE
        while True:
            final = at(self.transfer.target, item)
            try:
                with on(Where.OWN):
                    await give_name(self.target, partial, final, overwrite=is_replacing)
            except GatewayError as error:
                if error.kind is not Kind.PRECONDITION_FAILED:
                    raise
            else:
                return replace(item, state=ItemState.DONE, fault="")
            # Somebody took the name meanwhile.
            if self.transfer.conflict is not Conflict.RENAME:
                await self.target.delete(partial)
                return replace(item, state=ItemState.SKIPPED)
            item = replace(item, new_name=(await free_name(self.target, self.transfer.target / item.path)).name)


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def checked(content: Content, spot: Spot) -> AsyncIterator[bytes]:
    """Pass the bytes on, counted and summed; the last word is the checksum's.

    Raises:
        GatewayError: `UNAVAILABLE` if what comes is not as long as was told, or has another checksum.
    """
    check = Check(content.digests)
    count = 0
    with on(Where.SENDER):
        async for chunk in content.chunks:
            count += len(chunk)
            check.update(chunk)
            spot.came(len(chunk))
            yield chunk
        if content.span.length is not None and count != content.span.length:
            raise GatewayError(Kind.UNAVAILABLE, "The file ended early.")
        check.finish()


def _expect_same(item: Item, content: Content) -> None:
    entry = content.entry
    if item.size is not None and entry.size is not None and entry.size != item.size:
        raise SourceChanged
    if item.etag is not None or item.modified is None or entry.modified is None:
        return
    if abs(item.modified - entry.modified) > TIME_SLACK_SECONDS:
        raise SourceChanged
