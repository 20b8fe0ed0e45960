"""A peer tells us that its user shares something with one of ours (flow 1; SHARE-7 to SHARE-10, SIG-7).

The policy decides who may do so; the recipient must exist; then the share is kept once, however often it is sent.
The same share is the one with the same (host, providerId, recipient, secret). An unsigned message never replaces or
blocks what a signed one said; a signed one with new content updates the share (SHARE-9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.crypto.sshkeys import HostKey
from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.contacts import Contacts
from gateway.flows.ports import Clock, Users
from gateway.log import get_logger
from gateway.model.access import SshAccess
from gateway.model.address import Host
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.policy import (
    Deny,
    PeerRules,
    may_open_by_secret,
    may_receive_share,
    may_share_between,
    recipient_names,
)
from gateway.model.secret import Secret
from gateway.model.share import Message, MessageKind, ReceivedShare, ReceivedState
from gateway.model.user import KnownUser
from gateway.ocm.share import ShareNotification
from gateway.store.base import Table
from gateway.store.tables import pending_of

log = get_logger(__name__)

# How many shares of one peer under one providerId are looked at for "the same share".
SAME_SHARE_LIMIT = 100


# When a sender may try again that found no room, in seconds: people have to make some.
RETRY_FULL_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLimits:
    """How much strangers may have us keep.

    Attributes:
        received_per_user: shares of one user, those that have ended included as long as there is room.
        pending_per_peer: shares of one provider that wait for an answer; of what comes unsigned, as many again.
    """

    received_per_user: int = 1_000
    pending_per_peer: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender is answered: the recipient's name as people know it, and the keys that are to open the share."""

    recipient_display_name: str
    public_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveShare:
    """Takes in share notifications."""

    shares: Table[ReceivedShare]
    users: Users
    contacts: Contacts
    rules: PeerRules
    authority: Host
    is_auto_accepting: bool
    now: Clock
    new_id: Callable[[], str]
    receives_ssh: bool = False
    limits: ReceivedLimits = ReceivedLimits()

    async def receive(self, peer: AnyPeer, notification: ShareNotification) -> Receipt:
        """Keep the share for its recipient.

        Args:
            peer: who sent it, proven or not.

        Raises:
            GatewayError: `FORBIDDEN` or `UNAUTHENTICATED` by policy, `INVALID` for an unknown recipient or a share that
                does not demand the tokens that we do, `NOT_IMPLEMENTED` for what we cannot take, `LIMITED` or
                `NO_SPACE` if there are too many; nothing is stored then.
        """
        verdict = may_receive_share(peer, notification.owner, notification.sender, self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        recipient = await self._recipient(notification.share_with)
        contact = await self.contacts.find(recipient.identifier, notification.sender)
        verdict = may_share_between(contact, self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        # Trust is in a person; only a signature shows that it is this person's server (SHARE-10).
        is_trusted = contact is not None and contact.is_trusted and isinstance(peer, VerifiedPeer)
        share = self._share(peer, notification, recipient, is_accepted=is_trusted or self.is_auto_accepting)
        if not (share.webdav.is_offered or share.ssh):
            raise GatewayError(Kind.NOT_IMPLEMENTED, "Nothing in the protocol of this share can be used here.")
        verdict = may_open_by_secret(share.webdav.requirements, self.rules)
        if share.webdav.is_offered and isinstance(verdict, Deny):
            raise verdict.error()
        kept = await self._kept(peer, share)
        keys = (kept.ssh.public_key,) if kept.ssh is not None else ()
        return Receipt(recipient_display_name=recipient.display_name, public_keys=keys)

    async def _kept(self, peer: AnyPeer, share: ReceivedShare) -> ReceivedShare:
        """Keep a share, or what is new in it; return the record that stands now."""
        known = await self._same(share)
        if known is None:
            await self._need_room(share)
            try:
                await self.shares.create(share)
                log.info("share received", share=share.share_id, peer=share.peer, recipient=share.recipient)
            except GatewayError as error:
                # The same notification won a race on another connection; its share is this one.
                if error.kind is not Kind.CONFLICT:
                    raise
                return await self._same(share) or share
            return share
        if isinstance(peer, VerifiedPeer):
            return await self.shares.update(known.share_id, lambda current: _renewed(current, share))
        return known

    async def _need_room(self, share: ReceivedShare) -> None:
        """Let a new share be kept only within the limits; shares that have ended give way to it."""
        limits = self.limits
        is_pending = share.state is ReceivedState.PENDING
        if is_pending and await self.shares.count("pending_of", pending_of(share)) >= limits.pending_per_peer:
            raise GatewayError(
                Kind.LIMITED,
                "Too many shares of your server wait for an answer here; send more when some are answered.",
                log="limits.pending_per_peer",
                retry_after=RETRY_FULL_SECONDS,
            )
        if await self.shares.count("recipient", share.recipient) < limits.received_per_user:
            return
        ended = await self.shares.page("ended", share.recipient, limit=1)
        if not ended.records:
            raise GatewayError(
                Kind.NO_SPACE,
                "The recipient has as many shares as may be kept here; some have to be given back first.",
                log="limits.received_per_user",
                retry_after=RETRY_FULL_SECONDS,
            )
        await self.shares.delete(ended.records[0].share_id)

    async def _recipient(self, share_with: str) -> KnownUser:
        found = None
        for identifier in recipient_names(share_with, self.authority):
            found = found or await self.users.find(identifier)
        if found is None:
            message = "There is no such user here."
            raise GatewayError(Kind.INVALID, message, code="unknown-recipient", faults=(Fault("shareWith", message),))
        return found

    def _share(
        self, peer: AnyPeer, notification: ShareNotification, recipient: KnownUser, *, is_accepted: bool
    ) -> ReceivedShare:
        now = self.now()
        accepted = Message(kind=MessageKind.ACCEPTED, due=now, since=now)
        return ReceivedShare(
            share_id=self.new_id(),
            peer=notification.owner.host,
            provider_id=notification.provider_id,
            recipient=recipient.identifier,
            owner=notification.owner,
            owner_display_name=notification.owner_display_name,
            sender=notification.sender,
            sender_display_name=notification.sender_display_name,
            name=notification.name,
            description=notification.description,
            resource_type=notification.resource_type,
            webdav=notification.webdav,
            ssh=self._with_key(notification.ssh) if notification.ssh and self.receives_ssh else None,
            is_signed=isinstance(peer, VerifiedPeer),
            received_at=now,
            expires_at=notification.expires_at,
            state=ReceivedState.ACCEPTED if is_accepted else ReceivedState.PENDING,
            outbox=(accepted,) if is_accepted else (),
            look_at=now if self.is_auto_accepting else None,
        )

    def _with_key(self, access: SshAccess) -> SshAccess:
        key = HostKey.generate()
        return replace(access, private_key=Secret(key.openssh()), public_key=key.public)

    async def _same(self, share: ReceivedShare) -> ReceivedShare | None:
        partition = f"{share.peer}\n{share.provider_id}"
        page = await self.shares.page("by_peer", partition, limit=SAME_SHARE_LIMIT)
        mine = [known for known in page.records if known.recipient == share.recipient]
        exact = [known for known in mine if known.webdav.secret == share.webdav.secret]
        signed = [known for known in mine if known.is_signed and share.is_signed]
        return next(iter(exact or signed), None)


def _renewed(known: ReceivedShare, new: ReceivedShare) -> ReceivedShare:
    """Return the known share with the content of a newer signed message; its state and answers stay."""
    return replace(
        new,
        share_id=known.share_id,
        received_at=known.received_at,
        state=known.state,
        outbox=known.outbox,
        look_at=known.look_at,
        mount_name=known.mount_name,
        seen=known.seen,
        ssh=_renewed_access(known.ssh, new.ssh),
    )


def _renewed_access(known: SshAccess | None, new: SshAccess | None) -> SshAccess | None:
    """Return the new place with our old key, which the sender may know; another door has to prove itself anew."""
    if known is None or new is None:
        return new
    is_same_door = (known.host, known.port) == (new.host, new.port)
    return replace(
        new,
        private_key=known.private_key,
        public_key=known.public_key,
        host_keys=known.host_keys if is_same_door else (),
        pinned_by=known.pinned_by if is_same_door else None,
    )
