"""App passwords (DESIGN 7): made by a user, shown once, for programs that mount what she has received.

They need no pass word of the user's own, and never lead to her storage: who comes with one has none of its
credentials. The store holds only a hash, found by another keyed hash. Nothing is remembered in this process, so a
withdrawn one ends on every replica at once; guesses count like failed log-ins.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.crypto.secrets import new_id
from gateway.errors import GatewayError, Kind
from gateway.identity.base import Identity
from gateway.log import get_logger
from gateway.model.apppassword import AppPassword
from gateway.model.secret import Secret
from gateway.model.user import KnownUser, LocalUser
from gateway.store.base import Table

log = get_logger(__name__)

# 32 letters and digits that are not mistaken for each other: 25 of them are 125 bits.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS = 5
GROUP_CHARS = 5
_SHAPE = re.compile(rf"app(-[{ALPHABET}]{{{GROUP_CHARS}}}){{{GROUPS}}}")
NAME_MAX_CHARS = 64
# The time of the last use is written no more often than this, in seconds, so that not every request writes.
TOUCH_SECONDS = 60.0
LIST_MAX = 1000

StillStands = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswords:
    """Makes, lists, withdraws and proves app passwords.

    Attributes:
        max_per_user: how many one user may have.
    """

    passwords: Table[AppPassword]
    known: Table[KnownUser]
    identity: Identity
    now: Callable[[], float]
    max_per_user: int

    async def create(self, user: LocalUser, name: str) -> tuple[AppPassword, Secret]:
        """Make an app password and return it, the only time that anybody sees it.

        Raises:
            GatewayError: `INVALID` for a name that cannot be shown; `CONFLICT` if the user has too many.
        """
        name = checked_name(name)
        if len(await self.list(user.identifier)) >= self.max_per_user:
            raise GatewayError(
                Kind.CONFLICT, f"You have {self.max_per_user} app passwords already. Withdraw one that you do not use."
            )
        password = new_app_password()
        record = AppPassword(
            password_id=new_id(),
            user=user.identifier,
            name=name,
            verifier=_verifier(password),
            created_at=self.now(),
        )
        await self.passwords.create(record)
        log.info("app password made", user=user.identifier, app_password=record.password_id)
        return record, password

    async def list(self, user: str) -> tuple[AppPassword, ...]:
        """Return a user's app passwords, the newest first."""
        return (await self.passwords.page("user", user, limit=LIST_MAX, newest_first=True)).records

    async def withdraw(self, user: str, password_id: str) -> None:
        """End an app password, at once and everywhere.

        Raises:
            GatewayError: `NOT_FOUND` if the user has none of this id.
        """
        record = await self.passwords.get(password_id)
        if record is None or record.user != user:
            raise GatewayError(Kind.NOT_FOUND, "You have no such app password.")
        await self.passwords.delete(password_id)
        log.info("app password withdrawn", user=user, app_password=password_id)

    async def log_in(self, login: str, password: Secret, *, address: str) -> tuple[LocalUser, StillStands]:
        """Return whose app password this is, and what tells whether it still holds.

        Args:
            address: the client's network address, for the limit on guesses.

        Raises:
            GatewayError: `UNAUTHENTICATED` if it is nobody's, or not that of the user called `login`; `LIMITED` after
                too many of those.
        """
        record = await self.passwords.find("verifier", _verifier(password).reveal())
        if record is None or record.user.casefold() != login.casefold():
            async with self.identity.throttle.attempt(login, address):
                raise _refused()
        user = await self._user(record)
        await self._touch(record, address)

        async def still_stands() -> None:
            if await self.passwords.get(record.password_id) is None:
                raise _refused()

        return user, still_stands

    async def _user(self, record: AppPassword) -> LocalUser:
        if not await self.identity.may_exist(record.user):
            raise _refused()
        known = await self.known.get(record.user)
        # Neither log-in name nor pass word: nothing of the user's own storage can be opened with this.
        return LocalUser(
            identifier=record.user,
            display_name=known.display_name if known is not None else record.user,
            email=known.email if known is not None else "",
        )

    async def _touch(self, record: AppPassword, address: str) -> None:
        now = self.now()
        if record.used_at is not None and now - record.used_at < TOUCH_SECONDS and record.used_from == address:
            return
        try:
            await self.passwords.update(
                record.password_id, lambda old: replace(old, used_at=now, used_from=address[:64])
            )
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                raise _refused() from error
            raise


def checked_name(claimed_name: str) -> str:
    """Return the name that a user gives to a program or device.

    Raises:
        GatewayError: `INVALID` if it cannot be shown in a list.
    """
    name = claimed_name.strip()
    if not 0 < len(name) <= NAME_MAX_CHARS or not name.isprintable():
        raise GatewayError(Kind.INVALID, f"Give it a name of 1 to {NAME_MAX_CHARS} characters, in one line.")
    return name


def is_app_password(password: Secret) -> bool:
    """Tell whether a pass word has the form of an app password; then it is never shown to a provider."""
    return _SHAPE.fullmatch(password.reveal()) is not None


def new_app_password(choose: Callable[[str], str] = secrets.choice) -> Secret:
    """Return a fresh app password, in groups that can be typed."""
    groups = ("".join(choose(ALPHABET) for _ in range(GROUP_CHARS)) for _ in range(GROUPS))
    return Secret("-".join(("app", *groups)))


def _verifier(password: Secret) -> Secret:
    return Secret(hashlib.sha256(password.reveal().encode(errors="surrogatepass")).hexdigest())


def _refused() -> GatewayError:
    return GatewayError(Kind.UNAUTHENTICATED, "The user name or the app password is wrong.", code="login-refused")
