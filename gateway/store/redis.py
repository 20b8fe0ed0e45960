"""The store in Redis (or Valkey): where the ports of `base` are put together over one connection.

`connect` does no I/O: a gateway starts, and passes requests through, while its store is still away. Every replica of
one gateway uses the same prefix, pepper and key ring.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from gateway.model.props import SUM_LIMITS
from gateway.store.base import TableSpec
from gateway.store.codec import Sealer
from gateway.store.keyspace import Keyspace
from gateway.store.link import ANSWER_SECONDS, Link
from gateway.store.queue import QueueRules, SaqQueue
from gateway.store.redis_client import Clients, make_clients
from gateway.store.redis_feed import RedisFeed
from gateway.store.redis_health import RedisHealth
from gateway.store.redis_locks import RedisLocks
from gateway.store.redis_once import RedisCounter, RedisOnce
from gateway.store.redis_props import RedisProperties
from gateway.store.redis_table import RedisTable

R = TypeVar("R")

# A write takes a few milliseconds; an entry that waits longer for its record has probably lost its writer.
SETTLE_SECONDS = 0.5


class RedisStore:
    """Every port to one Redis."""

    def __init__(
        self,
        clients: Clients,
        keyspace: Keyspace,
        *,
        sealer: Sealer,
        instance_id: str,
        settle_seconds: float = SETTLE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._clients = clients
        self._keyspace = keyspace
        self._sealer = sealer
        self._settle_seconds = settle_seconds
        self.link = Link(clients.commands, answer_seconds=answer_seconds)
        self.once = RedisOnce(self.link, keyspace, sealer)
        self.counter = RedisCounter(self.link, keyspace)
        self.feed = RedisFeed(self.link, clients.feed, keyspace)
        self.locks = RedisLocks(self.link, keyspace)
        self.properties = RedisProperties(self.link, keyspace)
        self.sums = RedisProperties(self.link, keyspace, SUM_LIMITS, family="sums", makes_room=True)
        self.health = RedisHealth(self.link, keyspace, instance_id=instance_id)

    def table(self, spec: TableSpec[R]) -> RedisTable[R]:
        """Return the table of the records that `spec` describes."""
        return RedisTable(self.link, self._keyspace, spec, self._sealer, settle_seconds=self._settle_seconds)

    def queue(self, name: str, rules: QueueRules | None = None, *, now: Callable[[], float] = time.time) -> SaqQueue:
        """Return the queue `name`; a worker for it is run by `queue.run_worker`."""
        rules = rules or QueueRules()
        return SaqQueue(self._clients.queue, prefix=self._keyspace.prefix, name=name, rules=rules, now=now)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._clients.aclose()

    async def __aenter__(self) -> Self:
        """Return the store itself."""
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Close every connection."""
        await self.aclose()


def connect(
    url: str,
    *,
    prefix: str,
    sealer: Sealer,
    fingerprint: Callable[[str], str],
    instance_id: str,
    settle_seconds: float = SETTLE_SECONDS,
    ca_file: Path | None = None,
) -> RedisStore:
    """Return a store over the Redis at `url`, which is not asked for anything yet.

    Args:
        url: `redis://`, `rediss://`, `unix://` or `redis+sentinel://`.
        prefix: stands before every key.
        sealer: encrypts secrets at rest.
        fingerprint: the keyed hash under which values are looked up.
        instance_id: what the instance marker has to say.
        settle_seconds: how long an entry without its record is left to its writer.
        ca_file: certificates to trust with `rediss://`, instead of the system's.

    Raises:
        GatewayError: `CONFIGURATION` if the URL or the prefix does not fit.
    """
    keyspace = Keyspace(prefix=prefix, fingerprint=fingerprint)
    return RedisStore(
        make_clients(url, ca_file), keyspace, sealer=sealer, instance_id=instance_id, settle_seconds=settle_seconds
    )
