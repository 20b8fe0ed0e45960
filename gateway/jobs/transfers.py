"""The worker's part of transfers: which are due, and a start after a crash (DESIGN 9).

The sweep only wakes: a transfer may take days, and each has its place in the queue of transfers. A gateway with a
store of its own knows at its start that whatever was running died with it, and need not wait until it counts as lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.flows.ports import Clock
from gateway.flows.transfer_run import TASK, RunTransfer
from gateway.jobs.tasks import SWEEP_LIMIT, Task
from gateway.log import get_logger
from gateway.model.transfer import Batch, Transfer
from gateway.store.base import Queue, Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTasks:
    """What can be done later for transfers."""

    transfers: Table[Transfer]
    batches: Table[Batch]
    run: RunTransfer
    queue: Queue
    now: Clock

    def by_name(self) -> Mapping[str, Task]:
        """Return the tasks under the names by which the queue knows them."""
        return {TASK: self.run.run}

    async def sweep(self) -> int:
        """Wake the worker for what is due; return how many transfers that are."""
        page = await self.transfers.page("due", until=self.now(), limit=SWEEP_LIMIT)
        for transfer in page.records:
            await self.queue.wake(TASK, transfer.transfer_id)
        return len(page.records)

    async def release(self) -> None:
        """Let everything that was running be taken over at once, since nobody else can be running it."""
        now, cursor = self.now(), None
        while True:
            page = await self.transfers.page("due", cursor=cursor, limit=SWEEP_LIMIT)
            for transfer in page.records:
                if transfer.runner and transfer.state.value == "running":
                    log.info("transfer is taken up again", transfer=transfer.transfer_id)
                    await self.transfers.update(
                        transfer.transfer_id, lambda current: replace(current, due=now, runner="")
                    )
            cursor = page.cursor
            if cursor is None:
                return

    async def repair(self) -> int:
        """Remove index entries that lead nowhere; return how many."""
        return await self.transfers.repair() + await self.batches.repair()
