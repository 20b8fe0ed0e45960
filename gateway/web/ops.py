"""The operations listener: probes and metrics, on a port of its own that is never public (DESIGN 5).

Neither liveness nor readiness asks the store or a peer: a gateway in front of an old service must not take that
service down because Redis is away. What is wrong is told by `/status` and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.errors import GatewayError
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.store.base import StoreHealth


@dataclass(slots=True)
class Readiness:
    """Whether this process takes requests; false while it starts and while it drains."""

    is_ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsDoors:
    """The handlers of the operations listener."""

    metrics: Metrics
    health: StoreHealth
    readiness: Readiness
    count_streams: Callable[[], int]
    facts: dict[str, str] = field(default_factory=dict)

    def build(self) -> web.Application:
        """Return the application of the operations listener."""
        app = web.Application()
        app.router.add_get("/healthz", self.live)
        app.router.add_get("/startupz", self.ready)
        app.router.add_get("/readyz", self.ready)
        app.router.add_get("/status", self.status)
        app.router.add_get("/metrics", self.scrape)
        return app

    async def live(self, _request: web.Request) -> web.Response:
        """Answer 200 as long as the event loop turns."""
        return web.json_response({"status": "alive"})

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer 200 while the gateway takes requests, else 503."""
        is_ready = self.readiness.is_ready
        return web.json_response({"status": "ready" if is_ready else "not ready"}, status=200 if is_ready else 503)

    async def status(self, _request: web.Request) -> web.Response:
        """Tell the state of each part in words."""
        return web.json_response({**self.facts, "store": await self._store(), "streams": self.count_streams()})

    async def scrape(self, _request: web.Request) -> web.Response:
        """Return the metrics."""
        self.metrics.store_up.set(1 if await self._store() == "ok" else 0)
        self.metrics.streams.set(self.count_streams())
        return web.Response(body=self.metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _store(self) -> str:
        try:
            await self.health.check_marker()
        except GatewayError as error:
            return error.public
        return "ok"
