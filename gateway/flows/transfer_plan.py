"""The plan of a transfer: what there is to copy, listed as it comes and written in batches of a bounded size.

The listing is a stranger's. It may never end, lead in circles or name things that cannot be: the number of entries is
limited, paths have a greatest length and depth, and a folder that cannot be listed is one fault and not the end. A
plan that was cut off is thrown away and made anew, since nothing is copied before it stands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_ports import Fate, Where, fate_of, on
from gateway.model.resource import Entry, ResourcePath
from gateway.model.transfer import BATCH_ITEMS, Batch, Item, Tally, Transfer, batch_id, item_of, tally_of
from gateway.store.base import Table

PAGE_LIMIT = 100


async def make_plan(transfer: Transfer, source: Backend, batches: Table[Batch], *, max_files: int) -> tuple[int, Tally]:
    """Write the batches of a transfer; return how many there are, and how much that is.

    Raises:
        GatewayError: `TOO_LARGE` if there are more than `max_files` entries, or what the sender's storage raises.
    """
    await drop_batches(transfer.transfer_id, batches)
    number, tally = 0, Tally()
    async for items in _batched(_items(transfer.source, source)):
        batch = Batch(
            batch_id=batch_id(transfer.transfer_id, number),
            transfer_id=transfer.transfer_id,
            number=number,
            items=items,
        )
        tally = tally_of((batch,), tally)
        if tally.files + tally.folders > max_files:
            raise GatewayError(
                Kind.TOO_LARGE, f"There are more than {max_files:,} files and folders; copy a part at a time."
            )
        await batches.create(batch)
        number += 1
    return number, tally


async def drop_batches(transfer_id: str, batches: Table[Batch]) -> None:
    """Remove all batches of a transfer."""
    while page := (await batches.page("transfer", transfer_id, limit=PAGE_LIMIT)).records:
        for batch in page:
            await batches.delete(batch.batch_id)


async def _batched(items: AsyncIterator[Item]) -> AsyncIterator[tuple[Item, ...]]:
    held: list[Item] = []
    async for item in items:
        held.append(item)
        if len(held) == BATCH_ITEMS:
            yield tuple(held)
            held = []
    if held:
        yield tuple(held)


async def _items(root: ResourcePath, source: Backend) -> AsyncIterator[Item]:
    """Yield what is below `root`, each folder before its members."""
    with on(Where.SENDER):
        top = await source.stat(root)
    yield _item(root, top)
    folders = [ResourcePath()] if top.is_folder else []
    while folders:
        folder = folders.pop()
        try:
            async for entry in _listed(source, root / folder):
                item = _item(root, entry)
                if item.is_folder:
                    folders.append(item.path)
                yield item
        except GatewayError as error:
            if folder.is_root or fate_of(error) is not Fate.FAULT:
                raise
            yield item_of(Entry(path=folder / "…", kind=top.kind)).failed(error.public)


async def _listed(source: Backend, folder: ResourcePath) -> AsyncIterator[Entry]:
    with on(Where.SENDER):
        async for entry in source.list(folder):
            yield entry


def _item(root: ResourcePath, entry: Entry) -> Item:
    return item_of(replace(entry, path=entry.path.below(root)))
