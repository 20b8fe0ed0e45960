"""Contacts: people at other providers whom a local user knows, each in her own address book (INV-4, SHARE-10)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.address import Host, OcmAddress, parse_address

LABEL_MAX_CHARS = 100


class Source(StrEnum):
    """How a contact came into the address book; only an invitation proves that both sides agreed."""

    INVITED = "invited"
    ACCEPTED = "accepted"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One entry of a user's address book.

    Attributes:
        user: whose address book it is in.
        address: the contact's address in normal form, as it stands in `sender` and `owner` of a share.
        claimed_user_id: the identifier as the contact's server wrote it.
        is_trusted: shares that this contact's server signs for it are accepted without asking (SHARE-10).
        label: the user's own name for the contact.
    """

    user: str
    address: OcmAddress
    display_name: str
    source: Source
    created_at: float
    email: str = ""
    claimed_user_id: str = ""
    is_trusted: bool = False
    label: str = ""

    @property
    def contact_id(self) -> str:
        """The name of the entry: the same two people are one entry, however often they meet."""
        return contact_id(self.user, self.address)

    @property
    def is_agreed(self) -> bool:
        """Whether both sides agreed, by an invitation (INV-4)."""
        return self.source is not Source.IMPORTED


def contact_id(user: str, address: OcmAddress) -> str:
    """Return the name of the entry for `address` in the address book of `user`."""
    return hashlib.sha256(f"{user}\n{address}".encode()).hexdigest()[:32]


def contact_address(claimed_user_id: str, host: Host) -> OcmAddress:
    """Return the address that a user identifier of `host` means (`dialects.md` 14.8).

    Deployed servers write `id`, `id@host` and `id@https://host`. An identifier that ends in another host stays as it
    is: that is how it stands in the shares of such a server (`id@idp@host`).

    Raises:
        GatewayError: `INVALID` if it is no identifier.
    """
    return parse_address(f"{claimed_user_id}@{host}")
