"""Who administers this gateway: users and groups that the operator names, and nobody where none is named (DESIGN 5)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.user import LocalUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Admins:
    """The administrators.

    Attributes:
        users: their identifiers, letter by letter.
        groups: the groups whose members they are.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def include(self, user: LocalUser) -> bool:
        """Tell whether a user is one of them."""
        return user.identifier in self.users or not self.groups.isdisjoint(user.groups)


NOBODY = Admins()
