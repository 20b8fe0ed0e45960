"""An asyncssh server with SFTP inside the test process; faults are subclasses of its `SFTPServer`, named for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from gateway.backends.sftp_server import SftpAccount
from gateway.model.secret import Secret
from support.sshservers import SshServer, new_key, public_line

USER = "alice"
PASSWORD = "secret-of-alice"


class Login(asyncssh.SSHServer):
    """Lets one user in, by pass word."""

    def begin_auth(self, username):
        """Ask everybody for a proof."""
        return True

    def password_auth_supported(self):
        """Offer pass words."""
        return True

    def validate_password(self, username, password):
        """Accept the one that is right."""
        return (username, password) == (USER, PASSWORD)


def account(password: str = PASSWORD) -> SftpAccount:
    """Return the account of the user with this pass word."""
    return SftpAccount(user=USER, password=Secret(password))


@asynccontextmanager
async def async_server(
    files: Path,
    kind: Callable[[asyncssh.SSHServerChannel], asyncssh.SFTPServer] = asyncssh.SFTPServer,
    *,
    login: Callable[[], asyncssh.SSHServer] = Login,
    port: int = 0,
    **options,
) -> AsyncIterator[SshServer]:
    """Run a server whose SFTP sessions are of `kind`."""
    key = options.pop("host_key", None) or new_key()
    options = {"server_host_keys": [key], "sftp_factory": kind, "allow_scp": False, **options}
    acceptor = await asyncssh.create_server(login, "127.0.0.1", port, **options)
    try:
        yield SshServer(port=acceptor.get_port(), host_key=public_line(key), account=account(), files=files)
    finally:
        acceptor.close()
        await acceptor.wait_closed()
