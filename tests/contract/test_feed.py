"""What every `Feed` does."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import pairwise

from gateway.store.base import Beat, Gap, Told


class Listener:
    """Collects what a subscription yields."""

    def __init__(self):
        self.items = []
        self.times = []

    async def run(self, feed, topic):
        async for item in feed.subscribe(topic):
            self.items.append(item)
            self.times.append(time.monotonic())

    async def until(self, check):
        """Wait until `check` holds for what was yielded."""
        async with asyncio.timeout(10):
            while not check(self.items):  # noqa: ASYNC110 - what is awaited is not ours to signal
                await asyncio.sleep(0.01)

    def told(self):
        return [item.text for item in self.items if isinstance(item, Told)]


@asynccontextmanager
async def listening(feed, topic="topic"):
    listener = Listener()
    task = asyncio.create_task(listener.run(feed, topic))
    try:
        await listener.until(lambda items: Gap() in items)
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_begins_with_a_gap_and_then_beats(store):
    """A subscription first says that something may have been missed, and then that it lives."""
    async with listening(store.feed) as listener:
        await listener.until(lambda items: items.count(Beat()) >= 3)

    assert listener.items[0] == Gap()
    assert listener.items.count(Gap()) == 1


async def test_beats_come_twice_a_second(store):
    """No two beats are more than half a second apart."""
    async with listening(store.feed) as listener:
        await listener.until(lambda items: items.count(Beat()) >= 4)
    beats = [at for item, at in zip(listener.items, listener.times, strict=True) if item == Beat()]

    assert max(later - earlier for earlier, later in pairwise(beats)) < 0.5


async def test_every_subscriber_hears_each_message_once(store):
    """What is published reaches all subscribers of the topic once, in order, and no other topic."""
    async with listening(store.feed) as one, listening(store.feed) as two, listening(store.feed, "other") as other:
        for number in range(50):
            await store.feed.publish("topic", f"é{number}")
        await one.until(lambda _: len(one.told()) >= 50)
        await two.until(lambda _: len(two.told()) >= 50)

    assert one.told() == two.told() == [f"é{number}" for number in range(50)]
    assert other.told() == []


async def test_a_message_published_twice_is_told_once(store):
    """A publication that was repeated because its answer was lost is not told again."""
    async with listening(store.feed) as listener:
        for _ in range(2):
            await store.link.call("PUBLISH", store._keyspace.feed("topic"), "id\nonce")
        await store.feed.publish("topic", "last")
        await listener.until(lambda _: "last" in listener.told())

    assert listener.told() == ["once", "last"]


async def test_a_killed_connection_is_a_gap(store):
    """When the connection is cut, the subscriber hears of a gap, and of messages again after it."""
    async with listening(store.feed) as listener:
        await listener.until(lambda items: Beat() in items)
        await store.link.call("CLIENT", "KILL", "TYPE", "pubsub")
        await listener.until(lambda items: Gap() in items[1:] and items[-1] == Beat())
        await store.feed.publish("topic", "again")
        await listener.until(lambda _: listener.told() == ["again"])


async def test_a_store_that_is_away_is_a_gap(store, server_url):
    """A server that stops answering without closing is noticed within a second."""
    async with listening(store.feed) as listener:
        await listener.until(lambda items: Beat() in items)
        start = time.monotonic()
        await store.link.call("CLIENT", "PAUSE", 1200, "ALL")
        await listener.until(lambda items: Gap() in items[1:])

    assert time.monotonic() - start < 1
