"""The SSH door over each kind of storage, beside OpenSSH's server with `internal-sftp`: large files, one at a time.

The client is OpenSSH's for all of them. It logs in to the gateway as another provider's user does: with the key that
his provider has named in its answer to the share.
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from bench.gateways import gateway, share_login
from bench.kinds import FOLDER, KINDS, storages
from bench.machine import version_of
from bench.openssh import Client, Key, Login, sshd
from bench.peer import Peer
from bench.process import BenchError, program
from bench.subject import GIB, LARGE, WRITTEN, Figure, Run, Subject, size_name, spent

OPENSSH = "OpenSSH"


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    login: Login
    pid: int


def measure(run: Run) -> list[Figure]:
    """Start everything, measure, and return the rows."""
    run.place.add_file(LARGE, run.extent.large_bytes)
    with _ready(run) as sides:
        run.say("Large downloads")
        figures = _transfers(run, sides, "read", f"get {LARGE} /dev/null")
        source = run.place.root / LARGE
        (run.place.shared / LARGE).rename(source)
        run.say("Large uploads")
        return figures + _transfers(run, sides, "write", f"put {source} {WRITTEN}")


@contextlib.contextmanager
def _ready(run: Run) -> Iterator[list[_Side]]:
    place, key = run.place, Key.fresh(run.place.root / "key")
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer.running(key))
        sides = []
        for name, storage in stack.enter_context(storages(place)).items():
            server = stack.enter_context(gateway(place, storage, name.replace(", ", "-"), has_ssh=True))
            sides.append(_Side(name, share_login(peer, server), server.pid))
        rival = stack.enter_context(sshd(place, key, "sshd-measured", place.cores.measured))
        login = Login(rival.ports["ssh"], getpass.getuser(), key, str(place.shared))
        yield [*sides, _Side(OPENSSH, login, rival.pid)]


def _transfers(run: Run, sides: list[_Side], verb: str, command: str) -> list[Figure]:
    size = run.extent.large_bytes
    rate = Figure(name=f"{size_name(size)} {verb}", unit="MB/s", is_more_better=True)
    cost = Figure(name=f"processor time of {verb}, for 1 GiB", unit="s", is_more_better=False)
    written = run.place.shared / WRITTEN
    for side in run.turns(sides):
        with Client.connected(side.login, run.place.cores.load) as client, spent(side.pid) as cost_of:
            seconds = client.seconds_of(command)
        rate.add(side.name, size / 1e6 / seconds)
        cost.add(side.name, cost_of() * GIB / size)
        if verb == "write" and written.stat().st_size != size:
            raise BenchError(f"{side.name} wrote {written.stat().st_size} bytes")
        # Each writes a new file, and only one copy is kept.
        written.unlink(missing_ok=True)
    return [rate, cost]


def _versions() -> dict[str, str]:
    return {
        "gateway": version("ocm-gateway"),
        "asyncssh": version("asyncssh"),
        "OpenSSH": version_of(program("ssh"), "-V"),
        "Apache": version_of(program("apache2"), "-v"),
    }


SUBJECT = Subject(
    name="sftp",
    sides=(*KINDS, OPENSSH),
    ratio=(FOLDER, OPENSSH),
    versions=_versions,
    measure=measure,
)
