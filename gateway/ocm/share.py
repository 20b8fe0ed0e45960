"""The share notification and its answer as text (SHARE-1 to SHARE-3, SHARE-7).

Reading takes what deployed senders write (`dialects.md` 14.3) and reports all faults of a message at once; a share of
a kind that we do not take at all is told so before that. Writing is the draft's form with the copies of old names
that cost nothing. What must be written differently for older receivers is a matter of `dialects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gateway.errors import GatewayError, Kind
from gateway.model.access import SshAccess
from gateway.model.address import ADDRESS_MAX_CHARS, Host, OcmAddress, parse_address
from gateway.model.dialect import Payload
from gateway.model.peer import Discovery, Role
from gateway.model.resource import EntryKind
from gateway.model.secret import Secret
from gateway.model.share import SentShare, ShareType, WebdavOffer
from gateway.ocm.dialects import aliases
from gateway.ocm.discovery import webdav_path
from gateway.ocm.fields import Fields
from gateway.ocm.protocol import SSH, other_protocols, read_ssh, read_webdav, render_protocol

# The last second of the year 9999: beyond it a number is no time, or is in milliseconds.
EXPIRATION_MAX = 253_402_300_799
DISPLAY_NAME = "recipientDisplayName"
PUBLIC_KEYS = "recipientPublicKeys"
_NO_NAMES = frozenset({".", ".."})
# Stand-ins in a notification that is refused in the end.
_NOBODY = OcmAddress("", Host(""))
_NO_OFFER = WebdavOffer(uri="", secret=Secret(""), access_types=frozenset(), is_offered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareNotification:
    """A share as a peer announces it; nothing of it is proven.

    Attributes:
        share_with: the recipient as it was written, with or without our host.
        provider_id: the sender's id of the share.
        unused_protocols: what else is offered, for the log.
        expires_at: seconds since the epoch, or None.
    """

    share_with: str
    name: str
    provider_id: str
    owner: OcmAddress
    owner_display_name: str
    sender: OcmAddress
    sender_display_name: str
    share_type: ShareType
    resource_type: str
    webdav: WebdavOffer
    ssh: SshAccess | None = None
    unused_protocols: tuple[str, ...] = ()
    description: str = ""
    expires_at: int | None = None


def parse(document: dict[str, object]) -> ShareNotification:
    """Return the share that a message announces.

    Raises:
        GatewayError: `NOT_IMPLEMENTED` for a share type or resource type that we do not take, or if nothing in
            `protocol` can be used; else `INVALID` with every fault.
    """
    fields = Fields(document)
    share_type, resource_type = _share_type(fields), read_resource_type(fields, is_required=True)
    owner, sender = _address(fields, "owner"), _address(fields, fields.first_of(*aliases.SENDER))
    owner_name = fields.text("ownerDisplayName")
    sender_name = fields.text(fields.first_of(*aliases.SENDER_DISPLAY_NAME))
    webdav = read_webdav(fields)
    ssh = read_ssh(fields, is_alone=webdav is None)
    notification = ShareNotification(
        share_with=fields.text("shareWith", is_required=True, max_chars=ADDRESS_MAX_CHARS),
        name=_name(fields),
        provider_id=fields.identifier("providerId"),
        owner=owner,
        owner_display_name=owner_name or owner.identifier,
        sender=sender,
        sender_display_name=sender_name or (owner_name if sender == owner else "") or sender.identifier,
        share_type=share_type,
        resource_type=resource_type,
        webdav=webdav or _NO_OFFER,
        ssh=ssh,
        unused_protocols=tuple(name for name in other_protocols(fields) if name != SSH or ssh is None),
        description=fields.prose("description"),
        expires_at=fields.number("expiration", at_most=EXPIRATION_MAX) or None,
    )
    fields.check("This share")
    if notification.webdav is _NO_OFFER and notification.ssh is None:
        raise GatewayError(Kind.NOT_IMPLEMENTED, "Nothing in the protocol of this share can be used here.")
    return notification


def announced_type(share: SentShare, form: Payload, *, takes_folders: bool) -> str:
    """Return the resource type that a share is announced with; some read `file` only, and find the folder themselves.

    Args:
        takes_folders: whether the recipient's server knows the word `folder`.
    """
    knows_word = takes_folders and form is not Payload.OPTIONS
    return share.kind.value if knows_word else EntryKind.FILE.value


def render(
    share: SentShare,
    *,
    authority: Host,
    public_url: str,
    prefix: str,
    peer: Discovery | None,
    form: Payload = Payload.MULTI,
    takes_folders: bool = True,
) -> dict[str, object]:
    """Return the message that announces one of our shares to `peer`.

    Args:
        form: how `protocol` is written (SHARE-2).
        takes_folders: whether the recipient's server knows the word `folder`.
    """
    owner = f"{share.owner}@{authority}"
    # `sharedBy` is what Nextcloud up to 31 has for `sender`.
    names = {"owner": owner, "sender": owner, "sharedBy": owner}
    display_names = dict.fromkeys(
        ("ownerDisplayName", "senderDisplayName", "sharedByDisplayName"), share.owner_display_name or share.owner
    )
    document: dict[str, object] = {
        "shareWith": str(share.recipient),
        "name": share.name,
        "description": share.description,
        "providerId": share.provider_id,
        **names,
        **display_names,
        "shareType": ShareType.USER.value,
        "resourceType": announced_type(share, form, takes_folders=takes_folders),
        "protocol": render_offer(share, _uri(share, public_url + webdav_path(prefix), peer), form),
    }
    if share.expires_at is not None:
        document["expiration"] = share.expires_at
    return document


def render_offer(share: SentShare, uri: str, form: Payload = Payload.MULTI) -> dict[str, object]:
    """Return the `protocol` of one of our shares, whose resource is at `uri`."""
    offer = WebdavOffer(
        uri=uri,
        secret=share.secret,
        permissions=share.permissions,
        access_types=share.access_types,
        requirements=share.requirements,
    )
    return render_protocol(offer, form, ssh_uri=share.ssh_uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareAnswer:
    """What a peer told when it took a share (SHARE-7); nothing of it need be there.

    Attributes:
        public_keys: one-line OpenSSH keys as they were written (SHARE-4).
    """

    display_name: str = ""
    public_keys: tuple[str, ...] = ()


def parse_answer(document: dict[str, object] | None) -> ShareAnswer:
    """Return what a peer's answer to a share tells; what is not as it should be is as if it were not there."""
    keys = (document or {}).get(PUBLIC_KEYS)
    # A single key may stand without its list.
    lines = [keys] if isinstance(keys, str) else keys if isinstance(keys, list) else []
    return ShareAnswer(
        display_name=Fields(document or {}).text(DISPLAY_NAME),
        public_keys=tuple(line for line in lines if isinstance(line, str)),
    )


