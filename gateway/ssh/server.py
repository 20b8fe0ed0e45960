"""The SSH server: who may come in, and to what (flow 5).

Only what SFTP and SCP need is there: no shell, no other command, no terminal, no forwarding of anything. A guest is
served in a task of his own, registered under what lets him in: when that ends, the task is cancelled and the client
is told and cut off. Key exchange, ciphers and the like are lists of our own; ChaCha20 is left out since clients that
prefer it would be served at half the speed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncssh

from gateway.ssh.guests import Doorkeeper
from gateway.ssh.visit import Visit

KEX = ("mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256")
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
SIGNATURES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
# A window of OpenSSH's size; a larger one only costs memory.
WINDOW_BYTES = 2 * 1024 * 1024
REKEY_BYTES = 64 * 2**30
KEEPALIVE_SECONDS = 60
KEEPALIVE_MISSES = 3
BACKLOG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SshLimits:
    """What guests may cost.

    Attributes:
        connections: at the same time, of all guests.
        per_address: of one address (IPv6: /64).
        per_room: of one share or user.
        handles: open files and folders of one connection.
    """

    log_in_seconds: float
    idle_seconds: float
    connections: int
    per_address: int
    per_room: int
    handles: int


@dataclass(slots=True, kw_only=True)
class SshDoor:
    """The door.

    Attributes:
        doorkeepers: asked in turn who a guest is.
        network_of: the part of an address that counts as one stranger.
        refuse_guesser: told the address of each key or pass word that opens nothing; raises `LIMITED` for an address
            that has guessed too often.
        told_sessions, told_handles: told each change of how many there are.
    """

    doorkeepers: Sequence[Doorkeeper]
    limits: SshLimits
    network_of: Callable[[str], str]
    refuse_guesser: Callable[[str], Awaitable[None]]
    told_sessions: Callable[[int], None]
    told_handles: Callable[[int], None]
    now: Callable[[], float]
    addresses: Counter[str] = field(default_factory=Counter)
    rooms: Counter[str] = field(default_factory=Counter)
    visits: set[Visit] = field(default_factory=set)
    _acceptor: asyncssh.SSHAcceptor | None = None
    _host_keys: Callable[[], Sequence[str]] = tuple
    _used_keys: Sequence[str] = ()

    async def listen(self, host: str, port: int, host_keys: Callable[[], Sequence[str]]) -> int:
        """Open the door and return its port.

        Args:
            host_keys: returns the private keys of now in the form of OpenSSH; the first proves who we are, the others
                are announced.

        Raises:
            OSError: if the address cannot be listened on.
        """
        logging.getLogger("asyncssh").setLevel(logging.ERROR)
        self._host_keys, self._used_keys = host_keys, tuple(host_keys())
        self._acceptor = await asyncssh.listen(
            host, port, server_factory=lambda: Visit(self), backlog=BACKLOG, **self._options(self._used_keys)
        )
        return int(self._acceptor.get_port())

    def read_keys(self) -> None:
        """Take the host keys of now for the next connection; each is announced long before it is the only one."""
        keys = tuple(self._host_keys())
        if self._acceptor is not None and keys != self._used_keys:
            self._used_keys = keys
            self._acceptor.update(server_host_keys=_imported(keys))

    async def close(self, drain_seconds: float = 0.0) -> None:
        """Close the door, and after `drain_seconds` send away who is still inside."""
        if self._acceptor is None:
            return
        self._acceptor.close()
        tasks = [visit.task for visit in self.visits if visit.task is not None]
        if tasks and drain_seconds:
            await asyncio.wait(tasks, timeout=drain_seconds)
        for visit in tuple(self.visits):
            visit.leave("The gateway is stopping.")
        if tasks:
            await asyncio.wait(tasks)
        await self._acceptor.wait_closed()

    def _options(self, host_keys: Sequence[str]) -> dict[str, object]:
        return {
            "server_host_keys": _imported(host_keys),
            "send_server_host_keys": True,
            "server_version": "ocm-gateway",
            "kex_algs": KEX,
            "encryption_algs": CIPHERS,
            "mac_algs": MACS,
            "compression_algs": ("none",),
            "signature_algs": SIGNATURES,
            "public_key_auth": True,
            "password_auth": any(keeper.takes_passwords for keeper in self.doorkeepers),
            "kbdint_auth": False,
            "host_based_auth": False,
            "gss_host": None,
            "allow_pty": False,
            "line_editor": False,
            "x11_forwarding": False,
            "agent_forwarding": False,
            "encoding": None,
            "window": WINDOW_BYTES,
            "login_timeout": self.limits.log_in_seconds,
            "keepalive_interval": KEEPALIVE_SECONDS,
            "keepalive_count_max": KEEPALIVE_MISSES,
            "rekey_bytes": REKEY_BYTES,
        }


def _imported(host_keys: Sequence[str]) -> list[asyncssh.SSHKey]:
    return [asyncssh.import_private_key(text) for text in host_keys]
