"""The composition root: every object is made here, with exactly what it uses, and stopped in the reverse order.

`running(config)` is the whole gateway as an async context manager; `serve_until_stopped` runs it as a process. The
store may be away when the gateway starts: passing requests through and the probes do not need it, OCM doors answer
503 until it is there. What operators ask of a gateway that does not serve (`discover`, `storage probe`) is made of
the same parts, in `app.inspect`.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.abc import AbstractResolver

from gateway.app import doors, identity, peers, state, storage
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.crypto.secrets import new_id, new_secret
from gateway.errors import GatewayError
from gateway.flows.answer_share import AnswerShare
from gateway.flows.check_received import CheckReceived
from gateway.flows.deliver import DeliverReceived, DeliverSent
from gateway.flows.end_share import EndShare
from gateway.flows.exchange_token import ExchangeToken
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.notify import Notify
from gateway.flows.open_access import OpenAccess
from gateway.flows.outbox import Outbox, RetryRule
from gateway.flows.receive_share import ReceiveShare
from gateway.flows.send_share import SendShare
from gateway.flows.use_remote import UseRemote
from gateway.jobs.tasks import Tasks
from gateway.log import get_logger
from gateway.metrics import Metrics
from gateway.store.queue import run_worker
from gateway.store.tables import KNOWN_USERS, RECEIVED_SHARES, SENT_SHARES, SESSIONS
from gateway.web.granted import Narrowed
from gateway.web.ops import OpsDoors, Readiness

log = get_logger(__name__)

WORKER_CONCURRENCY = 8
KEYS_READ_SECONDS = 30.0
REPAIR_SECONDS = 3600.0
RESTART_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it listens, and the parts that tests and operators look at."""

    port: int
    ops_port: int
    readiness: Readiness
    tasks: Tasks
    watch: GrantWatch


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
    async with AsyncExitStack() as stack:
        keys, store = await state.open_state(config, stack, now)
        metrics = Metrics()
        sent, received = store.table(SENT_SHARES), store.table(RECEIVED_SHARES)
        queue = store.queue("deliveries")
        watch = GrantWatch(store.feed, now)
        far = await peers.build(config, stack, store, keys, resolver=resolver, now=now)
        near = await storage.build(config, stack, store, now)
        people = identity.build(config, near.storages, store.table(KNOWN_USERS), store.counter, now)
        retry = RetryRule(
            first_seconds=config.jobs.first_retry_seconds,
            most_seconds=config.jobs.max_retry_seconds,
            give_up_seconds=config.jobs.give_up_after,
        )
        deliver_sent = DeliverSent(
            outbox=Outbox(shares=sent, task="deliver_sent", queue=queue, retry=retry, now=now, chance=random.random),
            resolver=far.resolver,
            client=far.client,
            authority=config.authority,
            public_url=config.public_url,
            prefix=config.prefix,
        )
        deliver_received = DeliverReceived(
            outbox=Outbox(
                shares=received, task="deliver_received", queue=queue, retry=retry, now=now, chance=random.random
            ),
            client=far.client,
            authority=config.authority,
        )
        end_share = EndShare(
            shares=sent,
            tell_ended=watch.tell_ended,
            release_locks=near.release_locks,
            deliver=deliver_sent,
            now=now,
        )
        open_access: OpenAccess[Narrowed] = OpenAccess(
            shares=sent,
            watch=watch,
            health=store.health,
            verify_token=keys.verify,
            narrow=lambda grant: near.narrow(grant, lambda: open_access.still_stands(grant)),
            now=now,
        )
        use_remote = UseRemote(
            resolver=far.resolver, client=far.client, backend=far.backend, authority=config.authority, now=now
        )
        tasks = Tasks(
            sent=sent,
            received=received,
            deliver_sent=deliver_sent,
            deliver_received=deliver_received,
            end_share=end_share,
            check_received=CheckReceived(shares=received, use_remote=use_remote),
            now=now,
        )
        flows = doors.Flows(
            receive_share=ReceiveShare(
                shares=received,
                users=people,
                rules=far.rules,
                authority=config.authority,
                is_auto_accepting=config.shares.auto_accept,
                now=now,
                new_id=new_id,
            ),
            notify=Notify(sent=sent, received=received, end_share=end_share, queue=queue, must_sign=far.must_sign),
            exchange_token=ExchangeToken(
                shares=sent,
                health=store.health,
                must_sign=far.must_sign,
                issue=keys.issue,
                public_url=config.public_url,
                lifetime_seconds=config.token.lifetime_seconds,
                now=now,
                new_id=new_id,
            ),
            open_access=open_access,
            send_share=SendShare(
                shares=sent,
                storages=near,
                resolver=far.resolver,
                deliver=deliver_sent,
                authority=config.authority,
                storage_name=storage.STORAGE_NAME,
                may_share_root=config.storage.allow_root_share,
                must_exchange_token=config.criteria.must_exchange_token,
                default_life_seconds=config.shares.default_expiry,
                now=now,
                new_id=new_id,
                new_secret=new_secret,
            ),
            end_share=end_share,
            answer_share=AnswerShare(shares=received, deliver=deliver_received, now=now),
            use_remote=use_remote,
        )
        readiness = Readiness()
        public = await doors.build(
            config,
            stack,
            flows=flows,
            far=far,
            near=near,
            people=people,
            keys=keys,
            store=store,
            watch_grants=watch,
            metrics=metrics,
            sessions=store.table(SESSIONS),
            now=now,
        )
        ops = OpsDoors(
            metrics=metrics,
            health=store.health,
            readiness=readiness,
            count_streams=lambda: watch.streams,
            facts={"authority": config.authority},
        )
        port = await _listen(
            stack, public, listener or (config.http.host, config.http.port), drain_seconds=config.http.drain_seconds
        )
        ops_port = await _listen(stack, ops.build(), (config.ops.host, config.ops.port), drain_seconds=0.0)
        _in_background(stack, "grants", lambda: watch.run(open_access.stands))
        _in_background(stack, "worker", lambda: run_worker(queue, tasks.by_name(), concurrency=WORKER_CONCURRENCY))
        _every(stack, "sweep", config.jobs.sweep_seconds, tasks.sweep)
        _every(stack, "repair", REPAIR_SECONDS, tasks.repair)
        _every(stack, "keys", KEYS_READ_SECONDS, _read_again(keys))
        stack.callback(setattr, readiness, "is_ready", False)
        readiness.is_ready = True
        log.info("listening", public_url=config.public_url, port=port, ops_port=ops_port)
        yield Gateway(port, ops_port, readiness, tasks, watch)


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
        log.info("stopping, running transfers may finish", seconds=config.http.drain_seconds)


