"""How we connect: one place where a URL becomes a client of redis-py, with every time-out said aloud.

The library's own defaults wait 5 s per try and try ten times; here a try waits one second and all tries together
end with `Link`'s bound. Commands, the feed and the queue have a client each: a feed must never reconnect unseen, and
the queue's worker blocks for longer than a command may.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisError

from gateway.errors import GatewayError, Kind

CONNECT_SECONDS = 0.5
READ_SECONDS = 1.0
# A worker's blocking read lasts `queue.DEQUEUE_SECONDS`; its socket has to be more patient than that.
BLOCKING_READ_SECONDS = 5.0
MAX_CONNECTIONS = 64
DEFAULT_SENTINEL_PORT = 26379

_DIRECT = ("redis://", "rediss://", "unix://")
_SENTINEL = ("redis+sentinel://", "rediss+sentinel://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one store, none of them connected yet."""

    commands: Redis
    feed: Redis
    queue: Redis

    async def aclose(self) -> None:
        """Close every connection."""
        for client in (self.queue, self.feed, self.commands):
            await client.aclose()
            # A pool behind Sentinel also holds the connections to the sentinels, which nobody else closes.
            if isinstance(client.connection_pool, SentinelConnectionPool):
                for sentinel in client.connection_pool.sentinel_manager.sentinels:
                    await sentinel.aclose()
            await client.connection_pool.disconnect()


def make_clients(url: str, ca_file: Path | None = None) -> Clients:
    """Return clients for `redis://`, `rediss://`, `unix://` or `redis+sentinel://host:port,host:port/name`.

    Raises:
        GatewayError: `CONFIGURATION` if the URL is of no known form.
    """
    return Clients(
        commands=_client(url, READ_SECONDS, _patient(), ca_file),
        feed=_client(url, READ_SECONDS, Retry(NoBackoff(), 0), ca_file),
        queue=_client(url, BLOCKING_READ_SECONDS, _patient(), ca_file),
    )


def _patient() -> Retry:
    # About three seconds of tries: enough for the embedded server to restart; `Link` ends them earlier.
    return Retry(ExponentialBackoff(cap=0.25, base=0.02), 14)


def _client(url: str, read_seconds: float, retry: Retry, ca_file: Path | None) -> Redis:
    options: dict[str, Any] = {
        "protocol": 2,
        "socket_timeout": read_seconds,
        "socket_connect_timeout": CONNECT_SECONDS,
        "retry": retry,
    }
    if ca_file is not None:
        options["ssl_ca_certs"] = str(ca_file)
    try:
        if url.startswith(_DIRECT):
            return _direct(url, options)
        if url.startswith(_SENTINEL):
            return _through_sentinel(url, options)
    except (ValueError, RedisError) as error:
        raise _bad_url() from error
    raise _bad_url()


def _direct(url: str, options: dict[str, Any]) -> Redis:
    pool: ConnectionPool = BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=READ_SECONDS, **options
    )
    return Redis.from_pool(pool)


def _through_sentinel(url: str, options: dict[str, Any]) -> Redis:
    scheme, _, rest = url.partition("://")
    # The standard parser knows one host only, so the user part is split off here.
    credentials, _, places = rest.rpartition("@")
    hosts, _, name = places.partition("/")
    user, _, password = credentials.partition(":")
    if not name:
        raise _bad_url()
    options |= {"username": unquote(user) or None, "password": unquote(password) or None}
    if scheme.startswith("rediss"):
        options["ssl"] = True
    sentinel_options = {key: options[key] for key in ("protocol", "socket_timeout", "socket_connect_timeout")}
    # A sentinel that is away is passed over at once; the next one is asked.
    sentinel_options["retry"] = Retry(NoBackoff(), 0)
    sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py does not type it
        [_place(host) for host in hosts.split(",")],
        sentinel_kwargs=sentinel_options,
        **options,
    )
    client: Redis = sentinel.master_for(name)
    return client


def _place(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise _bad_url()
    return parts.hostname, parts.port or DEFAULT_SENTINEL_PORT


def _bad_url() -> GatewayError:
    # The URL itself may hold a pass word, so it is not repeated.
    return GatewayError(
        Kind.CONFIGURATION,
        "The store URL has one of the forms redis://host[:port][/db], rediss://…, unix:///path,"
        " redis+sentinel://host[:port],host[:port]/name.",
    )
