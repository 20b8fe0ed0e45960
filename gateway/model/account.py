"""Accounts at storages: with which name and secret somebody uses one, and those that users store with us."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A log-in at a storage: a name with a pass word, or for SFTP with a private key."""

    login: str
    password: Secret | None = None
    private_key: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """What a user stored with us, so that the gateway can open her storage; sealed at rest.

    Attributes:
        user: local identifier.
        storage: the storage at which it was tried; it is used nowhere else.
        stored_at: seconds since the epoch.
    """

    user: str
    storage: str
    account: Account
    stored_at: float

    @property
    def key(self) -> str:
        """What names the record: each user has one account at each storage."""
        return account_key(self.storage, self.user)


def account_key(storage: str, user: str) -> str:
    """Return the key of a user's stored account at a storage."""
    return f"{storage}\n{user}"
