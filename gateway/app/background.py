"""What runs beside the doors: news of ended grants, the worker, the sweeps, and a look at the key file.

Nothing of this may stop the gateway: what fails is told and started again, since the doors can go on meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from gateway.app.core import Core
from gateway.app.flows import Flows
from gateway.app.leftovers import Leftovers
from gateway.app.peers import Far
from gateway.app.storage import Near
from gateway.app.transfers import Transferring
from gateway.errors import GatewayError
from gateway.jobs.orphans import Orphans
from gateway.log import get_logger
from gateway.store.base import TableSpec
from gateway.store.queue import SaqQueue, run_worker
from gateway.store.tables import INVITES, LOCK_CLAIMS, SENT_SHARES, SESSIONS, SHARE_REQUESTS

log = get_logger(__name__)

# Records of these end by themselves, and what led to them has to be cleared away.
PASSING: tuple[TableSpec[Any], ...] = (SESSIONS, INVITES, SHARE_REQUESTS, LOCK_CLAIMS)
WORKER_CONCURRENCY = 8
KEYS_READ_SECONDS = 30.0
REPAIR_SECONDS = 3600.0
SWEEP_KEPT_SECONDS = 300.0
SWEEP_PEERS_SECONDS = 60.0
RESTART_SECONDS = 1.0
STANDING_SECONDS = 10.0


def start(core: Core, flows: Flows, near: Near, far: Far, queue: SaqQueue) -> None:
    """Start everything, to run until the gateway stops."""
    tasks, transferring = flows.tasks, flows.transferring

    async def read_keys() -> None:
        core.keys.read_again()

    _keep(core, "grants", lambda: core.watch.run(flows.open_access.stands))
    _keep(core, "worker", lambda: run_worker(queue, tasks.by_name(), concurrency=WORKER_CONCURRENCY))
    _keep(core, "transfers", partial(_transfer, core, transferring))
    _keep(core, "transfer sweep", _repeated(transferring.tasks.sweep, core.config.jobs.sweep_seconds))
    _keep(core, "transfer repair", _repeated(transferring.tasks.repair, REPAIR_SECONDS))
    _keep(core, "sweep", _repeated(tasks.sweep, core.config.jobs.sweep_seconds))
    _keep(core, "repair", _repeated(tasks.repair, REPAIR_SECONDS))
    orphans = Orphans(tables=(near.properties, near.sums), view=near.view_of_space)
    _keep(core, "vanished files", _repeated(orphans.sweep, SWEEP_KEPT_SECONDS))
    _keep(core, "peers", _repeated(far.records.sweep, SWEEP_PEERS_SECONDS))
    _keep(core, "peer repair", _repeated(far.records.table.repair, REPAIR_SECONDS))
    for spec in PASSING:
        _keep(core, f"{spec.name} repair", _repeated(core.store.table(spec).repair, REPAIR_SECONDS))
    _keep(core, "unfinished files", _repeated(_leftovers(core, near).sweep, core.config.jobs.unfinished_seconds))
    _keep(core, "standing", far.standing.follow)
    _keep(core, "directories", _repeated(far.standing.refresh, STANDING_SECONDS))
    _keep(core, "keys", _repeated(read_keys, KEYS_READ_SECONDS))


def _leftovers(core: Core, near: Near) -> Leftovers:
    return Leftovers(
        storages=near.storages,
        shares=core.store.table(SENT_SHARES),
        kept_seconds=core.config.jobs.unfinished_seconds,
        now=core.now,
    )


async def _transfer(core: Core, transferring: Transferring) -> None:
    if core.config.store.is_embedded:
        await transferring.tasks.release()
    await run_worker(transferring.queue, transferring.tasks.by_name(), concurrency=core.config.transfers.at_a_time)


def _keep(core: Core, name: str, run: Callable[[], Awaitable[None]]) -> None:
    async def forever() -> None:
        while True:
            try:
                await run()
            except GatewayError as error:
                log.warning("background work waits", work=name, reason=str(error))
            except Exception:
                log.exception("background work failed, starting it again", work=name)
            await asyncio.sleep(RESTART_SECONDS)

    task = asyncio.create_task(forever(), name=name)
    core.stack.push_async_callback(_stopped, task)


def _repeated(act: Callable[[], Awaitable[object]], seconds: float) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        while True:
            await act()
            # Spread, so that replicas do not all look at the same moment.
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing

    return run


async def _stopped(task: asyncio.Task[None]) -> None:
    # A cancellation that meets the store's client in the middle of a command can be lost in it.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=RESTART_SECONDS)
