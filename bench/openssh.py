"""OpenSSH in a run: its server with `internal-sftp`, and its client, which both servers are measured with.

The client is asked to do one thing after the other on one connection, so that no log-in is measured with a transfer.
Both servers use the cipher that is fastest for both, AES-128-GCM.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned
from bench.place import Place
from bench.process import BenchError, Ports, Server, program, running

CIPHER = "aes128-gcm@openssh.com"
# OpenSSH's server gives its rights up in there, and does not make it.
_EMPTY_FOLDER = Path("/run/sshd")
_DONE = "Remote working directory:"


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair: the private half in a file, the public one as a line."""

    file: Path
    line: str

    @classmethod
    def fresh(cls, file: Path) -> Key:
        """Make a key pair."""
        command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(file)]
        subprocess.run(command, check=True, timeout=20)
        return cls(file, file.with_name(f"{file.name}.pub").read_text().strip())


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom somebody logs in, and the folder that is meant there."""

    port: int
    user: str
    key: Key
    folder: str


@contextlib.contextmanager
def sshd(place: Place, key: Key, name: str, core: int) -> Iterator[Server]:
    """Run OpenSSH's server for the holder of a key, as the user that we are."""
    run = place.root / name
    run.mkdir()
    host_key = Key.fresh(run / "host")
    (run / "authorized").write_text(key.line + "\n")
    if os.geteuid() == 0:
        _EMPTY_FOLDER.mkdir(mode=0o755, exist_ok=True)

    def command(ports: Ports) -> list[str]:
        config = run / "sshd.conf"
        config.write_text(
            f"""
ListenAddress 127.0.0.1:{ports["ssh"]}
HostKey {host_key.file}
AuthorizedKeysFile {run}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 10000
Subsystem sftp internal-sftp
"""
        )
        return [program("sshd"), "-D", "-e", "-f", str(config)]

    with running(name, command, core=core, folder=place.root, port_names=("ssh",)) as server:
        yield server


class Client:
    """OpenSSH's sftp, logged in; make it with `connected`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def connected(cls, login: Login, core: int) -> Iterator[Client]:
        """Log in, and out when the block ends."""
        command = [program("sftp"), *_options(login), "-b", "-", f"{login.user}@127.0.0.1"]
        process = subprocess.Popen(
            pinned(core, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        client = cls(process)
        try:
            client.seconds_of(f"cd {login.folder}")
            yield client
        finally:
            process.kill()
            process.communicate()

    def seconds_of(self, *words: str) -> float:
        """Let it do something; return the seconds it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.perf_counter()
        self._process.stdin.write(f"{' '.join(words)}\npwd\n")
        said = []
        for line in self._process.stdout:
            if line.startswith(_DONE):
                return time.perf_counter() - began
            said.append(line)
        # It ends at the first command that fails.
        raise BenchError(f"sftp could not {' '.join(words)}: {''.join(said)}")


def _options(login: Login) -> Sequence[str]:
    options = {
        "BatchMode": "yes",
        "Ciphers": CIPHER,
        "IdentitiesOnly": "yes",
        "IdentityFile": str(login.key.file),
        "LogLevel": "ERROR",
        "Port": str(login.port),
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    return ["-F", "/dev/null", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
