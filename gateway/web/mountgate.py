"""Who mounts? A name and a pass word, in the one form that every WebDAV client has (Basic)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.identity.apppasswords import AppPasswords, is_app_password
from gateway.identity.base import Identity
from gateway.model.secret import Secret
from gateway.model.user import LocalUser
from gateway.web.head import RequestHead
from gateway.web.usergate import parse_basic


@dataclass(frozen=True, slots=True)
class Mounter:
    """A proven user at the mount.

    Attributes:
        still_stands: raises if what she was let in by has been withdrawn.
    """

    user: LocalUser
    still_stands: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MountGate:
    """Proves who mounts.

    Attributes:
        strips_domain: whether a Windows domain and backslash before the user name are dropped.
    """

    identity: Identity
    app_passwords: AppPasswords
    strips_domain: bool

    async def prove(self, head: RequestHead) -> Mounter:
        """Return who makes this request.

        Raises:
            GatewayError: `UNAUTHENTICATED`, `LIMITED`, `UNAVAILABLE`.
        """
        login, password = parse_basic(head.headers.single("Authorization") or "")
        return await self.log_in(login, password, address=head.peer_address)

    async def log_in(self, login: str, password: Secret, *, address: str) -> Mounter:
        """Return whom a name and a pass word, or an app password, prove; raises as `prove`."""
        if self.strips_domain:
            login = login.rpartition("\\")[2]
        if is_app_password(password):
            return Mounter(*await self.app_passwords.log_in(login, password, address=address))
        user = await self.identity.log_in(login, password, address=address)

        async def still_stands() -> None:
            if not await self.identity.may_exist(user.identifier):
                raise GatewayError(Kind.UNAUTHENTICATED, "This user is not there any more.", code="login-refused")

        return Mounter(user, still_stands)
