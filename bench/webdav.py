"""WebDAV that the gateway serves itself, over each kind of storage, beside wsgidav and `rclone serve webdav`.

All of them give the same folder away: the gateway has it as a folder, by SFTP and by WebDAV (not relayed: the relay is
the subject of `relay`), the others as a folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from bench import load
from bench.gateways import DAV_PATH, gateway, share_token
from bench.kinds import FOLDER, KINDS, storages
from bench.load import Target
from bench.machine import version_of
from bench.peer import Peer
from bench.place import SMALL_BYTES, Place
from bench.process import program
from bench.relay import check_listing
from bench.rivals import rclone_webdav, wsgidav
from bench.subject import GIB, LARGE, MANY, SMALL, WRITTEN, Figure, Run, Side, Subject, size_name, spent

CONNECTIONS = 16
WSGIDAV, RCLONE = "wsgidav", "rclone serve"


def measure(run: Run) -> list[Figure]:
    """Start everything, measure, and return the rows."""
    place = run.place
    place.add_file(SMALL, SMALL_BYTES)
    place.add_file(LARGE, run.extent.large_bytes)
    place.add_folder(MANY, run.extent.entries)
    with _ready(place) as sides:
        door = _Door(run, sides)
        return [*door.small(), *door.large_get(), *door.large_put(), *door.listing()]


@contextlib.contextmanager
def _ready(place: Place) -> Iterator[list[Side]]:
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer.running())
        sides = []
        for name, storage in stack.enter_context(storages(place)).items():
            server = stack.enter_context(gateway(place, storage, name.replace(", ", "-")))
            sides.append(Side(name, server.url(), DAV_PATH, server.pid, share_token(peer, server)))
        for name, rival in ((WSGIDAV, wsgidav), (RCLONE, rclone_webdav)):
            server = stack.enter_context(rival(place))
            sides.append(Side(name, server.url(), "/", server.pid, "none"))
        yield sides


@dataclass(frozen=True, slots=True)
class _Door:
    run: Run
    sides: list[Side]

    def small(self) -> list[Figure]:
        self.run.say("Many small downloads")
        rate = Figure(name="4 KiB GET", unit="requests/s", is_more_better=True)
        cost = Figure(name="processor time of a 4 KiB GET", unit="µs", is_more_better=False)
        for side in self.run.turns(self.sides):
            with spent(side.pid) as cost_of:
                count, per_second = load.many_requests(self._target(side, SMALL), self.run.extent.seconds, CONNECTIONS)
            rate.add(side.name, per_second)
            cost.add(side.name, 1e6 * cost_of() / count)
        return [rate, cost]

    def large_get(self) -> list[Figure]:
        self.run.say("Large downloads")
        size = self.run.extent.large_bytes
        return self._large("GET", LARGE, lambda target: load.download(target, size))

    def large_put(self) -> list[Figure]:
        self.run.say("Large uploads")
        source = self.run.place.root / LARGE
        (self.run.place.shared / LARGE).rename(source)
        return self._large("PUT", WRITTEN, lambda target: load.upload(target, source))

    def _large(self, method: str, name: str, transfer: Callable[[Target], float]) -> list[Figure]:
        size = self.run.extent.large_bytes
        rate = Figure(name=f"{size_name(size)} {method}", unit="MB/s", is_more_better=True)
        cost = Figure(name=f"processor time of {method}, for 1 GiB", unit="s", is_more_better=False)
        for side in self.run.turns(self.sides):
            with spent(side.pid) as cost_of:
                seconds = transfer(self._target(side, name))
            rate.add(side.name, size / 1e6 / seconds)
            cost.add(side.name, cost_of() * GIB / size)
            # Each writes a new file, and only one copy is kept.
            (self.run.place.shared / WRITTEN).unlink(missing_ok=True)
        return [rate, cost]

    def listing(self) -> list[Figure]:
        self.run.say("Lists of a large folder")
        entries = self.run.extent.entries
        time = Figure(name=f"PROPFIND of a folder with {entries:,} entries", unit="s", is_more_better=False)
        answer = self.run.place.root / "listing.xml"
        for side in self.run.turns(self.sides):
            time.add(side.name, load.list_folder(self._target(side, f"{MANY}/"), answer))
            check_listing(side.name, answer, entries)
        return [time]

    def _target(self, side: Side, name: str) -> Target:
        return side.target(name, self.run.place.cores.load)


def _versions() -> dict[str, str]:
    return {
        "gateway": version("ocm-gateway"),
        "wsgidav": version("wsgidav"),
        "rclone": version_of(program("rclone"), "version"),
        "OpenSSH": version_of(program("ssh"), "-V"),
        "Apache": version_of(program("apache2"), "-v"),
    }


SUBJECT = Subject(
    name="webdav",
    sides=(*KINDS, WSGIDAV, RCLONE),
    ratio=(FOLDER, RCLONE),
    versions=_versions,
    measure=measure,
)
