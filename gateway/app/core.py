"""What every part is built over: the configuration, the keys, the store, the clock, and what has to be closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

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
