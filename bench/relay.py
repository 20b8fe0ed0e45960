"""WebDAV relayed to WebDAV storage, beside nginx's `proxy_pass` before the same storage; and signed messages.

One folder is the storage; nginx serves GET and PUT from it, which costs little and so hides little, and Apache mod_dav
lists folders, since nginx cannot.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import quantiles

from bench import load
from bench.gateways import DAV_PATH, gateway, share_token, webdav_storage
from bench.load import Target
from bench.machine import family, forget_peak, name_of, processor_seconds, resident_mib, version_of
from bench.peer import Peer
from bench.place import SHARED, SMALL_BYTES
from bench.process import BenchError, Server, program
from bench.servers import apache, nginx, storage
from bench.subject import GIB, LARGE, MANY, SMALL, WRITTEN, Figure, Run, Side, Subject, size_name, spent

# Fewer than a share may have at a time (`limits.streams_per_share`).
CONNECTIONS = 16
DOWNLOADS = 4
GATEWAY, NGINX, UNBUFFERED, STORAGE = "gateway", "nginx", "nginx, unbuffered", "storage itself"
_RESPONSE = re.compile(rb"</(?:[\w.-]+:)?response\s*>")


def measure(run: Run) -> list[Figure]:
    """Start everything, measure, and return the rows."""
    with _ready(run) as relay:
        return relay.figures()


def check_listing(side: str, answer: Path, entries: int) -> None:
    """Raise `BenchError` unless an answer lists a folder with so many entries."""
    found = len(_RESPONSE.findall(answer.read_bytes()))
    if found != entries + 1:
        raise BenchError(f"{side} listed {found} resources")


@contextlib.contextmanager
def _ready(run: Run) -> Iterator[_Relay]:
    """Start everything, and gain access to the storage as a peer does: a share, a secret, a token."""
    place = run.place
    place.add_file(SMALL, SMALL_BYTES)
    place.add_file(LARGE, run.extent.large_bytes)
    place.add_folder(MANY, run.extent.entries)
    with contextlib.ExitStack() as stack:
        webdav = stack.enter_context(apache(place))
        backend = stack.enter_context(storage(place, webdav))
        proxy = stack.enter_context(nginx(place, backend, webdav))
        near = stack.enter_context(gateway(place, webdav_storage(backend), "gateway"))
        near_webdav = stack.enter_context(gateway(place, webdav_storage(webdav), "gateway-webdav"))
        peer = stack.enter_context(Peer.running())
        token, webdav_token = (share_token(peer, server) for server in (near, near_webdav))
        direct = f"/{SHARED}/"
        yield _Relay(
            run=run,
            peer=peer,
            gateway=near,
            webdav_gateway=near_webdav,
            proxy=proxy,
            sides=(
                Side(GATEWAY, near.url(), DAV_PATH, near.pid, token),
                Side(NGINX, proxy.url(), direct, proxy.pid, token),
                Side(UNBUFFERED, proxy.url("unbuffered"), direct, proxy.pid, token),
                Side(STORAGE, backend.url(), direct, backend.pid, token),
            ),
            webdav_sides=(
                Side(GATEWAY, near_webdav.url(), DAV_PATH, near_webdav.pid, webdav_token),
                Side(NGINX, proxy.url("webdav"), direct, proxy.pid, token),
                Side(STORAGE, webdav.url(), direct, webdav.pid, token),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relay:
    """Everything that is measured, up and running.

    Attributes:
        sides: the ways to the storage, and
        webdav_sides: those to Apache, which lists folders.
    """

    run: Run
    peer: Peer
    gateway: Server
    webdav_gateway: Server
    proxy: Server
    sides: tuple[Side, ...]
    webdav_sides: tuple[Side, ...]

    def figures(self) -> list[Figure]:
        figures = self._idle_memory()
        for step in (self._small, self._large_get, self._large_put, self._latency, self._listing, self._messages):
            self.run.say((step.__doc__ or "").strip().rstrip("."))
            figures += step()
        return figures + self._peak_memory()

    def _small(self) -> list[Figure]:
        """Many small downloads."""
        rate = Figure(name="4 KiB GET with a token", unit="requests/s", is_more_better=True)
        cost = Figure(name="processor time of a 4 KiB GET", unit="µs", is_more_better=False)
        sides = [side for side in self.sides if side.name != UNBUFFERED]
        for side in self.run.turns(sides):
            target = side.target(SMALL, self.run.place.cores.load)
            with spent(side.pid) as cost_of:
                count, per_second = load.many_requests(target, self.run.extent.seconds, CONNECTIONS)
            rate.add(side.name, per_second)
            cost.add(side.name, 1e6 * cost_of() / count)
        return [rate, cost]

    def _large_get(self) -> list[Figure]:
        """Large downloads."""
        size = self.run.extent.large_bytes
        return self._large("GET", lambda target: load.download(target, size))

    def _large_put(self) -> list[Figure]:
        """Large uploads."""
        source = self.run.place.shared / LARGE
        return self._large("PUT", lambda target: load.upload(target, source))

    def _large(self, method: str, transfer: Callable[[Target], float]) -> list[Figure]:
        size = self.run.extent.large_bytes
        rate = Figure(name=f"{size_name(size)} {method}", unit="MB/s", is_more_better=True)
        cost = Figure(name=f"processor time of {method}, for 1 GiB", unit="s", is_more_better=False)
        for side in self.run.turns(self.sides):
            target = side.target(LARGE if method == "GET" else WRITTEN, self.run.place.cores.load)
            with spent(side.pid) as cost_of:
                seconds = transfer(target)
            rate.add(side.name, size / 1e6 / seconds)
            cost.add(side.name, cost_of() * GIB / size)
        return [rate, cost]

    def _latency(self) -> list[Figure]:
        """Small downloads beside large ones."""
        name = f"4 KiB GET while {DOWNLOADS} downloads run"
        half = Figure(name=f"{name}, median", unit="ms", is_more_better=False)
        most = Figure(name=f"{name}, 99th percentile", unit="ms", is_more_better=False)
        for side in self.run.turns([side for side in self.sides if side.name != STORAGE]):
            with load.downloads_running(side.target(LARGE, self.run.place.cores.load), DOWNLOADS):
                port = int(side.origin.rpartition(":")[2])
                found = load.latencies("127.0.0.1", port, f"{side.prefix}{SMALL}", side.token, self.run.extent.seconds)
            percentiles = quantiles(found, n=100)
            half.add(side.name, 1e3 * percentiles[49])
            most.add(side.name, 1e3 * percentiles[98])
        return [half, most]

    def _listing(self) -> list[Figure]:
        """Lists of a large folder."""
        name = f"PROPFIND of a folder with {self.run.extent.entries:,} entries"
        time = Figure(name=name, unit="s", is_more_better=False)
        cost = Figure(name="processor time of that PROPFIND", unit="s", is_more_better=False)
        answer = self.run.place.root / "listing.xml"
        for side in self.run.turns(self.webdav_sides):
            with spent(side.pid) as cost_of:
                seconds = load.list_folder(side.target(f"{MANY}/", self.run.place.cores.load), answer)
            check_listing(side.name, answer, self.run.extent.entries)
            time.add(side.name, seconds)
            cost.add(side.name, cost_of())
        return [time, cost]

    def _messages(self) -> list[Figure]:
        """Signed messages."""
        rate = Figure(name="signed share notifications", unit="1/s", is_more_better=True)
        cost = Figure(name="processor time of a notification, store included", unit="µs", is_more_better=False)
        count = self.run.extent.messages
        for _round in range(self.run.extent.rounds):
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


def _worker(nginx: Server) -> int:
    return family(nginx.pid)[-1]


def _store(gateway: Server) -> int:
    return next(pid for pid in family(gateway.pid) if "valkey" in name_of(pid) or "redis" in name_of(pid))


def _versions() -> dict[str, str]:
    return {
        "gateway": version("ocm-gateway"),
        "aiohttp": version("aiohttp"),
        "nginx": version_of(program("nginx"), "-v"),
        "Apache": version_of(program("apache2"), "-v"),
    }


SUBJECT = Subject(
    name="relay",
    sides=(GATEWAY, NGINX, UNBUFFERED, STORAGE),
    ratio=(GATEWAY, NGINX),
    versions=_versions,
    measure=measure,
)
