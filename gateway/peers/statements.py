"""Asking a provider for its discovery document and its JWK set, without any memory (DISC-1, DISC-6, KEYS-1).

The document stands at `/.well-known/ocm`, with older peers at `/ocm-provider/`; whatever is no JSON object with a
usable end point is passed over (live-captures.md 2, item 6). The keys stand where `jwksUri` says (-07), else at
`/.well-known/jwks.json` (-05). `https` is tried first; `http` follows only where it is allowed, and only if nobody
answers with TLS.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.crypto.jwk import import_jwk_set
from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.address import Host, host_of_url
from gateway.model.peer import Discovery, Peer
from gateway.ocm import discovery as discovery_text
from gateway.peers.fetch import Fetcher, Found, Miss
from gateway.peers.urls import MayContact, checked_url

DOCUMENT_PATHS = ("/.well-known/ocm", "/ocm-provider/")
KEYS_PATH = "/.well-known/jwks.json"
NO_OCM = "peer-without-ocm"

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Fetches what peers say of themselves."""

    fetcher: Fetcher
    may_contact: MayContact

    async def document(self, host: Host) -> Discovery:
        """Return the discovery document of `host`, with only such URLs as we would use.

        Raises:
            GatewayError: `UNAVAILABLE` if it cannot be reached now, `NOT_FOUND` if it has no document.
        """
        return await self._at_origin(host, lambda origin: self._document_at(origin, host))

    async def keys(self, peer: Peer, *, is_known: bool) -> str | None:
        """Return the peer's usable keys as the text of a JWK set, or None if it has none.

        Args:
            is_known: whether there was a set until now: then a page that is missing counts as a failure that passes.

        Raises:
            GatewayError: `UNAVAILABLE` if it cannot be known now.
        """
        host, uri = peer.host, peer.discovery.jwks_uri if peer.discovery else ""
        if uri:
            self.may_contact(host_of_url(uri))
            outcome = await self.fetcher.get(uri)
        else:
            outcome = await self._at_origin(host, lambda origin: self.fetcher.get(origin + KEYS_PATH))
        match outcome:
            case Found(document):
                usable = import_jwk_set(json.dumps(document), host)
                return json.dumps({"keys": list(usable.values())}) if usable else None
            case Miss() if uri or is_known or (outcome.is_temporary and _promises_keys(peer)):
                raise unavailable(f"The keys of {host} cannot be had: its server {outcome.reason}.")
            case _:
                return None

    async def _at_origin(self, host: Host, ask: Callable[[str], Awaitable[R]]) -> R:
        try:
            return await ask(f"https://{host}")
        except GatewayError as error:
            if error.kind is not Kind.UNAVAILABLE or not self.fetcher.allow_http:
                raise
        return await ask(f"http://{host}")

    async def _document_at(self, origin: str, host: Host) -> Discovery:
        misses = []
        for path in DOCUMENT_PATHS:
            outcome = self._read(await self.fetcher.get(origin + path))
            if isinstance(outcome, Discovery):
                return outcome
            misses.append(outcome)
        public = f"{host} has no OCM discovery document: its server {misses[0].reason}."
        if any(miss.is_temporary for miss in misses):
            raise unavailable(public)
        raise GatewayError(Kind.NOT_FOUND, public, code=NO_OCM)

    def _read(self, outcome: Found | Miss) -> Discovery | Miss:
        if isinstance(outcome, Miss):
            return outcome
        try:
            document = discovery_text.parse(outcome.document)
            end_point = self._end_point(document.end_point)
        except GatewayError as error:
            return Miss(f"sent a document that cannot be used: {error.public.rstrip('.')}")
        return replace(
            document,
            end_point=end_point,
            jwks_uri=self._usable(document.jwks_uri),
            token_end_point=self._usable(document.token_end_point),
            ssh_host_keys=self._usable(document.ssh_host_keys),
        )

    def _end_point(self, text: str) -> str:
        url = checked_url(text, allow_http=self.fetcher.allow_http)
        if url.query_string:
            raise GatewayError(Kind.INVALID, "Its end point has a query.")
        return str(url).rstrip("/")

    def _usable(self, url: str) -> str:
        try:
            return str(checked_url(url, allow_http=self.fetcher.allow_http)) if url else ""
        except GatewayError:
            return ""


def announces_signatures(peer: Peer) -> bool:
    """Tell whether the peer's document says that it signs, or that we have to (SIG-1)."""
    document = peer.discovery
    return document is not None and ("http-sig" in document.capabilities or "must-use-http-sig" in document.criteria)


def _promises_keys(peer: Peer) -> bool:
    return peer.has_signed_to_us or peer.we_signed_to or announces_signatures(peer)
