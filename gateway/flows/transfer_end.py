"""What is left to do when a transfer is over: partial files go, the credential is forgotten, the sender may be told.

Partial files have names that follow from the plan, so they are found also after a crash. Of the plan only the batches
with faults are kept, for the user's report. If the share has an end, the sender hears that it was transferred, and
need not keep it open any longer (ACC-5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock, Storages
from gateway.flows.transfer_prepare import at
from gateway.log import get_logger
from gateway.model.share import Message, MessageKind, ReceivedShare, ReceivedState
from gateway.model.transfer import Batch, ItemState, Transfer, TransferState, batch_id, partial_name
from gateway.store.base import Queue, Table

log = get_logger(__name__)

# When clearing up is tried again, in seconds, and for how long after the end.
AGAIN_SECONDS = 60.0
GIVE_UP_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTransfer:
    """Clears up behind transfers."""

    transfers: Table[Transfer]
    batches: Table[Batch]
    shares: Table[ReceivedShare]
    storages: Storages
    queue: Queue
    now: Clock
    kept_seconds: float

    async def clear_up(self, transfer: Transfer) -> None:
        """Do what is left to do for a transfer that is over; what fails is tried again later."""
        now = self.now()
        ended_at = transfer.ended_at or now
        try:
            await self._remove_partials(transfer)
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE and now - ended_at < GIVE_UP_SECONDS:
                log.info("clearing up waits", transfer=transfer.transfer_id, reason=str(error))
                await self._book(transfer, due=now + AGAIN_SECONDS, ended_at=ended_at)
                return
            log.warning("partial files may be left", transfer=transfer.transfer_id, reason=str(error))
        await self._trim(transfer, ended_at + self.kept_seconds)
        if transfer.state is TransferState.DONE:
            await self._tell_sender(transfer)
        await self._book(transfer, due=None, ended_at=ended_at)
        log.info(
            "transfer is over",
            transfer=transfer.transfer_id,
            state=transfer.state.value,
            files=transfer.tally.done,
            bytes=transfer.tally.bytes_done,
            faults=transfer.tally.faults,
        )

    async def _book(self, transfer: Transfer, *, due: float | None, ended_at: float) -> None:
        def change(current: Transfer) -> Transfer:
            actor = current.actor if due is not None else None
            return replace(current, due=due, ended_at=ended_at, actor=actor, kept_until=ended_at + self.kept_seconds)

        await self.transfers.update(transfer.transfer_id, change)

    async def _remove_partials(self, transfer: Transfer) -> None:
        if transfer.actor is None:
            return
        target = self.storages.as_user(transfer.acting_user())
        async for batch in self._batches(transfer):
            if batch.is_prepared:
                await _remove_of_batch(transfer, batch, target)

    async def _trim(self, transfer: Transfer, kept_until: float) -> None:
        async for batch in self._batches(transfer):
            faults = tuple(item for item in batch.items if item.state is ItemState.FAULT)
            if not faults:
                await self.batches.delete(batch.batch_id)
            elif batch.kept_until is None:
                kept = replace(batch, items=faults, kept_until=kept_until)
                await self.batches.update(batch.batch_id, lambda _old, kept=kept: kept)  # type: ignore[misc] # binds now

    async def _batches(self, transfer: Transfer) -> AsyncIterator[Batch]:
        number = 0
        while transfer.is_planned and number < transfer.batches:
            batch = await self.batches.get(batch_id(transfer.transfer_id, number))
            if batch is not None:
                yield batch
            number += 1

    async def _tell_sender(self, transfer: Transfer) -> None:
        now = self.now()
        message = Message(kind=MessageKind.TRANSFERRED, due=now, since=now)

        def change(share: ReceivedShare) -> ReceivedShare:
            is_known = any(waiting.kind is message.kind for waiting in share.outbox)
            if share.expires_at is None or share.state is not ReceivedState.ACCEPTED or is_known:
                return share
            return replace(share, outbox=(*share.outbox, message))

        with suppress(GatewayError):
            await self.shares.update(transfer.share_id, change)
            await self.queue.wake("deliver_received", transfer.share_id)


async def _remove_of_batch(transfer: Transfer, batch: Batch, target: Backend) -> None:
    for place, item in enumerate(batch.items):
        # Only what was to do can have begun; faults were cleared up when they were booked.
        if item.state is not ItemState.TODO or item.is_folder:
            continue
        name = partial_name(transfer.transfer_id, batch.number, place)
        try:
            await target.delete(at(transfer.target, item).parent / name)
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
