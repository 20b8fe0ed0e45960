"""A peer tells us what became of a share, ours or theirs (NOTE-1 to NOTE-3, SIG-7; DESIGN 8 "Hints").

Who speaks is settled first. A verified peer speaks for the shares between us and its host. An unsigned message proves
itself by the share's secret. One with neither is a hint: it is answered as if heard, and what it says is looked up
with our own means. Whatever is repeated changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.end_share import EndShare
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.share import (
    RECEIVED_STEPS,
    SENT_STEPS,
    MessageKind,
    ReceivedShare,
    ReceivedState,
    SentShare,
    SentState,
)
from gateway.ocm.notification import Notification
from gateway.store.base import Queue, Table

log = get_logger(__name__)

# How many received shares under one providerId are looked at for the one that an unsigned message speaks of.
CANDIDATES_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Takes in notifications."""

    sent: Table[SentShare]
    received: Table[ReceivedShare]
    end_share: EndShare
    queue: Queue
    must_sign: Callable[[Host], Awaitable[bool]]
    now: Clock

    async def receive(self, peer: AnyPeer, notification: Notification) -> None:
        """Carry out what a notification tells, or note it as a hint.

        Raises:
            GatewayError: `INVALID` for an unknown type or an acceptance of a share that does not exist, `FORBIDDEN`
                if a verified peer speaks of somebody else's share.
        """
        match notification.kind:
            case MessageKind.ACCEPTED:
                await self._accepted(peer, notification)
            case MessageKind.DECLINED:
                await self._declined(peer, notification)
            case MessageKind.UNSHARED:
                # After an acceptance the recipient may give a share back in either word (NOTE-3).
                if not await self._unshared(peer, notification):
                    await self._declined(peer, notification)
            case MessageKind.TRANSFERRED:
                await self._transferred(peer, notification)
            case _:
                fault = Fault("notificationType", "This notification type is not known here.")
                raise GatewayError(Kind.INVALID, fault.message, code="unknown-notification", faults=(fault,))

    async def _accepted(self, peer: AnyPeer, notification: Notification) -> None:
        share = await self.sent.get(notification.provider_id)
        if share is None:
            fault = Fault("providerId", "There is no such share here.")
            raise GatewayError(Kind.INVALID, fault.message, code="unknown-share", faults=(fault,))
        if not await self._speaks_for_recipient(peer, notification, share):
            return

        def change(current: SentShare) -> SentShare:
            if SentState.ACCEPTED not in SENT_STEPS[current.state]:
                return current
            # The answer proves that the share arrived, whatever became of our request: nothing is left to say.
            return current.step(SentState.ACCEPTED)

        await self.sent.update(share.provider_id, change)
        log.info("share accepted", share=share.provider_id)

    async def _declined(self, peer: AnyPeer, notification: Notification) -> None:
        share = await self.sent.get(notification.provider_id)
        if share is not None and await self._speaks_for_recipient(peer, notification, share):
            await self.end_share.declined(share.provider_id)

    async def _transferred(self, peer: AnyPeer, notification: Notification) -> None:
        """Note that the recipient has what it was given (ACC-5); the owner decides when the share ends."""
        share = await self.sent.get(notification.provider_id)
        if share is None or not await self._speaks_for_recipient(peer, notification, share):
            return
        now = self.now()
        await self.sent.update(
            share.provider_id, lambda current: replace(current, transferred_at=current.transferred_at or now)
        )
        log.info("share was transferred", share=share.provider_id)

    async def _unshared(self, peer: AnyPeer, notification: Notification) -> bool:
        shares = await self._candidates(peer, notification)
        for share in shares:
            if not await self._speaks_for_sender(peer, notification, share):
                # A hint: believe the storage, not the messenger.
                await self.queue.wake("check_received", share.share_id)
                continue
            await self.received.update(share.share_id, _ended_by_sender)
            log.info("share ended by sender", share=share.share_id, peer=share.peer)
        return bool(shares)

    async def _candidates(self, peer: AnyPeer, notification: Notification) -> list[ReceivedShare]:
        if isinstance(peer, VerifiedPeer):
            partition = f"{peer.host}\n{notification.provider_id}"
            page = await self.received.page("by_peer", partition, limit=CANDIDATES_LIMIT)
            return list(page.records)
        page = await self.received.page("by_provider_id", notification.provider_id, limit=CANDIDATES_LIMIT)
        if notification.claimed_secret is None:
            return list(page.records)
        return [share for share in page.records if share.webdav.secret == notification.claimed_secret]

    async def _speaks_for_recipient(self, peer: AnyPeer, notification: Notification, share: SentShare) -> bool:
        if isinstance(peer, VerifiedPeer):
            if peer.host != share.recipient.host:
                raise _foreign_share(peer)
            return True
        return notification.claimed_secret == share.secret and await self._may_be_unsigned(share.recipient.host)

    async def _speaks_for_sender(self, peer: AnyPeer, notification: Notification, share: ReceivedShare) -> bool:
        if isinstance(peer, VerifiedPeer):
            return peer.host == share.peer
        return notification.claimed_secret == share.webdav.secret and await self._may_be_unsigned(share.peer)

    async def _may_be_unsigned(self, host: Host) -> bool:
        # The secret was right, so this is worth a plain word: a peer that signs has to sign this too.
        if await self.must_sign(host):
            raise GatewayError(Kind.UNAUTHENTICATED, f"{host} has to sign its messages.", code="signature-missing")
        return True


def _ended_by_sender(share: ReceivedShare) -> ReceivedShare:
    if ReceivedState.UNSHARED not in RECEIVED_STEPS[share.state]:
        return share
    return share.step(ReceivedState.UNSHARED)


def _foreign_share(peer: VerifiedPeer) -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, f"This share is not between us and {peer.host}.", code="foreign-share")
