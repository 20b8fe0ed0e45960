"""Private Redis servers for tests: one of each kind per test process, and a store with a prefix of its own per test."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

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
    """Return the program of one kind of server: `embedded` or `redis`."""
    return find_server() if kind == "embedded" else debian_server()


@contextmanager
def private_server(binary: Path, *options: str) -> Iterator[str]:
    """Run a server on a unix socket and give its URL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocm-test-", dir="/tmp")))
        socket = folder / "s"
        settings = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
        process = subprocess.Popen([binary, *settings, *options], stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        deadline = time.monotonic() + 10
        while not socket.exists():
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"unix://{socket}"
