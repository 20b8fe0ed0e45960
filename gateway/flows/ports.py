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
    """The configured storage, seen as somebody (DESIGN 6, "As whom?")."""

    def as_user(self, user: LocalUser) -> Backend:
        """Return the storage as the user sees it: for browsing, and for all that the user does."""

    def as_service(self, owner: str) -> Backend:
        """Return the storage of `owner` as the service account sees it: only for grants that stand."""


GrantEnded = Callable[[str], Awaitable[None]]
"""Tells every replica that the grant with this id opens nothing any more."""
