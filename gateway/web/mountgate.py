"""Who mounts? A name and a pass word, in the one form that every WebDAV client has (Basic)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.identity.apppasswords import AppPasswords, is_app_password
from gateway.identity.base import Identity
from gateway.model.user import LocalUser
from gateway.web.head import RequestHead
from gateway.web.usergate import UserGate, parse_basic


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

    users: UserGate
    identity: Identity
    app_passwords: AppPasswords
    strips_domain: bool

    def check_origin(self, request: web.Request) -> None:
        """Refuse a changing request that a browser makes for another site's page. Raises as `UserGate`."""
        self.users.check_origin(request)

    async def prove(self, head: RequestHead) -> Mounter:
        """Return who makes this request.

        Raises:
            GatewayError: `UNAUTHENTICATED`, `LIMITED`, `UNAVAILABLE`.
        """
        login, password = parse_basic(head.headers.single("Authorization") or "")
        if self.strips_domain:
            login = login.rpartition("\\")[2]
        if is_app_password(password):
            return Mounter(*await self.app_passwords.log_in(login, password, address=head.peer_address))
        user = await self.identity.log_in(login, password, address=head.peer_address)
        return Mounter(user, _nothing)


async def _nothing() -> None:
    """Ask nothing more: a log-in is checked with each request."""
