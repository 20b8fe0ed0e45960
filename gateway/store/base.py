"""The ports to the store (DESIGN 9): what the rest may ask of it, without knowing Redis.

`Table` keeps records of one kind, `Once` makes an act happen once, `Counter` counts against a limit, `Feed` tells
all replicas, `LockTable` holds WebDAV locks, `PropertyTable` dead
properties, `Queue` wakes a worker. Each port has one contract suite in
`tests/contract`. Every method may raise `GatewayError(UNAVAILABLE)` while the store is away; nothing else foreign
leaves this package. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gateway.model.lock import DavLock as DavLock  # noqa: PLC0414 - a port of the store, offered here with the others
from gateway.model.lock import LockTable as LockTable  # noqa: PLC0414 - as above
from gateway.model.props import PropertyTable as PropertyTable  # noqa: PLC0414 - as above

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec(Generic[R]):
    """How records of one kind are kept.

    Attributes:
        name: the kind, part of every key.
        record: the frozen dataclass of the records.
        version: the schema version written with each record.
        key: the record's own key.
        lookups: name of a unique look-up to the values under which the record is found (hashed with a pepper,
            so secrets may be looked up).
        indexes: name of a sorted index to the `(partition, score)` pairs under which the record is listed.
        expires_at: when the store may forget the record, or None for never.
    """

    name: str
    record: type[R]
    version: int
    key: Callable[[R], str]
    lookups: dict[str, Callable[[R], tuple[str, ...]]]
    indexes: dict[str, Callable[[R], tuple[tuple[str, float], ...]]]
    expires_at: Callable[[R], float | None] = lambda _record: None


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A part of an index in order, and the cursor for the next part (None at the end)."""

    records: tuple[R, ...]
    cursor: str | None


class Table(Protocol[R]):
    """Records of one kind."""

    async def create(self, record: R) -> None:
        """Write a new record.

        Raises:
            GatewayError: `CONFLICT` if its key, or one of its unique look-ups, is taken by a live record.
        """

    async def get(self, key: str) -> R | None:
        """Return the record, or None."""

    async def find(self, lookup: str, value: str) -> R | None:
        """Return the record with `value` under the unique look-up `lookup`, or None."""

    async def update(self, key: str, change: Callable[[R], R]) -> R:
        """Replace the record by `change(record)`, atomically; `change` may run several times and must be pure.

        What `change` raises is passed on and nothing is written. Returning an equal record writes nothing.

        Raises:
            GatewayError: `NOT_FOUND` if there is no such record.
        """

    async def delete(self, key: str) -> bool:
        """Remove the record and what leads to it; tell whether there was one."""

    async def page(
        self,
        index: str,
        partition: str = "",
        *,
        until: float | None = None,
        cursor: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page[R]:
        """Return records of one partition in the order of their scores, up to the score `until`."""

    async def count(self, index: str, partition: str = "") -> int:
        """Return how many records one partition lists; one that has expired counts until it is repaired."""

    async def repair(self) -> int:
        """Remove dangling look-up and index entries; return how many."""


@dataclass(frozen=True, slots=True)
class Begun:
    """This caller is to do the act."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody is doing it now."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """It was done; this is what came of it."""

    outcome: bytes


class Once(Protocol):
    """Acts that must have one effect, however often they are asked for (SIG-8)."""

    async def begin(self, key: str, *, hold_seconds: float) -> Begun | Busy | Recorded:
        """Claim the act for `hold_seconds`; after that another may begin it (the first is taken for dead)."""

    async def finish(self, key: str, outcome: bytes, *, keep_seconds: float) -> None:
        """Record the outcome for `keep_seconds`."""

    async def abandon(self, key: str) -> None:
        """Give the claim up, as if the act had never been asked for."""


class Counter(Protocol):
    """Token buckets shared by all replicas."""

    async def take(self, key: str, *, per_second: float, burst: int) -> float:
        """Take one token from the bucket `key`; return 0, or the seconds until there is one."""

    async def put_back(self, key: str, *, per_second: float) -> None:
        """Undo one `take`: what was counted before it was known turned out not to count."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may have been missed (a lost connection); forget what you know."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life: nothing was missed up to now."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message."""

    text: str


class Feed(Protocol):
    """Publish and subscribe among all replicas, which says when something may have been missed."""

    async def publish(self, topic: str, text: str) -> None:
        """Tell every subscriber of `topic`."""

    def subscribe(self, topic: str) -> AsyncIterator[Told | Beat | Gap]:
        """Yield a `Gap` on every (re)connection, a `Beat` at least every half second, and each message once.

        Never raises for an absent store: it yields a `Gap` and tries again until it is closed.
        """


class Queue(Protocol):
    """Wake-ups for the worker. Losing one loses no work: the due time is in the record, a sweep finds it."""

    async def wake(self, task: str, key: str, *, at: float | None = None) -> None:
        """Ask that `task` be run for `key` at `at` (at once by default); the same wake-up twice is one."""


class StoreHealth(Protocol):
    """The store as the operator sees it."""

    async def ping(self) -> None:
        """Raise `UNAVAILABLE` if the store does not answer."""

    async def check_marker(self) -> None:
        """Raise `UNAVAILABLE` if this store does not carry our instance marker (emptied, restored, wrong: DESIGN 6)."""
