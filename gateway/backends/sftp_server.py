"""Who an SSH server is and as whom we log in to it: plain values, checked when they are made.

Host keys are strict: a server whose key is neither in the known-hosts file nor among the pinned keys is not spoken to,
and nothing is ever learned by itself. For a port other than 22 a `[host]:port` line counts, and only where there is
none a line without port, as with OpenSSH.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import asyncssh

from gateway.backends.localfs import TEMPORARY_PREFIX
from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret

SSH_PORT = 22
KNOWN_HOSTS_MAX_BYTES = 4 * 1024 * 1024

Keys = Sequence[asyncssh.SSHKey]
# Makes of a host name and port the address to dial; a guard refuses here, and what it returns is what is dialled.
Dial = Callable[[str, int], Awaitable[str]]


class HostKeys(Protocol):
    """Tells which keys a server may show."""

    def trusted(self, host: str, port: int) -> tuple[Keys, Keys, Keys]:
        """Return the trusted keys, the trusted authorities and the revoked keys; reads files, so call it in a thread.

        Raises:
            GatewayError: `CONFIGURATION` if the keys cannot be read.
        """


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """Keys given as data: OpenSSH public key lines (`ssh-ed25519 AAAA...`).

    Raises:
        GatewayError: `CONFIGURATION` if there is none, or one is no key.
    """

    lines: tuple[str, ...]
    _keys: tuple[asyncssh.SSHKey, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the keys."""
        try:
            keys = tuple(asyncssh.import_public_key(line) for line in self.lines)
        except asyncssh.KeyImportError as error:
            raise _bad("An SSH host key cannot be read.") from error
        if not keys:
            raise _bad("An SSH server needs at least one host key.")
        object.__setattr__(self, "_keys", keys)

    def trusted(self, host: str, port: int) -> tuple[Keys, Keys, Keys]:
        """Return the pinned keys, whatever the host is called."""
        del host, port
        return self._keys, (), ()


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """A file in OpenSSH's `known_hosts` format, read again for each connection."""

    path: Path

    def trusted(self, host: str, port: int) -> tuple[Keys, Keys, Keys]:
        """Return what the file says of this host and port."""
        try:
            if self.path.stat().st_size > KNOWN_HOSTS_MAX_BYTES:
                raise _bad("The known-hosts file is too large.")
            known = asyncssh.import_known_hosts(self.path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise _bad("The known-hosts file cannot be read.") from error
        found = known.match(host, "", None if port == SSH_PORT else port)
        return found[0], found[1], found[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpServer:
    """An SSH server that offers SFTP.

    Attributes:
        host_keys: `KnownHosts` or `PinnedKeys`.
        dial: resolves and guards the address, by default the system's resolver without a guard.
        temporary_prefix: how names of unfinished files begin there.
    """

    host: str
    port: int = SSH_PORT
    host_keys: HostKeys
    dial: Dial | None = None
    temporary_prefix: str = TEMPORARY_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpAccount:
    """A log-in: user name, and a pass word or a private key. Two accounts are the same if all of it is the same.

    Attributes:
        private_key: the key's text (OpenSSH or PEM), `passphrase` opens it if it is locked.

    Raises:
        GatewayError: `CONFIGURATION` if there is neither pass word nor key, or the key cannot be read.
    """

    user: str
    password: Secret | None = None
    private_key: Secret | None = None
    passphrase: Secret | None = None
    _key: asyncssh.SSHKey | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Read the key."""
        if self.password is None and self.private_key is None:
            raise _bad("An SFTP account needs a pass word or a private key.")
        if self.private_key is None:
            return
        phrase = self.passphrase.reveal() if self.passphrase is not None else None
        try:
            key = asyncssh.import_private_key(self.private_key.reveal(), phrase)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            # The library's words may quote the key.
            raise _bad("The private key of the SFTP account cannot be read.") from error
        object.__setattr__(self, "_key", key)

    @property
    def key(self) -> asyncssh.SSHKey | None:
        """The private key, ready for use."""
        return self._key


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpPatience:
    """How long we wait for a server, in seconds; a whole transfer has no limit (`ANCHORS.md` 6).

    Attributes:
        connect: until we are logged in and SFTP has begun.
        first_byte: for the answer to a request.
        idle: for the next piece of a file, read or written.
    """

    connect: float = 10.0
    first_byte: float = 120.0
    idle: float = 60.0


def _bad(public: str) -> GatewayError:
    return GatewayError(Kind.CONFIGURATION, public)
