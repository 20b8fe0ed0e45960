"""Notifications about shares as text (NOTE-1; `dialects.md` 3.5, 14.6).

Deployed peers look for the share by different members: the secret (Nextcloud, ownCloud) or the grantee (oCIS). We
send both, and read either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.address import ADDRESS_MAX_CHARS
from gateway.model.secret import Secret
from gateway.model.share import MessageKind
from gateway.ocm.dialects import aliases
from gateway.ocm.fields import Fields
from gateway.ocm.share import read_resource_type

_MESSAGES = {
    MessageKind.ACCEPTED: "The recipient accepted the share.",
    MessageKind.DECLINED: "The recipient declined the share or gave it back.",
    MessageKind.UNSHARED: "The resource is no longer shared.",
    MessageKind.TRANSFERRED: "The recipient has transferred the resource and needs it no longer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a peer tells about a share; nothing of it is proven.

    Attributes:
        kind: the type as it was written, known or not.
        provider_id: the id of the share at the provider that sent the share.
        claimed_secret: the share's secret, which proves an unsigned message.
        grantee: the recipient's address, where it was told.
        raw: the member `notification` as it came.
    """

    kind: str
    provider_id: str
    resource_type: str
    claimed_secret: Secret | None = None
    grantee: str = ""
    message: str = ""
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
        provider_id=fields.identifier("providerId"),
        resource_type=resource_type,
        claimed_secret=content.secret("sharedSecret"),
        grantee=content.text("grantee", max_chars=ADDRESS_MAX_CHARS),
        message=content.prose("message"),
        raw=content.members,
    )
    fields.check("This notification")
    return notification


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
