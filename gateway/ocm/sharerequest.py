"""A request for a share as text (REQ-1).

Up to -07 it is a message of its own; after that it is becoming a notification. The text of that is not settled, so its
content is read as the same three members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.model.address import ADDRESS_MAX_CHARS, OcmAddress, parse_address
from gateway.ocm.dialects import aliases
from gateway.ocm.fields import Fields

RESOURCE_MAX_CHARS = 2048
REQUEST_SHARE = "REQUEST_SHARE"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedShare:
    """What a message asks for: whose resource, for whom, and which; nothing of it is proven."""

    owner: OcmAddress
    share_with: OcmAddress
    resource: str


def parse(document: Mapping[str, object]) -> AskedShare:
    """Return what a message to `request-share` asks for.

    Raises:
        GatewayError: `INVALID` with every fault.
    """
    return _asked(Fields(document))


def parse_notification(document: Mapping[str, object]) -> AskedShare | None:
    """Return what a notification asks for, or None if it is about something else.

    Raises:
        GatewayError: `INVALID` with every fault.
    """
    fields = Fields(document)
    if document.get(fields.first_of(*aliases.NOTIFICATION_TYPE)) != REQUEST_SHARE:
        return None
    return _asked(fields.object("notification") or Fields({}, "notification.", fields.faults))


def render(asked: AskedShare) -> dict[str, object]:
    """Return the message.

    Raises:
        GatewayError: `INVALID` if the resource is empty or too long.
    """
    if not 0 < len(asked.resource) <= RESOURCE_MAX_CHARS:
        raise GatewayError(Kind.INVALID, f"Name what you ask for, in up to {RESOURCE_MAX_CHARS} characters.")
    return {"owner": str(asked.owner), "shareWith": str(asked.share_with), "share": asked.resource}


def _asked(fields: Fields) -> AskedShare:
    owner = fields.read("owner", parse_address, max_chars=ADDRESS_MAX_CHARS)
    share_with = fields.read("shareWith", parse_address, max_chars=ADDRESS_MAX_CHARS)
    resource = fields.text("share", is_required=True, max_chars=RESOURCE_MAX_CHARS)
    fields.check("This request")
    assert owner is not None
    assert share_with is not None
    return AskedShare(owner=owner, share_with=share_with, resource=resource)
