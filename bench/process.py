"""Processes of a run: found, started on one core, waited for until they serve, and ended by process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02

Ports = dict[str, int]


class BenchError(Exception):
    """Something did not work as a measurement needs it; no figure comes of it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, and its ports by name."""

    pid: int
    ports: Ports

    def url(self, port: str = "http") -> str:
        """Return the origin at one of its ports."""
        return f"http://127.0.0.1:{self.ports[port]}"


def listen(ports: Ports) -> bool:
    """Tell whether somebody listens at all of these ports."""
    for port in ports.values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return False
    return True


@contextlib.contextmanager
def running(
    name: str,
    command: Callable[[Ports], list[str]],
    *,
    core: int,
    folder: Path,
    port_names: tuple[str, ...] = ("http",),
    is_ready: Callable[[Ports], bool] = listen,
) -> Iterator[Server]:
    """Run a server until the block ends; it serves when the block begins.

    Args:
        command: returns the command line for some free ports.
        folder: where its output goes.

    Raises:
        BenchError: if it does not start, or ends before the block.
    """
    ports = {port_name: _free_port() for port_name in port_names}
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(core, command(ports)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A session of its own: Ctrl-C comes to us, and we end the parts in order.
            start_new_session=True,
        )
    try:
        _wait(name, process, lambda: is_ready(ports), log)
        yield Server(process.pid, ports)
        if process.poll() is not None:
            raise BenchError(f"{name} ended by itself: {_tail(log)}")
    finally:
        _stop(process)


def program(name: str) -> str:
    """Return where a program is; servers stand where only root looks.

    Raises:
        BenchError: if it is not there.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"{name} is not installed")
    return path


def _wait(name: str, process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{name} did not start: {_tail(log)}")
        time.sleep(POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return " | ".join(lines[-5:]) or "it said nothing"
