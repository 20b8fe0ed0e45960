"""What the self-test knows of a peer: what it says of itself, and a way to ask it more, as the gateway would."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from gateway.app.doctor.stranger import Seen
from gateway.app.peers import contact_rule, guard_of, rules_of
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, host_of_url
from gateway.model.dialect import Dialect
from gateway.model.peer import Discovery, Peer, Scheme
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.faults import wire_errors
from gateway.peers.fetch import Fetcher, Found, Miss, read_bounded
from gateway.peers.guard import guarded_session, tls_context
from gateway.peers.signing import MessageSigner, scheme_for
from gateway.peers.statements import DOCUMENT_PATHS, Statements
from gateway.peers.urls import checked_url

ANSWER_MAX_BYTES = 64 * 1024
NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A guarded way to one peer, with our keys."""

    config: Config
    keys: KeyBox
    session: aiohttp.ClientSession
    fetcher: Fetcher
    statements: Statements
    host: Host
    now: Callable[[], float]

    async def misses(self) -> list[str]:
        """Return, for each path of discovery that gives no document, what its server does instead."""
        found = []
        for path in DOCUMENT_PATHS:
            try:
                outcome = await self._document(path)
            except GatewayError as error:
                found.append(f"{path}: {error.public}")
                continue
            if isinstance(outcome, Miss):
                found.append(f"{path}: its server {outcome.reason}")
        return found

    async def _document(self, path: str) -> Found | Miss:
        try:
            return await self.fetcher.get(f"https://{self.host}{path}")
        except GatewayError as error:
            if error.kind is not Kind.UNAVAILABLE or not self.config.peers.allow_http:
                raise
        return await self.fetcher.get(f"http://{self.host}{path}")

    async def ask(
        self, method: str, url: str, *, scheme: Scheme | None = None, body: bytes = b"", kind: str = ""
    ) -> Seen:
        """Return the answer to one request, signed if a scheme is given. Nothing is followed.

        Raises:
            GatewayError: `UNAVAILABLE` if there is none, `FORBIDDEN` if we may not contact it, `INVALID` for the URL.
        """
        options = self.config.peers
        target = checked_url(url, allow_http=options.allow_http)
        contact_rule(rules_of(self.config))(host_of_url(url))
        headers: dict[str, str] = {"Content-Type": kind, "Accept": "application/json"} if kind else {}
        if scheme is not None:
            headers |= self._signed(scheme, method, url, body)
        with wire_errors(self.host):
            async with self.session.request(
                method, target, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                content = await read_bounded(answer, ANSWER_MAX_BYTES) or b""
                return Seen(answer.status, answer.headers, content, "")

    def _signed(self, scheme: Scheme, method: str, url: str, body: bytes) -> Mapping[str, str]:
        signer = MessageSigner(keys=self.keys.current, nonce=lambda: secrets.token_urlsafe(NONCE_BYTES))
        target = checked_url(url, allow_http=self.config.peers.allow_http)
        return signer.sign(scheme, method, target, body, now=self.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A peer that has a document."""

    line: Line
    peer: Peer
    discovery: Discovery
    keys_fault: str = ""

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to."""
        return recognise(self.discovery)

    @property
    def scheme(self) -> Scheme | None:
        """How messages to it are signed."""
        return scheme_for(self.peer)


@asynccontextmanager
async def line_to(
    config: Config,
    keys: KeyBox,
    host: Host,
    *,
    resolver: AbstractResolver | None = None,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Line]:
    """Open a line to a peer.

    Args:
        resolver: looks up its name, by default in the system's way.
    """
    options = config.peers
    async with guarded_session(
        guard_of(config),
        tls=tls_context(options.ca_file),
        resolver=resolver,
        connect_seconds=options.connect_seconds,
        total_seconds=options.total_seconds,
    ) as session:
        fetcher = Fetcher(
            session=session,
            allow_http=options.allow_http,
            max_bytes=config.limits.discovery_bytes,
            redirects=options.redirects,
        )
        statements = Statements(fetcher=fetcher, may_contact=contact_rule(rules_of(config)))
        yield Line(
            config=config, keys=keys, session=session, fetcher=fetcher, statements=statements, host=host, now=now
        )


async def known(line: Line) -> Known:
    """Return what a peer says of itself.

    Raises:
        GatewayError: as `Statements.document`, and `FORBIDDEN` for a host that our lists exclude.
    """
    contact_rule(rules_of(line.config))(line.host)
    discovery = await line.statements.document(line.host)
    peer = Peer(host=line.host, discovery=discovery, discovered_at=line.now())
    try:
        keys = await line.statements.keys(peer, is_known=False)
    except GatewayError as error:
        if error.kind not in (Kind.UNAVAILABLE, Kind.FORBIDDEN, Kind.INVALID):
            raise
        return Known(line=line, peer=peer, discovery=discovery, keys_fault=error.public)
    peer = Peer(host=line.host, discovery=discovery, discovered_at=line.now(), jwks=keys, keys_at=line.now())
    return Known(line=line, peer=peer, discovery=discovery)
