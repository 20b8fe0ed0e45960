"""The running gateway: every part is made once, with exactly what it uses, and stopped in the reverse order.

`running(config)` is the whole gateway as an async context manager; `serve_until_stopped` runs it as a process. The
store may be away when the gateway starts: passing requests through and the probes do not need it, OCM doors answer
503 until it is there. What operators ask of a gateway that does not serve (`discover`, `storage probe`) is made of
the same parts, in `app.inspect`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.abc import AbstractResolver

from gateway import __version__
from gateway.app import background, doors, flows, identity, mount, peers, ssh, standing, storage
from gateway.app.core import Core, open_core
from gateway.app.transfers import Transferring
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.standing import StandingBook
from gateway.jobs.tasks import Tasks
from gateway.log import get_logger
from gateway.metrics import Metrics
from gateway.web.aio import name_server
from gateway.web.ops import OpsDoors, Readiness

log = get_logger(__name__)

KEEPALIVE_SECONDS = 75.0

Place = socket.socket | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it listens, and the parts that tests and operators look at."""

    port: int
    ops_port: int
    readiness: Readiness
    tasks: Tasks
    watch: GrantWatch
    transferring: Transferring
    metrics: Metrics
    standing: StandingBook


@asynccontextmanager
async def running(
    config: Config,
    *,
    listener: socket.socket | None = None,
    resolver: AbstractResolver | None = None,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Gateway]:
    """Run the gateway while the context is open.

    Args:
        listener: a bound socket for the public door, instead of the configured address.
        resolver: looks up the names of peers, by default in the system's way.

    Raises:
        GatewayError: `CONFIGURATION` if it cannot start as configured.
    """
    name_server()
    async with AsyncExitStack() as stack:
        core = await open_core(config, stack, now)
        near = await storage.build(core)
        far = await peers.build(core, resolver)
        await standing.begin(far.standing)
        people = identity.build(core, near.storages)
        queue = core.store.queue("deliveries")
        all_flows = flows.build(core, far, near, people, queue)
        mounts = mount.build(core, all_flows, people)
        public = await doors.build(core, all_flows, far, near, people, mounts=mounts)
        readiness = Readiness()
        port = await _listen(stack, public, listener or (config.http.host, config.http.port), config.http.drain_seconds)
        ops_port = await _listen(stack, _ops(core, readiness), (config.ops.host, config.ops.port), 0.0)
        await _open_ssh(core, all_flows, mounts)
        background.start(core, all_flows, near, far, queue)
        stack.callback(setattr, readiness, "is_ready", False)
        readiness.is_ready = True
        log.info("serving", **_told(config, port, ops_port))
        yield Gateway(
            port,
            ops_port,
            readiness,
            all_flows.tasks,
            core.watch,
            all_flows.transferring,
            core.metrics,
            far.standing,
        )


def _told(config: Config, port: int, ops_port: int) -> dict[str, str]:
    """Return what an operator wants to see first in the log."""
    store = config.store.url if config.store.is_embedded else urlsplit(config.store.url).netloc.rpartition("@")[2]
    return {
        "version": __version__,
        "public_url": config.public_url,
        "storage": ", ".join(storage.url for storage in config.all_storages.values()),
        "store": store,
        "listens": f"{config.http.host}:{port}",
        "operations": f"{config.ops.host}:{ops_port}",
    }


async def serve_until_stopped(config: Config) -> None:
    """Run the gateway until SIGTERM or SIGINT; a second signal does not wait for running transfers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    body = asyncio.current_task()
    assert body is not None

    def stopped() -> None:
        if stop.is_set():
            body.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped)
    async with running(config) as gateway:
        await stop.wait()
        gateway.readiness.is_ready = False
        log.info("stopping; running transfers may finish", seconds=config.http.drain_seconds)
    log.info("stopped")


async def _open_ssh(core: Core, all_flows: flows.Flows, mounts: mount.Mounts) -> None:
    try:
        await ssh.start(core, all_flows, mounts)
    except OSError as error:
        raise _not_listening((core.config.ssh.host, core.config.ssh.port), error) from error


def _ops(core: Core, readiness: Readiness) -> web.Application:
    return OpsDoors(
        metrics=core.metrics,
        health=core.store.health,
        readiness=readiness,
        count_streams=lambda: core.watch.streams,
        facts={"authority": core.config.authority, "version": __version__},
    ).build()


async def _listen(stack: AsyncExitStack, app: web.Application, place: Place, drain_seconds: float) -> int:
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=drain_seconds,
        keepalive_timeout=KEEPALIVE_SECONDS,
        # Bodies are digested, relayed and stored as they come.
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, *place) if isinstance(place, tuple) else web.SockSite(runner, place)
    try:
        await site.start()
    except OSError as error:
        raise _not_listening(place, error) from error
    return int(runner.addresses[0][1])


def _not_listening(place: Place, error: OSError) -> GatewayError:
    where = f"{place[0]}:{place[1]}" if isinstance(place, tuple) else "the given socket"
    # Whoever holds the port may leave it; an address that is not ours, or a port for root only, stays so.
    kind = Kind.UNAVAILABLE if error.errno == errno.EADDRINUSE else Kind.CONFIGURATION
    return GatewayError(kind, f"Cannot listen on {where}: {os.strerror(error.errno or 0)}.")
