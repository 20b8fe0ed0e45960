"""SSH keys that users register for what they have received (DESIGN 7): like app passwords, and as narrow."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.crypto.secrets import new_id
from gateway.crypto.sshkeys import public_line
from gateway.errors import GatewayError, Kind
from gateway.identity.apppasswords import LIST_MAX, StillStands, checked_name
from gateway.identity.base import Identity
from gateway.log import get_logger
from gateway.model.user import LocalUser
from gateway.model.userkey import UserKey
from gateway.store.base import Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKeys:
    """Adds, lists, removes and looks up users' keys.

    Attributes:
        max_per_user: how many one user may have.
    """

    keys: Table[UserKey]
    identity: Identity
    now: Callable[[], float]
    max_per_user: int

    async def add(self, user: LocalUser, name: str, claimed_line: str) -> UserKey:
        """Register a public key, given as a line of OpenSSH.

        Raises:
            GatewayError: `INVALID` for no usable key or name; `CONFLICT` if the user has it, or too many.
        """
        key, name = public_line(claimed_line), checked_name(name)
        if len(await self.list(user.identifier)) >= self.max_per_user:
            raise GatewayError(Kind.CONFLICT, f"You have {self.max_per_user} keys already. Remove one first.")
        record = UserKey(key_id=new_id(), user=user.identifier, name=name, key=key, created_at=self.now())
        try:
            await self.keys.create(record)
        except GatewayError as error:
            if error.kind is Kind.CONFLICT:
                raise GatewayError(Kind.CONFLICT, "You have registered this key already.") from error
            raise
        log.info("ssh key added", user=user.identifier, key=record.key_id)
        return record

    async def list(self, user: str) -> tuple[UserKey, ...]:
        """Return a user's keys, the newest first."""
        return (await self.keys.page("user", user, limit=LIST_MAX, newest_first=True)).records

    async def remove(self, user: str, key_id: str) -> None:
        """End a key, at once and everywhere.

        Raises:
            GatewayError: `NOT_FOUND` if the user has none of this id.
        """
        record = await self.keys.get(key_id)
        if record is None or record.user != user:
            raise GatewayError(Kind.NOT_FOUND, "You have no such key.")
        await self.keys.delete(key_id)
        log.info("ssh key removed", user=user, key=key_id)

    async def find(self, claimed_user: str, claimed_key: str) -> tuple[LocalUser, StillStands] | None:
        """Return whose key this is, and what tells whether it still holds; None if it is not that user's.

        Who asks has still to prove that he holds the private key.
        """
        record = await self.keys.find("key", lookup_of(claimed_user, claimed_key))
        if record is None or not await self.identity.may_exist(record.user):
            return None
        await self._touch(record)

        async def still_stands() -> None:
            if await self.keys.get(record.key_id) is None or not await self.identity.may_exist(record.user):
                raise GatewayError(Kind.UNAUTHENTICATED, "This key has been removed.", code="login-refused")

        return LocalUser(identifier=record.user, display_name=record.user), still_stands

    async def _touch(self, record: UserKey) -> None:
        now = self.now()
        try:
            await self.keys.update(record.key_id, lambda old: replace(old, used_at=now))
        except GatewayError as error:
            log.debug("use of a key is not noted", key=record.key_id, reason=str(error))


def lookup_of(user: str, key: str) -> str:
    """Return under what a user's key is found: the same key may be several users'."""
    return f"{user}\n{key}"


def fingerprint_of(key: str) -> str:
    """Return a key's fingerprint as OpenSSH shows it."""
    digest = hashlib.sha256(base64.b64decode(key.partition(" ")[2])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
