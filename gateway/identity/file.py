"""Users in a YAML file, with Argon2 hashes of their pass words: for small houses, tests and the demo.

```yaml
users:
  alice:
    password: "$argon2id$v=19$…"     # made by `ocm-gateway hash-password`
    display_name: Alice Adams
    email: alice@example.org
    groups: [staff]                  # for storage_rules
```

The file is read again when it changes. A log-in with an unknown name takes as long as one with a wrong pass word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import argon2
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import Fault, GatewayError, Kind
from gateway.log import get_logger
from gateway.model.address import LOCAL_IDENTIFIER
from gateway.model.secret import Secret
from gateway.model.user import KnownUser, LocalUser

log = get_logger(__name__)

# What OWASP asks of Argon2id at least: 19 MiB, two rounds. Hashes from elsewhere bring their own costs.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each check takes memory and a core; more of them wait, so that guessing cannot exhaust either.
CHECKS_AT_ONCE = 2


def _is_hash(text: str) -> str:
    try:
        argon2.extract_parameters(text)
    except argon2.exceptions.InvalidHashError as error:
        raise ValueError("is not an Argon2 hash; make one with `ocm-gateway hash-password`") from error
    return text


def _is_name(text: str) -> str:
    if not LOCAL_IDENTIFIER.fullmatch(text) or not text.strip("."):
        raise ValueError("a user name has the characters A-Z a-z 0-9 _ . - only")
    return text


class _User(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    password: Annotated[str, AfterValidator(_is_hash)]
    display_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


class _Users(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    users: dict[Annotated[str, AfterValidator(_is_name)], _User] = Field(default_factory=dict)


class FileLogIn:
    """Proves users by a file.

    Raises:
        GatewayError: `CONFIGURATION` if the file cannot be read or has faults; later the last good one stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slots = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._state = _state(path)
        self._users = read_users(path)

    async def check(self, login: str, password: Secret) -> LocalUser | None:
        """Return the user if the pass word fits its hash, else None."""
        users = self._current()
        user = users.get(login)
        # Somebody's hash is checked in any case, so that the time tells nothing about the name.
        checked = user or next(iter(users.values()), None)
        if checked is None:
            return None
        async with self._slots:
            fits = await asyncio.to_thread(_fits, checked.password, password)
        if user is None or not fits:
            return None
        return LocalUser(
            identifier=login,
            display_name=user.display_name or login,
            email=user.email,
            login=login,
            groups=user.groups,
        )

    async def find(self, claimed_identifier: str) -> Sequence[KnownUser]:
        """Return the users in the file whose name this is in any case."""
        return [
            KnownUser(identifier=name, display_name=user.display_name or name, email=user.email)
            for name, user in self._current().items()
            if name.casefold() == claimed_identifier.casefold()
        ]

    async def has(self, identifier: str) -> bool:
        """Tell whether the file has this user."""
        return identifier in self._current()

    def _current(self) -> Mapping[str, _User]:
        state = _state(self._path)
        if state == self._state:
            return self._users
        # Told once for each change: a file in the middle of an edit must not lock everybody out.
        self._state = state
        try:
            self._users = read_users(self._path)
        except GatewayError as error:
            faults = [f"{fault.name}: {fault.message}" for fault in error.faults]
            log.warning("users file not taken, the last good one stays", reason=str(error), faults=faults)
        else:
            log.info("users file read again", users=len(self._users))
        return self._users


def hash_password(password: Secret) -> str:
    """Return the Argon2 hash of a pass word, as it goes into the file."""
    return _HASHER.hash(password.reveal())


def read_users(path: Path) -> Mapping[str, _User]:
    """Read a users file.

    Raises:
        GatewayError: `CONFIGURATION`, naming every fault by its path but no value.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Users.model_validate(document if document is not None else {}).users
    except ValidationError as error:
        faults = tuple(Fault(_where(e["loc"]), e["msg"]) for e in error.errors(include_input=False, include_url=False))
        raise GatewayError(Kind.CONFIGURATION, f"The users file {path} has faults:", faults=faults) from error
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayError(Kind.CONFIGURATION, f"The users file {path} cannot be read.", log=str(error)) from error
    except (yaml.YAMLError, RecursionError) as error:
        # What PyYAML says would quote the file, with a hash in it.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise GatewayError(Kind.CONFIGURATION, f"The users file {path} is not YAML{where}.") from None


def _where(place: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in place if step != "[key]") or "users"


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _fits(hashed: str, password: Secret) -> bool:
    try:
        return _HASHER.verify(hashed, password.reveal())
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
