"""Wake-ups for the worker, over SAQ.

The queue is only an alarm clock: what has to be done stands in the records, and a sweep finds what no alarm rang for.
SAQ's defaults would lose even alarms (ten seconds to live, one try, no sign of life), so `QueueRules` says otherwise.
All keys of a queue carry one hash tag. Each job beats while it runs, so that a killed worker's jobs are found by
another within a minute. At least once: every task has to be idempotent.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from saq.job import Job, Status
from saq.queue.redis import RedisQueue
from saq.types import TimersDict
from saq.worker import Worker

from gateway.log import get_logger
from gateway.store.link import ANSWER_SECONDS, reaching_store

DEQUEUE_SECONDS = 1.0
BEAT_SECONDS = 10
SILENCE_SECONDS = 40
SWEEP_SECONDS = 20
WORKER_INFO_SECONDS = 30
STOP_SECONDS = 5.0

_log = get_logger(__name__)
# Said at every stop of its own waiting for work; a task that is cut off is queued again.
logging.getLogger("saq").addFilter(lambda record: "did not finish" not in record.getMessage())

Task = Callable[[str], Awaitable[None]]
"""Does the work that is due for one key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """How long and how often a task may try.

    Attributes:
        task_seconds: the longest run of one task; 0 for no limit (transfers).
        tries: how often a task that raises or whose worker dies is tried before the sweep has to find its work.
        pause_seconds: the wait before the second try; it doubles from try to try.
    """

    task_seconds: int = 300
    tries: int = 5
    pause_seconds: float = 2.0


class SaqQueue:
    """Implements `Queue`."""

    def __init__(self, client: Redis, *, prefix: str, name: str, rules: QueueRules, now: Callable[[], float]) -> None:
        self._tag = f"{{{prefix}:{name}}}"
        self._rules = rules
        self._now = now
        self.saq = RedisQueue(client, name=self._tag)

    async def wake(self, task: str, key: str, *, at: float | None = None) -> None:
        """Ask that `task` be run for `key` at `at`; see `Queue`."""
        # Scheduled times are whole seconds; never early, or the record would not be due yet.
        when = 0 if at is None or at <= self._now() else math.ceil(at)
        name = self._name(task, key, when)
        if await self._enqueue(task, key, name, when):
            return
        async with reaching_store(ANSWER_SECONDS):
            known = await self.saq.job(name)
        # A task that already runs may have read its record before this wake-up; it has to look again.
        if known is not None and known.status is Status.ACTIVE:
            await self._enqueue(task, key, f"{name}:again", when)

    def _name(self, task: str, key: str, when: int) -> str:
        # The tag once more: SAQ puts the name alone into one of its keys.
        return f"{self._tag}:{task}:{key}:{when or 'now'}"

    async def _enqueue(self, task: str, key: str, name: str, when: int) -> bool:
        job = Job(
            function=task,
            kwargs={"key": key},
            key=name,
            scheduled=when,
            timeout=self._rules.task_seconds,
            heartbeat=SILENCE_SECONDS,
            retries=self._rules.tries,
            retry_delay=self._rules.pause_seconds,
            retry_backoff=True,
            ttl=-1,
        )
        async with reaching_store(ANSWER_SECONDS):
            return await self.saq.enqueue(job) is not None


async def run_worker(queue: SaqQueue, tasks: Mapping[str, Task], *, concurrency: int) -> None:
    """Run the tasks of `queue` as it wakes them, until cancelled; what then runs is cancelled and queued again.

    Args:
        tasks: the name given to `wake`, and what it runs.
        concurrency: how many tasks may run at a time.
    """
    worker = _QuietWorker(
        queue.saq,
        [(name, _with_beat(task)) for name, task in tasks.items()],
        concurrency=concurrency,
        dequeue_timeout=DEQUEUE_SECONDS,
        timers=TimersDict(schedule=1, sweep=SWEEP_SECONDS, abort=1, worker_info=WORKER_INFO_SECONDS),
        cancellation_hard_deadline_s=STOP_SECONDS,
    )
    running = asyncio.create_task(worker.start(), name=f"worker {queue.saq.name}")
    try:
        await asyncio.shield(running)
    finally:
        # `start` hands a cancellation to nobody; its event is how it is told to stop.
        worker.event.set()
        # A worker whose own upkeep has failed may never see the event.
        await asyncio.wait({running}, timeout=2 * STOP_SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class _QuietWorker(Worker[Any]):
    """SAQ's worker inside our process, where signals are `app`'s business."""

    SIGNALS = []  # noqa: RUF012 - the library's own attribute


def _with_beat(task: Task) -> Callable[..., Awaitable[None]]:
    async def run(context: dict[str, Any], *, key: str) -> None:
        job: Job = context["job"]
        beat = asyncio.create_task(_beat(job))
        try:
            await task(key)
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat

    return run


async def _beat(job: Job) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        try:
            await job.update()
        except Exception as error:  # noqa: BLE001 - a missed beat is no reason to fail the task
            _log.info("heartbeat missed", job=job.key, error=str(error))
