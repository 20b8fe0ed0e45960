"""Moving a user's shares to another storage, from the command line beside the running replicas."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

from gateway.app import storage
from gateway.app.core import open_core
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.flows.rebind import Rebind, Rebinding
from gateway.store.tables import SENT_SHARES


async def rebind_shares(
    config: Config, user: str, *, old: str, new: str, is_dry: bool, leave_missing: bool
) -> Rebinding:
    """Move a user's shares from one storage to another, or with `is_dry` only say which could move.

    The old storage need not be configured any more. With the embedded store the gateway must not run meanwhile.

    Raises:
        GatewayError: `INVALID` if both are the same, `CONFIGURATION` if the new one is not configured or the embedded
            store is in use, else as `Rebind`.
    """
    if old == new:
        raise GatewayError(Kind.INVALID, "These are the same storage.")
    if new not in config.all_storages:
        raise GatewayError(
            Kind.CONFIGURATION, f"There is no storage {new}; there are {', '.join(config.all_storages)}."
        )
    async with AsyncExitStack() as stack:
        core = await open_core(config, stack, time.time)
        await core.store.health.check_marker()
        near = await storage.build(core)
        rebind = Rebind(
            shares=core.store.table(SENT_SHARES),
            storages=near,
            tell_moved=core.watch.tell_ended,
            release_locks=near.release_locks,
            now=core.now,
        )
        if is_dry:
            return await rebind.look(user, old=old, new=new)
        return await rebind.run(user, old=old, new=new, leave_missing=leave_missing)
