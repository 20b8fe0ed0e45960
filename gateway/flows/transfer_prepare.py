"""What is done for a batch before its first file: folders are made, and taken names are decided upon, and written down.

Folders are merged with those that exist. A file whose name is taken is skipped, replaces the old one, or gets a free
name, as the user chose. What a target cannot hold is that item's fault. Since the outcome is in the record before
anything is copied, whoever carries the batch on can tell what was here before from what the transfer itself put here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.backends.base import Backend, Bulk
from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_ports import Fate, Where, fate_of, on
from gateway.model.resource import Entry, ResourcePath
from gateway.model.transfer import Batch, Conflict, Item, ItemState

NAMES_MAX = 1000
_NOT_A_FILE = "In your storage: a folder has this name."
_NOT_A_FOLDER = "In your storage: a file has the name of this folder."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Prepares the batches of one transfer for the folder `root` of the own storage."""

    target: Backend
    root: ResourcePath
    conflict: Conflict
    checkers: int

    async def batch(self, batch: Batch) -> Batch:
        """Return the batch, prepared.

        Raises:
            GatewayError: if the storage is away or full; then nothing is decided.
        """
        items = list(batch.items)
        for place, item in enumerate(items):
            if item.is_folder and item.state is ItemState.TODO:
                items[place] = await self._folder(item)
        todo = [place for place, item in enumerate(items) if item.state is ItemState.TODO and not item.is_folder]
        for place, decided in zip(todo, await self._decide_all([items[place] for place in todo]), strict=True):
            items[place] = decided
        return replace(batch, items=tuple(items), is_prepared=True)

    async def _decide_all(self, items: list[Item]) -> list[Item]:
        if isinstance(self.target, Bulk):
            # What is wrong with one name is found out one by one.
            with suppress(GatewayError):
                found = await self.target.find_all([at(self.root, item) for item in items])
                return [await self._decided(item, entry) for item, entry in zip(items, found, strict=True)]
        limit = asyncio.Semaphore(self.checkers)

        async def decided(item: Item) -> Item:
            async with limit:
                return await self.decide(item)

        return await asyncio.gather(*map(decided, items))

    async def decide(self, item: Item) -> Item:
        """Return a file with what is to be done about its name."""
        try:
            return await self._decided(item, await find(self.target, at(self.root, item)))
        except GatewayError as error:
            return _fault(item, error)

    async def _decided(self, item: Item, found: Entry | None) -> Item:
        if found is None:
            return item
        if found.is_folder and self.conflict is not Conflict.RENAME:
            return item.failed(_NOT_A_FILE)
        match self.conflict:
            case Conflict.SKIP:
                return replace(item, state=ItemState.SKIPPED)
            case Conflict.OVERWRITE:
                return item
            case Conflict.RENAME:
                return replace(item, new_name=(await free_name(self.target, at(self.root, item))).name)

    async def _folder(self, item: Item) -> Item:
        path = self.root / item.path
        try:
            with on(Where.OWN):
                await self.target.mkdir(path)
        except GatewayError as error:
            if error.kind is not Kind.NOT_ALLOWED:
                return _fault(item, error)
            found = await find(self.target, path)
            if found is None or not found.is_folder:
                return item.failed(_NOT_A_FOLDER)
        return replace(item, state=ItemState.DONE)


def at(root: ResourcePath, item: Item) -> ResourcePath:
    """Return where an item goes."""
    path = root / item.path
    return path.parent / item.new_name if item.new_name else path


async def find(target: Backend, path: ResourcePath) -> Entry | None:
    """Return what is at a path of the own storage, or None."""
    try:
        with on(Where.OWN):
            return await target.stat(path)
    except GatewayError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return None


async def free_name(target: Backend, path: ResourcePath) -> ResourcePath:
    """Return a path beside `path` at which nothing is: `name (2).txt`.

    Raises:
        GatewayError: `CONFLICT` if a thousand of them are taken.
    """
    stem, dot, ending = path.name.rpartition(".")
    if not stem:
        stem, dot, ending = path.name, "", ""
    for number in range(2, NAMES_MAX):
        candidate = path.parent / f"{stem} ({number}){dot}{ending}"
        if await find(target, candidate) is None:
            return candidate
    raise GatewayError(Kind.CONFLICT, f"{Where.OWN.value}: all names like this one are taken.")


def _fault(item: Item, error: GatewayError) -> Item:
    if fate_of(error) is not Fate.FAULT:
        raise error
    return item.failed(error.public)
