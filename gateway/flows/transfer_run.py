"""A transfer is carried out, by whichever worker claims it (DESIGN 9, background work; ACC-5).

The claim is a compare-and-set, and lasts as long as the worker gives signs of life. First the plan is made, then batch
after batch is prepared and its files are copied, some at a time. Small troubles are tried again at once, larger ones
by a later run; what will not get better is that file's fault and does not stop the others. Only a full storage, an
ended share, or days without a byte end the whole. A worker that is stopped gives the transfer back at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial

from gateway.backends.base import Backend, HasQuota
from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.outbox import RetryRule
from gateway.flows.ports import Clock, Storages
from gateway.flows.transfer_end import EndTransfer
from gateway.flows.transfer_files import CopyFiles
from gateway.flows.transfer_ledger import Ledger, Taken
from gateway.flows.transfer_plan import make_plan
from gateway.flows.transfer_ports import Fate, TransferRules, TransferStats, Where, fate_of, on
from gateway.flows.transfer_prepare import find, free_name
from gateway.flows.use_remote import UseRemote
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.model.share import ReceivedShare
from gateway.model.transfer import Batch, Conflict, Tally, Transfer, TransferState, batch_id, tally_of
from gateway.store.base import Queue, Table

log = get_logger(__name__)

TASK = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTransfer:
    """Carries transfers out."""

    transfers: Table[Transfer]
    batches: Table[Batch]
    shares: Table[ReceivedShare]
    use_remote: UseRemote
    storages: Storages
    end: EndTransfer
    queue: Queue
    rules: TransferRules
    retry: RetryRule
    stats: TransferStats
    now: Clock
    chance: Callable[[], float]
    new_id: Callable[[], str]

    async def run(self, transfer_id: str) -> None:
        """Do what is due for a transfer: carry it on as far as it goes, or clear up behind it."""
        transfer = await self._claim(transfer_id)
        if transfer is None:
            return
        if transfer.is_over:
            await self.end.clear_up(transfer)
            return
        ledger = Ledger(
            transfers=self.transfers,
            batches=self.batches,
            transfer=transfer,
            rules=self.rules,
            stats=self.stats,
            now=self.now,
        )
        self.stats.transfer_running(1)
        try:
            await self._run(ledger)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(ledger))
            raise
        finally:
            self.stats.transfer_running(-1)

    async def _run(self, ledger: Ledger) -> None:
        transfer_id = ledger.transfer.transfer_id
        try:
            await _beside(ledger.keep(), self._carry_on(ledger))
            state = TransferState.PARTLY if ledger.tally.faults else TransferState.DONE
            await self._book(ledger, lambda current: current.step(state, due=self.now()))
        except Taken:
            log.info("transfer was taken from its worker", transfer=transfer_id)
        except GatewayError as error:
            await self._failed(ledger, error)
        except Exception:
            # A fault of ours must not leave the transfer to nobody until its worker counts as lost.
            log.exception("transfer failed", transfer=transfer_id)
            await self._failed(ledger, unavailable("Something went wrong in the gateway."))
        transfer = await self.transfers.get(transfer_id)
        if transfer is not None and transfer.is_over:
            await self.end.clear_up(transfer)

    async def _carry_on(self, ledger: Ledger) -> None:
        transfer = ledger.transfer
        share = await self.shares.get(transfer.share_id)
        if share is None:
            raise GatewayError(Kind.CONFLICT, "This share is there no more.")
        user = transfer.acting_user()
        source = await self.use_remote.open_for_transfer(user, share)
        target = self.storages.as_user(user)
        if not transfer.is_planned:
            await self._plan(ledger, source, target)
        else:
            ledger.tally = await self._counted(ledger.transfer)
        log.info("transfer runs", transfer=transfer.transfer_id, files=ledger.tally.files, done=ledger.tally.done)
        await CopyFiles(source=source, target=target, ledger=ledger, rules=self.rules).copy_all()

    async def _plan(self, ledger: Ledger, source: Backend, target: Backend) -> None:
        transfer = ledger.transfer
        place = transfer.target
        if transfer.conflict is Conflict.RENAME:
            top = await source.stat(transfer.source)
            if top.is_folder and await find(target, place) is not None:
                place = await free_name(target, place)
        number, tally = await make_plan(transfer, source, self.batches, max_files=self.rules.max_files)
        await _expect_space(target, place, tally)
        ledger.tally = tally

        def change(current: Transfer) -> Transfer:
            ledger.check(current)
            return replace(current, is_planned=True, batches=number, tally=tally, target=place)

        ledger.transfer = await self.transfers.update(transfer.transfer_id, change)

    async def _counted(self, transfer: Transfer) -> Tally:
        tally = Tally()
        for number in range(transfer.batches):
            batch = await self.batches.get(batch_id(transfer.transfer_id, number))
            tally = tally_of((batch,), tally) if batch else tally
        return tally

    async def _claim(self, transfer_id: str) -> Transfer | None:
        runner, now = self.new_id(), self.now()

        def change(transfer: Transfer) -> Transfer:
            if transfer.due is None or transfer.due > now:
                return transfer
            due = now + self.rules.lost_seconds
            if transfer.is_over:
                return replace(transfer, runner=runner, due=due)
            begun = transfer.step(TransferState.RUNNING, due=due)
            return replace(begun, runner=runner, started_at=transfer.started_at or now)

        try:
            transfer = await self.transfers.update(transfer_id, change)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return None
        return transfer if transfer.runner == runner else None

    async def _failed(self, ledger: Ledger, error: GatewayError) -> None:
        now = self.now()
        since = now if ledger.has_progress else ledger.transfer.progress_at
        is_over = fate_of(error) is not Fate.LATER or now - since > self.retry.give_up_seconds
        tries = 1 if ledger.has_progress else ledger.transfer.tries + 1
        due = now + self.retry.delay(tries, self.chance())
        log.warning(
            "transfer failed" if is_over else "transfer waits",
            transfer=ledger.transfer.transfer_id,
            reason=str(error),
        )

        def change(current: Transfer) -> Transfer:
            if is_over:
                return current.step(TransferState.FAILED, due=now, problem=error.public)
            waiting = current.step(TransferState.RETRYING, due=due, problem=error.public)
            return replace(waiting, tries=tries, progress_at=since)

        await self._book(ledger, change)
        if not is_over:
            await self.queue.wake(TASK, ledger.transfer.transfer_id, at=due)

    async def _give_back(self, ledger: Ledger) -> None:
        try:
            await self._book(ledger, lambda current: current.step(TransferState.WAITING, due=self.now()))
        except GatewayError as error:
            log.warning("transfer could not be given back", transfer=ledger.transfer.transfer_id, reason=str(error))

    async def _book(self, ledger: Ledger, step: Callable[[Transfer], Transfer]) -> None:
        """Write everything down and make the last step of this run, if the transfer is still its own."""

        def change(current: Transfer) -> Transfer:
            ledger.check(current)
            return replace(step(current), tally=replace(ledger.tally, moving=0), rate=0.0)

        try:
            await ledger.patiently(ledger.checkpoint)
            await ledger.patiently(partial(self.transfers.update, ledger.transfer.transfer_id, change))
        except Taken:
            log.info("transfer was taken from its worker", transfer=ledger.transfer.transfer_id)


async def _beside(keeping: Coroutine[None, None, None], work: Coroutine[None, None, None]) -> None:
    """Do `work` while `keeping` goes on; whichever fails stops the other."""
    tasks = [asyncio.create_task(keeping), asyncio.create_task(work)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _expect_space(target: Backend, place: ResourcePath, tally: Tally) -> None:
    if not isinstance(target, HasQuota):
        return
    with on(Where.OWN):
        available = (await target.quota(place.parent)).available
    if available is not None and tally.bytes > available:
        raise GatewayError(
            Kind.NO_SPACE,
            f"{Where.OWN.value}: {tally.bytes:,} bytes are needed and {available:,} are free. Nothing was copied.",
        )
