"""With whose account a storage is used (DESIGN 6, "As whom?").

For what a user does: her own log-in if it was proven at this very storage, else the account that she stored, else the
service account, where each user has a folder of her own or the operator lets all see everything. For what peers do
under a grant: the service account, else the account that the owner stored. A log-in never goes to another storage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import RETRY_SOON_SECONDS, GatewayError, Kind
from gateway.model.account import Account
from gateway.model.user import LocalUser

# The code of what the user can mend herself, by storing an account.
NO_ACCOUNT = "no-storage-account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The accounts of one storage.

    Attributes:
        storage: its name.
        has_service: whether there is a service account (or the storage has no log-in at all).
        may_lend_service: whether users browse with it where they have no account of their own.
        stored: returns what a user stored for this storage; None where users may store nothing.
    """

    storage: str
    has_service: bool = True
    may_lend_service: bool = True
    stored: Callable[[str], Awaitable[Account | None]] | None = None

    async def of_user(self, user: LocalUser) -> Account | None:
        """Return the account with which this user browses; None means the service account.

        Raises:
            GatewayError: `FORBIDDEN` if she has none and the service account is not for her.
        """
        if user.password is not None and user.proven_at == self.storage:
            return Account(login=user.login, password=user.password)
        own = await self.stored(user.identifier) if self.stored is not None else None
        if own is None and not (self.has_service and self.may_lend_service):
            raise GatewayError(Kind.FORBIDDEN, self._advice(), code=NO_ACCOUNT)
        return own

    async def of_owner(self, owner: str) -> Account | None:
        """Return the account with which grants on this owner's files are served; None means the service account.

        Raises:
            GatewayError: `UNAVAILABLE` if the owner has withdrawn hers: what was shared is still there.
        """
        if self.has_service:
            return None
        own = await self.stored(owner) if self.stored is not None else None
        if own is None:
            raise GatewayError(
                Kind.UNAVAILABLE,
                "The owner's storage cannot be opened now.",
                code=NO_ACCOUNT,
                log=f"{owner} has stored no account for {self.storage}",
                retry_after=RETRY_SOON_SECONDS,
            )
        return own

    def _advice(self) -> str:
        if self.stored is None:
            return (
                "Your files are on a storage that does not know your log-in. Log out and in again, or ask the operator."
            )
        return "Your storage does not know the log-in you use here. Store your account there, under “My storage”."