def render_answer(recipient_display_name: str, public_keys: Sequence[str] = ()) -> dict[str, object]:
    """Return the answer to a share that was taken, with the keys that are to open it over SSH (SHARE-4)."""
    keys = {PUBLIC_KEYS: list(public_keys)} if public_keys else {}
    return {DISPLAY_NAME: recipient_display_name, **keys}


def render_error(error: GatewayError) -> dict[str, object]:
    """Return the answer that tells a peer why its message was refused; only what strangers may read is in it."""
    faults = [{"name": fault.name, "message": fault.message} for fault in error.faults]
    return {"message": error.public, "validationErrors": faults}


def read_resource_type(fields: Fields, *, is_required: bool = False) -> str:
    """Return `file` or `folder`; where it is missing and need not be there, `file` is meant.

    Raises:
        GatewayError: `NOT_IMPLEMENTED` for another resource type.
    """
    word = fields.text("resourceType", is_required=is_required)
    if word and word not in set(EntryKind):
        raise GatewayError(Kind.NOT_IMPLEMENTED, "Resources of this type are not taken here.")
    return word or EntryKind.FILE.value


def _share_type(fields: Fields) -> ShareType:
    word = fields.text("shareType", is_required=True)
    # Groups and federations would need somebody here who stands for them (DESIGN 7).
    if word and word != ShareType.USER:
        raise GatewayError(Kind.NOT_IMPLEMENTED, "Only shares for single users are taken here.")
    return ShareType.USER


def _address(fields: Fields, name: str) -> OcmAddress:
    return fields.read(name, parse_address, max_chars=ADDRESS_MAX_CHARS) or _NOBODY


def _name(fields: Fields) -> str:
    name = fields.text("name", is_required=True)
    if "/" in name or name in _NO_NAMES:
        fields.fault("name", "has to be the name of a file or folder, not a path")
    return name


def _uri(share: SentShare, root: str, peer: Discovery | None) -> str:
    """Return where the share is: the whole URL, unless the peer says that it reads only the part below our root."""
    relative = quote(share.provider_id, safe="")
    offers = peer.resource_types if peer else ()
    forms = {offer.name: offer.protocols.get(Role.WEBDAV_RECEIVE) for offer in offers}
    form = forms.get(share.kind.value) or forms.get(EntryKind.FILE.value)
    return relative if form == "relative" else root + relative
