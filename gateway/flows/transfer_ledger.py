"""What a running transfer knows of itself: batches in hand, bytes on their way, and when it was last written down.

Only the run that owns a transfer writes its records. Every checkpoint writes the batches that changed, and then the
transfer with its progress and the time at which its worker would count as lost. The same write tells whether the
transfer is still this run's: a user may have cancelled it, another worker may have taken it over. While the store is
away the run goes on as long as nobody else can have taken it for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.transfer_ports import TransferRules, TransferStats
from gateway.log import get_logger
from gateway.model.transfer import Batch, Item, ItemState, Tally, Transfer, TransferState, counted
from gateway.store.base import Table

log = get_logger(__name__)

T = TypeVar("T")

# A run without a store gives up after this part of the time after which it counts as lost.
PATIENCE = 0.6
STORE_PAUSE_SECONDS = 0.5
# The weight of the newest second in the rate that is shown.
RATE_WEIGHT = 0.3


class Taken(Exception):  # noqa: N818 - not a fault: the transfer is not this run's any more
    """The user cancelled the transfer, or another worker carries it on."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The books of one run.

    Attributes:
        tally: what was planned and what is done.
        finished: files that this run brought to an end.
        moved: bytes that came in this run, whether or not they were of use in the end.
    """

    transfers: Table[Transfer]
    batches: Table[Batch]
    transfer: Transfer
    rules: TransferRules
    stats: TransferStats
    now: Clock
    tally: Tally = field(default_factory=Tally)
    finished: int = 0
    moved: int = 0
    has_progress: bool = False
    _open: dict[int, Batch] = field(default_factory=dict)
    _dirty: set[int] = field(default_factory=set)
    _moving: dict[tuple[int, int], int] = field(default_factory=dict)
    _written_at: float = 0.0
    _rated: tuple[float, int, float] = (0.0, 0, 0.0)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Begin with the claim, which was the first sign of life."""
        self._written_at = self.now()
        self._rated = (self.now(), 0, self.transfer.rate)

    def opened(self, batch: Batch) -> None:
        """Take a batch in hand."""
        self._open[batch.number] = batch

    def prepared(self, number: int) -> None:
        """Keep that a batch in hand was prepared."""
        self._change(replace(self._open[number], is_prepared=True))

    def is_todo(self, number: int, place: int) -> bool:
        """Tell whether an item is still to be done."""
        return number in self._open and self._open[number].items[place].state is ItemState.TODO

    def item(self, number: int, place: int) -> Item:
        """Return an item of a batch in hand."""
        return self._open[number].items[place]

    def book(self, number: int, place: int, item: Item) -> None:
        """Keep an item in its new form."""
        batch = self._open[number]
        self._change(replace(batch, items=(*batch.items[:place], item, *batch.items[place + 1 :])))
        if item.state is ItemState.TODO:
            # What was verified of a large file is progress too.
            self.has_progress = self.has_progress or item.pieces != ""
            return
        self._moving.pop((number, place), None)
        self.tally = counted(self.tally, item)
        if item.state is not ItemState.FAULT:
            self.finished += 1
            self.has_progress = True

    def moving(self, number: int, place: int, count: int) -> None:
        """Count bytes of an item that came."""
        self.moved += count
        self.stats.transfer_bytes(count)
        self._moving[number, place] = self._moving.get((number, place), 0) + count

    def standing(self, number: int, place: int, count: int) -> None:
        """Say how many bytes of an item are there already, instead of what was counted."""
        self._moving[number, place] = count

    async def keep(self) -> None:
        """Write checkpoints until cancelled.

        Raises:
            Taken: if the transfer is not this run's any more.
            GatewayError: `UNAVAILABLE` if the store was away for so long that another may have taken over.
        """
        while True:
            await asyncio.sleep(self.rules.checkpoint_seconds)
            await self.patiently(self.checkpoint)

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Return what `act` returns, however long the store is away, as long as this run cannot count as lost."""
        while True:
            try:
                return await act()
            except GatewayError as error:
                is_lost = self.now() - self._written_at > self.rules.lost_seconds * PATIENCE
                if error.kind is not Kind.UNAVAILABLE or is_lost:
                    raise
                log.warning("transfer waits for the store", transfer=self.transfer.transfer_id, reason=str(error))
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def checkpoint(self) -> None:
        """Write down what changed, and that this run lives. Raises as `keep`, at once."""
        async with self._turn:
            for number in sorted(self._dirty):
                await self._write(self._open[number])
            now, tally, rate = self.now(), self._tally(), self._rate()
            progress_at = now if self.has_progress else self.transfer.progress_at
            due = now + self.rules.lost_seconds

            def change(current: Transfer) -> Transfer:
                self.check(current)
                return replace(current, due=due, tally=tally, rate=rate, progress_at=progress_at)

            self.transfer = await self.transfers.update(self.transfer.transfer_id, change)
            self._written_at = now

    def check(self, current: Transfer) -> None:
        """Do nothing if a record is still this run's.

        Raises:
            Taken: if it is not.
        """
        if current.runner != self.transfer.runner or current.state is not TransferState.RUNNING:
            raise Taken

    def _change(self, batch: Batch) -> None:
        self._open[batch.number] = batch
        self._dirty.add(batch.number)

    async def _write(self, batch: Batch) -> None:
        def change(current: Batch) -> Batch:
            # What was brought to an end stays so, also if a run that was taken for dead wakes up.
            pairs = zip(current.items, batch.items, strict=True)
            items = tuple(new if old.state is ItemState.TODO else old for old, new in pairs)
            return replace(current, items=items, is_prepared=current.is_prepared or batch.is_prepared)

        await self.batches.update(batch.batch_id, change)
        if self._open[batch.number] is batch:
            self._dirty.discard(batch.number)
            if batch.is_finished:
                del self._open[batch.number]

    def _tally(self) -> Tally:
        return replace(self.tally, moving=sum(self._moving.values()))

    def _rate(self) -> float:
        then, moved, rate = self._rated
        seconds = self.now() - then
        if seconds >= 1.0:
            rate += (self.moved - moved) / seconds * RATE_WEIGHT - rate * RATE_WEIGHT
            self._rated = (self.now(), self.moved, rate)
        return rate
