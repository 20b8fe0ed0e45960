"""One HTTP exchange with a WebDAV storage: log-in, redirects, time-outs, retries, and failures in our own words.

Redirects are followed here, not by the library: any method, few hops, only to allowed hosts, never from https to
http, and without our credentials off their origin (`ANCHORS.md` 1.3). A large body waits for `100 Continue`, so that
a redirecting door never swallows it; a small one is kept and sent again. Time is told to each phase on its own:
connecting, waiting for the first byte, silence in a body; a transfer as a whole may take as long as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from gateway.backends.webdav_body import Body, Clock
from gateway.backends.webdav_names import host_and_port
from gateway.backends.webdav_status import nonsense
from gateway.errors import GatewayError, unavailable

Authorize = Callable[[], Awaitable[Mapping[str, str]]]
# Told that our credentials were refused; says whether `Authorize` may have others now.
Renew = Callable[[], Awaitable[bool]]

HOPS_MAX = 5
# How many other credentials are tried for one request, where there are such.
CREDENTIALS_MAX = 3
LOCATION_MAX_CHARS = 8192
_UNAUTHORIZED = 401
_CONDITIONS = frozenset({"If-Match", "If-None-Match", "If-Range"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Safe methods of ours that may simply be said again after a connection broke before any answer.
_REPEATABLE = frozenset({"GET", "HEAD", "PROPFIND"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long we wait for a storage, in seconds; a whole transfer has no limit.

    Attributes:
        expect: for the `100 Continue` that some servers never send; then the body goes without.
        first_byte: tapes and pools think long before they answer (`ANCHORS.md` 1.3, Q16).
        idle: for the next piece of a body.
    """

    connect: float = 10.0
    expect: float = 10.0
    first_byte: float = 120.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirects:
    """Where a storage may send us, besides its own origin.

    Attributes:
        hosts: `host:port` to which redirects are followed.
        credential_hosts: those of them that also get our credentials.
        most: how many are followed for one request.
    """

    hosts: Collection[str] = ()
    credential_hosts: Collection[str] = ()
    most: int = HOPS_MAX


class Answer:
    """The head of an answer, and its body as a stream."""

    __slots__ = ("_idle", "_response", "headers", "status", "url")

    def __init__(self, response: aiohttp.ClientResponse, idle: float) -> None:
        self._response = response
        self._idle = idle
        self.status = response.status
        self.headers = response.headers
        self.url = response.url

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            GatewayError: `UNAVAILABLE` if it ends early or nothing comes for too long.
        """
        content = self._response.content
        while True:
            try:
                async with asyncio.timeout(self._idle):
                    chunk = await content.readany()
            except (aiohttp.ClientError, OSError) as error:
                raise _broken(error) from error
            if not chunk:
                return
            yield chunk

    async def read(self, limit: int) -> bytes:
        """Return the whole body, which must not be larger than `limit` bytes."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise nonsense("answer is too large")
        return bytes(body)


