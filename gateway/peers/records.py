"""The peers' records in the store: read, changed, made on first need, and let go.

Anybody can make us fetch documents of hosts that he names, so what is kept of hosts is bounded. What is large can be
fetched again and goes when a host was not heard of for long, or when there are too many of them. That a peer has
signed to us, or we to it, is small and never forgotten; of a host without that the record goes as a whole.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.peer import Peer, Trust
from gateway.store.base import Table

# `last_seen` is written at most this often, so that not every request writes.
SEEN_STEP_SECONDS = 3600.0


KEEP_SECONDS = 30 * 86_400.0
DOCUMENTS_MAX = 2_000
# How many records are read at a time to find those that go.
_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRecords:
    """What we remember of each provider.

    Attributes:
        keep_seconds: how long it is remembered after it was last asked or heard.
        most_documents: of how many hosts documents and keys are kept.
    """

    table: Table[Peer]
    now: Callable[[], float]
    keep_seconds: float = KEEP_SECONDS
    most_documents: int = DOCUMENTS_MAX

    async def get(self, host: Host) -> Peer | None:
        """Return the record of `host`, or None."""
        return await self.table.get(host)

    async def change(self, host: Host, change: Callable[[Peer], Peer]) -> Peer:
        """Replace the record of `host` by `change(record)`, starting from an empty one where there is none."""
        change = self._bounding(change)
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
        """Forget all of `host`: documents, keys, schemes and failures; tell whether there was anything.

        What the operator decided about it stays: a blocked server does not come back by being forgotten.
        """
        peer = await self.table.get(host)
        if peer is None or peer.trust is Trust.UNKNOWN:
            return await self.table.delete(host)
        await self.table.update(
            host, lambda old: Peer(host=host, trust=old.trust, first_seen=old.first_seen, last_seen=old.last_seen)
        )
        return True

    async def sweep(self) -> int:
        """Let documents go that are old or too many; return of how many hosts."""
        old = await self.table.page("documents", until=self.now() - self.keep_seconds, limit=_PAGE)
        gone = [await self._let_go(peer) for peer in old.records]
        if await self.table.count("documents") > self.most_documents:
            gone += [await self._let_go(peer) async for peer in self._too_many()]
        return sum(gone)

    async def _too_many(self) -> AsyncGenerator[Peer]:
        """Yield the records beyond the most that may have documents, the longest unheard last."""
        cursor, number = None, 0
        while cursor is not None or number == 0:
            page = await self.table.page("documents", cursor=cursor, limit=_PAGE, newest_first=True)
            for peer in page.records:
                number += 1
                if number > self.most_documents:
                    yield peer
            cursor, number = page.cursor, max(number, 1)

    async def _let_go(self, seen_as: Peer) -> bool:
        """Forget what is large of a host, and of a stranger all, unless it was heard of since it was looked at."""
        now = self.now()

        def change(peer: Peer) -> Peer:
            if peer.last_seen != seen_as.last_seen:
                return peer
            bare = replace(peer, discovery=None, discovered_at=0.0, jwks=None, keys_at=0.0, payload=None)
            return replace(bare, kept_until=now) if peer.is_stranger else bare

        try:
            return not (await self.table.update(seen_as.host, change)).has_documents
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return False

    def _bounding(self, change: Callable[[Peer], Peer]) -> Callable[[Peer], Peer]:
        """Return the change with the record's end moved on, as long as it is that of a stranger."""

        def bounded(peer: Peer) -> Peer:
            changed = change(peer)
            return replace(changed, kept_until=changed.last_seen + self.keep_seconds if changed.is_stranger else None)

        return bounded

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
