"""A user stores an account that she has at her storage, for when her log-in here does not open it.

It is tried before it is kept, so that a typing error shows at once; tries are counted like log-ins, or the gateway
would be a place to guess other people's pass words at. It is sealed at rest, given to that storage only, never shown
again, and gone when she withdraws it. What she has shared through it is then unavailable, and comes back with the next.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.backends.base import Backend
from gateway.errors import CREDENTIAL_REFUSED, STORAGE_MISSING, GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.account import Account, StoredAccount, account_key
from gateway.model.resource import ResourcePath
from gateway.model.user import LocalUser
from gateway.store.base import Table

log = get_logger(__name__)

LOGIN_MAX_CHARS = 256
_REFUSALS = (Kind.FORBIDDEN, Kind.NOT_FOUND)
SECRET_MAX_CHARS = 16 * 1024


class AccountPlaces(Protocol):
    """The storages, asked for what accounts they take."""

    def name_for(self, user: LocalUser) -> str:
        """Return the name of the storage that the user's files are on."""

    def takes_accounts(self, storage: str) -> bool:
        """Tell whether users may store accounts for this storage."""

    def takes_keys(self, storage: str) -> bool:
        """Tell whether an account there may have a private key instead of a pass word."""

    def as_account(self, owner: str, storage: str, account: Account) -> Backend:
        """Return the owner's part of a storage as this account sees it.

        Raises:
            GatewayError: `INVALID` if the storage takes no such kind of secret.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccount:
    """Keeps users' accounts.

    Attributes:
        attempt: surrounds one try of a log-in (name, network address), and refuses if too many have failed.
    """

    accounts: Table[StoredAccount]
    places: AccountPlaces
    attempt: Callable[[str, str], AbstractAsyncContextManager[None]]
    now: Clock

    def is_offered(self, user: LocalUser) -> bool:
        """Tell whether this user may store an account."""
        return self.places.takes_accounts(self.places.name_for(user))

    def takes_keys(self, user: LocalUser) -> bool:
        """Tell whether her account may have a private key instead of a pass word."""
        return self.places.takes_keys(self.places.name_for(user))

    def storage_of(self, user: LocalUser) -> str:
        """Return the name of the storage for which she may.

        Raises:
            GatewayError: `NOT_FOUND` if it takes none.
        """
        storage = self.places.name_for(user)
        if not self.places.takes_accounts(storage):
            raise GatewayError(Kind.NOT_FOUND, "Your storage needs no account of yours.")
        return storage

    async def show(self, user: LocalUser) -> StoredAccount | None:
        """Return what the user has stored, or None. Raises as `storage_of`."""
        return await self.accounts.get(account_key(self.storage_of(user), user.identifier))

    async def store(self, user: LocalUser, account: Account, *, address: str) -> StoredAccount:
        """Try an account, keep it in place of an older one, and return what was kept.

        Args:
            address: the client's network address, for the limit on guesses.

        Raises:
            GatewayError: `INVALID` if the storage refuses it, `LIMITED`, `UNAVAILABLE`, or as `storage_of`.
        """
        storage = self.storage_of(user)
        _check(account)
        await self._try(user, storage, account, address)
        record = StoredAccount(user=user.identifier, storage=storage, account=account, stored_at=self.now())
        try:
            await self.accounts.create(record)
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            await self.accounts.update(record.key, lambda _old: record)
        log.info("account stored", user=user.identifier, storage=storage)
        return record

    async def withdraw(self, user: LocalUser) -> bool:
        """Forget the user's account; tell whether there was one. Raises as `storage_of`."""
        had = await self.accounts.delete(account_key(self.storage_of(user), user.identifier))
        log.info("account withdrawn", user=user.identifier, had_one=had)
        return had

    async def _try(self, user: LocalUser, storage: str, account: Account, address: str) -> None:
        backend = self.places.as_account(user.identifier, storage, account)
        try:
            async with self.attempt(f"{storage}/{account.login}", address):
                try:
                    await backend.stat(ResourcePath())
                except GatewayError as error:
                    if error.code in (CREDENTIAL_REFUSED, STORAGE_MISSING) or error.kind in _REFUSALS:
                        raise _refused(str(error)) from error
                    raise
        except GatewayError as error:
            # For the count it is a failed log-in; for the user's own session here it is none.
            if error.kind is Kind.UNAUTHENTICATED:
                raise GatewayError(Kind.INVALID, error.public, code=error.code, log=error.log) from error
            raise


def _check(account: Account) -> None:
    secrets = [secret.reveal() for secret in (account.password, account.private_key) if secret]
    if not account.login or len(account.login) > LOGIN_MAX_CHARS or not account.login.isprintable():
        raise GatewayError(Kind.INVALID, "Say the user name that you have at the storage.")
    # A colon would end the user name in Basic (RFC 7617, 2), and so try another name.
    if ":" in account.login:
        raise GatewayError(Kind.INVALID, "A user name at a storage has no colon.")
    if len(secrets) != 1:
        raise GatewayError(Kind.INVALID, "Give either a password or a private key.")
    if len(secrets[0]) > SECRET_MAX_CHARS or "\x00" in secrets[0]:
        raise GatewayError(Kind.INVALID, "This is too long for a password or key, or holds a zero byte.")


def _refused(why: str) -> GatewayError:
    return GatewayError(
        Kind.UNAUTHENTICATED,
        "The storage refused this user name and password, or shows no folder of yours with them. Nothing was stored.",
        code="account-refused",
        log=why,
    )
