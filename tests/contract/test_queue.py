"""What every `Queue` does, with the worker that it wakes."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from gateway.store.queue import QueueRules, run_worker


@asynccontextmanager
async def working(queue, tasks, concurrency=4):
    worker = asyncio.create_task(run_worker(queue, tasks, concurrency=concurrency))
    try:
        # The library's sweep at the start takes a job that is just being fetched for a dead worker's; a wake-up lost
        # to it is found by our own sweep, but these tests are about the queue alone.
        async with asyncio.timeout(15):
            while not await queue.saq.redis.exists(queue.saq._sweep):  # noqa: ASYNC110 - the library signals nothing
                await asyncio.sleep(0.01)
        yield worker
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def until(check):
    async with asyncio.timeout(15):
        while not check():  # noqa: ASYNC110 - what is awaited is not ours to signal
            await asyncio.sleep(0.01)


class Ran:
    """A task that notes for which keys it ran."""

    def __init__(self, failures=0):
        self.keys = []
        self.failures = failures
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, key):
        self.keys.append(key)
        await self.may_end.wait()
        if len(self.keys) <= self.failures:
            raise OSError("fails")


async def test_a_wake_up_runs_the_task(store):
    """A wake-up runs its task for its key, and no other."""
    queue, deliver, copy = store.queue("jobs"), Ran(), Ran()
    await queue.wake("deliver", "share-1")
    async with working(queue, {"deliver": deliver, "copy": copy}):
        await until(lambda: deliver.keys)

    assert deliver.keys == ["share-1"]
    assert copy.keys == []


async def test_the_same_wake_up_twice_is_one(store):
    """Wake-ups with the same words are one until the task has begun."""
    queue, task = store.queue("jobs"), Ran()
    await asyncio.gather(*(queue.wake("deliver", "share-1") for _ in range(10)))
    await queue.wake("deliver", "share-2")
    async with working(queue, {"deliver": task}, concurrency=1):
        await until(lambda: "share-2" in task.keys)

    assert task.keys == ["share-1", "share-2"]


async def test_a_wake_up_during_the_task_runs_it_again(store):
    """What changes while the task runs is not missed."""
    queue, task = store.queue("jobs"), Ran()
    task.may_end.clear()
    async with working(queue, {"deliver": task}):
        await queue.wake("deliver", "share-1")
        await until(lambda: len(task.keys) == 1)
        await queue.wake("deliver", "share-1")
        task.may_end.set()
        await until(lambda: len(task.keys) == 2)


async def test_a_wake_up_may_be_repeated_later(store):
    """When the task is done, the same wake-up runs it again."""
    queue, task = store.queue("jobs"), Ran()
    async with working(queue, {"deliver": task}):
        await queue.wake("deliver", "share-1")
        await until(lambda: len(task.keys) == 1)
        async with asyncio.timeout(5):
            while len(task.keys) < 2:
                await queue.wake("deliver", "share-1")
                await asyncio.sleep(0.02)


async def test_a_later_wake_up_waits(store):
    """A wake-up for later does not run before its time, and does not hold back one for now."""
    queue, task = store.queue("jobs"), Ran()
    due = time.time() + 0.2
    await queue.wake("deliver", "later", at=due)
    await queue.wake("deliver", "past", at=time.time() - 5)
    async with working(queue, {"deliver": task}):
        await until(lambda: "later" in task.keys)

    assert time.time() >= due
    assert task.keys == ["past", "later"]


async def test_a_failing_task_is_tried_again(store):
    """A task that raises is run again."""
    queue, task = store.queue("jobs", QueueRules(pause_seconds=0.01)), Ran(failures=1)
    await queue.wake("deliver", "share-1")
    async with working(queue, {"deliver": task}):
        await until(lambda: len(task.keys) == 2)


async def test_a_stopped_worker_leaves_its_work_to_the_next(store):
    """Cancelling the worker cancels its tasks, and another worker runs them again."""
    queue, task = store.queue("jobs", QueueRules(pause_seconds=0.01)), Ran()
    task.may_end.clear()
    await queue.wake("deliver", "share-1")
    async with working(queue, {"deliver": task}) as worker:
        await until(lambda: task.keys)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
    task.may_end.set()
    async with working(queue, {"deliver": task}):
        await until(lambda: len(task.keys) == 2)


async def test_queues_are_apart(store):
    """A worker runs only what its own queue was woken for."""
    one, two, task = store.queue("one"), store.queue("two"), Ran()
    await one.wake("deliver", "one")
    await two.wake("deliver", "two")
    async with working(two, {"deliver": task}):
        await until(lambda: task.keys)

    assert task.keys == ["two"]


async def test_all_keys_of_a_queue_lie_in_one_slot(store):
    """Every key that a queue writes carries its hash tag."""
    queue = store.queue("jobs")
    await queue.wake("deliver", "share-1")
    keys = [key async for key in store.link.scan(f"*{store._keyspace.prefix}:jobs*")]

    assert keys
    assert all(f"{{{store._keyspace.prefix}:jobs}}".encode() in key for key in keys)
