"""The operator's and the administrators' hand on peers: seen, allowed, blocked, forgotten, asked anew (DESIGN 8).

What is decided holds in every replica at once (`flows.standing`). Who did it stands in the log. Asking anew goes
through the lists and the guard like every other question to a stranger; a blocked server is not even asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.peer_report import PeerReport
from gateway.flows.ports import Clock
from gateway.flows.standing import StandingBook
from gateway.log import get_logger
from gateway.model.address import Host, parse_host
from gateway.model.peer import Peer, Trust
from gateway.model.policy import Deny, PeerRules, may_contact
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver
from gateway.store.base import Page

log = get_logger(__name__)

PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAdmin:
    """Reads and changes what is known of peers.

    Attributes:
        resolver: asks peers anew; None beside the running gateway, which does that itself.
    """

    records: PeerRecords
    standing: StandingBook
    rules: PeerRules
    authority: Host
    now: Clock
    resolver: PeerResolver | None = None

    async def page(self, trust: Trust = Trust.UNKNOWN, *, cursor: str | None, limit: int) -> Page[Peer]:
        """Return a part of all peers, the newest first, or of those about which this was decided."""
        index, partition = ("first_seen", "") if trust is Trust.UNKNOWN else ("trust", trust.value)
        return await self.records.table.page(index, partition, cursor=cursor, limit=limit, newest_first=True)

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

    def host(self, text: str) -> Host:
        """Return the host that was typed.

        Raises:
            GatewayError: `INVALID` for no host, and for our own.
        """
        host = parse_host(text)
        if host == self.authority:
            raise GatewayError(Kind.INVALID, "This is the gateway itself.")
        return host

    async def get(self, text: str) -> Peer:
        """Return one peer.

        Raises:
            GatewayError: `INVALID` as `host`, `NOT_FOUND` for one that we do not know.
        """
        host = self.host(text)
        peer = await self.records.get(host)
        if peer is None:
            raise GatewayError(Kind.NOT_FOUND, f"{host} is not known here.")
        return peer

    def why_not(self, host: Host) -> str:
        """Return why we do not speak with a host, empty if we do."""
        verdict = may_contact(host, self.rules)
        return verdict.public if isinstance(verdict, Deny) else ""

    def report(self, peer: Peer) -> PeerReport | None:
        """Return what a peer says of itself and what that means, or None as long as it was not asked."""
        if peer.discovery is None:
            return None
        return PeerReport(peer, peer.discovery, self.rules.must_exchange_token)

    async def decide(self, text: str, trust: Trust, *, by: str) -> Peer:
        """Allow or block a host, or take that back; it holds in every replica at once."""
        peer = await self.standing.decide(self.host(text), trust)
        log.info("peer decided on by hand", peer=peer.host, trust=trust.value, by=by)
        return peer

    async def retry(self, text: str, *, by: str) -> Peer:
        """Forget the failures of a peer, so that it is asked at once again. Raises as `get`."""
        peer = await self.get(text)
        log.info("failures forgotten by hand", peer=peer.host, by=by)
        return await self.records.change(peer.host, lambda old: replace(old, failures=0, quiet_until=0.0))

    async def forget(self, text: str, *, by: str) -> None:
        """Forget what a peer told; what was decided about it stays. Raises as `get`."""
        peer = await self.get(text)
        log.info("peer forgotten by hand", peer=peer.host, by=by)
        await self.records.forget(peer.host)

    async def look_again(self, text: str, *, by: str) -> Peer:
        """Ask a peer for its document and keys now, whatever we know of it.

        Raises:
            GatewayError: `FORBIDDEN` if we do not deal with it, `NOT_FOUND` if it does not speak OCM, `UNAVAILABLE` if
                it cannot be reached now. What was known before is kept then.
        """
        host = self.host(text)
        if self.resolver is None:
            raise GatewayError(Kind.NOT_IMPLEMENTED, "Only the running gateway asks peers.")
        log.info("peer asked anew by hand", peer=host, by=by)
        return await self.resolver.look_again(host)
