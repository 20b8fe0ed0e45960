"""What every part is built over: the configuration, the keys, the store, the clock, and what has to be closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.app import state
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.flows.grant_watch import GrantWatch
from gateway.metrics import Metrics
from gateway.store.redis import RedisStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The ground on which the parts stand.

    Attributes:
        stack: what is entered here is left, in reverse, when the gateway stops.
        now: seconds since the epoch.
    """

    config: Config
    stack: AsyncExitStack
    keys: KeyBox
    store: RedisStore
    watch: GrantWatch
    metrics: Metrics
    now: Callable[[], float]


async def open_core(config: Config, stack: AsyncExitStack, now: Callable[[], float]) -> Core:
    """Return the ground, open until `stack` closes.

    Raises:
        GatewayError: `CONFIGURATION` if there are no keys, or the store cannot be used.
    """
    keys, store = await state.open_state(config, stack, now)
    return Core(
        config=config,
        stack=stack,
        keys=keys,
        store=store,
        watch=GrantWatch(store.feed, now),
        metrics=Metrics(),
        now=now,
    )
