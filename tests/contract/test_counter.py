"""What every `Counter` does."""

from __future__ import annotations

import asyncio
import time

import pytest


async def test_a_burst_and_then_a_wait(store):
    """As many tokens as the burst are there at once; the next caller hears how long to wait."""
    waits = [await store.counter.take("peer", per_second=0.1, burst=3) for _ in range(4)]

    assert waits[:3] == [0, 0, 0]
    assert waits[3] == pytest.approx(10, abs=1)


async def test_callers_at_once_share_one_bucket(store):
    """Many at once get no more than the burst."""
    waits = await asyncio.gather(*(store.counter.take("peer", per_second=0.01, burst=5) for _ in range(30)))

    assert waits.count(0) == 5


async def test_a_refusal_takes_nothing(store):
    """Being refused does not make the wait longer."""
    await store.counter.take("peer", per_second=0.1, burst=1)
    waits = [await store.counter.take("peer", per_second=0.1, burst=1) for _ in range(5)]

    assert max(waits) <= 10


async def test_tokens_come_back(store):
    """A token is there again after the time that was told."""
    await store.counter.take("peer", per_second=20, burst=1)
    deadline = time.monotonic() + 2
    while await store.counter.take("peer", per_second=20, burst=1):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_buckets_are_apart_and_end(store):
    """One bucket says nothing about another, and a full one is not kept."""
    await store.counter.take("one", per_second=0.1, burst=1)

    assert await store.counter.take("two", per_second=0.1, burst=1) == 0
    assert 0 < await store.link.call("PTTL", store._keyspace.rate("one")) <= 10_000


async def test_a_token_put_back_can_be_taken_again(store):
    """What is put back is there for the next caller, once."""
    for _ in range(3):
        await store.counter.take("peer", per_second=0.01, burst=3)
    await store.counter.put_back("peer", per_second=0.01)
    waits = [await store.counter.take("peer", per_second=0.01, burst=3) for _ in range(2)]

    assert waits[0] == 0
    assert waits[1] > 0


async def test_a_full_bucket_does_not_overflow(store):
    """Putting back what was never taken gives nobody more than the burst."""
    for _ in range(3):
        await store.counter.put_back("peer", per_second=0.01)
    waits = [await store.counter.take("peer", per_second=0.01, burst=2) for _ in range(3)]

    assert waits[:2] == [0, 0]
    assert waits[2] > 0
