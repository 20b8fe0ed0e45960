"""What is said to peers about shares, and what their answers mean (SHARE-7, NOTE-1).

A share that the peer refuses for good becomes `refused`, with the peer's reason for the owner. A notification that is
refused for good is dropped: the state that it tells of stands without it. The patience is `flows.outbox`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.crypto.sshkeys import public_lines
from gateway.flows.ladder import Ladder
from gateway.flows.outbox import Outbox, Outcomes, without_message
from gateway.model.address import Host
from gateway.model.share import Message, MessageKind, ReceivedShare, SentShare, SentState
from gateway.ocm import notification
from gateway.ocm import share as share_text
from gateway.peers.client import Answer, PeerClient


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSent:
    """Delivers what our users' own shares have to tell: the share itself, later its revocation.

    Attributes:
        max_keys: how many public keys a recipient's server may name for one share.
    """

    outbox: Outbox[SentShare]
    ladder: Ladder
    client: PeerClient
    max_keys: int

    async def run(self, provider_id: str, *, at_once: bool = False) -> SentShare | None:
        """Deliver the first message due of one share; return the share, or None if nothing was due.

        Args:
            at_once: a user is waiting: try whatever is there, also with a peer that is being left in peace.
        """
        told_types: list[str] = []

        async def say(share: SentShare, message: Message) -> Answer:
            match message.kind:
                case MessageKind.SHARE:
                    told = await self.ladder.tell(share, interactive=at_once)
                    told_types.append(told.resource_type)
                    return told.answer
                case MessageKind.CHANGED:
                    return await self.ladder.tell_changed(share, interactive=at_once)
                case _:
                    return await self._say_ended(share, message, interactive=at_once)

        def heard(share: SentShare, message: Message, answer: Answer) -> SentShare:
            return self._share_heard(share, message, answer, announced_type=told_types[0] if told_types else "")

        return await self.outbox.deliver(
            provider_id, Outcomes(say=say, heard=heard, refused=_share_refused), at_once=at_once
        )

    async def _say_ended(self, share: SentShare, message: Message, *, interactive: bool) -> Answer:
        document = notification.render(
            message.kind,
            provider_id=share.provider_id,
            resource_type=share.announced_type or share.kind.value,
            secret=share.secret,
            grantee=str(share.recipient),
        )
        return await self.client.post_json(share.recipient.host, "notifications", document, interactive=interactive)

    def _share_heard(self, share: SentShare, message: Message, answer: Answer, *, announced_type: str) -> SentShare:
        rest = without_message(share, message)
        if message.kind is not MessageKind.SHARE:
            return rest
        told = share_text.parse_answer(answer.document)
        # The keys of a share are those of its one answer; where it is not offered over SSH there is nothing to open.
        keys = public_lines(told.public_keys, most=self.max_keys) if share.ssh_uri else ()
        named = replace(
            rest,
            recipient_display_name=told.display_name,
            recipient_public_keys=keys,
            announced_type=announced_type,
        )
        # The recipient may have answered by a notification before our request came back.
        return (
            named if share.state is not SentState.DELIVERING else named.step(SentState.DELIVERED, outbox=named.outbox)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverReceived:
    """Delivers our users' answers to the shares that they received."""

    outbox: Outbox[ReceivedShare]
    client: PeerClient
    authority: Host

    async def run(self, share_id: str, *, at_once: bool = False) -> ReceivedShare | None:
        """Deliver the first answer due of one received share; return the share, or None if nothing was due."""

        async def say(share: ReceivedShare, message: Message) -> Answer:
            document = notification.render(
                message.kind,
                provider_id=share.provider_id,
                resource_type=share.resource_type,
                secret=share.webdav.secret,
                grantee=f"{share.recipient}@{self.authority}",
            )
            return await self.client.post_json(share.peer, "notifications", document, interactive=at_once)

        outcomes: Outcomes[ReceivedShare] = Outcomes(
            say=say,
            heard=lambda share, message, _answer: without_message(share, message),
            refused=lambda share, message, _reason: without_message(share, message),
        )
        return await self.outbox.deliver(share_id, outcomes, at_once=at_once)


def _share_refused(share: SentShare, message: Message, reason: str) -> SentShare:
    if message.kind is MessageKind.SHARE and share.state is SentState.DELIVERING:
        return share.step(SentState.REFUSED, reason=reason)
    return without_message(share, message)
