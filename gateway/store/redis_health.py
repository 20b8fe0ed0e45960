"""Whether the store is the right one, and fit to be trusted with the only copy of what we know (DESIGN 6 and 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.errors import GatewayError, Kind, unavailable
from gateway.log import get_logger
from gateway.store.keyspace import Keyspace
from gateway.store.link import Link

OLDEST_SERVER = (7, 0)
KEEPS_ALL = "noeviction"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server says of itself.

    Attributes:
        policy: what it does when memory is short.
        is_persistent: whether it writes each change to a file.
        is_write_failing: whether the last write to that file failed.
        now: its clock, in seconds since the epoch.
    """

    version: str
    policy: str
    is_persistent: bool
    is_write_failing: bool
    now: float

    @property
    def is_too_old(self) -> bool:
        """Whether it lacks commands that we need."""
        return tuple(int(part) for part in self.version.split(".")[:2]) < OLDEST_SERVER


class RedisHealth:
    """Implements `StoreHealth`, and the checks at start."""

    def __init__(self, link: Link, keyspace: Keyspace, *, instance_id: str) -> None:
        self._link = link
        self._keyspace = keyspace
        self._instance_id = instance_id

    async def ping(self) -> None:
        """Raise `UNAVAILABLE` if the store does not answer."""
        await self._link.call("PING")

    async def check_marker(self) -> None:
        """Raise `UNAVAILABLE` if this store does not carry our instance marker (emptied, restored, wrong)."""
        found = await self._link.call("GET", self._keyspace.instance)
        if found is None:
            raise unavailable("The store is not ready.", log="no instance marker: the store is empty or the wrong one")
        if found.decode() != self._instance_id:
            raise unavailable("The store is not ready.", log="the store belongs to another instance")

    async def write_marker(self) -> None:
        """Make this store ours.

        Raises:
            GatewayError: `CONFIGURATION` if it is somebody else's.
        """
        await self._link.call("SET", self._keyspace.instance, self._instance_id, "NX")
        found = await self._link.call("GET", self._keyspace.instance)
        if found is None or found.decode() != self._instance_id:
            raise GatewayError(
                Kind.CONFIGURATION,
                f"The store already holds another gateway under the prefix {self._keyspace.prefix!r}.",
            )

    async def facts(self) -> ServerFacts:
        """Return what the server says of itself.

        Raises:
            GatewayError: `UNAVAILABLE`.
        """
        found: dict[str, Any] = {}
        for section in ("server", "memory", "persistence"):
            found |= await self._link.call("INFO", section)
        seconds, microseconds = await self._link.call("TIME")
        return ServerFacts(
            version=str(found["redis_version"]),
            policy=str(found.get("maxmemory_policy", KEEPS_ALL)),
            is_persistent=bool(found.get("aof_enabled")),
            is_write_failing=found.get("aof_last_write_status", "ok") != "ok",
            now=int(seconds) + int(microseconds) / 1e6,
        )

    async def check_server(self) -> None:
        """Refuse a server that is too old or forgets under pressure, and warn of one that forgets on restart.

        Raises:
            GatewayError: `CONFIGURATION` if it may not be used.
        """
        facts = await self.facts()
        if facts.is_too_old:
            raise GatewayError(Kind.CONFIGURATION, f"The store is Redis {facts.version}; it has to be 7.0 or later.")
        # Also the `volatile-` policies: they would drop sessions, claims and the memory of signatures already seen.
        if facts.policy != KEEPS_ALL:
            raise GatewayError(
                Kind.CONFIGURATION,
                f"The store drops keys when memory is short (maxmemory-policy {facts.policy}); set it to noeviction.",
            )
        if not facts.is_persistent:
            _log.warning("the store may forget acknowledged writes when it restarts; set appendonly yes")
