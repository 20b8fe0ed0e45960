"""A private OpenSSH sshd: own configuration, own host key, own port, the user who runs the tests, by key only."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import program, running
from support.sshservers import SshServer, key_account, new_key, private_text, public_line


@contextmanager
def sshd(*, extra: str = "", subsystem: str = "internal-sftp") -> Iterator[SshServer]:
    """Run an sshd; `extra` is added to its configuration, `subsystem` is its SFTP server."""
    extra = f"{extra}\nSubsystem sftp {subsystem}"
    binary = program("sshd")
    if os.geteuid() == 0:
        # Where sshd locks its unprivileged half in; Debian makes it only when the service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sshd") as name:
        place = Path(name)
        host, user = new_key(), new_key()
        _private(place / "host_key", private_text(host))
        _private(place / "authorized_keys", public_line(user) + "\n")
        (place / "files").mkdir()
        command = lambda port: [binary, "-D", "-e", "-f", str(_configure(place, port, extra))]  # noqa: E731 - short
        with running(command, place / "log") as (process, port):
            yield SshServer(
                port=port,
                host_key=public_line(host),
                account=key_account(getpass.getuser(), user),
                files=place / "files",
                process=process,
            )


def _configure(place: Path, port: int, extra: str) -> Path:
    config = place / "sshd_config"
    config.write_text(
        f"""{extra}
ListenAddress 127.0.0.1
Port {port}
HostKey {place}/host_key
PidFile {place}/pid
AuthorizedKeysFile {place}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintLastLog no
"""
    )
    return config


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
