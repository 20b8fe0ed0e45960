"""An SSH door for tests over any storage, and the OpenSSH programs that knock at it."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from gateway.crypto.sshkeys import HostKey, public_line
from gateway.errors import GatewayError, Kind
from gateway.ssh.guests import Guest
from gateway.ssh.server import SshDoor, SshLimits

USER = "ocm-0123"
LIMITS = SshLimits(log_in_seconds=20, idle_seconds=60, connections=50, per_address=20, per_room=10, handles=50)


@dataclass
class OneGuest:
    """Lets one user in with one key, to one storage."""

    key: str
    backend: object
    files: object = None
    file_name: str | None = None
    may_write: bool = True
    takes_passwords: bool = False
    tasks: set = field(default_factory=set)

    async def by_key(self, claimed_user, claimed_key):
        if (claimed_user, claimed_key) != (USER, self.key):
            return None
        return self._guest()

    async def by_password(self, claimed_user, password, address):
        return self._guest() if (claimed_user, password.reveal()) == (USER, "open sesame") else None

    def end(self):
        """Let what lets the guest in come to its end."""
        for task in tuple(self.tasks):
            task.cancel()

    def _guest(self):
        return Guest(
            name=USER,
            room="room",
            backend=self.backend,
            files=self.files or self.backend,
            file_name=self.file_name,
            may_write=self.may_write,
            serving=self._serving,
        )

    @contextmanager
    def _serving(self):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            yield
        finally:
            self.tasks.discard(task)


@dataclass
class Rig:
    """An open door, and what a client needs to come in."""

    door: SshDoor
    port: int
    keeper: OneGuest
    folder: Path
    counts: Counter
    guesses: list
    keys: list

    @property
    def key_file(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def options(self) -> list[str]:
        """What makes an OpenSSH program use this test's own files, and nothing of whoever runs it."""
        settings = {
            "IdentitiesOnly": "yes",
            "IdentityFile": self.key_file,
            "UserKnownHostsFile": self.folder / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "GlobalKnownHostsFile": "/dev/null",
        }
        return ["-F", "/dev/null", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]

    @property
    def place(self) -> str:
        return f"{USER}@127.0.0.1"

    async def run(self, program: str, *words: str, text: str = "") -> tuple[int, str]:
        """Run an OpenSSH program and return its exit status and all that it printed."""
        return await ran(program, *self.options, *words, text=text)

    async def sftp(self, *lines: str, user: str = USER) -> tuple[int, str]:
        """Run OpenSSH's sftp with these commands; the first that fails ends it, but for those with a hyphen."""
        batch = "\n".join(lines) + "\n"
        words = ["-b", "-", "-P", str(self.port), f"{user}@127.0.0.1"]
        return await ran("sftp", *self.options, *words, text=batch)

    def connect(self, **options):
        """Return asyncssh's own client, connected."""
        settings = {"username": USER, "client_keys": [str(self.key_file)], "known_hosts": None, "config": None}
        return asyncssh.connect("127.0.0.1", self.port, **(settings | options))


async def ran(*words: str, text: str = "") -> tuple[int, str]:
    """Run a program, give it `text`, and return its exit status and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate(text.encode())
    return process.returncode, output.decode(errors="replace")


def make_key(folder: Path, name: str = "id_ed25519") -> str:
    """Write a fresh private key into `folder` and return its public line."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = folder / name
    key.write_private_key(str(path))
    path.chmod(0o600)
    return public_line(key.export_public_key().decode())


@asynccontextmanager
async def ssh_door(folder: Path, backend: object, *, limits: SshLimits = LIMITS, **guest) -> AsyncIterator[Rig]:
    """Open a door over `backend` for one guest; the existing `folder` takes the client's files."""
    keeper = OneGuest(make_key(folder), backend, **guest)
    counts, guesses = Counter(), []

    async def refuse_guesser(address):
        guesses.append(address)
        if len(guesses) > 100:
            raise GatewayError(Kind.LIMITED, "Too much guessing.")

    host_key = HostKey.generate()
    keys = [host_key.openssh()]
    door = SshDoor(
        doorkeepers=(keeper,),
        limits=limits,
        network_of=lambda address: address,
        refuse_guesser=refuse_guesser,
        told_sessions=lambda change: counts.update(sessions=change),
        told_handles=lambda change: counts.update(handles=change),
        now=lambda: 1_800_000_000.0,
    )
    port = await door.listen("127.0.0.1", 0, lambda: keys)
    _write_known_hosts(folder, port, host_key)
    try:
        yield Rig(door, port, keeper, folder, counts, guesses, keys)
    finally:
        await door.close()


def _write_known_hosts(folder: Path, port: int, key: HostKey) -> None:
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key.public}\n")
