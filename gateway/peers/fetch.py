"""Getting a JSON object from a peer, with a bound on everything it controls (DISC-6).

Size, time, nesting and redirects are bounded. A redirect is followed only on the same host and never from https to
http. An answer that is no JSON object is a `Miss` with its reason, since deployed servers send log-in pages, empty
pages and 404s where a document is looked for (live-captures.md 2, item 6).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
from yarl import URL

from gateway.errors import GatewayError
from gateway.model.address import host_of_url
from gateway.ocm.jsontext import parse_object
from gateway.peers.faults import wire_errors
from gateway.peers.urls import checked_url

DOCUMENT_MAX_BYTES = 256 * 1024
DOCUMENT_MAX_DEPTH = 32
DOCUMENT_SECONDS = 10.0
REDIRECTS_MAX = 3

HTTP_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Found:
    """The JSON object that stood at a URL."""

    document: dict[str, object]


@dataclass(frozen=True, slots=True)
class Miss:
    """Why there was none, as the end of the sentence "the server …"."""

    reason: str
    is_temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Gets JSON objects through a guarded session."""

    session: aiohttp.ClientSession
    allow_http: bool = False
    max_bytes: int = DOCUMENT_MAX_BYTES
    seconds: float = DOCUMENT_SECONDS
    redirects: int = REDIRECTS_MAX
    accept: str = "application/json"

    async def get(self, url: str) -> Found | Miss:
        """Return the JSON object at `url`, or why there is none.

        Raises:
            GatewayError: `INVALID` for a URL that we do not use, `UNAVAILABLE` if the server cannot be reached,
                `FORBIDDEN` if its address is not open to us.
        """
        body = await self.get_bytes(url)
        return body if isinstance(body, Miss) else self._parsed(body)

    async def get_bytes(self, url: str) -> bytes | Miss:
        """Return what is at `url`, whatever it is, or why there is nothing. Raises as `get`."""
        target = checked_url(url, allow_http=self.allow_http)
        with wire_errors(host_of_url(url)):
            async with asyncio.timeout(self.seconds):
                return await self._follow(target)

    async def _follow(self, target: URL) -> bytes | Miss:
        for _ in range(self.redirects + 1):
            answer = await self._once(target)
            if not isinstance(answer, URL):
                return answer
            if not is_safe_step(target, answer):
                return Miss("redirects to another place")
            target = answer
        return Miss("redirects too often")

    async def _once(self, target: URL) -> bytes | Miss | URL:
        headers = {"Accept": self.accept}
        async with self.session.get(target, headers=headers, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                return self._redirect(target, response.headers.get("Location", ""))
            if response.status != HTTP_OK:
                return Miss(f"answered {response.status}", is_temporary=response.status in _TEMPORARY)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                return Miss("packed its answer, which we did not ask for")
            body = await read_bounded(response, self.max_bytes)
        return Miss("sent too large an answer") if body is None else body

    def _redirect(self, target: URL, location: str) -> Miss | URL:
        try:
            joined = target.join(URL(location, encoded=True))
            return checked_url(str(joined.with_fragment(None)), allow_http=self.allow_http)
        except (GatewayError, ValueError):
            return Miss("redirects to another place")

    def _parsed(self, body: bytes) -> Found | Miss:
        try:
            return Found(parse_object(body, max_bytes=self.max_bytes, max_depth=DOCUMENT_MAX_DEPTH))
        except GatewayError as error:
            return Miss(f"did not send a JSON object: {error.public}")


def is_safe_step(source: URL, target: URL) -> bool:
    """Tell whether a redirect stays on its host, and does not leave TLS."""
    is_same = host_of_url(str(source)) == host_of_url(str(target))
    return is_same and (source.scheme, target.scheme) != ("https", "http")


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """Return the body of an answer, or None as soon as it is longer than `max_bytes`."""
    if (response.content_length or 0) > max_bytes:
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)
