"""How the self-test speaks with this gateway: from outside, by its public name, as a stranger's server would.

Only the public host of the configuration is ever dialled, or the address that the operator named instead of what its
name leads to (`--via`). Nothing is followed, and nothing is remembered.
"""

from __future__ import annotations

import asyncio
import io
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway import __version__
from gateway.errors import GatewayError, Kind
from gateway.model.address import host_of_url
from gateway.peers.faults import wire_errors
from gateway.peers.fetch import read_bounded

ANSWER_MAX_BYTES = 256 * 1024
ANSWER_SECONDS = 15.0
CONNECT_SECONDS = 5.0
_REQUEST_ID = "X-Request-Id"

Lookup = Callable[[str], Awaitable[tuple[str, ...]]]
"""From a host name to its addresses in the name service; raises `OSError` if there are none."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address and a port to dial instead of what a name leads to."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back.

    Attributes:
        sent_as: the number that we gave the request; the gateway repeats it.
        body: at most `ANSWER_MAX_BYTES`; longer ones are left out.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_as: str

    @property
    def is_ours(self) -> bool:
        """Whether the gateway answered, as far as the proxies before it let that be seen."""
        is_named = self.headers.get("Server", "").startswith("ocm-gateway")
        return is_named or self.headers.get(_REQUEST_ID) == self.sent_as

    @property
    def kind(self) -> str:
        """The media type without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def date(self) -> float | None:
        """The time that the answer says it was made at, in seconds since the epoch."""
        try:
            return parsedate_to_datetime(self.headers.get("Date", "")).timestamp()
        except ValueError:
            return None

    def words(self) -> str:
        """Return in short what was answered, for a sentence."""
        if location := self.headers.get("Location"):
            return f"{self.status} and a redirect to {location[:200]!r}"
        by = "by the gateway" if self.is_ours else "by something before it"
        return f"{self.status}{f' ({self.kind})' if self.kind else ''} {by}"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Makes requests to the public URL."""

    session: aiohttp.ClientSession
    public_url: str

    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        is_expecting: bool = False,
    ) -> Seen:
        """Return the answer to one request; `target` is sent byte for byte.

        Raises:
            GatewayError: `UNAVAILABLE` if there is none.
        """
        sent_as = f"doctor-{secrets.token_hex(8)}"
        url = URL(self.public_url + target, encoded=True)
        with wire_errors(host_of_url(self.public_url)):
            async with self.session.request(
                method,
                url,
                headers={_REQUEST_ID: sent_as, **(headers or {})},
                data=io.BytesIO(body) if body else None,
                allow_redirects=False,
                expect100=is_expecting,
            ) as answer:
                content = await read_bounded(answer, ANSWER_MAX_BYTES) or b""
                return Seen(answer.status, answer.headers, content, sent_as)


@asynccontextmanager
async def stranger(public_url: str, tls: ssl.SSLContext, lookup: Lookup, via: Place | None) -> AsyncIterator[Stranger]:
    """Open a stranger for the public URL; call it inside the running loop."""
    connector = aiohttp.TCPConnector(resolver=_Route(lookup, via), ssl=tls, force_close=True, limit_per_host=4)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
        headers={"User-Agent": f"ocm-gateway/{__version__}", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    ) as session:
        yield Stranger(session, public_url)


async def look_up(name: str) -> tuple[str, ...]:
    """Return the addresses of a name in the system's way."""
    if name == "localhost" or name.endswith(".localhost"):
        return ("127.0.0.1",)
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_place(text: str) -> Place:
    """Return the place in `ADDRESS:PORT`.

    Raises:
        GatewayError: `INVALID`.
    """
    address, _, port = text.rpartition(":")
    if not address or not port.isdecimal():
        raise GatewayError(Kind.INVALID, "--via has the form ADDRESS:PORT.")
    return Place(address.strip("[]"), int(port))


class _Route(AbstractResolver):
    """Leads the public name, and no other is asked for, to where it is."""

    def __init__(self, lookup: Lookup, via: Place | None) -> None:
        self._lookup = lookup
        self._via = via

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the port of aiohttp has it
    ) -> list[ResolveResult]:
        """Return where to dial."""
        via = self._via
        places = [via] if via is not None else [Place(address, port) for address in await self._lookup(host)]
        return [
            ResolveResult(
                hostname=host,
                host=place.address,
                port=place.port,
                family=socket.AF_INET6 if ":" in place.address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST.value,
            )
            for place in places
        ]

    async def close(self) -> None:
        """Close nothing: there is nothing open."""
