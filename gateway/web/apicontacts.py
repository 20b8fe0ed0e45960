"""Contacts in the REST interface: list, trust, name and remove them; thin readers of `flows.contacts`."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.contacts import ContactChange, Contacts
from gateway.model.contact import Contact
from gateway.ocm import jscontact
from gateway.web.apiparts import PAGE_SIZE, ApiParts
from gateway.web.doors import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactApi:
    """Handlers of `/api/v1/contacts`."""

    parts: ApiParts
    contacts: Contacts

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "contacts", "whom the user knows at other servers", self.list_all),
            door("GET", "contacts/cards", "the contacts as JSContact cards (EXT-1)", self.export),
            door("POST", "contacts/cards", "enter contacts from JSContact cards", self.enter),
            door("GET", "contacts/{contact}", "one contact", self.show),
            door("PATCH", "contacts/{contact}", "trust or name a contact", self.change),
            door("DELETE", "contacts/{contact}", "remove a contact", self.remove),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List the user's contacts, newest first."""
        user = await self.parts.user(request)
        page = await self.contacts.page(user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        return web.json_response(
            {"contacts": [contact_document(contact) for contact in page.records], "cursor": page.cursor}
        )

    async def export(self, request: web.Request) -> web.Response:
        """Give the user's contacts as JSContact cards."""
        user = await self.parts.user(request)
        page = await self.contacts.page(user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        return web.json_response({"cards": [jscontact.render(one) for one in page.records], "cursor": page.cursor})

    async def enter(self, request: web.Request) -> web.Response:
        """Enter the addresses in JSContact cards; they are not trusted, and agreed with nobody."""
        user, document = await self.parts.user(request), await self.parts.document(request)
        cards = document.get("cards")
        if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
            fault = Fault("cards", "This is a list of JSContact cards.")
            raise GatewayError(Kind.INVALID, fault.message, faults=(fault,))
        found = [one for card in cards for one in jscontact.parse(card, user.identifier, self.contacts.now())]
        entered = [await self.contacts.enter(one) for one in found if one.address.host != self.contacts.authority]
        return web.json_response({"contacts": [contact_document(one) for one in entered]}, status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Show one contact."""
        user = await self.parts.user(request)
        return web.json_response(
            contact_document(await self.contacts.get(user.identifier, request.match_info["contact"]))
        )

    async def change(self, request: web.Request) -> web.Response:
        """Change what the user decides about a contact."""
        user = await self.parts.user(request)
        change = _change_of(await self.parts.document(request))
        contact = await self.contacts.change(user.identifier, request.match_info["contact"], change)
        return web.json_response(contact_document(contact))

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a contact; the other side is not told."""
        user = await self.parts.user(request)
        await self.contacts.remove(user.identifier, request.match_info["contact"])
        return web.Response(status=204)


def contact_document(contact: Contact) -> dict[str, object]:
    """Return a contact as JSON."""
    return {
        "id": contact.contact_id,
        "address": str(contact.address),
        "display_name": contact.display_name,
        "email": contact.email,
        "label": contact.label,
        "trusted": contact.is_trusted,
        "source": contact.source.value,
        "created_at": int(contact.created_at),
    }


def _change_of(document: dict[str, object]) -> ContactChange:
    faults = [Fault(name, "This member cannot be changed.") for name in sorted(set(document) - {"trusted", "label"})]
    trusted, label = document.get("trusted"), document.get("label")
    if "trusted" in document and not isinstance(trusted, bool):
        faults.append(Fault("trusted", "This is true or false."))
    if "label" in document and not isinstance(label, str):
        faults.append(Fault("label", "This is a text."))
    if faults or not document:
        raise GatewayError(Kind.INVALID, "The change is not described well.", faults=tuple(faults))
    assert isinstance(trusted, bool | None)
    assert isinstance(label, str | None)
    return ContactChange(is_trusted=trusted, label=label)
