"""What is not ours flows through to the existing service, where one is configured (DESIGN 5).

Both bodies are streamed. Fields that belong to one connection stay on it (RFC 9110, 7.6.1); what names the client is
told anew in `Forwarded` and `X-Forwarded-*`, and what a client claims there is dropped. The store is not asked:
the old service goes on while it is down. Protocol upgrades are not passed on yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gateway.errors import GatewayError, unavailable
from gateway.log import get_logger
from gateway.web.head import ClientGone
from gateway.web.parents import Parents

log = get_logger(__name__)

# Fields of one hop (RFC 9110, 7.6.1), and `Expect`, which this hop has answered already.
_HOP_FIELDS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
# What only a proxy that the service trusts may say; a client's own word on it never passes (ANCHORS 1.6).
_CLAIMED_FIELDS = (
    "forwarded",
    "x-forwarded-",
    "x-real-ip",
    "remote-user",
    "x-gateway-authorization",
    "x-ssl-",
    "x-voms-",
)


# What some peers ask to find out which product they speak with; an answer would make them misread this gateway
# (DESIGN 5), so the service behind is asked for these only if the operator says so.
_PROBES = ("/status.php", "/ocs-provider", "/ocs/", "/index.php/apps/files_sharing/")
_OWN_PLACES = ("/.well-known/ocm", "/ocm-provider", "/.well-known/jwks.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Handler of all paths that no door has: passed through, or 404; what lies among our own paths never passes."""

    behind: Passthrough | None
    parents: Parents
    prefix: str
    pass_probes: bool

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        own = (f"{self.prefix}/", *_OWN_PLACES, *(() if self.pass_probes else _PROBES))
        if self.behind is not None and request.path != self.prefix and not request.path.startswith(own):
            return await self.behind(request, partial(self.parents.instead, request))
        windows = self.parents.answer(request)
        if windows is not None:
            return windows
        return web.Response(status=404, text=f"Nothing is here. People log in at {self.prefix}/ui/\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """Forwards requests to the service behind.

    Attributes:
        session: a client session without cookies, redirects, decompression or a total time-out.
        origin: the service's origin, `http://host:port`.
        public_scheme, public_host: how the outside names this host.
    """

    session: aiohttp.ClientSession
    origin: str
    public_scheme: str
    public_host: str

    async def __call__(self, request: web.Request, instead: Callable[[int], web.Response | None]) -> web.StreamResponse:
        """Forward one request and stream the answer back.

        Args:
            instead: returns what is answered in place of an answer of this status, or None.
        """
        if not request.raw_path.startswith("/"):
            raise web.HTTPBadRequest(text="Only paths are served here.\n")
        url = URL(self.origin + request.raw_path, encoded=True)
        try:
            async with self.session.request(
                request.method,
                url,
                headers=self._request_fields(request),
                data=_body(request) if request.can_read_body else None,
                allow_redirects=False,
            ) as answer:
                other = instead(answer.status)
                return other if other is not None else await self._answer(request, answer)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise _service_away(error) from error

    def _request_fields(self, request: web.Request) -> CIMultiDict[str]:
        fields = _end_to_end(request.headers)
        for name in list(fields):
            if name.lower().startswith(_CLAIMED_FIELDS):
                fields.popall(name, None)
        client = request.remote or "unknown"
        node = f'"[{client}]"' if ":" in client else client
        fields["Forwarded"] = f"for={node};host={self.public_host};proto={self.public_scheme}"
        fields["X-Forwarded-For"] = client
        fields["X-Forwarded-Host"] = self.public_host
        fields["X-Forwarded-Proto"] = self.public_scheme
        return fields

    async def _answer(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
        await response.prepare(request)
        try:
            if request.method != "HEAD":
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            # The head is out: only a cut connection tells the client that this is not the whole body.
            if request.transport is not None:
                request.transport.abort()
            raise ClientGone from error
        await response.write_eof()
        return response


def _end_to_end(fields: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for value in fields.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict((k, v) for k, v in fields.items() if k.lower() not in _HOP_FIELDS | named)


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk


def _service_away(error: BaseException) -> GatewayError:
    return unavailable("The service behind this gateway does not answer.", log=repr(error))
