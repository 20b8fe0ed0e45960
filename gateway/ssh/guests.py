"""Who comes in at the SSH door, and what is opened to them.

A `Doorkeeper` knows one kind of guest: those with a grant of ours, or our own users. The door asks each in turn, and
serves what the answering one hands out: a storage that is already narrowed to what the guest may do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.backends.base import Backend, OpenAt
from gateway.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody at the SSH door, and what is served to them.

    Attributes:
        name: who it is, for the log.
        room: connections of the same room are counted together.
        backend: what the guest may reach; it enforces everything itself, at every verb.
        files: opens its files for bytes at any place.
        file_name: if all that is served is one file (the backend's root), its name.
        may_write: whether anything may be changed: what listings show, and what is refused before it comes.
        serving: registers the running task while the guest is served; it is cancelled when the guest has to leave.
    """

    name: str
    room: str
    backend: Backend
    files: OpenAt
    file_name: str | None = None
    may_write: bool
    serving: Callable[[], AbstractContextManager[None]]


class Doorkeeper(Protocol):
    """Tells guests of one kind from strangers."""

    async def by_key(self, claimed_user: str, claimed_key: str) -> Guest | None:
        """Return the guest whom this user name and public key (`type base64`) stand for.

        The door serves nothing before the client has proven that it holds the private key.

        Raises:
            GatewayError: if that cannot be known now.
        """

    async def by_password(self, claimed_user: str, password: Secret, address: str) -> Guest | None:
        """Return the guest whom this pass word proves.

        Args:
            address: where it comes from, so that guessing can be slowed down.

        Raises:
            GatewayError: if that cannot be known now, or if there was too much guessing.
        """

    @property
    def takes_passwords(self) -> bool:
        """Whether any of these guests can have a pass word."""
