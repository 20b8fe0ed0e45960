"""What sessions cost that do nothing: very many SFTP clients, logged in and silent, beside OpenSSH's server.

Memory is counted with shared pages divided among those that share them (`Pss`), or a server of many processes would
seem larger than it is. Each round begins with a fresh server.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import resource
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

import asyncssh

from bench.gateways import folder_storage, gateway, share_login
from bench.machine import proportional_mib, version_of
from bench.openssh import CIPHER, Key, Login, sshd
from bench.peer import Peer
from bench.process import program
from bench.sftp import OPENSSH
from bench.subject import Figure, Run, Subject

GATEWAY = "gateway"
# Log-ins at the same time.
_AT_ONCE = 8
_LOG_IN_SECONDS = 120


def measure(run: Run) -> list[Figure]:
    """Start everything, measure, and return the rows."""
    _allow_many_connections()
    count = run.extent.sessions
    before = Figure(name="memory without a session", unit="MiB", is_more_better=False)
    each = Figure(name=f"memory of one of {count:,} idle sessions", unit="KiB", is_more_better=False)
    rate = Figure(name="log-ins, SFTP begun", unit="1/s", is_more_better=True)
    for number, name in enumerate(run.turns((GATEWAY, OPENSSH))):
        run.say(f"Idle sessions at {name}")
        with _server(run, name, number) as (pid, login):
            empty = proportional_mib(pid)
            seconds, full = asyncio.run(_hold(login, count, pid))
        before.add(name, empty)
        each.add(name, 1024 * (full - empty) / count)
        rate.add(name, count / seconds)
    return [before, each, rate]


@contextlib.contextmanager
def _server(run: Run, name: str, number: int) -> Iterator[tuple[int, Login]]:
    place, key = run.place, Key.fresh(run.place.root / f"key-{number}")
    if name == OPENSSH:
        with sshd(place, key, f"sshd-{number}", place.cores.measured) as server:
            yield server.pid, Login(server.ports["ssh"], getpass.getuser(), key, str(place.shared))
        return
    with (
        Peer.running(key) as peer,
        gateway(place, folder_storage(place), f"gateway-{number}", has_ssh=True) as server,
    ):
        yield server.pid, share_login(peer, server)


async def _hold(login: Login, count: int, pid: int) -> tuple[float, float]:
    """Open sessions; return the seconds that took, and the memory of the server while all are there."""
    places = asyncio.Semaphore(_AT_ONCE)
    async with contextlib.AsyncExitStack() as stack:

        async def begin() -> None:
            async with places, asyncio.timeout(_LOG_IN_SECONDS):
                connection = await stack.enter_async_context(_connect(login))
                client = await stack.enter_async_context(connection.start_sftp_client())
                await client.stat(login.folder)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(begin())
        seconds = time.perf_counter() - began
        return seconds, proportional_mib(pid)


def _connect(login: Login) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    return asyncssh.connect(
        "127.0.0.1",
        login.port,
        username=login.user,
        client_keys=[str(login.key.file)],
        known_hosts=None,
        encryption_algs=[CIPHER],
        config=None,
        agent_path=None,
    )


def _allow_many_connections() -> None:
    """Let us and our servers have as many open files as this machine lets us have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _versions() -> dict[str, str]:
    return {
        "gateway": version("ocm-gateway"),
        "asyncssh": version("asyncssh"),
        "OpenSSH": version_of(program("ssh"), "-V"),
    }


SUBJECT = Subject(
    name="sessions",
    sides=(GATEWAY, OPENSSH),
    ratio=(GATEWAY, OPENSSH),
    versions=_versions,
    measure=measure,
)
