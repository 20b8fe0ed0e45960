"""Notifications about shares as text (NOTE-1; `dialects.md` 3.5, 14.6).

Deployed peers look for the share by different members: the secret (Nextcloud, ownCloud) or the grantee (oCIS). We
send both, and read either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.address import ADDRESS_MAX_CHARS
from gateway.model.dialect import ChangeNotice
from gateway.model.secret import Secret
from gateway.model.share import MessageKind, Permission, SentShare
from gateway.ocm.dialects import aliases
from gateway.ocm.fields import Fields
from gateway.ocm.share import read_resource_type

_MESSAGES = {
    MessageKind.ACCEPTED: "The recipient accepted the share.",
    MessageKind.DECLINED: "The recipient declined the share or gave it back.",
    MessageKind.UNSHARED: "The resource is no longer shared.",
    MessageKind.CHANGED: "The owner changed what the recipient may do.",
    MessageKind.TRANSFERRED: "The recipient has transferred the resource and needs it no longer.",
}


# ownCloud 10 has words of its own for parts of `write`.
_PERMISSIONS = {
    **{permission.value: permission for permission in Permission},
    **dict.fromkeys(("update", "create", "delete"), Permission.WRITE),
}
# Beyond the draft, as deployed peers spell them (`dialects.md` 3.5, 4, 5, 14.6).
REQUEST_RESHARE = "REQUEST_RESHARE"
RESHARE_UNDO = "RESHARE_UNDO"
CHANGES = frozenset(notice.value for notice in (ChangeNotice.RESHARE, ChangeNotice.SHARE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a peer tells about a share; nothing of it is proven.

    Attributes:
        kind: the type as it was written, known or not.
        provider_id: the id of the share at the provider that sent the share.
        claimed_secret: the share's secret, which proves an unsigned message.
        grantee: the recipient's address, where it was told.
        new_recipient: to whom something is to be shared on (`REQUEST_RESHARE`).
        permissions: what is allowed from now on, where the message is about that; else empty.
        raw: the member `notification` as it came.
    """

    kind: str
    provider_id: str
    resource_type: str
    claimed_secret: Secret | None = None
    grantee: str = ""
    message: str = ""
    new_recipient: str = ""
    permissions: frozenset[Permission] = frozenset()
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)


def parse(document: dict[str, object]) -> Notification:
    """Return the notification in a message.

    Raises:
        GatewayError: `NOT_IMPLEMENTED` for a resource type that we do not know, else `INVALID` with every fault.
    """
    fields = Fields(document)
    resource_type = read_resource_type(fields)
    content = fields.object("notification") or Fields({})
    notification = Notification(
        kind=fields.text(fields.first_of(*aliases.NOTIFICATION_TYPE), is_required=True),
        provider_id=_provider_id(fields, content),
        resource_type=resource_type,
        claimed_secret=content.secret("sharedSecret"),
        grantee=content.text("grantee", max_chars=ADDRESS_MAX_CHARS),
        message=content.prose("message"),
        new_recipient=content.text("shareWith", max_chars=ADDRESS_MAX_CHARS),
        permissions=_permissions(content),
        raw=content.members,
    )
    fields.check("This notification")
    return notification


def render_change(notice: ChangeNotice, share: SentShare, protocol: dict[str, object]) -> dict[str, object]:
    """Return the message that tells a peer of a share's new permissions, in one of the two ways that are deployed."""
    message = render(
        MessageKind.CHANGED,
        provider_id=share.provider_id,
        resource_type=share.announced_type or share.kind.value,
        secret=share.secret,
        grantee=str(share.recipient),
    )
    words = [permission.value for permission in Permission if permission in share.permissions]
    told = {"permission": words} if notice is ChangeNotice.RESHARE else {"protocol": protocol}
    content = message["notification"]
    assert isinstance(content, dict)
    return message | {"notificationType": notice.value, "notification": content | told}


def render_shared_on(share: SentShare) -> dict[str, object]:
    """Return the answer to `REQUEST_RESHARE`: the secret under the names that either family of servers reads."""
    secret = share.secret.reveal()
    return {"token": secret, "sharedSecret": secret, "providerId": share.provider_id}


def _provider_id(fields: Fields, content: Fields) -> str:
    # After -07 the id moves into an object about the file; the old place goes first while both are in use.
    file = None if fields.has("providerId") else content.object("file")
    return (file or fields).identifier("providerId")


def _permissions(content: Fields) -> frozenset[Permission]:
    protocol = content.object("protocol")
    entry = protocol.object("webdav") if protocol is not None else None
    words = set(content.words("permission")) | set(entry.words("permissions") if entry is not None else ())
    return frozenset(_PERMISSIONS[word] for word in words if word in _PERMISSIONS)


def render(
    kind: MessageKind, *, provider_id: str, resource_type: str, secret: Secret, grantee: str
) -> dict[str, object]:
    """Return the message that tells a peer what became of a share."""
    return {
        "notificationType": kind.value,
        "providerId": provider_id,
        "resourceType": resource_type,
        "notification": {"sharedSecret": secret.reveal(), "grantee": grantee, "message": _MESSAGES[kind]},
    }
