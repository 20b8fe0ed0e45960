"""How often, how long and how many at once we ask one peer for one thing (DISC-7).

Calls for the same thing take turns, so that those who waited find what the first one got. Each look-up has a deadline
over all its requests. What failed is not asked for again for `REST_SECONDS`, by whichever stranger's message it would
be: that memory is small, short and in this process only, so that strangers cannot fill the store with names. Who had no
fair time to answer, because others had used up the deadline, has not failed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from typing import TypeVar
from weakref import WeakValueDictionary

from gateway.errors import GatewayError, unavailable

BUDGET_SECONDS = 30.0
VERIFICATION_SECONDS = 4.0
REST_SECONDS = 60.0
# Less than this is no fair time for an answer.
FAIR_SECONDS = 1.0
REMEMBERED_MAX = 1024

R = TypeVar("R")


def verification_deadline() -> float:
    """Return the time of the running loop by which one inbound verification has to be done (DESIGN 8)."""
    return asyncio.get_running_loop().time() + VERIFICATION_SECONDS


@dataclass(frozen=True, slots=True)
class Urgency:
    """By when a look-up has to be done (time of the running loop), and whether a user waits for it."""

    until: float
    is_interactive: bool = False

    @classmethod
    def by(cls, deadline: float | None, *, interactive: bool = False) -> Urgency:
        """Return the urgency with this deadline, by default `BUDGET_SECONDS` from now."""
        until = asyncio.get_running_loop().time() + BUDGET_SECONDS if deadline is None else deadline
        return cls(until, interactive)


class Asking:
    """Turns, deadlines and the memory of failures, each by the name of the thing asked for."""

    def __init__(self, now: Callable[[], float], *, rest_seconds: float = REST_SECONDS) -> None:
        self._now = now
        self._rest_seconds = rest_seconds
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._failures: OrderedDict[str, tuple[float, GatewayError]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, thing: str, urgency: Urgency) -> AsyncIterator[None]:
        """Wait until nobody else asks for `thing`.

        Raises:
            GatewayError: `UNAVAILABLE` if the deadline comes first.
        """
        lock = self._locks.setdefault(thing, asyncio.Lock())
        try:
            async with asyncio.timeout_at(urgency.until):
                await lock.acquire()
        except TimeoutError as error:
            raise _too_late() from error
        try:
            yield
        finally:
            lock.release()

    async def ask(self, thing: str, urgency: Urgency, fetch: Callable[[], Awaitable[R]]) -> R:
        """Return what `fetch` returns, and remember if it fails.

        Raises:
            GatewayError: what `fetch` raised now or a moment ago; `UNAVAILABLE` if the deadline comes first.
        """
        if not urgency.is_interactive:
            self._refuse_again(thing)
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(urgency.until):
                answer = await fetch()
        except TimeoutError as error:
            late = _too_late()
            if urgency.until - begun >= FAIR_SECONDS:
                self._remember(thing, late)
            raise late from error
        except GatewayError as error:
            self._remember(thing, error)
            raise
        self._failures.pop(thing, None)
        return answer

    def _refuse_again(self, thing: str) -> None:
        until, error = self._failures.get(thing, (0.0, None))
        wait = until - self._now()
        if error is not None and wait > 0:
            raise GatewayError(error.kind, error.public, code=error.code, log=error.log, retry_after=ceil(wait))

    def _remember(self, thing: str, error: GatewayError) -> None:
        self._failures[thing] = (self._now() + self._rest_seconds, error)
        self._failures.move_to_end(thing)
        while len(self._failures) > REMEMBERED_MAX:
            self._failures.popitem(last=False)


def _too_late() -> GatewayError:
    return unavailable("The other provider did not answer in time.")
