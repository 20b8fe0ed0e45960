"""A user answers a share that she received: accepts it, declines it, or gives it back (SHARE-10, NOTE-1, NOTE-3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.deliver import DeliverReceived
from gateway.flows.outbox import FIRST_DELIVERY_SECONDS
from gateway.flows.ports import Clock
from gateway.model.share import Message, MessageKind, ReceivedShare, ReceivedState
from gateway.store.base import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShare:
    """Carries a user's answer into the record and to the sender.

    Attributes:
        look_seconds: how long after the acceptance it is first looked whether the share still opens.
    """

    shares: Table[ReceivedShare]
    deliver: DeliverReceived
    now: Clock
    look_seconds: float = 6 * 3600.0

    async def get(self, recipient: str, share_id: str) -> ReceivedShare:
        """Return a share that this user received.

        Raises:
            GatewayError: `NOT_FOUND` if there is none with this id for this user.
        """
        share = await self.shares.get(share_id)
        if share is None or share.recipient != recipient:
            raise GatewayError(Kind.NOT_FOUND, "You have received no such share.")
        return share

    async def accept(self, recipient: str, share_id: str) -> ReceivedShare:
        """Accept a pending share; accepting twice is one answer."""
        return await self._answer(recipient, share_id, ReceivedState.ACCEPTED, MessageKind.ACCEPTED)

    async def decline(self, recipient: str, share_id: str) -> ReceivedShare:
        """Decline a pending share, or give an accepted one back."""
        return await self._answer(recipient, share_id, ReceivedState.DECLINED, MessageKind.DECLINED)

    async def _answer(self, recipient: str, share_id: str, state: ReceivedState, kind: MessageKind) -> ReceivedShare:
        await self.get(recipient, share_id)
        now = self.now()
        answer = Message(kind=kind, due=now + FIRST_DELIVERY_SECONDS, since=now)

        def change(share: ReceivedShare) -> ReceivedShare:
            if share.expires_at is not None and share.expires_at <= now and state is ReceivedState.ACCEPTED:
                raise GatewayError(Kind.CONFLICT, "This share has expired.")
            if share.state is state:
                return share
            look_at = now + self.look_seconds if state is ReceivedState.ACCEPTED else None
            return replace(share.step(state, outbox=(answer,)), look_at=look_at)

        share = await self.shares.update(share_id, change)
        return await self.deliver.run(share_id, at_once=True) or share
