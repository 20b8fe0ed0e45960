"""What one process remembers of grants, and how it forgets them within a second on every replica (DESIGN 9).

The memory spares the data path a look at the store: a credential that was proven once is looked up here, and a grant
that is known to stand need not be read again. Both may be believed only while the feed shows signs of life. When a
grant ends, it is dropped and every task that serves under it is cancelled; on a gap everything is dropped, and each
grant with a running task is read again.

What was read from the store before a drop must not be remembered after it: whoever reads takes the `generation`
first and hands it in with what he found.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.grant import Grant
from gateway.store.base import Beat, Feed, Gap, Told

log = get_logger(__name__)

TOPIC = "grants"
# The feed beats at least twice a second; without a beat for this long, in seconds, nothing remembered is believed.
SILENCE_SECONDS = 1.0
MEMORY_MAX_ENTRIES = 10_000
# How long something may be remembered without being read again, in seconds.
BELIEF_SECONDS = 10.0


class GrantWatch:
    """Remembers proven credentials, standing grants and the tasks that serve under them."""

    def __init__(self, feed: Feed, now: Clock) -> None:
        self._feed = feed
        self._now = now
        # Proven credentials (by fingerprint) with their grant and when that proof ends; least used first.
        self._proven: OrderedDict[str, tuple[Grant, float | None]] = OrderedDict()
        # Grants read as standing since the last gap; least used first.
        self._standing: OrderedDict[str, None] = OrderedDict()
        # The tasks of this process that are serving under a grant.
        self._serving: dict[str, tuple[Grant, set[asyncio.Task[object]]]] = {}
        self._heard_at = float("-inf")
        self._forgot_at = float("-inf")
        self.generation = 0

    async def run(self, stands: Callable[[str], Awaitable[bool]]) -> None:
        """Listen until cancelled; `stands` tells from the store whether a grant does."""
        async for event in self._feed.subscribe(TOPIC):
            match event:
                case Told(text):
                    self._drop(text)
                case Gap():
                    self._forget_all()
                    await self._read_again(stands)
                case Beat():
                    if self._now() - self._forgot_at > BELIEF_SECONDS:
                        # Whoever ended a grant may have died before telling: nothing is believed for long.
                        self._forget_all()
                        await self._read_again(stands)
                    self._heard_at = self._now()
                    self._cut_expired()

    async def tell_ended(self, grant_id: str) -> None:
        """Tell every replica, this one at once, that a grant has ended."""
        self._drop(grant_id)
        await self._feed.publish(TOPIC, grant_id)

    def cut(self, is_refused: Callable[[Grant], bool]) -> None:
        """End what is served here under grants that are refused now, though they have not ended."""
        for grant, _ in tuple(self._serving.values()):
            if is_refused(grant):
                self._drop(grant.grant_id)

    def recall(self, fingerprint: str) -> Grant | None:
        """Return the grant that this credential was proven to open, if that may still be believed."""
        known = self._proven.get(fingerprint)
        if known is None or not self._is_current:
            return None
        grant, proof_ends = known
        now = self._now()
        if any(end is not None and now >= end for end in (proof_ends, grant.expires_at)):
            del self._proven[fingerprint]
            return None
        self._proven.move_to_end(fingerprint)
        return grant

    def remember(self, fingerprint: str, grant: Grant, proof_ends: float | None, *, generation: int) -> None:
        """Keep the outcome of a proof until `proof_ends` (seconds since the epoch)."""
        if self._may_keep(generation):
            _keep(self._proven, fingerprint, (grant, proof_ends))
            _keep(self._standing, grant.grant_id, None)

    def vouches(self, grant: Grant) -> bool:
        """Tell whether the grant is known to stand, without asking the store."""
        is_known = grant.grant_id in self._standing and self._is_current
        return is_known and (grant.expires_at is None or self._now() < grant.expires_at)

    def vouch(self, grant: Grant, *, generation: int) -> None:
        """Remember that the grant was read as standing."""
        if self._may_keep(generation):
            _keep(self._standing, grant.grant_id, None)

    @contextmanager
    def serving(self, grant: Grant) -> Iterator[None]:
        """Register the running task under the grant: when that ends, the task is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        _, tasks = self._serving.setdefault(grant.grant_id, (grant, set()))
        tasks.add(task)
        try:
            yield
        finally:
            tasks.discard(task)
            if not tasks:
                self._serving.pop(grant.grant_id, None)

    def serving_under(self, grant: Grant) -> int:
        """Return how many tasks are serving under this grant."""
        return len(self._serving[grant.grant_id][1]) if grant.grant_id in self._serving else 0

    @property
    def streams(self) -> int:
        """How many tasks are serving under grants."""
        return sum(len(tasks) for _, tasks in self._serving.values())

    @property
    def is_silent(self) -> bool:
        """Whether nothing is heard from the store, so that what goes on cannot be asked about."""
        return not self._is_current

    @property
    def _is_current(self) -> bool:
        return 0 <= self._now() - self._heard_at <= SILENCE_SECONDS

    def _may_keep(self, generation: int) -> bool:
        return generation == self.generation and self._is_current

    def _drop(self, grant_id: str) -> None:
        self.generation += 1
        self._standing.pop(grant_id, None)
        for fingerprint in [f for f, (grant, _) in self._proven.items() if grant.grant_id == grant_id]:
            del self._proven[fingerprint]
        _, tasks = self._serving.get(grant_id, (None, set()))
        for task in tuple(tasks):
            task.cancel(f"grant {grant_id} is not served any more")

    def _forget_all(self) -> None:
        self.generation += 1
        self._heard_at = float("-inf")
        self._forgot_at = self._now()
        self._proven.clear()
        self._standing.clear()

    async def _read_again(self, stands: Callable[[str], Awaitable[bool]]) -> None:
        for grant_id in tuple(self._serving):
            try:
                if not await stands(grant_id):
                    self._drop(grant_id)
            except GatewayError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                # The store is away: what was proven goes on; the gap behind the next connection asks again.
                log.warning("grants cannot be checked", reason=str(error))

    def _cut_expired(self) -> None:
        now = self._now()
        for grant, _ in tuple(self._serving.values()):
            if grant.expires_at is not None and now >= grant.expires_at:
                self._drop(grant.grant_id)


V = TypeVar("V")


def _keep(memory: OrderedDict[str, V], key: str, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > MEMORY_MAX_ENTRIES:
        memory.popitem(last=False)
