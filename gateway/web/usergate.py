"""The locks USER and ADMIN: which local user makes this request, and may she administer the gateway (DESIGN 5, 7)?

A browser shows its session cookie, a program its name and pass word (Basic). Whatever a browser sends by itself, a
stranger's page can make it send: so a request that changes something must come from our own pages, which the browser
tells (`Sec-Fetch-Site`, `Origin`), and forms carry the session's own token besides. The cookie goes to our own paths
only, never to the service that other paths are passed on to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.identity.base import Identity
from gateway.model.address import Host
from gateway.model.admins import NOBODY, Admins
from gateway.model.secret import Secret
from gateway.model.session import Session
from gateway.model.user import LocalUser
from gateway.store.base import Table

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_BYTES = 32
# A session's end is moved no more often than this, in seconds, so that not every request writes.
TOUCH_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGate:
    """Proves local users.

    Attributes:
        public_url: our origin; forms and scripts may come from there only.
        prefix: the path below which everything is ours.
        idle_seconds, max_seconds: how long a session lives without use, and at all.
        admins: who of them may pass the lock ADMIN; by default nobody.
    """

    identity: Identity
    sessions: Table[Session]
    authority: Host
    public_url: str
    prefix: str
    now: Callable[[], float]
    idle_seconds: float
    max_seconds: float
    admins: Admins = NOBODY

    @property
    def cookie(self) -> str:
        """The cookie's name; it holds a hash of our authority, since two gateways may share a host (DESIGN 12)."""
        name = f"ocm-{hashlib.sha256(self.authority.encode()).hexdigest()[:8]}"
        return f"__Secure-{name}" if self._is_secure else name

    async def basic(self, request: web.Request) -> LocalUser:
        """Return the user whose name and pass word came with the request.

        Raises:
            GatewayError: `UNAUTHENTICATED`, `LIMITED`, `UNAVAILABLE`; `FORBIDDEN` for a request of a foreign page.
        """
        self.check_origin(request)
        login, password = parse_basic(request.headers.get("Authorization", ""))
        return await self.identity.log_in(login, password, address=request.remote or "")

    def check_admin(self, user: LocalUser) -> None:
        """Do nothing if this user passes the lock ADMIN.

        Raises:
            GatewayError: `FORBIDDEN`.
        """
        if not self.admins.include(user):
            raise GatewayError(Kind.FORBIDDEN, "This is for the administrators of this gateway.", code="no-admin")

    async def session(self, request: web.Request) -> tuple[Session, LocalUser] | None:
        """Return the session of a browser and its user, or None if it has none (any more)."""
        cookie = request.cookies.get(self.cookie)
        record = await self.sessions.get(_key(cookie)) if cookie else None
        now = self.now()
        if record is None or record.expires_at <= now:
            return None
        if now - record.seen_at > TOUCH_SECONDS:
            try:
                record = await self.sessions.update(record.session_id, lambda old: self._touched(old, now))
            except GatewayError as error:
                # Logged out in another tab meanwhile.
                if error.kind is Kind.NOT_FOUND:
                    return None
                raise
        return record, _user(record)

    async def log_in(self, request: web.Request, login: str, password: Secret, response: web.StreamResponse) -> None:
        """Prove a user and give the browser a new session, in a cookie of `response`. Raises as `basic`."""
        self.check_origin(request)
        user = await self.identity.log_in(login, password, address=request.remote or "")
        await self._forget(request)
        value = secrets.token_urlsafe(SESSION_BYTES)
        now = self.now()
        record = Session(
            session_id=_key(value),
            user=user.identifier,
            display_name=user.display_name,
            email=user.email,
            login=user.login,
            password=user.password,
            has_second_factor=user.has_second_factor,
            proven_at=user.proven_at,
            groups=user.groups,
            csrf=Secret(secrets.token_urlsafe(SESSION_BYTES)),
            created_at=now,
            seen_at=now,
            expires_at=now + min(self.idle_seconds, self.max_seconds),
        )
        await self.sessions.create(record)
        response.set_cookie(
            self.cookie, value, httponly=True, secure=self._is_secure, samesite="Lax", path=f"{self.prefix}/"
        )

    async def log_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the browser's session."""
        await self._forget(request)
        response.del_cookie(self.cookie, path=f"{self.prefix}/", secure=self._is_secure, httponly=True, samesite="Lax")

    def check_form(self, request: web.Request, session: Session, claimed_token: str) -> None:
        """Refuse a form that did not come from our own page in this session.

        Raises:
            GatewayError: `FORBIDDEN`.
        """
        self.check_origin(request)
        if Secret(claimed_token) != session.csrf:
            raise _foreign_page()

    def check_origin(self, request: web.Request) -> None:
        """Refuse a changing request that a browser makes for another site's page.

        Raises:
            GatewayError: `FORBIDDEN`.
        """
        if request.method in SAFE_METHODS:
            return
        site = request.headers.get("Sec-Fetch-Site", "none")
        origin = request.headers.get("Origin", self.public_url)
        if site not in ("same-origin", "none") or origin.lower() != self.public_url.lower():
            raise _foreign_page()

    @property
    def _is_secure(self) -> bool:
        return self.public_url.startswith("https:")

    async def _forget(self, request: web.Request) -> None:
        cookie = request.cookies.get(self.cookie)
        if cookie:
            await self.sessions.delete(_key(cookie))

    def _touched(self, session: Session, now: float) -> Session:
        until = min(now + self.idle_seconds, session.created_at + self.max_seconds)
        return replace(session, seen_at=now, expires_at=until)


def parse_basic(field: str) -> tuple[str, Secret]:
    """Return the name and pass word of an `Authorization` field.

    Raises:
        GatewayError: `UNAUTHENTICATED` if it holds none.
    """
    scheme, _, packed = field.partition(" ")
    if scheme.lower() != "basic":
        raise GatewayError(Kind.UNAUTHENTICATED, "Log in with your user name and password.")
    try:
        login, colon, password = base64.b64decode(packed.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _malformed() from error
    if not colon:
        raise _malformed()
    return login, Secret(password)


def _key(cookie: str) -> str:
    # What the store holds does not open a session.
    return hashlib.sha256(cookie.encode(errors="surrogatepass")).hexdigest()


def _user(session: Session) -> LocalUser:
    return LocalUser(
        identifier=session.user,
        display_name=session.display_name,
        email=session.email,
        login=session.login,
        password=session.password,
        has_second_factor=session.has_second_factor,
        proven_at=session.proven_at,
        groups=session.groups,
    )


def _malformed() -> GatewayError:
    return GatewayError(Kind.UNAUTHENTICATED, "The Authorization field holds no user name and password.")


def _foreign_page() -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, "This request did not come from a page of this gateway.", code="foreign-page")
