"""Small files of a transfer, several at a time: fetched into memory, and put into the own storage at once (`Bulk`).

A tree has many small files, of which each costs by what is done around it. So here none has a partial file: the
storage gives it its name, its time and its content in one step, many files in one call, each of them whole or not at
all. A run that is killed has put some that nobody has booked; the next run knows them by their size, as it does any
other (`CopyFile.left_over`), or fetches them again. Whatever fails is left to the way of the larger files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.backends.base import Bulk, SmallFile
from gateway.errors import GatewayError
from gateway.flows.transfer_copy import WHOLE, CopyFile, Spot, checked
from gateway.flows.transfer_ports import Where, on
from gateway.flows.transfer_prepare import at
from gateway.model.resource import Written
from gateway.model.transfer import Conflict, Item, ItemState

# A file up to this size, in bytes, is small; and so much is fetched at most before it is put.
SMALL_BYTES = 256 * 1024
TOGETHER_BYTES = 1024 * 1024
TOGETHER_FILES = 32
# A slow sender does not keep what it has sent from being put for longer than that.
HOLD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Small:
    """A small file that is to be copied, and where."""

    item: Item
    spot: Spot


@dataclass(frozen=True, slots=True)
class CopySmall:
    """Copies small files of one transfer."""

    copy_file: CopyFile
    target: Bulk

    async def copy(self, files: Sequence[Small]) -> None:
        """Fetch and put files, and book what was brought to an end; after the first failure the rest is left as it is.

        Raises:
            GatewayError: never of a file; those that are still to do have failed, or were not tried.
        """
        clock = asyncio.get_running_loop().time
        held: list[tuple[Small, bytes]] = []
        since = clock()
        for small in files:
            try:
                found = await self._found(small)
            except GatewayError:
                break
            if found is not None:
                held.append((small, found))
            if clock() - since > HOLD_SECONDS:
                await self._put(held)
                held, since = [], clock()
        await self._put(held)

    async def _found(self, small: Small) -> bytes | None:
        """Return the content of a file, or None if it was there already."""
        item, spot = small.item, small.spot
        if spot.is_carried_on:
            item = await self.copy_file.left_over(item, spot)
            if item.state is not ItemState.TODO:
                spot.keep(item)
                return None
        spot.stands(0)
        async with self.copy_file.opened(item, WHOLE) as content:
            return b"".join([chunk async for chunk in checked(content, spot)])

    async def _put(self, held: Sequence[tuple[Small, bytes]]) -> None:
        if not held:
            return
        transfer = self.copy_file.transfer
        files = [
            SmallFile(
                path=at(transfer.target, small.item),
                content=content,
                modified=small.item.modified,
                is_new=transfer.conflict is not Conflict.OVERWRITE,
            )
            for small, content in held
        ]
        try:
            with on(Where.OWN):
                outcomes = await self.target.put_all(files)
        except GatewayError:
            return
        for (small, _), outcome in zip(held, outcomes, strict=True):
            if isinstance(outcome, Written):
                small.spot.keep(replace(small.item, state=ItemState.DONE, fault=""))


def is_small(item: Item) -> bool:
    """Tell whether an item is a file that is worth fetching together with others."""
    return not item.is_folder and item.size is not None and item.size <= SMALL_BYTES


def together(sizes: Sequence[int], parallel: int) -> Iterator[slice]:
    """Cut small files of these sizes into groups, so that as many are on their way at a time as may be."""
    most = min(TOGETHER_FILES, -(-len(sizes) // parallel))
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and (place - start >= most or total + size > TOGETHER_BYTES):
            yield slice(start, place)
            start, total = place, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))
