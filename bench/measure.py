"""The measurements: what is asked of whom, round by round, and what is counted.

The sides of a measurement take turns, another one first in each round, so that what changes on the machine meanwhile
(heat, neighbours, caches) falls on all of them alike.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles

from bench import load
from bench.load import Target
from bench.machine import family, forget_peak, name_of, processor_seconds, resident_mib
from bench.peer import Peer
from bench.process import BenchError, Server
from bench.servers import Place

GIB = 2**30
SMALL_BYTES = 4096
# Fewer than a share may have at a time (`limits.streams_per_share`).
CONNECTIONS = 16
DOWNLOADS = 4
_RESPONSE = re.compile(rb"</(?:[\w.-]+:)?response\s*>")
GATEWAY, NGINX, UNBUFFERED, STORAGE = "gateway", "nginx", "nginx, unbuffered", "storage itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is asked.

    Attributes:
        seconds: how long small requests are sent in each round.
        large_bytes: size of the large file.
        entries: files in the folder that is listed.
        messages: signed messages in each round.
    """

    rounds: int = 5
    seconds: int = 4
    large_bytes: int = GIB
    entries: int = 10_000
    messages: int = 1_000


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the storage: its address, what is put before a name, and whose time is counted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that is measured, up and running.

    Attributes:
        sides: the ways to the storage, and
        webdav_sides: those to Apache, which lists folders.
    """

    extent: Extent
    place: Place
    peer: Peer
    gateway: Server
    webdav_gateway: Server
    proxy: Server
    sides: tuple[Side, ...]
    webdav_sides: tuple[Side, ...]

    def run(self, say: Callable[[str], None]) -> list[Figure]:
        """Measure everything; `say` is told what is on."""
        figures = self._idle_memory()
        for step in (self._small, self._large_get, self._large_put, self._latency, self._listing, self._messages):
            say((step.__doc__ or "").strip().rstrip("."))
            figures += step()
        return figures + self._peak_memory()

    def _small(self) -> list[Figure]:
        """Many small downloads."""
        rate = Figure(name="4 KiB GET with a token", unit="requests/s", is_more_better=True)
        cost = Figure(name="processor time of a 4 KiB GET", unit="µs", is_more_better=False)
        sides = [side for side in self.sides if side.name != UNBUFFERED]
        for side in self._turns(sides):
            target = side.target("small", self.place.cores.load)
            with _spent(side) as spent:
                count, per_second = load.many_requests(target, self.extent.seconds, CONNECTIONS)
            rate.add(side.name, per_second)
            cost.add(side.name, 1e6 * spent() / count)
        return [rate, cost]

    def _large_get(self) -> list[Figure]:
        """Large downloads."""
        size = self.extent.large_bytes
        return self._large("GET", lambda target: load.download(target, size))

    def _large_put(self) -> list[Figure]:
        """Large uploads."""
        source = self.place.files / "bench" / "large"
        return self._large("PUT", lambda target: load.upload(target, source))

    def _large(self, method: str, transfer: Callable[[Target], float]) -> list[Figure]:
        size = self.extent.large_bytes
        rate = Figure(name=f"{_size(size)} {method}", unit="MB/s", is_more_better=True)
        cost = Figure(name=f"processor time of {method}, for 1 GiB", unit="s", is_more_better=False)
        for side in self._turns(self.sides):
            target = side.target("large" if method == "GET" else "written", self.place.cores.load)
            with _spent(side) as spent:
                seconds = transfer(target)
            rate.add(side.name, size / 1e6 / seconds)
            cost.add(side.name, spent() * GIB / size)
        return [rate, cost]

    def _latency(self) -> list[Figure]:
        """Small downloads beside large ones."""
        name = f"4 KiB GET while {DOWNLOADS} downloads run"
        half = Figure(name=f"{name}, median", unit="ms", is_more_better=False)
        most = Figure(name=f"{name}, 99th percentile", unit="ms", is_more_better=False)
        for side in self._turns([side for side in self.sides if side.name != STORAGE]):
            with load.downloads_running(side.target("large", self.place.cores.load), DOWNLOADS):
                port = int(side.origin.rpartition(":")[2])
                found = load.latencies("127.0.0.1", port, f"{side.prefix}small", side.token, self.extent.seconds)
            percentiles = quantiles(found, n=100)
            half.add(side.name, 1e3 * percentiles[49])
            most.add(side.name, 1e3 * percentiles[98])
        return [half, most]

    def _listing(self) -> list[Figure]:
        """Lists of a large folder."""
        name = f"PROPFIND of a folder with {self.extent.entries:,} entries"
        time = Figure(name=name, unit="s", is_more_better=False)
        cost = Figure(name="processor time of that PROPFIND", unit="s", is_more_better=False)
        answer = self.place.root / "listing.xml"
        for side in self._turns(self.webdav_sides):
            with _spent(side) as spent:
                seconds = load.list_folder(side.target("many/", self.place.cores.load), answer)
            self._check_listing(side, answer)
            time.add(side.name, seconds)
            cost.add(side.name, spent())
        return [time, cost]

    def _check_listing(self, side: Side, answer: Path) -> None:
        found = len(_RESPONSE.findall(answer.read_bytes()))
        if found != self.extent.entries + 1:
            raise BenchError(f"{side.name} listed {found} resources")

    def _messages(self) -> list[Figure]:
        """Signed messages."""
        rate = Figure(name="signed share notifications", unit="1/s", is_more_better=True)
        cost = Figure(name="processor time of a notification, store included", unit="µs", is_more_better=False)
        count = self.extent.messages
        for _round in range(self.extent.rounds):
            messages = [self.peer.share_message(self.gateway) for _ in range(count)]
            before = processor_seconds(self.gateway.pid)
            seconds = load.send_all(self.gateway.ports["http"], messages, CONNECTIONS)
            rate.add(GATEWAY, count / seconds)
            cost.add(GATEWAY, 1e6 * (processor_seconds(self.gateway.pid) - before) / count)
        return [rate, cost]

    def _idle_memory(self) -> list[Figure]:
        figure = Figure(name="memory at rest", unit="MiB", is_more_better=False)
        store = Figure(name="memory of the gateway's own store at rest", unit="MiB", is_more_better=False)
        figure.add(GATEWAY, resident_mib(self.gateway.pid))
        figure.add(NGINX, resident_mib(_worker(self.proxy)))
        store.add(GATEWAY, resident_mib(_store(self.gateway)))
        for pid in self._watched():
            forget_peak(pid)
        return [figure, store]

    def _peak_memory(self) -> list[Figure]:
        figure = Figure(name="memory at most, during all of this", unit="MiB", is_more_better=False)
        store = Figure(name="memory of the gateway's own store at most", unit="MiB", is_more_better=False)
        gateways = (self.gateway.pid, self.webdav_gateway.pid)
        figure.add(GATEWAY, max(resident_mib(pid, "VmHWM") for pid in gateways))
        figure.add(NGINX, resident_mib(_worker(self.proxy), "VmHWM"))
        store.add(GATEWAY, resident_mib(_store(self.gateway), "VmHWM"))
        return [figure, store]

    def _watched(self) -> tuple[int, ...]:
        return self.gateway.pid, self.webdav_gateway.pid, _store(self.gateway), _worker(self.proxy)

    def _turns(self, sides: list[Side] | tuple[Side, ...]) -> Iterator[Side]:
        for number in range(self.extent.rounds):
            first = number % len(sides)
            yield from (*sides[first:], *sides[:first])


@contextlib.contextmanager
def _spent(side: Side) -> Iterator[Callable[[], float]]:
    """Measure the processor time that the block costs a side."""
    before = processor_seconds(side.pid)
    after = before

    def spent() -> float:
        return after - before

    yield spent
    after = processor_seconds(side.pid)


def _worker(nginx: Server) -> int:
    return family(nginx.pid)[-1]


def _store(gateway: Server) -> int:
    return next(pid for pid in family(gateway.pid) if "valkey" in name_of(pid) or "redis" in name_of(pid))


def _size(count: int) -> str:
    return f"{count // GIB} GiB" if count % GIB == 0 else f"{count // 2**20} MiB"
