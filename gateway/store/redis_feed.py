"""Publish and subscribe, with proof that nothing was missed.

A subscription has a connection of its own and sends a PING on it several times a second; Redis answers in order, so
a PONG proves that every message up to it has arrived. Any doubt (an error, a late PONG) ends the connection and
yields a `Gap`: at once, while the store stays away, and again when the next subscription stands. Messages carry an
id, because a publication may run twice (`link`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from gateway.errors import GatewayError, unavailable
from gateway.log import get_logger
from gateway.store.base import Beat, Gap, Told
from gateway.store.keyspace import Keyspace, to_text
from gateway.store.link import Link, reaching_store

PING_SECONDS = 0.2
PONG_SECONDS = 0.6
SUBSCRIBE_SECONDS = 1.0
RETRY_SECONDS = 0.2
IDS_KEPT = 256

_log = get_logger(__name__)


class RedisFeed:
    """Implements `Feed`; its own client must not try again by itself, or a gap could pass unseen."""

    def __init__(self, link: Link, client: Redis, keyspace: Keyspace) -> None:
        self._link = link
        self._client = client
        self._keyspace = keyspace

    async def publish(self, topic: str, text: str) -> None:
        """Tell every subscriber of `topic`."""
        await self._link.call("PUBLISH", self._keyspace.feed(topic), f"{secrets.token_hex(8)}\n{text}")

    async def subscribe(self, topic: str) -> AsyncIterator[Told | Beat | Gap]:
        """Yield what happens on `topic`, and gaps; see `Feed`."""
        is_away = False
        while True:
            pubsub = self._client.pubsub(ignore_subscribe_messages=True)
            try:
                async with reaching_store(SUBSCRIBE_SECONDS):
                    await pubsub.subscribe(self._keyspace.feed(topic))
                async with aclosing(_listen(pubsub)) as items:
                    # The subscription stands when the first PONG is there: what was said before may be missed.
                    first = await anext(items)
                    is_away = False
                    yield Gap()
                    yield first
                    async for item in items:
                        yield item
            except GatewayError as error:
                # Told once per absence, not at every try.
                if not is_away:
                    _log.warning("feed interrupted", topic=topic, error=str(error))
                is_away = True
            finally:
                await pubsub.aclose()  # type: ignore[no-untyped-call] # redis-py does not type it
            yield Gap()
            await asyncio.sleep(RETRY_SECONDS)


async def _listen(pubsub: PubSub) -> AsyncGenerator[Told | Beat]:
    """Yield messages and beats until the connection fails its proof.

    Raises:
        GatewayError: `UNAVAILABLE` then.
    """
    clock = asyncio.get_running_loop().time
    seen: deque[str] = deque(maxlen=IDS_KEPT)
    while True:
        await _ping(pubsub)
        pong_due = clock() + PONG_SECONDS
        while (message := await _next(pubsub, pong_due - clock()))["type"] != "pong":
            for told in _told(message, seen):
                yield told
        yield Beat()
        next_ping = clock() + PING_SECONDS
        while (wait := next_ping - clock()) > 0:
            for told in _told(await _next(pubsub, wait, may_be_late=True), seen):
                yield told


async def _ping(pubsub: PubSub) -> None:
    async with reaching_store(PONG_SECONDS):
        await pubsub.ping()


async def _next(pubsub: PubSub, seconds: float, *, may_be_late: bool = False) -> dict[str, Any]:
    """Return the next message, or an empty one of type `none` where silence is allowed."""
    async with reaching_store(PONG_SECONDS + max(seconds, 0)):
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while (rest := deadline - clock()) > 0:
            # None stands for silence, and also for the confirmation of a subscription.
            message: dict[str, Any] | None = await pubsub.get_message(timeout=rest)
            if message is not None:
                return message
    if may_be_late:
        return {"type": "none"}
    raise unavailable("The store does not answer.", log="no PONG on a feed")


def _told(message: dict[str, Any], seen: deque[str]) -> list[Told]:
    """Return what a message tells, unless it was told before."""
    if message["type"] != "message":
        return []
    name, _, text = to_text(message["data"]).partition("\n")
    if name in seen:
        return []
    seen.append(name)
    return [Told(text)]
