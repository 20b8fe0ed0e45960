"""The peers' records in the store: read, changed, and made on first need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.peer import Peer
from gateway.store.base import Table

# `last_seen` is written at most this often, so that not every request writes.
SEEN_STEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRecords:
    """What we remember of each provider."""

    table: Table[Peer]
    now: Callable[[], float]

    async def get(self, host: Host) -> Peer | None:
        """Return the record of `host`, or None."""
        return await self.table.get(host)

    async def change(self, host: Host, change: Callable[[Peer], Peer]) -> Peer:
        """Replace the record of `host` by `change(record)`, starting from an empty one where there is none."""
        try:
            return await self.table.update(host, change)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
        return await self._create(host, change)

    async def mark_signed(self, host: Host) -> Peer:
        """Note a valid signature of `host`: it is alive, and from now on unsigned messages from it are refused."""
        now = self.now()

        def change(peer: Peer) -> Peer:
            return replace(seen(peer, now), has_signed_to_us=True, failures=0, quiet_until=0.0)

        return await self.change(host, change)

    async def forget(self, host: Host) -> bool:
        """Forget all of `host`: documents, keys, schemes and failures; tell whether there was anything."""
        return await self.table.delete(host)

    async def _create(self, host: Host, change: Callable[[Peer], Peer]) -> Peer:
        now = self.now()
        peer = change(Peer(host=host, first_seen=now, last_seen=now))
        try:
            await self.table.create(peer)
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            return await self.table.update(host, change)
        return peer


def seen(peer: Peer, now: float) -> Peer:
    """Return the record of a peer that was heard of at `now`."""
    return peer if now - peer.last_seen < SEEN_STEP_SECONDS else replace(peer, last_seen=now)
