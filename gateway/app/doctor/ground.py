"""What every check stands on: the configuration and keys as this process reads them, and a stranger outside."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yarl import URL

from gateway.app.doctor.stranger import Lookup, Place, Seen, Stranger
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.errors import GatewayError, Kind
from gateway.model.peer import Scheme
from gateway.ocm.jsontext import parse_object
from gateway.peers.signing import MessageSigner
from gateway.web.mirror import new_ticket

NONCE_BYTES = 16
_OK = 200


@dataclass(frozen=True, slots=True)
class Reflection:
    """What the gateway says that arrived of a message of ours, and how it was answered."""

    seen: Seen
    told: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ground.

    Attributes:
        keys: our keys, or None if they cannot be read; a check of its own tells that.
        via: where the public URL is dialled instead of what its name leads to.
        now: seconds since the epoch.
        has_peer: whether a peer is looked at too.
    """

    config: Config
    keys: KeyBox | None
    stranger: Stranger
    lookup: Lookup
    via: Place | None
    now: Callable[[], float]
    user: str = ""
    may_write: bool = False
    has_peer: bool = False
    _first: dict[str, asyncio.Task[Reflection]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The public host without its port."""
        return urlsplit(self.config.public_url).hostname or ""

    @property
    def is_tls(self) -> bool:
        """Whether we are reached over TLS."""
        return self.config.public_url.startswith("https://")

    async def place(self) -> Place:
        """Return where the public URL leads.

        Raises:
            OSError: if its name is not known.
        """
        if self.via is not None:
            return self.via
        port = urlsplit(self.config.public_url).port or (443 if self.is_tls else 80)
        return Place((await self.lookup(self.host))[0], port)

    def signed(self, method: str, target: str, body: bytes, scheme: Scheme) -> dict[str, str]:
        """Return the fields that sign a message of ours to ourselves."""
        assert self.keys is not None  # no check that signs is run without keys
        signer = MessageSigner(keys=self.keys.current, nonce=lambda: secrets.token_urlsafe(NONCE_BYTES))
        url = URL(self.config.public_url + target, encoded=True)
        return signer.sign(scheme, method, url, body, now=self.now())

    async def reflect(
        self, *, below: str = "", size: int = 0, headers: dict[str, str] | None = None, scheme: Scheme = Scheme.RFC9421
    ) -> Reflection:
        """Send a signed message to our own door of the self-test and return what arrived.

        Args:
            below: what stands behind the door's path.
            size: fill the body up to so many bytes.

        Raises:
            GatewayError: `UNAVAILABLE` if nothing is answered.
        """
        assert self.keys is not None  # as above
        target = f"{self.config.prefix}/doctor{below}"
        ticket = new_ticket(self.keys, secrets.token_hex(NONCE_BYTES), self.now())
        body = ticket + b"." * max(0, size - len(ticket))
        fields = {**self.signed("POST", target, body, scheme), "Content-Type": "application/octet-stream"}
        seen = await self.stranger.ask("POST", target, headers=fields | (headers or {}), body=body)
        return Reflection(seen, _told(seen))

    async def first(self) -> Reflection:
        """Return what arrived of one plain message, which is sent only once for all checks."""
        if "plain" not in self._first:
            self._first["plain"] = asyncio.create_task(self.reflect())
        return await asyncio.shield(self._first["plain"])


def read_keys(path: Path) -> KeyBox:
    """Return the keys.

    Raises:
        GatewayError: `CONFIGURATION` if there are none that can be used.
    """
    try:
        if path.exists():
            return KeyBox(path)
    except OSError as error:
        raise GatewayError(Kind.CONFIGURATION, f"The key file {path} cannot be read: {error.strerror}.") from error
    raise GatewayError(Kind.CONFIGURATION, f"There is no key file at {path}.")


def _told(seen: Seen) -> dict[str, Any] | None:
    if seen.status != _OK:
        return None
    try:
        told = parse_object(seen.body, max_bytes=len(seen.body), max_depth=4)
    except GatewayError:
        return None
    return told if "fields" in told else None
