"""Copying what was received into the own storage (`datatx`), beside `rclone copy`: many small files, and a large one.

Both copy from the same Apache mod_dav into the same folder in memory, each with its own defaults (four files at a
time). The gateway is told by another provider, in a signed message, that the folder is shared; its user accepts, and
asks for the transfer through the REST interface. What is timed is from there until it is over.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.gateways import folder_storage, gateway, rest_client
from bench.machine import pinned, version_of
from bench.peer import Peer
from bench.place import SHARED, SMALL_BYTES
from bench.process import BenchError, Server, program
from bench.servers import apache
from bench.subject import GIB, LARGE, MANY, Figure, Run, Subject, size_name, spent
from gateway.cli.rest import RestClient

GATEWAY, RCLONE = "gateway", "rclone copy"
ONE = "one"
_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 600.0
_COPY = "copied"

# How long something took, and the processor time that it cost.
Took = tuple[float, float]


def measure(run: Run) -> list[Figure]:
    """Start everything, measure, and return the rows."""
    run.place.add_folder(MANY, run.extent.files, SMALL_BYTES)
    run.place.add_folder(ONE, 0)
    run.place.add_file(f"{ONE}/{LARGE}", run.extent.large_bytes)
    with _ready(run) as copying:
        return [*copying.many(), *copying.one()]


@contextlib.contextmanager
def _ready(run: Run) -> Iterator[_Copying]:
    place = run.place
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(apache(place))
        server = stack.enter_context(gateway(place, folder_storage(place), "gateway"))
        peer = stack.enter_context(Peer.running())
        rest = rest_client(server)
        shares = {name: _received(peer, server, rest, f"{source.url()}/{SHARED}/{name}/") for name in (MANY, ONE)}
        yield _Copying(run, source, server, rest, shares)


def _received(peer: Peer, server: Server, rest: RestClient, uri: str) -> str:
    """Let the gateway receive and accept a share; return its id there."""
    peer.offer(server, uri)
    share = next(share["id"] for share in rest.get("received")["shares"] if share["state"] == "pending")
    rest.post(f"received/{share}/accept", {})
    return str(share)


@dataclass(frozen=True, slots=True)
class _Copying:
    """Everything that is measured, up and running; `shares` are the ids of what was received, by folder."""

    run: Run
    source: Server
    server: Server
    rest: RestClient
    shares: dict[str, str]

    def many(self) -> list[Figure]:
        self.run.say("Many small files")
        count = self.run.extent.files
        name = f"{count:,} files of 4 KiB"
        time = Figure(name=name, unit="s", is_more_better=False)
        cost = Figure(name=f"processor time for {name}", unit="s", is_more_better=False)
        for side in self.run.turns((GATEWAY, RCLONE)):
            seconds, spent_seconds = self._copy(side, MANY, files=count, size=count * SMALL_BYTES)
            time.add(side, seconds)
            cost.add(side, spent_seconds)
        return [time, cost]

    def one(self) -> list[Figure]:
        self.run.say("A large file")
        size = self.run.extent.large_bytes
        rate = Figure(name=f"a file of {size_name(size)}", unit="MB/s", is_more_better=True)
        cost = Figure(name="processor time for it, for 1 GiB", unit="s", is_more_better=False)
        for side in self.run.turns((GATEWAY, RCLONE)):
            seconds, spent_seconds = self._copy(side, ONE, files=1, size=size)
            rate.add(side, size / 1e6 / seconds)
            cost.add(side, spent_seconds * GIB / size)
        return [rate, cost]

    def _copy(self, side: str, name: str, *, files: int, size: int) -> Took:
        """Copy one of the folders; what came of it is checked, and gone afterwards."""
        target = self.run.place.files / _COPY
        took = self._by_gateway(name) if side == GATEWAY else self._by_rclone(name, target)
        found = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
        if (len(found), sum(found)) != (files, size):
            raise BenchError(f"{side} copied {len(found)} files with {sum(found)} bytes")
        shutil.rmtree(target)
        return took

    def _by_gateway(self, name: str) -> Took:
        with spent(self.server.pid) as cost_of:
            began = time.perf_counter()
            started = self.rest.post("transfers", {"share": self.shares[name], "name": _COPY})
            while not (shown := self.rest.get(f"transfers/{started['id']}"))["is_over"]:
                if time.perf_counter() - began > _LONGEST_SECONDS:
                    raise BenchError(f"the transfer hangs: {shown}")
                time.sleep(_POLL_SECONDS)
            seconds = time.perf_counter() - began
        if shown["state"] != "done":
            raise BenchError(f"the transfer failed: {shown}")
        return seconds, cost_of()

    def _by_rclone(self, name: str, target: Path) -> Took:
        url = f"{self.source.url()}/{SHARED}/{name}"
        command = [program("rclone"), "--config", "/dev/null", "copy", "--webdav-url", url, ":webdav:", str(target)]
        before, began = _children_seconds(), time.perf_counter()
        done = subprocess.run(
            pinned(self.run.place.cores.measured, command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_SECONDS,
        )
        seconds = time.perf_counter() - began
        if done.returncode != 0:
            raise BenchError(f"rclone failed: {done.stderr}")
        return seconds, _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _versions() -> dict[str, str]:
    return {
        "gateway": version("ocm-gateway"),
        "rclone": version_of(program("rclone"), "version"),
        "Apache": version_of(program("apache2"), "-v"),
    }


SUBJECT = Subject(
    name="transfer",
    sides=(GATEWAY, RCLONE),
    ratio=(GATEWAY, RCLONE),
    versions=_versions,
    measure=measure,
)
