"""Contacts as JSContact cards (RFC 9553) with the member `ietf.org:ocmAddresses` (EXT-1).

Whoever reads a card proves nothing by it: an address from a file is neither agreed with its owner nor trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.model.address import ADDRESS_MAX_CHARS, OcmAddress, parse_address
from gateway.model.contact import LABEL_MAX_CHARS, Contact, Source
from gateway.ocm.fields import Fields

OCM_ADDRESSES = "ietf.org:ocmAddresses"


def render(contact: Contact) -> dict[str, object]:
    """Return a contact as a card."""
    card: dict[str, object] = {
        "@type": "Card",
        "version": "1.0",
        "uid": contact.contact_id,
        "name": {"@type": "Name", "full": contact.label or contact.display_name},
        OCM_ADDRESSES: {
            "ocm1": {
                "address": str(contact.address),
                "trusted": contact.is_trusted,
                "source": contact.source.value,
                "label": contact.label,
            }
        },
    }
    if contact.email:
        card["emails"] = {"email1": {"@type": "EmailAddress", "address": contact.email}}
    return card


def parse(card: Mapping[str, object], user: str, now: float) -> list[Contact]:
    """Return the contacts of `user` that a card means, one for each address in it that can be used."""
    fields = Fields(card)
    name = fields.object("name") or Fields({})
    full = name.text("full")
    return [
        Contact(
            user=user,
            address=address,
            display_name=full or address.identifier,
            source=Source.IMPORTED,
            created_at=now,
            label=label,
        )
        for address, label in _addresses(card)
    ]


def _addresses(card: Mapping[str, object]) -> Iterator[tuple[OcmAddress, str]]:
    found = card.get(OCM_ADDRESSES)
    entries = list(found.values()) if isinstance(found, dict) else found
    for entry in entries if isinstance(entries, list) else ():
        fields = Fields(entry if isinstance(entry, dict) else {})
        address = fields.read("address", parse_address, max_chars=ADDRESS_MAX_CHARS)
        if address is not None:
            yield address, fields.text("label", max_chars=LABEL_MAX_CHARS)
