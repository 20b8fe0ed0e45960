"""A share that one of our users granted ends: revoked by its owner, declined by its recipient, or expired (NOTE-3).

The record changes first, and with that change the grant opens nothing new anywhere. Then all replicas are told, so
that caches forget it and open streams are cut; its locks are given up; and the peer hears of it. A crash between
these steps leaves no door open: replicas re-read what they cannot be sure of, and the message is in the record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.flows.deliver import DeliverSent
from gateway.flows.outbox import FIRST_DELIVERY_SECONDS
from gateway.flows.ports import Clock, GrantEnded
from gateway.log import get_logger
from gateway.model.share import SENT_STEPS, STANDING, Message, MessageKind, SentShare, SentState
from gateway.store.base import Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndShare:
    """Ends grants."""

    shares: Table[SentShare]
    tell_ended: GrantEnded
    release_locks: Callable[[SentShare], Awaitable[None]]
    deliver: DeliverSent
    now: Clock

    async def revoke(self, owner: str, provider_id: str) -> SentShare:
        """End a share for its owner and tell the recipient's provider; ending it twice changes nothing.

        Raises:
            GatewayError: `NOT_FOUND` if the owner has no such share.
        """
        share = await self.shares.get(provider_id)
        if share is None or share.owner != owner:
            raise GatewayError(Kind.NOT_FOUND, "You have no such share.")
        now = self.now()
        unshared = Message(kind=MessageKind.UNSHARED, due=now + FIRST_DELIVERY_SECONDS, since=now)

        def change(current: SentShare) -> SentShare:
            if SentState.REVOKED not in SENT_STEPS[current.state]:
                return current
            # Never heard of by the peer: nothing to take back. It may still have come through, so only if untried.
            was_tried = current.state is not SentState.DELIVERING or current.outbox[0].attempts > 0
            outbox = (unshared,) if was_tried else ()
            return current.step(SentState.REVOKED, reason="revoked by its owner", outbox=outbox)

        ended = await self.shares.update(provider_id, change)
        await self._close(ended)
        log.info("share revoked", share=provider_id, owner=owner)
        return await self.deliver.run(provider_id, at_once=True) or ended

    async def declined(self, provider_id: str) -> None:
        """End a share that its recipient declined or gave back."""
        await self._step(provider_id, SentState.DECLINED, "given back by the recipient")

    async def expire(self, provider_id: str) -> None:
        """End a share whose time has come; the recipient knows the time from the share itself."""
        share = await self.shares.get(provider_id)
        if share is not None and share.expires_at is not None and share.expires_at <= self.now():
            await self._step(provider_id, SentState.EXPIRED, "expired")

    async def _step(self, provider_id: str, state: SentState, reason: str) -> None:
        def change(current: SentShare) -> SentShare:
            return current.step(state, reason=reason) if state in SENT_STEPS[current.state] else current

        ended = await self.shares.update(provider_id, change)
        if ended.state is state:
            await self._close(ended)
            log.info("share ended", share=provider_id, state=state.value)

    async def _close(self, share: SentShare) -> None:
        await self.tell_ended(share.provider_id)
        await self.release_locks(share)
        await self._end_what_was_shared_on(share)

    async def _end_what_was_shared_on(self, share: SentShare) -> None:
        """End the shares that came from this one: nobody keeps what she was given by somebody who has it no more."""
        for child in (await self.shares.page("parent", share.provider_id)).records:
            if child.state in STANDING:
                await self.revoke(child.owner, child.provider_id)
