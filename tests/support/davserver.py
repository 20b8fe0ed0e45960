"""What the real WebDAV servers of the tests have in common: accounts, a port of their own, a process that ends."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

USERS = {"alice": "secret-of-alice", "bob": "secret-of-bob", "service": "secret-of-service"}
START_SECONDS = 20.0
START_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DavServer:
    """A running WebDAV server: `url` (with a slash at its end) shows the folder `files` to `users`.

    The folders `alice/` and `bob/` exist; `own` gives a file or folder made by a test to the server.
    """

    url: str
    files: Path
    users: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    own: Callable[[Path], None]

    def basic(self, user: str = "service") -> dict[str, str]:
        """Return the `Authorization` field of one of the users."""
        packed = base64.b64encode(f"{user}:{self.users[user]}".encode()).decode()
        return {"Authorization": f"Basic {packed}"}

    def fresh(self, name: str) -> str:
        """Make an empty folder and return its URL, with a slash at its end."""
        folder = self.files / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.own(folder)
        return f"{self.url}{name}/"


def program(*names: str) -> str:
    """Return the first of these programs that is there; without any, skip the test (but fail under CI)."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        needed(f"{names[0]} is not installed")
    return found


def needed(reason: str) -> NoReturn:
    """Skip the test for want of something, but fail under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(command: Callable[[int], list[str]], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server on a port of its own until the block ends; the port answers when the block begins.

    Args:
        command: returns the command line for a port.

    Raises:
        RuntimeError: if the server ends or does not listen in time.
    """
    process, port = _start(command, log)
    try:
        yield process, port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _start(command: Callable[[int], list[str]], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    for _attempt in range(START_ATTEMPTS):
        # The port is free now; if another process is quicker, the server ends and the next port is tried.
        port = _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(port), stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment
            )
        if _listens(process, port):
            return process, port
        process.kill()
        process.wait()
    raise RuntimeError(f"server did not start: {log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.02)
    return False
