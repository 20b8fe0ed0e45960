"""A user's address book: whom she knows at other providers, and whose shares she takes unasked (INV-4, SHARE-10).

Entries come from invitations (`flows.invite`) or from a file that the user imports. Either side may delete its own
entry without the other hearing of it. Only an entry from an invitation counts where shares need one (`must-invite`):
a file proves nothing about the other side's consent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host, OcmAddress
from gateway.model.contact import LABEL_MAX_CHARS, Contact, Source, contact_id
from gateway.store.base import Page, Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChange:
    """What a user changes of an entry; None leaves it as it is."""

    is_trusted: bool | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """The address books of all users."""

    table: Table[Contact]
    authority: Host
    now: Clock

    async def find(self, user: str, address: OcmAddress) -> Contact | None:
        """Return the user's entry for an address, or None."""
        return await self.table.get(contact_id(user, address))

    async def page(self, user: str, *, cursor: str | None, limit: int) -> Page[Contact]:
        """Return a part of the user's address book, newest first."""
        return await self.table.page("user", user, cursor=cursor, limit=limit, newest_first=True)

    async def get(self, user: str, name: str) -> Contact:
        """Return one entry of the user's.

        Raises:
            GatewayError: `NOT_FOUND` if she has no such entry.
        """
        contact = await self.table.get(name)
        if contact is None or contact.user != user:
            raise GatewayError(Kind.NOT_FOUND, "You have no such contact.")
        return contact

    async def enter(self, contact: Contact) -> Contact:
        """Enter somebody, or renew what is known of her; what the user decided about an old entry stays.

        Raises:
            GatewayError: `INVALID` for a user of this very server.
        """
        if contact.address.host == self.authority:
            raise GatewayError(Kind.INVALID, f"{contact.address} is a user of this server; no contact is needed.")
        try:
            await self.table.create(contact)
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            return await self.table.update(contact.contact_id, lambda old: _renewed(old, contact))
        log.info("contact entered", user=contact.user, contact=str(contact.address), source=contact.source.value)
        return contact

    async def change(self, user: str, name: str, change: ContactChange) -> Contact:
        """Change what the user decides about an entry.

        Raises:
            GatewayError: `NOT_FOUND`, or `INVALID` for too long a label.
        """
        if change.label is not None and len(change.label) > LABEL_MAX_CHARS:
            raise GatewayError(Kind.INVALID, f"A label has at most {LABEL_MAX_CHARS} characters.")
        await self.get(user, name)
        return await self.table.update(name, lambda old: _changed(old, change))

    async def remove(self, user: str, name: str) -> None:
        """Delete an entry; nobody is told (INV-4).

        Raises:
            GatewayError: `NOT_FOUND` if she has no such entry.
        """
        await self.get(user, name)
        await self.table.delete(name)


def _renewed(old: Contact, new: Contact) -> Contact:
    # A file says nothing that an invitation has not said better.
    if new.source is Source.IMPORTED:
        return replace(old, label=old.label or new.label, is_trusted=old.is_trusted or new.is_trusted)
    return replace(new, created_at=old.created_at, is_trusted=old.is_trusted, label=old.label)


def _changed(old: Contact, change: ContactChange) -> Contact:
    return replace(
        old,
        is_trusted=old.is_trusted if change.is_trusted is None else change.is_trusted,
        label=old.label if change.label is None else change.label,
    )
