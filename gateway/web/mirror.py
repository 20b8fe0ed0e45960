"""The door of the self-test (`ocm-gateway doctor`): it tells whoever holds our keys what arrived of a message.

It answers only to a ticket: a fresh name, sealed with the key file and named in the body's first line, since what is
tested is whether the proxies before us leave head lines alone. A ticket opens once. To everybody else nothing is here
(404), whatever they sent. What is told is about the message itself: target, fields (by their digests), length,
whether its signature holds against our own key, and which address it came from; besides, how the store is, since an
embedded one can be asked by nobody else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from gateway import __version__
from gateway.crypto import cavage, httpsig
from gateway.crypto.refusal import SignatureError
from gateway.crypto.ring import KeyRing
from gateway.errors import GatewayError, Kind
from gateway.model.address import authority_of
from gateway.store.base import Begun, Counter, Once, StoreHealth
from gateway.web import aio
from gateway.web.clientaddress import Network, is_within, parse_node, told_chain
from gateway.web.doors import Door, Lock, Style

# The longest message that is looked at; behind it nobody needs to know more about a proxy's limit.
BODY_MAX_BYTES = 4 * 1024 * 1024
TICKET_MAX_BYTES = 1024
# A ticket opens within a day, so that a wrong clock can be told instead of being met with silence.
TICKET_SECONDS = 24 * 3600
CONTEXT = "doctor ticket"
# One run of the self-test sends about a dozen.
MESSAGES_PER_SECOND = 0.5
MESSAGES_BURST = 60
DIGEST_CHARS = 16
STORE_GOOD = "ok"


class Opener(Protocol):
    """Opens what was sealed with the key file."""

    def open(self, sealed: str, *, context: str) -> bytes:
        """Return what was sealed under `context`, or raise a `GatewayError`."""


class Sealing(Protocol):
    """Seals with the key file."""

    def seal(self, secret: bytes, *, context: str) -> str:
        """Return `secret` encrypted, as ASCII text."""


def new_ticket(keys: Sealing, name: str, now: float) -> bytes:
    """Return a ticket with a fresh `name`: the first line of a message to this door."""
    return keys.seal(json.dumps([name, now]).encode(), context=CONTEXT).encode() + b"\n"


def digest_of(value: str) -> str:
    """Return the digest by which the door names a field's value: it may be a secret that a proxy has added."""
    return hashlib.sha256(value.encode("latin-1", "replace")).hexdigest()[:DIGEST_CHARS]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorDoor:
    """Handler of everything below `/doctor`.

    Attributes:
        keys: returns the key ring of now.
        trusted: the proxies that are believed.
        now: seconds since the epoch.
    """

    opener: Opener
    keys: Callable[[], KeyRing]
    once: Once
    counter: Counter
    health: StoreHealth
    public_url: str
    prefix: str
    trusted: Sequence[Network]
    now: Callable[[], float]

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return tuple(
            Door(
                name="doctor",
                method="*",
                path=path,
                lock=Lock.KEYS,
                style=Style.OCM,
                about="what arrived of a message, for the self-test",
                handler=self.tell,
                expect_handler=aio.admit_later,
            )
            for path in (f"{self.prefix}/doctor", f"{self.prefix}/doctor/{{path:.*}}")
        )

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what arrived.

        Raises:
            GatewayError: `NOT_FOUND` without a ticket that opens for the first time, `TOO_LARGE`, `LIMITED`.
        """
        pieces = aio.body_of(request)
        first = await _read(pieces, TICKET_MAX_BYTES, stop=b"\n")
        await self._admit(first.partition(b"\n")[0])
        body = first + await _read(pieces, BODY_MAX_BYTES)
        if len(body) > BODY_MAX_BYTES:
            raise GatewayError(Kind.TOO_LARGE, f"The self-test sends at most {BODY_MAX_BYTES} bytes.")
        told = self._arrived(request, body) | {"store": await self._store()}
        return web.json_response(told, headers={"Cache-Control": "no-store"})

    async def _admit(self, ticket: bytes) -> None:
        try:
            name, made_at = json.loads(self.opener.open(ticket.decode("ascii"), context=CONTEXT))
        except (GatewayError, ValueError) as error:
            raise _nothing_here() from error
        if abs(self.now() - made_at) > TICKET_SECONDS:
            raise _nothing_here()
        wait = await self.counter.take("doctor", per_second=MESSAGES_PER_SECOND, burst=MESSAGES_BURST)
        if wait > 0:
            raise GatewayError(Kind.LIMITED, "The self-test was run too often.", retry_after=int(wait) + 1)
        if not isinstance(await self.once.begin(f"doctor:{name}", hold_seconds=2 * TICKET_SECONDS), Begun):
            raise _nothing_here()

    def _arrived(self, request: web.Request, body: bytes) -> dict[str, object]:
        hop = request.transport.get_extra_info("peername") if request.transport is not None else None
        return {
            "version": __version__,
            "public_url": self.public_url,
            "now": self.now(),
            "method": request.method,
            "target": request.raw_path,
            "host": request.headers.get("Host", ""),
            "fields": {name.lower(): digest_of(value) for name, value in request.headers.items()},
            "length": len(body),
            "client": request.remote or "",
            "hop": str(hop[0]) if isinstance(hop, tuple) else "",
            "is_forwarded": bool(told_chain(request)),
            "is_hop_trusted": self._is_trusted(hop),
            "signature": self._signature(request, body),
        }

    async def _store(self) -> str:
        try:
            await self.health.check_marker()
        except GatewayError as error:
            return error.public
        return STORE_GOOD

    def _is_trusted(self, hop: object) -> bool:
        node = parse_node(str(hop[0])) if isinstance(hop, tuple) else None
        return node is not None and is_within(node, self.trusted)

    def _signature(self, request: web.Request, body: bytes) -> str:
        """Return `holds`, `missing`, or why the signature does not hold."""
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        try:
            newer, older = httpsig.find_signature(fields), cavage.find_signature(fields)
            if newer is not None:
                self._check_newer(newer, request, fields, body)
            elif older is not None:
                self._check_older(older, request, fields, body)
            else:
                return "missing"
        except SignatureError as error:
            return error.reason.value
        return "holds"

    def _check_newer(
        self, claimed: httpsig.ClaimedSignature, request: web.Request, fields: list[tuple[str, str]], body: bytes
    ) -> None:
        head = httpsig.SignedHead(request.method, self.public_url + request.raw_path, fields)
        httpsig.verify(claimed, head, body, jwk=self.keys().signing_key().public_jwk(), now=self.now())

    def _check_older(
        self, claimed: cavage.ClaimedSignature, request: web.Request, fields: list[tuple[str, str]], body: bytes
    ) -> None:
        head = cavage.SignedHead(request.method, request.raw_path, authority_of(self.public_url), fields)
        pem = self.keys().cavage_key(self.now()).public_pem()
        cavage.verify(claimed, head, body, pem=pem, now=self.now())


async def _read(pieces: AsyncIterator[bytes], most: int, *, stop: bytes | None = None) -> bytes:
    """Return what comes until `stop` was seen, the end, or more than `most` bytes."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > most or (stop is not None and stop in body):
            break
    return bytes(body)


def _nothing_here() -> GatewayError:
    return GatewayError(Kind.NOT_FOUND, "Nothing is here.")
