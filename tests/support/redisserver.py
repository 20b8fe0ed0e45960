"""Private Redis servers for tests: one of each kind per test process, and a store with a prefix of its own per test."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from redis import Redis

from gateway.crypto.secrets import Sealer, fingerprint
from gateway.store.binary import find_server
from gateway.store.redis import RedisStore, connect

_names = itertools.count()


SEALER = Sealer([b"k" * 32])


def make_store(url, *, prefix=None, instance_id="instance-1", settle_seconds=0.1) -> RedisStore:
    """Return a store whose keys nobody else uses."""
    prefix = prefix or f"t{os.getpid()}-{next(_names)}"
    return connect(
        url,
        prefix=prefix,
        sealer=SEALER,
        fingerprint=partial(fingerprint, b"pepper"),
        instance_id=instance_id,
        settle_seconds=settle_seconds,
    )


def debian_server() -> Path | None:
    """Return the system's redis-server, the reference of what an external store is."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


def server_program(kind) -> Path | None:
    """Return the program of one kind of server: `embedded`, `cluster` or `redis`."""
    return debian_server() if kind == "redis" else find_server()


# A server in cluster mode that serves all slots: it refuses any command or script over two slots.
CLUSTER = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
ALL_SLOTS = (0, 16383)


@contextmanager
def cluster_server(binary: Path) -> Iterator[str]:
    """Run a cluster of one server and give its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # The servers of a cluster talk over a port of their own, also where there is only one.
        bus = ("--bind", "127.0.0.1", "--cluster-port", str(free.getsockname()[1]))
    with private_server(binary, *CLUSTER, *bus) as url, Redis.from_url(url) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", *ALL_SLOTS)
        deadline = time.monotonic() + 10
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert time.monotonic() < deadline, "the cluster did not form"
            time.sleep(0.02)
        yield url


@contextmanager
def private_server(binary: Path, *options: str) -> Iterator[str]:
    """Run a server on a unix socket and give its URL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocm-test-", dir="/tmp")))
        path = folder / "s"
        settings = ["--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""]
        process = subprocess.Popen([binary, *settings, *options], stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        deadline = time.monotonic() + 10
        while not path.exists():
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"unix://{path}"
