"""We look for ourselves whether a received share still opens (DESIGN 8 "Hints"; NOTE-2; `dialects.md` 14.6).

A hint that a share ended is worth a look, no more: the storage is believed. If it refuses the credential or says that
the resource is gone, the share has ended; if it does not answer, nothing is known and nothing changes.

Some providers never tell that a share ended. Their shares are looked at from time to time, and nobody's word stands
against a single answer there: only a second refusal, a while after the first, ends the share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.use_remote import UseRemote
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.model.share import RECEIVED_STEPS, ReceivedShare, ReceivedState
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.records import PeerRecords
from gateway.store.base import Table

log = get_logger(__name__)

# The codes by which storage clients say that it was our credential that was not taken.
REFUSED = frozenset({"credential-refused", "storage-login-refused"})
# After a first refusal we look again after this long, in seconds; a second one ends the share.
LOOK_AGAIN_SECONDS = 3600.0


class _Seen(Enum):
    """What a look told."""

    OPEN = auto()
    REFUSED = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReceived:
    """Looks at received shares.

    Attributes:
        look_seconds: the time between two looks at a share of a provider that never tells.
    """

    shares: Table[ReceivedShare]
    records: PeerRecords
    use_remote: UseRemote
    now: Clock
    look_seconds: float

    async def check(self, share_id: str) -> None:
        """Look at a share after a hint, and end it if the sender's storage says that it is over."""
        share = await self.shares.get(share_id)
        if share is None or ReceivedState.UNSHARED not in RECEIVED_STEPS[share.state]:
            return
        if await self._look(share) is _Seen.REFUSED:
            await self.shares.update(share_id, _ended)
            log.info("share found ended", share=share_id, peer=share.peer)

    async def look(self, share_id: str) -> None:
        """Look at a share whose time for a look has come, if its provider does not tell by itself."""
        share = await self.shares.get(share_id)
        now = self.now()
        if share is None or share.look_at is None or share.look_at > now:
            return
        peer = await self.records.get(share.peer)
        if recognise(peer.discovery if peer is not None else None).announces_end:
            await self.shares.update(share_id, lambda current: replace(current, look_at=None))
            return
        # The next look first: a crash in the middle must not make us ask again and again.
        await self.shares.update(share_id, lambda current: replace(current, look_at=now + self.look_seconds))
        seen = await self._look(share)
        after = await self.shares.update(share_id, lambda current: self._after(current, seen, now))
        if after.state is ReceivedState.UNSHARED:
            log.info("share found ended", share=share_id, peer=share.peer)

    def _after(self, share: ReceivedShare, seen: _Seen, now: float) -> ReceivedShare:
        match seen:
            case _Seen.OPEN:
                return replace(share, refused_at=None)
            case _Seen.NOTHING:
                return share
        if share.refused_at is not None and now - share.refused_at >= LOOK_AGAIN_SECONDS:
            return _ended(share)
        return replace(share, refused_at=share.refused_at or now, look_at=now + LOOK_AGAIN_SECONDS)

    async def _look(self, share: ReceivedShare) -> _Seen:
        self.use_remote.forget(share.share_id)
        try:
            backend = await self.use_remote.connect(share)
            # The exchange first, by itself: what the token end point or discovery answers is no word on the share.
            await self.use_remote.prepare(share)
        except GatewayError as error:
            log.info("share could not be checked", share=share.share_id, reason=str(error))
            return _Seen.NOTHING
        try:
            await backend.stat(ResourcePath())
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND or error.code in REFUSED:
                return _Seen.REFUSED
            log.info("share could not be checked", share=share.share_id, reason=str(error))
            return _Seen.NOTHING
        return _Seen.OPEN


def _ended(share: ReceivedShare) -> ReceivedShare:
    # Its recipient may have given it back meanwhile.
    ended = share.step(ReceivedState.UNSHARED) if ReceivedState.UNSHARED in RECEIVED_STEPS[share.state] else share
    return replace(ended, look_at=None)
