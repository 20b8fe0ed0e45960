"""What was decided about single servers, kept at hand in every replica (DESIGN 8; DISC-8, DIR-2).

The rules ask at each decision, so the answer may not wait for the store: it is read whole when the gateway starts,
again whenever somebody tells of a change, after every gap in the news, and from time to time in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.flows.directory import Directories
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import Peer, Trust
from gateway.model.policy import Standing
from gateway.peers.records import PeerRecords
from gateway.store.base import Beat, Feed

log = get_logger(__name__)

TOPIC = "standing"
PAGE = 500


@dataclass(slots=True)
class StandingBoard:
    """The decisions as they stand now; `current` is what the rules ask."""

    _standing: Standing = field(default_factory=lambda: Standing(is_known=False))

    def current(self) -> Standing:
        """Return the decisions."""
        return self._standing

    def show(self, standing: Standing) -> None:
        """Replace the decisions."""
        self._standing = standing


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBook:
    """Reads the decisions from the store, and writes new ones.

    Attributes:
        shown: called whenever the board shows what was read, so that who is served against it can be sent away.
    """

    board: StandingBoard
    records: PeerRecords
    directories: Directories
    feed: Feed
    shown: Callable[[], None] = lambda: None

    async def load(self) -> None:
        """Read all decisions."""
        self.board.show(
            Standing(
                allowed=await self._hosts(Trust.ALLOWED),
                blocked=await self._hosts(Trust.DENIED),
                members=await self.directories.members(),
            )
        )
        self.shown()

    async def follow(self) -> None:
        """Read them again on every piece of news; runs until it is stopped."""
        async for news in self.feed.subscribe(TOPIC):
            if not isinstance(news, Beat):
                await self.load()

    async def refresh(self) -> None:
        """Renew the directories that are due, and read all decisions again."""
        if await self.directories.refresh():
            await self.feed.publish(TOPIC, "directories")
        await self.load()

    async def decide(self, host: Host, trust: Trust) -> Peer:
        """Write a decision about one server and tell every replica."""
        peer = await self.records.change(host, lambda record: replace(record, trust=trust))
        await self.feed.publish(TOPIC, host)
        await self.load()
        log.info("peer decided on", peer=host, trust=trust.value)
        return peer

    async def _hosts(self, trust: Trust) -> frozenset[Host]:
        found: list[Host] = []
        cursor: str | None = None
        while True:
            page = await self.records.table.page("trust", trust.value, cursor=cursor, limit=PAGE)
            found += [peer.host for peer in page.records]
            cursor = page.cursor
            if cursor is None:
                return frozenset(found)
