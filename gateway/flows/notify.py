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
from gateway.flows.share_on import ShareOn
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.policy import PeerRules, is_listed_by_name
from gateway.model.share import (
    RECEIVED_STEPS,
    SENT_STEPS,
    MessageKind,
    Permission,
    ReceivedShare,
    ReceivedState,
    SentShare,
    SentState,
)
from gateway.ocm import notification as notification_text
from gateway.ocm.notification import Notification
from gateway.store.base import Queue, Table

log = get_logger(__name__)

# How many received shares under one providerId are looked at for the one that an unsigned message speaks of.
CANDIDATES_LIMIT = 500
# How many checks one hint may cause: nobody has proven anything, and ids of small numbers are in use at many peers.
HINTS_LIMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Takes in notifications."""

    sent: Table[SentShare]
    received: Table[ReceivedShare]
    end_share: EndShare
    queue: Queue
    share_on: ShareOn
    must_sign: Callable[[Host], Awaitable[bool]]
    rules: PeerRules
    authority: Host
    now: Clock

    async def receive(self, peer: AnyPeer, notification: Notification) -> dict[str, object]:
        """Carry out what a notification tells, or note it as a hint; return the members of the answer.

        Raises:
            GatewayError: `INVALID` for an unknown type or an acceptance of a share that does not exist, `FORBIDDEN`
                if a verified peer speaks of somebody else's share, or asks for what the share does not allow.
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
            case notification_text.REQUEST_RESHARE:
                return await self._share_on(peer, notification)
            case notification_text.RESHARE_UNDO:
                await self._not_shared_on(peer, notification)
            case change if change in notification_text.CHANGES:
                await self._changed(peer, notification)
            case _:
                fault = Fault("notificationType", "This notification type is not known here.")
                raise GatewayError(Kind.INVALID, fault.message, code="unknown-notification", faults=(fault,))
        return {}

    async def _share_on(self, peer: AnyPeer, notification: Notification) -> dict[str, object]:
        share = await self._sent(notification)
        if not await self._speaks_for_recipient(peer, notification, share):
            raise GatewayError(Kind.FORBIDDEN, "Only the recipient of a share can have it shared on.")
        return notification_text.render_shared_on(await self.share_on.grant(share, notification.new_recipient))

    async def _not_shared_on(self, peer: AnyPeer, notification: Notification) -> None:
        """End what was shared on, for the server that asked for it or the one that got it."""
        share = await self.sent.get(notification.provider_id)
        if share is None or not share.parent:
            return
        parent = await self.sent.get(share.parent)
        asked_by = {share.recipient.host} | ({parent.recipient.host} if parent is not None else set())
        if isinstance(peer, VerifiedPeer):
            is_theirs = peer.host in asked_by
        else:
            # Whoever of the two it is: one that signs has to sign this too.
            is_theirs = notification.claimed_secret == share.secret and all(
                [await self._may_be_unsigned(host) for host in asked_by]
            )
        if is_theirs:
            await self.end_share.declined(share.provider_id)

    async def _changed(self, peer: AnyPeer, notification: Notification) -> None:
        """Note what the sender allows from now on; the storage decides, this is what our user is shown."""
        if not notification.permissions:
            fault = Fault("notification", "It does not say what is allowed.")
            raise GatewayError(Kind.INVALID, fault.message, faults=(fault,))
        permissions = notification.permissions | {Permission.READ}
        for share in await self._candidates(peer, notification):
            if await self._speaks_for_sender(peer, notification, share) or self._is_from_listed(notification, share):
                await self.received.update(share.share_id, lambda current: _allowing(current, permissions))
                log.info("permissions of share changed", share=share.share_id, peer=share.peer)

    def _is_from_listed(self, notification: Notification, share: ReceivedShare) -> bool:
        """Tell whether a message without a proof is believed, because the operator listed its server by name.

        Some servers sign nothing and name nobody but the recipient (`dialects.md` 5). What they may say in this way
        changes only what is shown, never what opens.
        """
        is_listed = is_listed_by_name(share.peer, self.rules)
        return is_listed and notification.grantee == f"{share.recipient}@{self.authority}"

    async def _sent(self, notification: Notification) -> SentShare:
        share = await self.sent.get(notification.provider_id)
        if share is None:
            fault = Fault("providerId", "There is no such share here.")
            raise GatewayError(Kind.INVALID, fault.message, code="unknown-share", faults=(fault,))
        return share

    async def _accepted(self, peer: AnyPeer, notification: Notification) -> None:
        share = await self._sent(notification)
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
        hints = 0
        for share in shares:
            if not await self._speaks_for_sender(peer, notification, share):
                # A hint: believe the storage, not the messenger.
                if hints < HINTS_LIMIT:
                    await self.queue.wake("check_received", share.share_id)
                hints += 1
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


def _allowing(share: ReceivedShare, permissions: frozenset[Permission]) -> ReceivedShare:
    return replace(share, webdav=replace(share.webdav, permissions=permissions))


def _ended_by_sender(share: ReceivedShare) -> ReceivedShare:
    if ReceivedState.UNSHARED not in RECEIVED_STEPS[share.state]:
        return share
    return share.step(ReceivedState.UNSHARED)


def _foreign_share(peer: VerifiedPeer) -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, f"This share is not between us and {peer.host}.", code="foreign-share")
