"""A private ProFTPD with mod_sftp: own configuration, own host key, own port, one account with a pass word."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.backends.sftp_server import SftpAccount
from gateway.model.secret import Secret
from support.davserver import program, running
from support.sshservers import SshServer, new_key, private_text, public_line

USER = "carol"
PASSWORD = "secret-of-carol"


@contextmanager
def proftpd(*, extra: str = "") -> Iterator[SshServer]:
    """Run a ProFTPD that speaks only SFTP; `extra` is added to its configuration."""
    binary = program("proftpd")
    with tempfile.TemporaryDirectory(prefix="proftpd") as name:
        place = Path(name)
        place.chmod(0o755)
        host = new_key()
        key = place / "host_key"
        key.touch(mode=0o600)
        key.write_text(private_text(host))
        (place / "files").mkdir()
        _passwd(place)
        command = lambda port: [binary, "-n", "-q", "-c", str(_configure(place, port, extra))]  # noqa: E731 - short
        with running(command, place / "log") as (process, port):
            yield SshServer(
                port=port,
                host_key=public_line(host),
                account=SftpAccount(user=USER, password=Secret(PASSWORD)),
                files=place / "files",
                process=process,
            )


def _passwd(place: Path) -> None:
    packed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout.strip()
    passwd = place / "passwd"
    passwd.touch(mode=0o600)
    passwd.write_text(f"{USER}:{packed}:{os.geteuid()}:{os.getegid()}:test:{place}/files:/bin/sh\n")


def _configure(place: Path, port: int, extra: str) -> Path:
    config = place / "proftpd.conf"
    config.write_text(
        f"""
LoadModule mod_sftp.c
ServerType standalone
ServerName test
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
UseIPv6 off
UseReverseDNS off
WtmpLog off
TransferLog none
SystemLog {place}/system.log
PidFile {place}/pid
ScoreboardFile {place}/scoreboard
DelayTable none
RootLogin on
RequireValidShell off
AuthOrder mod_auth_file.c
AuthUserFile {place}/passwd
AllowOverwrite on
AllowStoreRestart on
MaxInstances 200
<IfModule mod_sftp.c>
SFTPEngine on
SFTPLog {place}/sftp.log
SFTPHostKey {place}/host_key
</IfModule>
{extra}
"""
    )
    return config
