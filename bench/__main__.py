"""The command: `python -m bench`. It prints the table, writes the JSON, and with `--record` the page of the docs."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench import report
from bench.machine import Bystanders, Cores, describe, version_of
from bench.measure import GATEWAY, NGINX, SMALL_BYTES, STORAGE, UNBUFFERED, Bench, Extent, Figure, Side
from bench.peer import Peer
from bench.process import BenchError, Server, program
from bench.servers import PASSWORD, USER, Place, apache, gateway, nginx, storage
from gateway.cli.rest import RestClient
from gateway.model.secret import Secret

ROOT = Path(__file__).parent.parent
JSON = ROOT / "build" / "bench.json"
PAGE, PAGE_JSON = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.json"
SMALLEST = Extent(rounds=1, seconds=1, large_bytes=4 * 2**20, entries=40, messages=10)
# Figures of a machine of which others had more than that are not worth to be kept.
OTHERS_MAX_PERCENT = 10
SHARED = "bench"
# The file itself, what is written, and what servers keep of both on the way.
COPIES = 6
MEMORY_DISK = Path("/dev/shm")
_PIECE = 2**20


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit status."""
    options = _options(arguments)
    # Whoever ends us wants the servers ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = _run(SMALLEST if options.smallest else Extent())
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"\n{report.machine(results)}\n\n{report.table(results)}")
    report.write_json(options.json, results)
    return _record(results) if options.record else 0


def _record(results: report.Results) -> int:
    if results["others_percent"] > OTHERS_MAX_PERCENT:
        print("bench: not recorded, since others had so much of the machine", file=sys.stderr)
        return 1
    report.write_json(PAGE_JSON, results)
    PAGE.write_text(report.page(PAGE.read_text("utf-8"), results), "utf-8")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the gateway beside nginx.")
    parser.add_argument("--json", type=Path, default=JSON, help="where to write the results (%(default)s)")
    parser.add_argument("--record", action="store_true", help="also write them into docs/performance")
    parser.add_argument("--smallest", action="store_true", help="as little as possible, to see that everything works")
    return parser.parse_args(arguments)


def _run(extent: Extent) -> dict[str, object]:
    facts, others = describe(), Bystanders()
    cores = Cores.of_this_machine()
    os.sched_setaffinity(0, {cores.load})
    began = time.monotonic()
    with _ready(extent, cores) as bench:
        figures = bench.run(lambda text: print(f"{time.monotonic() - began:4.0f} s  {text} …", flush=True))
    return _results(facts, extent, figures, others.percent())


@contextlib.contextmanager
def _ready(extent: Extent, cores: Cores) -> Iterator[Bench]:
    """Start everything, and gain access to the storage as a peer does: a share, a secret, a token."""
    with contextlib.ExitStack() as stack:
        place = Place(Path(stack.enter_context(_folder(extent))), cores)
        _fill(place, extent)
        webdav = stack.enter_context(apache(place))
        backend = stack.enter_context(storage(place, webdav))
        proxy = stack.enter_context(nginx(place, backend, webdav))
        near = stack.enter_context(gateway(place, backend, "gateway"))
        near_webdav = stack.enter_context(gateway(place, webdav, "gateway-webdav"))
        peer = stack.enter_context(Peer.running())
        token, webdav_token = (_token(peer, server) for server in (near, near_webdav))
        direct = f"/{SHARED}/"
        yield Bench(
            extent=extent,
            place=place,
            peer=peer,
            gateway=near,
            webdav_gateway=near_webdav,
            proxy=proxy,
            sides=(
                Side(GATEWAY, near.url(), "/ocm/dav/", near.pid, token),
                Side(NGINX, proxy.url(), direct, proxy.pid, token),
                Side(UNBUFFERED, proxy.url("unbuffered"), direct, proxy.pid, token),
                Side(STORAGE, backend.url(), direct, backend.pid, token),
            ),
            webdav_sides=(
                Side(GATEWAY, near_webdav.url(), "/ocm/dav/", near_webdav.pid, webdav_token),
                Side(NGINX, proxy.url("webdav"), direct, proxy.pid, token),
                Side(STORAGE, webdav.url(), direct, webdav.pid, token),
            ),
        )


def _token(peer: Peer, server: Server) -> str:
    rest = RestClient(url=f"{server.url()}/ocm", user=USER, password=Secret(PASSWORD))
    draft = {"path": f"/{SHARED}", "recipient": f"bob@{peer.host}", "permissions": ["read", "write"]}
    return peer.token(server, rest.post("shares", draft)["id"])


@contextlib.contextmanager
def _folder(extent: Extent) -> Iterator[str]:
    """Make a folder for the run: in memory if there is room, since no disk is to be measured."""
    needed = COPIES * extent.large_bytes
    is_room = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > 2 * needed
    folder = Path(tempfile.mkdtemp(prefix="ocm-bench-", dir=MEMORY_DISK if is_room else None))
    folder.chmod(0o755)
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(place: Place, extent: Extent) -> None:
    shared = place.files / SHARED
    for folder in (place.files, shared, shared / "many"):
        place.for_web_user(folder)
    (shared / "small").write_bytes(os.urandom(SMALL_BYTES))
    piece = os.urandom(_PIECE)
    with (shared / "large").open("wb") as file:
        for _ in range(extent.large_bytes // _PIECE):
            file.write(piece)
    for number in range(extent.entries):
        (shared / "many" / f"file-{number:05}.txt").write_bytes(b"x")


def _results(
    facts: dict[str, object], extent: Extent, figures: list[Figure], others_percent: float
) -> dict[str, object]:
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": facts,
        "versions": {
            "gateway": version("ocm-gateway"),
            "aiohttp": version("aiohttp"),
            "nginx": version_of(program("nginx"), "-v"),
            "Apache": version_of(program("apache2"), "-v"),
        },
        "extent": asdict(extent),
        "others_percent": round(others_percent, 1),
        "figures": [figure.document() for figure in figures],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
