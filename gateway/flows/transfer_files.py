"""The files of a transfer, batch after batch, some at a time; what a failure means is decided here.

A trouble that passes is tried again after short pauses, then left for a later run. A file that keeps failing while
others go well is given up, as is one that changes whenever it is copied. When many fail in a row, nothing more is
tried: then it is not the files.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.backends.base import Backend, Bulk
from gateway.errors import GatewayError
from gateway.flows.transfer_copy import CopyFile, Spot
from gateway.flows.transfer_ledger import Ledger
from gateway.flows.transfer_ports import Fate, TransferRules, Where, fate_of, on
from gateway.flows.transfer_prepare import Prepare
from gateway.flows.transfer_small import CopySmall, Small, is_small, together
from gateway.log import get_logger
from gateway.model.transfer import Batch, Item, ItemState, batch_id

log = get_logger(__name__)

# Pauses before the same file is tried again by the same run, in seconds.
QUICK_PAUSES = (0.5, 2.0)
# How often a file may change while it is copied.
CHANGES_MAX = 3
# So many failures in a row for each file that is copied at a time are no accident.
STREAK_FACTOR = 2


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    place: int
    is_carried_on: bool


@dataclass(slots=True, kw_only=True)
class CopyFiles:
    """Copies what is left to do of one planned transfer."""

    source: Backend
    target: Backend
    ledger: Ledger
    rules: TransferRules
    _streak: int = 0
    _last: GatewayError | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _copy: CopyFile = field(init=False)
    _small: CopySmall | None = field(init=False)
    _prepare: Prepare = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts, for the place that the plan has chosen."""
        transfer = self.ledger.transfer
        self._prepare = Prepare(
            target=self.target, root=transfer.target, conflict=transfer.conflict, checkers=self.rules.checkers
        )
        self._copy = CopyFile(
            source=self.source, target=self.target, transfer=transfer, prepare=self._prepare, rules=self.rules
        )
        self._small = CopySmall(self._copy, self.target) if isinstance(self.target, Bulk) else None

    async def copy_all(self) -> None:
        """Bring every file to an end.

        Raises:
            GatewayError: of what stops the transfer, or of the last file that has to be tried again later.
        """
        tasks = self._tasks()
        workers = [asyncio.create_task(self._work(tasks)) for _ in range(self.rules.parallel_files)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._last is not None:
            raise self._last

    async def _tasks(self) -> AsyncIterator[list[_Task]]:
        """Yield what is to be done: a file alone, or several small ones together."""
        ledger = self.ledger
        for number in range(ledger.transfer.batches):
            key = batch_id(ledger.transfer.transfer_id, number)
            batch = await ledger.patiently(partial(ledger.batches.get, key))
            if batch is None or batch.is_finished:
                continue
            is_carried_on = batch.is_prepared
            ledger.opened(batch)
            if not is_carried_on:
                await self._prepared(batch)
            todo = [place for place, item in enumerate(batch.items) if item.state is ItemState.TODO]
            tasks = [_Task(number, place, is_carried_on) for place in todo if ledger.is_todo(number, place)]
            for some in self._together(tasks):
                yield some

    async def _prepared(self, batch: Batch) -> None:
        ledger = self.ledger
        for place, item in enumerate((await self._prepare.batch(batch)).items):
            if item != batch.items[place]:
                ledger.book(batch.number, place, item)
        ledger.prepared(batch.number)
        # Before anything is copied it has to be known what was there already.
        await ledger.patiently(ledger.checkpoint)

    def _together(self, tasks: list[_Task]) -> list[list[_Task]]:
        small = [task for task in tasks if self._is_small(task)]
        sizes = [self._item(task).size or 0 for task in small]
        groups = [small[group] for group in together(sizes, self.rules.parallel_files)]
        return groups + [[task] for task in tasks if task not in small]

    def _is_small(self, task: _Task) -> bool:
        return self._small is not None and is_small(self._item(task))

    async def _work(self, tasks: AsyncIterator[list[_Task]]) -> None:
        while True:
            async with self._turn:
                some = await anext(tasks, None)
            if some is None:
                return
            await self._several(some)

    async def _several(self, tasks: list[_Task]) -> None:
        """Bring tasks to an end, small ones together as far as that goes well."""
        while tasks:
            if self._small is not None and self._is_small(tasks[0]):
                await self._small.copy([Small(self._item(task), self._spot(task)) for task in tasks])
                left = [task for task in tasks if self.ledger.is_todo(task.number, task.place)]
                self._streak = 0 if len(left) < len(tasks) else self._streak
                tasks = left
            if tasks:
                await self._one(tasks[0])
            tasks = tasks[1:]

    def _item(self, task: _Task) -> Item:
        return self.ledger.item(task.number, task.place)

    def _spot(self, task: _Task) -> Spot:
        ledger = self.ledger
        return Spot(
            number=task.number,
            place=task.place,
            is_carried_on=task.is_carried_on,
            came=partial(ledger.moving, task.number, task.place),
            stands=partial(ledger.standing, task.number, task.place),
            keep=partial(ledger.book, task.number, task.place),
        )

    async def _one(self, task: _Task) -> None:
        spot = self._spot(task)
        for pause in (*QUICK_PAUSES, None):
            item = self._item(task)
            spot.stands(0)
            try:
                copied = await self._copy.copy(item, spot)
            except GatewayError as error:
                if not await self._failed(task, error, is_last=pause is None):
                    return
                await asyncio.sleep(pause or 0)
            else:
                self._streak = 0
                spot.keep(copied)
                return

    async def _failed(self, task: _Task, error: GatewayError, *, is_last: bool) -> bool:
        """Take a failure in; tell whether the file is to be tried again at once."""
        item = self._item(task)
        log.info("file failed", transfer=self.ledger.transfer.transfer_id, reason=str(error))
        match fate_of(error):
            case Fate.END:
                raise error
            case Fate.FAULT:
                await self._give_up(task, item, error)
                return False
            case Fate.CHANGED:
                return await self._look_again(task, item, error)
            case Fate.LATER:
                if is_last:
                    await self._leave(task, item, error)
                return not is_last

    async def _look_again(self, task: _Task, item: Item, error: GatewayError) -> bool:
        if item.tries >= CHANGES_MAX:
            await self._give_up(task, item, error)
            return False
        try:
            with on(Where.SENDER):
                entry = await self.source.stat(self.ledger.transfer.source / item.path)
        except GatewayError as gone:
            return await self._failed(task, gone, is_last=True)
        await self._copy.remove_partial(item, task.number, task.place)
        self.ledger.book(task.number, task.place, item.seen_again(entry))
        return True

    async def _leave(self, task: _Task, item: Item, error: GatewayError) -> None:
        """Leave a file for a later run, unless it has failed too often while others went well."""
        self._streak += 1
        if self._streak >= STREAK_FACTOR * self.rules.parallel_files:
            raise error
        if self.ledger.finished or error.code == "checksum-differs":
            item = replace(item, tries=item.tries + 1)
            if item.tries >= self.rules.tries:
                await self._give_up(task, item, error)
                return
            self.ledger.book(task.number, task.place, item)
        self._last = error

    async def _give_up(self, task: _Task, item: Item, error: GatewayError) -> None:
        await self._copy.remove_partial(item, task.number, task.place)
        self.ledger.stats.transfer_fault(error.kind.value)
        self.ledger.book(task.number, task.place, item.failed(error.public))
