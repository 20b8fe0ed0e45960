"""What the SSH servers of the tests have in common: a host key, an account, an empty folder, a process that ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from gateway.backends.sftp import SftpBackend
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_server import PinnedKeys, SftpAccount, SftpServer
from gateway.model.secret import Secret


def new_key() -> asyncssh.SSHKey:
    """Make a key for a host or a user."""
    return asyncssh.generate_private_key("ssh-ed25519")


def public_line(key: asyncssh.SSHKey) -> str:
    """Return the public half of a key as one line."""
    return key.export_public_key().decode().strip()


def private_text(key: asyncssh.SSHKey) -> str:
    """Return a private key in OpenSSH's format."""
    return key.export_private_key().decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SshServer:
    """A running SSH server with SFTP, on 127.0.0.1.

    Attributes:
        host_key: its public host key, one line.
        account: a log-in that it accepts.
        files: a folder of this machine that the account can reach under its own name.
        process: the server, if it is a process of its own.
    """

    port: int
    host_key: str
    account: SftpAccount
    files: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> SftpServer:
        """The server as the gateway knows it."""
        return SftpServer(host="127.0.0.1", port=self.port, host_keys=PinnedKeys((self.host_key,)))

    def fresh(self, name: str) -> Path:
        """Make an empty folder and return it."""
        folder = self.files / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    @asynccontextmanager
    async def pool(self, **options):
        """Give a pool of connections; behind the block none is left."""
        pool = SftpPool(self.server, **options)
        try:
            yield pool
        finally:
            await pool.close()
            assert pool.connections == 0

    def backend(self, folder: Path):
        """Give `folder` as a storage; behind the block no session is in use and no connection is left."""
        return self.backend_with(folder)

    @asynccontextmanager
    async def backend_with(self, folder: Path, **options):
        """Do as `backend`, with options of the pool."""
        async with self.pool(**options) as pool:
            yield SftpBackend(pool, self.account, str(folder))
            await _until(lambda: pool.sessions == 0)


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.01)


def key_account(user: str, key: asyncssh.SSHKey) -> SftpAccount:
    """Return the account of a user with a key."""
    return SftpAccount(user=user, private_key=Secret(private_text(key)))


def kill_all(process: subprocess.Popen[bytes], *, with_itself: bool = True) -> None:
    """Kill a server and the processes that it made for its connections, or only these."""
    for pid in [*descendants(process.pid), *([process.pid] if with_itself else [])]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(parent: int) -> list[int]:
    """Return the ids of all processes that a process has made, and those that they have."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, above = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(above, []).append(pid)
    found, todo = [], [parent]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found
