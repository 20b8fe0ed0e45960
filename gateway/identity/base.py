"""Who is this? Several providers are asked in order; who once was proven is known from then on (DESIGN 7).

`Identity.log_in` proves a name and pass word. Guessing is slowed down by address and by name, across replicas
(`identity.throttle`). A proof is kept for a few minutes in this process, so that a storage's own lock-out is not
triggered by every request; what is kept is a keyed hash that means nothing elsewhere. `Identity.find` answers which
of our users an incoming share means: those whom a provider knows by itself, and those who logged in once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from gateway.errors import GatewayError, Kind
from gateway.identity.throttle import Throttle
from gateway.log import get_logger
from gateway.model.address import LOCAL_IDENTIFIER
from gateway.model.secret import Secret
from gateway.model.user import KnownUser, LocalUser
from gateway.store.base import Table

log = get_logger(__name__)

LOGIN_MAX_CHARS = 256
PASSWORD_MAX_CHARS = 1024
MEMORY_MAX_PROOFS = 10_000
# Users whose identifiers differ only in case; more than one is already too many to tell them apart.
SAME_NAME_LIMIT = 10


class LogIn(Protocol):
    """One way of proving who somebody is."""

    async def check(self, login: str, password: Secret) -> LocalUser | None:
        """Return the user if the pass word is hers, else None.

        Raises:
            GatewayError: if that cannot be known (`UNAVAILABLE`), or not in this way (`FORBIDDEN`).
        """

    async def find(self, claimed_identifier: str) -> Sequence[KnownUser]:
        """Return the users whose identifier this is in any case, as far as the provider can tell without a log-in."""


@runtime_checkable
class ListsEverybody(Protocol):
    """A way of proving that knows all of its users by itself."""

    async def has(self, identifier: str) -> bool:
        """Tell whether there is such a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    user: LocalUser
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The configured providers, as one.

    Attributes:
        cache_seconds: how long a proof is believed without asking again.
    """

    providers: Sequence[LogIn]
    known: Table[KnownUser]
    throttle: Throttle
    now: Callable[[], float]
    cache_seconds: float = 300.0
    _proofs: OrderedDict[bytes, _Proof] = field(default_factory=OrderedDict)
    # Proofs are remembered under a hash that means nothing outside this process.
    _salt: bytes = field(default_factory=lambda: os.urandom(32))

    async def log_in(self, login: str, password: Secret, *, address: str) -> LocalUser:
        """Return the user whose name and pass word these are.

        Args:
            address: the client's network address, for the limit on guesses.

        Raises:
            GatewayError: `UNAUTHENTICATED` if they are nobody's, `LIMITED` after too many failures, `UNAVAILABLE` if
                a provider cannot tell now.
        """
        if not _is_usable(login, password):
            raise _refused()
        fingerprint = self._fingerprint(login, password)
        proof = self._proofs.get(fingerprint)
        if proof is not None and proof.until > self.now():
            return proof.user
        async with self.throttle.attempt(login, address):
            user = await self._ask(login, password, address)
        if not LOCAL_IDENTIFIER.fullmatch(user.identifier):
            log.warning("user name cannot leave the house", user=user.identifier)
            raise GatewayError(Kind.FORBIDDEN, "Your user name holds characters that cannot be used here.")
        await self._know(user)
        self._remember(fingerprint, user)
        return user

    async def find(self, claimed_identifier: str) -> KnownUser | None:
        """Return the user whom an identifier means: exactly, else the only one in any case, else None."""
        page = await self.known.page("folded", claimed_identifier.casefold(), limit=SAME_NAME_LIMIT)
        found = {user.identifier: user for user in page.records}
        for provider in self.providers:
            for user in await provider.find(claimed_identifier):
                found.setdefault(user.identifier, user)
        if claimed_identifier in found:
            return found[claimed_identifier]
        return next(iter(found.values())) if len(found) == 1 else None

    async def may_exist(self, identifier: str) -> bool:
        """Tell whether there may (still) be such a user: no, only if every provider knows that there is none."""
        for provider in self.providers:
            if not isinstance(provider, ListsEverybody) or await provider.has(identifier):
                return True
        return False

    async def _ask(self, login: str, password: Secret, address: str) -> LocalUser:
        """Ask every provider in order; one that cannot tell does not keep the next from telling."""
        trouble: GatewayError | None = None
        for provider in self.providers:
            try:
                user = await provider.check(login, password)
            except GatewayError as error:
                trouble = trouble or error
                continue
            if user is not None:
                return user
        if trouble is not None:
            raise trouble
        # The name stays out of the log: people type pass words into the wrong field.
        log.warning("log-in refused", address=address)
        raise _refused()

    async def _know(self, user: LocalUser) -> None:
        now = self.now()
        record = KnownUser(identifier=user.identifier, display_name=user.display_name, email=user.email, seen_at=now)
        if await self.known.get(user.identifier) is None:
            try:
                await self.known.create(record)
            except GatewayError as error:
                # Another replica saw the same user at the same time.
                if error.kind is not Kind.CONFLICT:
                    raise
            return
        await self.known.update(user.identifier, lambda old: replace(record, seen_at=max(old.seen_at, now)))

    def _fingerprint(self, login: str, password: Secret) -> bytes:
        # JSON parts the two unmistakably.
        text = json.dumps([login, password.reveal()])
        return hashlib.blake2b(text.encode(), key=self._salt).digest()

    def _remember(self, fingerprint: bytes, user: LocalUser) -> None:
        self._proofs[fingerprint] = _Proof(user=user, until=self.now() + self.cache_seconds)
        self._proofs.move_to_end(fingerprint)
        while len(self._proofs) > MEMORY_MAX_PROOFS:
            self._proofs.popitem(last=False)


def _is_usable(login: str, password: Secret) -> bool:
    text = login + password.reveal()
    is_text = "\x00" not in text and text.encode(errors="replace").decode() == text
    return is_text and 0 < len(login) <= LOGIN_MAX_CHARS and 0 < len(password.reveal()) <= PASSWORD_MAX_CHARS


def _refused() -> GatewayError:
    return GatewayError(Kind.UNAUTHENTICATED, "The user name or the password is wrong.", code="login-refused")
