"""What the flows ask of the parts that `app` wires in: users, storages, and words to the other replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.backends.base import Backend
from gateway.model.user import KnownUser, LocalUser

Clock = Callable[[], float]


class Users(Protocol):
    """Who may receive here."""

    async def find(self, claimed_identifier: str) -> KnownUser | None:
        """Return the user whom this identifier means (exactly, else by a unique match in any case), or None."""


class Storages(Protocol):
    """The configured storages, seen as somebody (DESIGN 6, "As whom?")."""

    def name_for(self, user: LocalUser) -> str:
        """Return the name of the storage that the user's files are on."""

    def as_user(self, user: LocalUser) -> Backend:
        """Return her storage as the user sees it: for browsing, and for all that the user does."""

    def as_service(self, owner: str, storage: str) -> Backend:
        """Return the part of a storage that is `owner`'s, as the service account sees it: only for standing grants.

        Raises:
            GatewayError: `UNAVAILABLE` if there is no storage of this name (any more).
        """


GrantEnded = Callable[[str], Awaitable[None]]
"""Tells every replica that the grant with this id opens nothing any more."""
