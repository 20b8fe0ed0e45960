"""A share is told to a peer in the form that it reads: its own dialect first, once the other (`dialects.md` 14.2).

No form is read by all deployed peers, and a document may not tell which kind a peer is. So a form that is refused as
such is followed by one try with the next, and what was taken is remembered for that peer, until its document changes.
What is required of the recipient's provider is never left out to please a reader (SHARE-6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.dialect import ChangeNotice, Dialect, Payload
from gateway.model.peer import Peer
from gateway.model.share import SentShare
from gateway.ocm import notification
from gateway.ocm import share as share_text
from gateway.ocm.dialects.recognise import recognise
from gateway.ocm.discovery import webdav_path
from gateway.peers.client import Answer, PeerClient
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver

log = get_logger(__name__)

# How servers refuse a form that they do not read; for another reason than the form the next one fares no better.
_FORM_REFUSED = frozenset({400, 501})
NOTHING_TO_SAY = 204


@dataclass(frozen=True, slots=True)
class Told:
    """How a share was told.

    Attributes:
        resource_type: the resource type in it, which later messages have to repeat.
    """

    answer: Answer
    resource_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Tells shares."""

    resolver: PeerResolver
    client: PeerClient
    records: PeerRecords
    authority: Host
    public_url: str
    prefix: str

    async def tell(self, share: SentShare, *, interactive: bool) -> Told:
        """Tell a share to its recipient's server and return the last answer.

        Args:
            interactive: a user waits: try also a peer that is being left in peace.

        Raises:
            GatewayError: as `PeerClient.post_json`; `CONFLICT` if no form that the peer reads can say what the share
                requires.
        """
        peer = await self.resolver.discover(share.recipient.host, interactive=interactive)
        dialect = recognise(peer.discovery)
        forms = dialect.forms(share.requirements, peer.payload)
        if not forms:
            raise GatewayError(Kind.CONFLICT, f"{peer.host} cannot be told what this share requires.")
        told = await self._tell(share, peer, dialect, forms[0], interactive=interactive)
        for form in forms[1:]:
            if told.answer.status not in _FORM_REFUSED:
                break
            log.info("form refused, trying another", peer=peer.host, status=told.answer.status, form=form.value)
            other = await self._tell(share, peer, dialect, form, interactive=interactive)
            if other.answer.is_success:
                await self._remember(peer, form)
            # A refusal of both: the likelier form's reason is the better one.
            told = other if other.answer.status not in _FORM_REFUSED else told
        return told

    async def tell_changed(self, share: SentShare, *, interactive: bool) -> Answer:
        """Tell the recipient's server that a share has changed, if it understands that; raises as `tell`.

        Who does not learns it from the storage, which answers by the new permissions at once.
        """
        peer = await self.resolver.discover(share.recipient.host, interactive=interactive)
        notice = recognise(peer.discovery).change_notice
        match notice:
            case ChangeNotice.NONE:
                return Answer(host=peer.host, status=NOTHING_TO_SAY)
            case ChangeNotice.RESEND:
                return (await self.tell(share, interactive=interactive)).answer
        root = self.public_url + webdav_path(self.prefix)
        protocol = share_text.render_offer(share, root + share.provider_id)
        document = notification.render_change(notice, share, protocol)
        return await self.client.post_json(peer.host, "notifications", document, interactive=interactive)

    async def _remember(self, peer: Peer, form: Payload) -> None:
        await self.records.change(peer.host, lambda record: replace(record, payload=form))

    async def _tell(self, share: SentShare, peer: Peer, dialect: Dialect, form: Payload, *, interactive: bool) -> Told:
        takes_folders = dialect.takes_folders
        document = share_text.render(
            share,
            authority=self.authority,
            public_url=self.public_url,
            prefix=self.prefix,
            peer=peer.discovery,
            form=form,
            takes_folders=takes_folders,
        )
        answer = await self.client.post_json(peer.host, "shares", document, interactive=interactive)
        return Told(answer, share_text.announced_type(share, form, takes_folders=takes_folders))