class Upstream:
    """A storage as HTTP; the session (and so what may be dialled) is the caller's."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        authorize: Authorize,
        *,
        renew: Renew | None = None,
        redirects: Redirects | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._session = session
        self._renew = renew
        self._authorize = authorize
        self._redirects = redirects or Redirects()
        self._patience = patience or Patience()

    @asynccontextmanager
    async def exchange(
        self, method: str, url: URL, headers: Mapping[str, str] | None = None, body: Body | None = None
    ) -> AsyncIterator[Answer]:
        """Send a request and give its final answer, of any status; leaving early drops the connection.

        Raises:
            GatewayError: `UNAVAILABLE` if there is no answer, or a redirect that we do not follow. What the body's
                source raises passes through.
        """
        response = await self._follow(method, url, dict(headers or {}), body)
        try:
            yield Answer(response, self._patience.idle)
        finally:
            response.close()

    async def _follow(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        origin = url.origin()
        for _hop in range(self._redirects.most + 1):
            credentials = await self._authorize() if self._may_know_us(url, origin) else {}
            may_expect = url.origin() == origin
            # A data server has tags of its own: those that a condition names are the door's, which has judged them.
            asked = headers if may_expect else {name: text for name, text in headers.items() if name not in _CONDITIONS}
            response = await self._send(method, url, {**asked, **credentials}, body, may_expect=may_expect)
            for _ in range(CREDENTIALS_MAX):
                if response.status != _UNAUTHORIZED or not credentials or not await self._may_try_again(body):
                    break
                response.close()
                credentials = await self._authorize()
                response = await self._send(method, url, {**asked, **credentials}, body, may_expect=may_expect)
            location = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            if body is not None and not body.can_restart:
                raise nonsense("redirect after the body was sent")
            url = self._next(url, location, origin)
        raise nonsense("too many redirects")

    async def _may_try_again(self, body: Body | None) -> bool:
        can_repeat = body is None or body.can_restart
        return can_repeat and self._renew is not None and await self._renew()

    def _may_know_us(self, url: URL, origin: URL) -> bool:
        return url.origin() == origin or host_and_port(url) in self._redirects.credential_hosts

    def _next(self, url: URL, location: str, origin: URL) -> URL:
        # Neither side of a redirect is logged: signed URLs are secrets.
        if not location.isascii() or not location.isprintable() or " " in location:
            raise nonsense("redirect without a usable location")
        if len(location) > LOCATION_MAX_CHARS:
            raise nonsense("redirect with an endless location")
        try:
            target = URL(urljoin(str(url), location), encoded=True)
            is_known = target.origin() == origin or host_and_port(target) in self._redirects.hosts
        except ValueError as error:
            raise nonsense("redirect without a usable location") from error
        if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme == "http"):
            raise nonsense("redirect from https to something weaker")
        if not is_known or target.raw_user is not None or target.raw_password is not None:
            raise nonsense("redirect to a host that is not allowed")
        return target.with_fragment(None)

    async def _send(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None, *, may_expect: bool
    ) -> aiohttp.ClientResponse:
        try:
            return await self._once(method, url, headers, body, expect=may_expect and body is not None and body.waits)
        except _Unheard:
            # The server waits for the body, and so would we for it: Expect is dropped, once.
            return await self._once(method, url, headers, body, expect=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError) as error:
            if method not in _REPEATABLE or isinstance(error, aiohttp.ClientConnectorError):
                raise _broken(error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _broken(error) from error
        try:
            return await self._once(method, url, headers, body, expect=False)
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from error

    async def _once(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None, *, expect: bool
    ) -> aiohttp.ClientResponse:
        patience = self._patience
        timeout = asyncio.timeout(patience.connect + (patience.expect if expect else patience.first_byte))
        try:
            async with timeout:
                clock = Clock(timeout, wait=patience.first_byte, idle=patience.idle)
                response = await self._request(method, url, headers, body, clock, expect=expect)
                clock.end()
        except Exception as error:
            if body is not None and body.error is not None:
                # The library wraps what the body's source raised.
                raise body.error from None
            if expect and body is not None and not body.touched and timeout.expired():
                raise _Unheard from error
            raise
        if body is not None and response.status // 100 == 2 and not body.is_complete:  # noqa: PLR2004 - success
            response.close()
            raise nonsense("success was told before the whole body was sent")
        return response

    async def _request(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None, clock: Clock, *, expect: bool
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            method,
            url,
            headers={"Accept-Encoding": "identity", **headers, **(body.headers if body else {})},
            data=body.start(clock) if body else None,
            expect100=expect,
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect, sock_read=None),
        )


class _Unheard(Exception):  # noqa: N818 - not a fault: the server does not know Expect
    """No `100 Continue` came."""


def _broken(error: Exception) -> GatewayError:
    # The library's own words may hold a URL; its type says enough.
    return unavailable("The storage cannot be reached.", log=f"storage: {type(error).__name__}")
