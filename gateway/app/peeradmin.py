"""What the operator asks and decides about peers, from the command line beside the running gateway."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from gateway.app.peers import rules_of
from gateway.app.standing import sources_of
from gateway.app.state import open_beside
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.flows.directory import Directories
from gateway.flows.standing import StandingBoard, StandingBook
from gateway.model.address import Host, parse_host
from gateway.model.peer import Peer, Trust
from gateway.model.policy import Deny, may_contact
from gateway.peers.records import PeerRecords
from gateway.store.tables import DIRECTORIES, PEERS

PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAdmin:
    """The operator's hand on the peers' records."""

    records: PeerRecords
    standing: StandingBook
    config: Config
    now: Callable[[], float] = time.time

    async def all(self) -> list[Peer]:
        """Return every peer that we know, longest known first."""
        found: list[Peer] = []
        cursor: str | None = None
        while True:
            page = await self.records.table.page("first_seen", cursor=cursor, limit=PAGE)
            found += page.records
            cursor = page.cursor
            if cursor is None:
                return found

    async def get(self, text: str) -> Peer:
        """Return one peer.

        Raises:
            GatewayError: `INVALID` for no host, `NOT_FOUND` for one that we do not know.
        """
        host = parse_host(text)
        peer = await self.records.get(host)
        if peer is None:
            raise GatewayError(Kind.NOT_FOUND, f"{host} is not known here.")
        return peer

    def why_not(self, host: Host) -> str:
        """Return why we do not speak with a host, empty if we do."""
        verdict = may_contact(host, rules_of(self.config, self.standing.board.current))
        return verdict.public if isinstance(verdict, Deny) else ""

    async def decide(self, text: str, trust: Trust) -> Peer:
        """Allow or block a host, or take that back; it holds in every replica at once."""
        host = parse_host(text)
        if host == self.config.authority:
            raise GatewayError(Kind.INVALID, "This is the gateway itself.")
        return await self.standing.decide(host, trust)

    async def retry(self, text: str) -> Peer:
        """Forget the failures of a peer, so that it is asked at once again."""
        peer = await self.get(text)
        return await self.records.change(peer.host, lambda old: replace(old, failures=0, quiet_until=0.0))

    async def forget(self, text: str) -> None:
        """Forget what a peer told; what was decided about it stays.

        Raises:
            GatewayError: `NOT_FOUND` if nothing is known of it.
        """
        peer = await self.get(text)
        await self.records.forget(peer.host)


@asynccontextmanager
async def peer_admin(config: Config) -> AsyncIterator[PeerAdmin]:
    """Open the store beside the running gateway.

    Raises:
        GatewayError: `CONFIGURATION` without keys, `UNAVAILABLE` if the store is away.
    """
    async with AsyncExitStack() as stack:
        store = await open_beside(config, stack)
        records = PeerRecords(table=store.table(PEERS), now=time.time)
        directories = Directories(
            sources=sources_of(config),
            copies=store.table(DIRECTORIES),
            fetch=_nothing,
            refresh_seconds=config.peers.directory_refresh,
            keep_seconds=config.peers.directory_keep,
            now=time.time,
        )
        book = StandingBook(board=StandingBoard(), records=records, feed=store.feed, directories=directories)
        await book.load()
        yield PeerAdmin(records=records, standing=book, config=config)


async def _nothing(_url: str) -> bytes:
    raise GatewayError(Kind.INTERNAL, "Commands fetch no directories.")
