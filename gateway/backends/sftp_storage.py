"""A configured SFTP storage as somebody sees it; which account is used is found out at each verb.

An account that is withdrawn therefore opens nothing any more, also for a storage that somebody holds open already. What
an SSH server keeps for an account is in the pool: connections, and refused log-ins for some seconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

from gateway.backends.accounts import Accounts
from gateway.backends.base import WHOLE, Backend, OpenFile, OpenMode
from gateway.backends.sftp import SftpBackend
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_server import SftpAccount
from gateway.backends.slot import USER_PLACE, filled
from gateway.errors import GatewayError, Kind
from gateway.model.account import Account
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written
from gateway.model.user import LocalUser


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpStorage:
    """A folder of an SSH server; `root` may hold `{user}`, and one without a leading slash begins at the log-in's home.

    Attributes:
        accounts: whose account is used for whom.
        service: the service account, if there is one.
    """

    root: str
    pool: SftpPool
    accounts: Accounts
    service: SftpAccount | None

    def as_user(self, user: LocalUser) -> Backend:
        """Return the storage as the user sees it, with her own account where she has one."""
        return self._opened(user.identifier, partial(self.accounts.of_user, user))

    def as_service(self, owner: str) -> Backend:
        """Return the owner's part of the storage, for grants on it."""
        return self._opened(owner, partial(self.accounts.of_owner, owner))

    def as_a_whole(self) -> Backend | None:
        """Return the folder in which everybody's files are, for housekeeping; None without a service account."""
        if self.service is None:
            return None
        above, place, _ = self.root.partition(USER_PLACE)
        # With a service account nothing begins at a home, so this is an absolute path.
        return SftpBackend(self.pool, self.service, (above.rpartition("/")[0] or "/") if place else self.root)

    def as_account(self, owner: str, account: Account) -> Backend:
        """Return the owner's part of the storage as an account that is being tried.

        Raises:
            GatewayError: `INVALID` if its private key cannot be read.
        """
        return SftpBackend(self.pool, _account(account), filled(self.root, owner))

    def _opened(self, owner: str, account_of: Callable[[], Awaitable[Account | None]]) -> Backend:
        root = filled(self.root, owner)

        async def backend() -> SftpBackend:
            account = await account_of()
            if account is not None:
                return SftpBackend(self.pool, _account(account), root)
            if self.service is None:
                raise GatewayError(Kind.CONFIGURATION, "This storage has no service account.")
            return SftpBackend(self.pool, self.service, root)

        return _Deferred(backend)


class _Deferred:
    """The storage behind an account that is looked up at each verb; every verb is `SftpBackend`'s."""

    def __init__(self, backend: Callable[[], Awaitable[SftpBackend]]) -> None:
        self._backend = backend

    async def stat(self, path: ResourcePath) -> Entry:
        return await (await self._backend()).stat(path)

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        # It is a generator, and has to be closed when a reader leaves early: its session is free again then.
        members = cast("AsyncGenerator[Entry, None]", (await self._backend()).list(path))
        async with aclosing(members):
            async for entry in members:
                yield entry

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        async with (await self._backend()).open(path, span, if_match=if_match) as content:
            yield content

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        backend = await self._backend()
        return await backend.write(path, chunks, size=size, if_match=if_match, if_none_match=if_none_match)

    async def mkdir(self, path: ResourcePath) -> None:
        await (await self._backend()).mkdir(path)

    async def delete(self, path: ResourcePath) -> None:
        await (await self._backend()).delete(path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        return await (await self._backend()).move(source, target, overwrite=overwrite)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        return await (await self._backend()).copy(source, target, overwrite=overwrite, deep=deep)

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        await (await self._backend()).set_time(path, modified)

    async def quota(self, path: ResourcePath) -> Quota:
        return await (await self._backend()).quota(path)

    async def sweep_temporaries(self, older_than: float) -> int:
        return await (await self._backend()).sweep_temporaries(older_than)

    @asynccontextmanager
    async def open_at(self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False) -> AsyncIterator[OpenFile]:
        async with (await self._backend()).open_at(path, mode, is_new=is_new) as file:
            yield file


def _account(account: Account) -> SftpAccount:
    try:
        return SftpAccount(user=account.login, password=account.password, private_key=account.private_key)
    except GatewayError as error:
        # Users store these; the words are for an operator.
        raise GatewayError(
            Kind.INVALID, "This private key cannot be read; it has to be in OpenSSH form, without a passphrase."
        ) from error
