"""What asks the servers: wrk for many small requests, curl for large ones, a probe of latency, a sender of messages.

Every answer is checked, and a wrong one ends the run: a server that refuses quickly must not look fast.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned
from bench.process import BenchError

# No transfer of a run takes longer than that, in seconds; one that does hangs.
TRANSFER_SECONDS = 120.0
_WRK_COUNT = re.compile(r"(\d+) requests in")
_WRK_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRK_FAULT = re.compile(r"Non-2xx or 3xx responses|Socket errors")
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_PROPERTIES = (
    '<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/><d:getcontentlength/>'
    "<d:getlastmodified/><d:getetag/><d:getcontenttype/></d:prop></d:propfind>"
)


@dataclass(frozen=True, slots=True)
class Target:
    """One resource on one server, and the core from which it is asked."""

    url: str
    token: str
    core: int

    @property
    def authorization(self) -> str:
        """The field that every server is sent, also those that do not look at it."""
        return f"Authorization: Bearer {self.token}"


def many_requests(target: Target, seconds: int, connections: int) -> tuple[int, float]:
    """Get a resource for a while on some connections; return how many answers came and how many came a second."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", target.authorization, target.url]
    text = _output(target.core, command, seconds + TRANSFER_SECONDS)
    count, rate = _WRK_COUNT.search(text), _WRK_RATE.search(text)
    if count is None or rate is None or _WRK_FAULT.search(text):
        raise BenchError(f"wrk was not content with {target.url}: {text}")
    return int(count[1]), float(rate[1])


def download(target: Target, size: int) -> float:
    """Get a resource of this size; return the seconds it took."""
    return _curl(target, [], expect=(200, size))


def upload(target: Target, file: Path) -> float:
    """Put a file; return the seconds it took."""
    return _curl(target, ["-T", str(file)], expect=(201, 204))


def list_folder(target: Target, answer: Path) -> float:
    """List a folder one level deep, the answer going to a file; return the seconds it took."""
    asked = ["-X", "PROPFIND", "-H", "Depth: 1", "-H", "Content-Type: application/xml", "--data", _PROPERTIES]
    return _curl(target, asked, expect=(207,), output=str(answer))


@contextlib.contextmanager
def downloads_running(target: Target, count: int) -> Iterator[None]:
    """Let this many downloads of a resource run, each begun again when it ends."""
    stop = threading.Event()
    faults: list[str] = []
    loops = [threading.Thread(target=_download_again, args=(target, stop, faults)) for _ in range(count)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        stop.set()
        for loop in loops:
            loop.join()
    if faults:
        raise BenchError(f"a download broke off: {faults[0]}")


def latencies(host: str, port: int, path: str, token: str, seconds: float) -> list[float]:
    """Get a small resource again and again on one connection; return the seconds that each answer took."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    found = []
    end = time.perf_counter() + seconds
    with socket.create_connection((host, port), timeout=TRANSFER_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (began := time.perf_counter()) < end:
            connection.sendall(request)
            _read_answer(connection)
            found.append(time.perf_counter() - began)
    return found


def send_all(port: int, messages: Sequence[bytes], connections: int) -> float:
    """Send whole requests on some connections, each as soon as the last was answered; return the seconds it took."""
    began = time.perf_counter()
    asyncio.run(_send_all(port, list(messages), connections))
    return time.perf_counter() - began


def _output(core: int, command: list[str], seconds: float) -> str:
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {done.stdout} {done.stderr}")
    return done.stdout


def _curl(target: Target, more: list[str], *, expect: tuple[int, ...], output: str = "/dev/null") -> float:
    command = [*_curl_command(target, output), "-w", "%{http_code} %{size_download} %{time_total}", *more, target.url]
    status, size, seconds = _output(target.core, command, TRANSFER_SECONDS).split()
    # A download also has to have its size; what is expected of others is one of some statuses.
    is_right = (int(status), int(size)) == expect if expect[0] == 200 else int(status) in expect  # noqa: PLR2004 - OK
    if not is_right:
        raise BenchError(f"{target.url} answered {status} with {size} bytes")
    return float(seconds)


def _curl_command(target: Target, output: str) -> list[str]:
    return ["curl", "-q", "-s", "-S", "--noproxy", "*", "-o", output, "-H", target.authorization]


def _download_again(target: Target, stop: threading.Event, faults: list[str]) -> None:
    while not stop.is_set():
        command = pinned(target.core, [*_curl_command(target, "/dev/null"), "--fail", target.url])
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and not stop.wait(0.02):
            pass
        is_over = process.poll() is not None
        process.kill()
        said = process.communicate()[1]
        if is_over and process.returncode != 0:
            faults.append(said.decode(errors="replace"))
            return


def _read_answer(connection: socket.socket) -> None:
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += _some(connection)
    length = _LENGTH.search(answer[:end])
    if not answer.startswith(b"HTTP/1.1 200") or length is None:
        raise BenchError(f"the probe was answered {answer[:end]!r}")
    missing = end + 4 + int(length[1]) - len(answer)
    while missing > 0:
        missing -= len(_some(connection))


def _some(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise BenchError("the connection of the probe was closed")
    return piece


async def _send_all(port: int, messages: list[bytes], connections: int) -> None:
    async with asyncio.timeout(TRANSFER_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_send(port, messages))


async def _send(port: int, messages: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while messages:
            writer.write(messages.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            if not head.startswith(b"HTTP/1.1 201"):
                raise BenchError(f"a message was answered {head!r} {body!r}")
    finally:
        writer.close()
        await writer.wait_closed()
