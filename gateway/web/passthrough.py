"""What is not ours flows through to the existing service, where one is configured (DESIGN 5).

Every request is sent on as soon as its head is here, `Expect` included: the service decides whether the body is
wanted. Both bodies are streamed. The store is not asked: the old service goes on while it is down. Whose a path is,
`places` decides; fields are in `passhead`, framing in `passwire`, connections in `passpool`, a request's way out in
`passsend`, an answer's way back in `passtake`, upgraded connections in `passtunnel`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from gateway.errors import GatewayError, Kind, unavailable
from gateway.metrics import Metrics
from gateway.web.head import ClientGone
from gateway.web.parents import Parents
from gateway.web.passhead import Hop, request_framing, upgrade_of
from gateway.web.passpool import Line, Pool
from gateway.web.passsend import SWITCHING, Exchange, Patience, write_head
from gateway.web.passtake import Passed, cut, pass_answer
from gateway.web.passtunnel import join, take_over
from gateway.web.passwire import Framing, Nonsense, render_fields
from gateway.web.places import Places
from gateway.web.status import BAD_GATEWAY, GATEWAY_TIMEOUT

Instead = Callable[[int], web.Response | None]

# Safe to say again when a kept connection turns out to be closed; nothing else ever is (RFC 9110, 9.2.2).
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})


async def leave_to_service(_request: web.Request) -> None:
    """Be the `expect_handler` of what is passed on: the service's own answer comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Handler of all paths that no door has: passed through, or 404; what may be one of ours never passes."""

    behind: Passthrough | None
    places: Places
    parents: Parents

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.behind is not None and self.places.may_pass(request.raw_path):
            return await self.behind(request, partial(self.parents.instead, request))
        windows = self.parents.answer(request)
        if windows is not None:
            return windows
        return web.Response(status=404, text=f"Nothing is here. People log in at {self.places.prefix}/ui/\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """Forwards requests to the service behind.

    Attributes:
        tunnels_max: how many connections may be switched to other protocols at the same time.
        tunnel_idle_seconds: how long such a connection may stand still.
    """

    pool: Pool
    hop: Hop
    patience: Patience
    metrics: Metrics
    tunnels_max: int
    tunnel_idle_seconds: float
    _tunnels: set[int] = field(init=False, default_factory=set)

    async def __call__(self, request: web.Request, instead: Instead) -> web.StreamResponse:
        """Forward one request and stream the answer back.

        Args:
            instead: returns what is answered in place of an answer of this status, or None.

        Raises:
            GatewayError: if the service is away, slow or talks nonsense, before any of its answer went out.
        """
        self.hop.check_loop(request)
        upgrade = upgrade_of(request)
        try:
            if upgrade is not None:
                return await self._switch(request, upgrade)
            return await self._plain(request, instead)
        except ClientGone:
            return cut(request)
        except Nonsense as error:
            raise _failed(BAD_GATEWAY, "gave an answer that cannot be passed on", error) from error
        except TimeoutError as error:
            raise _failed(GATEWAY_TIMEOUT, "took too long to answer", error) from error
        except (EOFError, OSError) as error:
            raise _failed(BAD_GATEWAY, "broke off", error) from error

    async def _plain(self, request: web.Request, instead: Instead) -> web.StreamResponse:
        async with self._exchange(request, None) as exchange:
            other = instead(exchange.head.status)
            return other if other is not None else await self._answer(exchange)

    async def _switch(self, request: web.Request, upgrade: str) -> Passed:
        if len(self._tunnels) >= self.tunnels_max:
            raise unavailable("Too many connections are open here.", log="passthrough.tunnels")
        self._tunnels.add(id(request))
        try:
            async with self._exchange(request, upgrade) as exchange:
                if exchange.head.status != SWITCHING:
                    return await self._answer(exchange)
                return await self._tunnel(exchange, upgrade)
        finally:
            self._tunnels.discard(id(request))

    async def _answer(self, exchange: Exchange) -> Passed:
        passed, is_reusable = await pass_answer(exchange, self.hop)
        exchange.line.is_reusable = is_reusable
        return passed

    async def _tunnel(self, exchange: Exchange, upgrade: str) -> Passed:
        head, line = exchange.head, exchange.line
        agreed = head.all(b"upgrade")
        if [name.lower() for name in agreed] != [upgrade.lower().encode()]:
            raise Nonsense("a switch to another protocol than was asked for")
        fields = self.hop.answer_fields(head, Framing(length=0))
        switch = [(b"Connection", b"Upgrade"), (b"Upgrade", agreed[0])]
        await write_head(exchange.request, head, render_fields([*fields, *switch]))
        with self.metrics.tunnels.track_inprogress():
            ends = (line.reader, line.writer)
            await join(take_over(exchange.request), ends, self.tunnel_idle_seconds)
        return Passed(SWITCHING, may_go_on=False)

    @asynccontextmanager
    async def _exchange(self, request: web.Request, upgrade: str | None) -> AsyncIterator[Exchange]:
        exchange = await self._open(request, upgrade)
        try:
            yield exchange
        finally:
            await exchange.stop()
            self.pool.put_back(exchange.line)

    async def _open(self, request: web.Request, upgrade: str | None) -> Exchange:
        framing = request_framing(request)
        may_repeat = request.method in _REPEATABLE and framing.length == 0 and upgrade is None
        line = await self.pool.take()
        try:
            return await self._begin(line, request, framing, upgrade)
        except (EOFError, ConnectionError):
            if not (line.is_used and may_repeat):
                raise
        return await self._begin(await self.pool.take(fresh=True), request, framing, upgrade)

    async def _begin(self, line: Line, request: web.Request, framing: Framing, upgrade: str | None) -> Exchange:
        exchange = Exchange(
            line=line, request=request, framing=framing, patience=self.patience, base_path=self.pool.base_path
        )
        try:
            fields = self.hop.request_fields(request, upgrade)
            await exchange.begin(fields, may_switch=upgrade is not None)
        except BaseException:
            await exchange.stop()
            self.pool.put_back(line)
            raise
        return exchange


def _failed(code: str, what: str, error: BaseException) -> GatewayError:
    return GatewayError(
        Kind.UNAVAILABLE, f"The service behind this gateway {what}. Try again later.", code=code, log=repr(error)
    )
