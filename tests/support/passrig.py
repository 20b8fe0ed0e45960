"""The passthrough on a real server, without a store: what it needs to work is all that is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

from aiohttp import web

from gateway.metrics import Metrics
from gateway.web.clientaddress import believe_proxies
from gateway.web.doors import Door, Lock, Style, mount
from gateway.web.middleware import stamp, watch
from gateway.web.parents import Parents
from gateway.web.passhead import Hop
from gateway.web.passpool import Pool
from gateway.web.passsend import Patience
from gateway.web.passthrough import Elsewhere, Passthrough, leave_to_service
from gateway.web.places import Places

HOST = "cloud.example.org"
COOKIE = "__Secure-ocm-12345678"
WAIT_SECONDS = 10.0


@dataclass
class Rig:
    """A running server before a service."""

    port: int
    behind: Passthrough
    metrics: Metrics
    opened: list[str] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to it."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes) -> bytes:
        """Send bytes and return all that comes back until the server closes the connection."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            async with asyncio.timeout(WAIT_SECONDS):
                return await reader.read()
        finally:
            writer.close()

    async def ask(self, line: str, *fields: str, body: bytes = b"") -> bytes:
        """Send one request that closes its connection behind it and return the whole answer."""
        lines = (f"{line} HTTP/1.1", f"Host: {HOST}", *fields, "Connection: close", "", "")
        return await self.say("\r\n".join(lines).encode("latin-1") + body)

    async def until(self, value: float) -> None:
        """Wait until so many tunnels are open."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.metrics.tunnels._value.get() != value:  # noqa: ASYNC110 - said above
                await asyncio.sleep(0.005)


def passing(
    origin: str,
    metrics: Metrics,
    patience: Patience | None = None,
    *,
    tunnels: int = 4,
    connections: int = 32,
    tunnel_idle: float = 30.0,
) -> Passthrough:
    """Return a passthrough to the service at `origin`; its pool has to be closed."""
    return Passthrough(
        pool=Pool(origin=origin, most=connections, connect_seconds=0.5),
        hop=Hop(host=HOST, scheme="https", cookie=COOKIE, has_via=True),
        patience=patience or Patience(first_byte=WAIT_SECONDS, idle=WAIT_SECONDS),
        metrics=metrics,
        tunnels_max=tunnels,
        tunnel_idle_seconds=tunnel_idle,
    )


@asynccontextmanager
async def rig(
    origin: str,
    *,
    trusted: tuple[str, ...] = (),
    patience: Patience | None = None,
    tunnels: int = 4,
    connections: int = 32,
    tunnel_idle: float = 30.0,
    pass_probes: bool = False,
) -> AsyncIterator[Rig]:
    """Run the passthrough, and one door of our own at `/ocm/door`, before the service at `origin`."""
    metrics = Metrics()
    behind = passing(origin, metrics, patience, tunnels=tunnels, connections=connections, tunnel_idle=tunnel_idle)
    found = Rig(0, behind, metrics)

    async def open_door(request: web.Request) -> web.Response:
        found.opened.append(request.raw_path)
        return web.Response(text="our own door")

    networks = [ip_network(text) for text in trusted]
    app = web.Application(middlewares=[believe_proxies(networks), watch(metrics)])
    app.on_response_prepare.append(stamp)
    door = {"lock": Lock.OPEN, "style": Style.PAGE, "about": "a door", "handler": open_door}
    mount(app, [Door(name="door", method="*", path="/ocm/door", **door)])
    elsewhere = Elsewhere(
        behind=behind, places=Places(prefix="/ocm", pass_probes=pass_probes), parents=Parents("/ocm/received")
    )
    app.router.add_route("*", "/{path:.*}", elsewhere.answer, expect_handler=leave_to_service)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    try:
        yield found
    finally:
        behind.pool.close()
        await runner.cleanup()
