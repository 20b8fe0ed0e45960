"""A recipient asks that what was shared with her is shared on to somebody else (NOTE-4; `REQUEST_RESHARE`).

Only with the permission `share`, and only by us, whose user the owner is: a new share of the owner's comes into being,
which opens no more than the first and ends with it. Who asked is written into it, and the owner sees it among his own.
Some servers tell the new recipient themselves, with the secret that we answer; for all others we do (`ocm.dialects`).

The id of the new share follows from the first one, the recipient and how often she had it before: so two requests in
the same moment name the same share, of which only one can be made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.change_share import narrowed
from gateway.flows.contacts import Contacts
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host, OcmAddress, parse_address
from gateway.model.policy import Deny, PeerRules, may_contact, may_share_between
from gateway.model.secret import Secret
from gateway.model.share import STANDING, Message, MessageKind, Permission, SentShare, SentState
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.records import PeerRecords
from gateway.store.base import Queue, Table

log = get_logger(__name__)

# How many people one share may be shared on to.
SHARED_ON_MAX = 100
ID_CHARS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOn:
    """Grants such requests."""

    shares: Table[SentShare]
    records: PeerRecords
    contacts: Contacts
    queue: Queue
    rules: PeerRules
    authority: Host
    now: Clock
    new_secret: Callable[[], Secret]

    async def grant(self, share: SentShare, claimed_recipient: str) -> SentShare:
        """Return the share for the new recipient; asking twice is one share.

        Args:
            share: the one that the asking server proved to hold.

        Raises:
            GatewayError: `FORBIDDEN` without the permission or for a server that is not allowed, `CONFLICT` if the
                share has ended, `INVALID` for an impossible recipient, `LIMITED` if it was shared on too often.
        """
        if Permission.SHARE not in share.permissions:
            raise GatewayError(Kind.FORBIDDEN, "This share may not be shared on.", code="permission-missing")
        if not share.stands(self.now()):
            raise GatewayError(Kind.CONFLICT, "This share has ended.")
        recipient = self._recipient(claimed_recipient)
        verdict = may_share_between(await self.contacts.find(share.owner, recipient), self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        page = await self.shares.page("parent", share.provider_id, limit=SHARED_ON_MAX)
        before = [known for known in page.records if known.recipient == recipient]
        for known in before:
            if known.state in STANDING:
                return known
        if len(page.records) >= SHARED_ON_MAX:
            raise GatewayError(Kind.LIMITED, "This was shared on too often.")
        name = _child_name(share, recipient, len(before))
        is_told = not await self._tells_itself(share.recipient.host)
        return await self._kept(share, self._child(share, recipient, name, is_told=is_told))

    async def _kept(self, share: SentShare, child: SentShare) -> SentShare:
        """Create a share; return the one that stands now, which may have been made in the same moment."""
        try:
            await self.shares.create(child)
        except GatewayError as error:
            made = await self.shares.get(child.provider_id) if error.kind is Kind.CONFLICT else None
            if made is None:
                raise
            return made
        # What was taken from the first share since we looked is taken from this one too.
        parent = await self.shares.get(share.provider_id) or share
        child = await self.shares.update(child.provider_id, lambda current: narrowed(current, parent))
        log.info("shared on", share=child.provider_id, parent=share.provider_id, recipient=str(child.recipient))
        if child.outbox:
            await self.queue.wake("deliver_sent", child.provider_id)
        return child

    async def _tells_itself(self, host: Host) -> bool:
        peer = await self.records.get(host)
        return recognise(peer.discovery if peer is not None else None).tells_shared_on

    def _recipient(self, claimed: str) -> OcmAddress:
        try:
            recipient = parse_address(claimed)
        except GatewayError as error:
            fault = Fault("shareWith", error.public)
            raise GatewayError(Kind.INVALID, "The new recipient cannot be used.", faults=(fault,)) from error
        if recipient.host == self.authority:
            raise GatewayError(Kind.INVALID, "The new recipient is a user of the owner's own server.")
        verdict = may_contact(recipient.host, self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        return recipient

    def _child(self, share: SentShare, recipient: OcmAddress, name: str, *, is_told: bool) -> SentShare:
        now = self.now()
        message = Message(kind=MessageKind.SHARE, due=now, since=now)
        return replace(
            share,
            provider_id=name,
            recipient=recipient,
            secret=self.new_secret(),
            created_at=now,
            state=SentState.DELIVERING if is_told else SentState.DELIVERED,
            outbox=(message,) if is_told else (),
            recipient_display_name="",
            announced_type="",
            problem="",
            transferred_at=None,
            ssh_uri="",
            recipient_public_keys=(),
            parent=share.provider_id,
            shared_on_by=str(share.recipient),
        )


def _child_name(share: SentShare, recipient: OcmAddress, times: int) -> str:
    return hashlib.sha256(f"{share.provider_id}\n{recipient}\n{times}".encode()).hexdigest()[:ID_CHARS]