async def _listen(
    stack: AsyncExitStack,
    app: web.Application,
    place: socket.socket | tuple[str, int],
    *,
    drain_seconds: float,
) -> int:
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=drain_seconds, keepalive_timeout=75.0
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, *place) if isinstance(place, tuple) else web.SockSite(runner, place)
    await site.start()
    return int(runner.addresses[0][1])


def _in_background(stack: AsyncExitStack, name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run something until the gateway stops; if it fails, say so and run it again."""

    async def forever() -> None:
        while True:
            try:
                await run()
            except GatewayError as error:
                log.warning("background work waits", work=name, reason=str(error))
            except Exception:
                log.exception("background work failed, starting it again", work=name)
            await asyncio.sleep(RESTART_SECONDS)

    task = asyncio.create_task(forever(), name=name)
    stack.push_async_callback(_stopped, task)


def _every(stack: AsyncExitStack, name: str, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, with a pause that replicas do not share."""

    async def again() -> None:
        await act()
        await asyncio.sleep(seconds * (0.8 + 0.4 * random.random()))  # noqa: S311 - spreads load, guards nothing

    _in_background_again(stack, name, again)


def _in_background_again(stack: AsyncExitStack, name: str, again: Callable[[], Awaitable[None]]) -> None:
    async def loop() -> None:
        while True:
            await again()

    _in_background(stack, name, loop)


def _read_again(keys: KeyBox) -> Callable[[], Awaitable[None]]:
    async def read() -> None:
        keys.read_again()

    return read


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
