"""What a measurement is made of: its extent, its figures, and the subject that they belong to.

A subject starts what it needs, measures, and ends it all; so each can be run and recorded alone. The sides of a
subject take turns, another one first in each round, so that what changes on the machine meanwhile (heat, neighbours,
caches) falls on all of them alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from bench.load import Target
from bench.machine import processor_seconds
from bench.place import Place

GIB, MIB = 2**30, 2**20
# The large file is read and written by each, the small one is asked for many times.
LARGE, SMALL, MANY, WRITTEN = "large", "small", "many", "written"

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is asked.

    Attributes:
        seconds: how long small requests are sent in each round.
        large_bytes: size of the large file.
        entries: files in the folder that is listed.
        messages: signed messages in each round.
        files: small files that a transfer moves.
        sessions: sessions that do nothing.
    """

    rounds: int = 5
    seconds: int = 4
    large_bytes: int = GIB
    entries: int = 10_000
    messages: int = 1_000
    files: int = 10_000
    sessions: int = 1_000


SMOKE = Extent(rounds=1, seconds=1, large_bytes=4 * MIB, entries=40, messages=10, files=20, sessions=5)


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the storage over HTTP: its address, what is put before a name, and whose time is counted."""

    name: str
    origin: str
    prefix: str
    pid: int
    token: str

    def target(self, name: str, core: int) -> Target:
        """Return a resource of the shared folder as it is asked for here."""
        return Target(f"{self.origin}{self.prefix}{name}", self.token, core)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: the values of all rounds, by side.

    Attributes:
        is_more_better: whether a larger figure is a better one.
    """

    name: str
    unit: str
    is_more_better: bool
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, value: float) -> None:
        """Add the value of one round."""
        self.rounds.setdefault(side, []).append(value)

    def document(self) -> dict[str, object]:
        """Return the figure as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one subject: how much, where, and who is told what is on."""

    extent: Extent
    place: Place
    say: Callable[[str], None]

    def turns(self, sides: Sequence[S]) -> Iterator[S]:
        """Yield all sides in each round, another one first each time."""
        for number in range(self.extent.rounds):
            first = number % len(sides)
            yield from (*sides[first:], *sides[:first])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that is measured, and how its table looks.

    Attributes:
        name: its name in `--only` and in the page.
        sides: the columns, and
        ratio: the two of them whose ratio is told.
        versions: returns the versions of the programs that take part, by name.
        measure: starts everything, measures, and returns the rows.
    """

    name: str
    sides: tuple[str, ...]
    ratio: tuple[str, str]
    versions: Callable[[], dict[str, str]]
    measure: Callable[[Run], list[Figure]]


@contextlib.contextmanager
def spent(pid: int) -> Iterator[Callable[[], float]]:
    """Measure the processor time that the block costs a process, its descendants included."""
    before = processor_seconds(pid)
    after = before

    def difference() -> float:
        return after - before

    yield difference
    after = processor_seconds(pid)


def size_name(count: int) -> str:
    """Return a size as the tables name it."""
    return f"{count // GIB} GiB" if count % GIB == 0 else f"{count // MIB} MiB"
