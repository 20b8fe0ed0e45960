"""A configured storage as somebody sees it (DESIGN 6, "As whom?").

A storage URL may hold `{user}`, which stands for the user's own folder. Whose account is used, `accounts` decides.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.backends.accounts import Accounts
from gateway.backends.base import Backend
from gateway.backends.slot import USER_PLACE, filled
from gateway.errors import GatewayError, Kind
from gateway.model.account import Account
from gateway.model.secret import Secret
from gateway.model.user import LocalUser

Authorize = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStorage:
    """Folders of a mounted file system; `root` may hold `{user}`."""

    root: str
    folder: Callable[[Path], Backend]

    def as_user(self, user: LocalUser) -> Backend:
        """Return the user's folder."""
        return self.as_service(user.identifier)

    def as_service(self, owner: str) -> Backend:
        """Return the owner's folder; on a local disk the gateway is its own service account."""
        return self.folder(Path(filled(self.root, owner)))

    def as_a_whole(self) -> Backend:
        """Return the folder in which everybody's files are: for housekeeping, never for anybody's request."""
        above, place, _ = self.root.partition(USER_PLACE)
        return self.folder(Path(above.rpartition("/")[0] or "/") if place else Path(self.root))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebdavStorage:
    """A WebDAV server; `url` may hold `{user}`.

    Attributes:
        client: makes the storage client for a URL from a callable that returns its credentials.
        accounts: whose account is used for whom.
        service: gives the service account's credentials, if the storage has a log-in.
        is_swept: whether its clients are `Sweepable`.
    """

    url: str
    client: Callable[[str, Authorize], Backend]
    accounts: Accounts
    service: Authorize
    is_swept: bool = False

    def as_a_whole(self) -> Backend | None:
        """Return what holds everybody's files, as the service account sees it; None if each user has a URL."""
        return None if USER_PLACE in self.url else self.as_service("")

    def as_user(self, user: LocalUser) -> Backend:
        """Return the storage as the user sees it, with her own credentials where she has any."""
        return self._opened(user.identifier, partial(self.accounts.of_user, user))

    def as_service(self, owner: str) -> Backend:
        """Return the owner's part of the storage, for grants on it."""
        return self._opened(owner, partial(self.accounts.of_owner, owner))

    def as_account(self, owner: str, account: Account) -> Backend:
        """Return the owner's part of the storage as an account that is being tried.

        Raises:
            GatewayError: `INVALID` for a private key: only SFTP has those.
        """
        if account.password is None:
            raise GatewayError(Kind.INVALID, "Your storage takes a password, not a key.")
        return self.client(filled(self.url, owner), basic((account.login, account.password or Secret(""))))

    def _opened(self, owner: str, account_of: Callable[[], Awaitable[Account | None]]) -> Backend:
        async def authorize() -> Mapping[str, str]:
            account = await account_of()
            if account is None:
                return await self.service()
            return await basic((account.login, account.password or Secret("")))()

        return self.client(filled(self.url, owner), authorize)


def basic(credentials: tuple[str, Secret] | None) -> Authorize:
    """Return the callable that gives the `Authorization` field for a name and pass word (RFC 7617)."""

    async def authorize() -> Mapping[str, str]:
        if credentials is None:
            return {}
        name, password = credentials
        packed = base64.b64encode(f"{name}:{password.reveal()}".encode()).decode()
        return {"Authorization": f"Basic {packed}"}

    return authorize
