"""One connection to the SSH door, from its first byte to its last.

A guest is known in three steps: a doorkeeper says whom a user name and key would stand for, the client proves that it
holds the key, and only then is anything served. Whatever was asked about a key before its proof opens nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import SSHPacketLogger

from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.secret import Secret
from gateway.ssh.channel import Channel
from gateway.ssh.guests import Guest
from gateway.ssh.handles import Count
from gateway.ssh.incoming import Incoming
from gateway.ssh.outgoing import Outgoing
from gateway.ssh.pipe import Flow

if TYPE_CHECKING:
    from gateway.ssh.server import SshDoor

log = get_logger(__name__)

Clock = Callable[[], float]

# Keys and pass words that one connection may try. Clients offer every key that they have.
TRIES_MAX = 12
CHANNELS_MAX = 10
# How long a client that is sent away has to read why.
FAREWELL_SECONDS = 2.0
# How often it is looked whether a connection is idle, as a part of the time after which it is.
IDLE_LOOKS = 4


class Visit(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, door: SshDoor) -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._counted: list[tuple[Counter[str], str]] = []
        self._claimed: Guest | None = None
        self._tries = 0
        self._guest: Guest | None = None
        self._channels: set[asyncio.Task[None]] = set()
        self._stopped: set[asyncio.Task[None]] = set()
        self._seen_at = 0.0
        self._reason = "What was shared with you here has ended, or is closed to you."
        self._is_ending = False
        self._is_lost = asyncio.Event()
        self.flow = Flow()
        self.handles = Count(door.limits.handles, door.told_handles)
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take a connection, or drop it at once if there are too many."""
        self._connection = conn
        self._door.read_keys()
        _leave_out_fillers(conn)
        Incoming.stand_before(conn, self.flow)
        Outgoing.go_on_with_new_keys(conn)
        peer = conn.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        limits, network = self._door.limits, self._door.network_of(self._address)
        is_full = len(self._door.visits) >= limits.connections
        if is_full or not self._count(self._door.addresses, network, limits.per_address):
            log.warning("ssh connection dropped, too many are open", address=self._address)
            conn.abort()
            return
        self._door.visits.add(self)
        self._door.told_sessions(1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        """End what was served."""
        self._is_lost.set()
        for counter, key in self._counted:
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
        self._counted.clear()
        if self.task is None:
            self._over()
        elif not self._is_ending:
            self.task.cancel()

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - asyncssh's signature
        """Demand a proof of everybody."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Take keys."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether this key would open something; it is proven only when `auth_completed` is called."""
        line = key.export_public_key("openssh").decode("ascii", "replace")
        claimed = " ".join(line.split()[:2])
        return await self._is_known([partial(keeper.by_key, username, claimed) for keeper in self._door.doorkeepers])

    def password_auth_supported(self) -> bool:
        """Take pass words where some guest can have one."""
        return any(keeper.takes_passwords for keeper in self._door.doorkeepers)

    async def validate_password(self, username: str, password: str) -> bool:
        """Tell whether this pass word opens something."""
        secret, where = Secret(password), self._address
        keepers = [keeper for keeper in self._door.doorkeepers if keeper.takes_passwords]
        return await self._is_known([partial(keeper.by_password, username, secret, where) for keeper in keepers])

    def auth_completed(self) -> None:
        """Begin to serve the guest who has proven what was last asked about."""
        guest, connection = self._claimed, self._connection
        assert guest is not None
        assert connection is not None
        if not self._count(self._door.rooms, guest.room, self._door.limits.per_room):
            connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "Too many connections are open.")
            return
        self._guest = guest
        self.seen()
        self.task = asyncio.create_task(self._serve(guest))
        log.info("ssh guest came in", guest=guest.name, address=self._address)

    def session_requested(self) -> Channel | bool:
        """Open a channel for a guest, as long as there are not too many."""
        if self._guest is None or len(self._channels) >= CHANNELS_MAX:
            return False
        return Channel(self, self._guest)

    @property
    def now(self) -> Clock:
        """The clock of the door."""
        return self._door.now

    def seen(self) -> None:
        """Note that there was traffic."""
        self._seen_at = asyncio.get_running_loop().time()

    def work(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the work of a channel, which ends with the visit at the latest."""
        task = asyncio.create_task(work)
        self._channels.add(task)
        task.add_done_callback(self._channels.discard)
        task.add_done_callback(self._stopped.discard)
        return task

    def stop(self, task: asyncio.Task[None]) -> None:
        """Cancel the work of a channel, but only once: what it has open is given up meanwhile."""
        if task not in self._stopped and not task.done():
            self._stopped.add(task)
            task.cancel()

    def leave(self, reason: str) -> None:
        """Send the guest away."""
        self._reason = reason
        if self.task is None:
            if self._connection is not None:
                self._connection.abort()
        elif not self._is_ending:
            self.task.cancel()

    async def _is_known(self, questions: Sequence[Callable[[], Awaitable[Guest | None]]]) -> bool:
        self._claimed = None
        self._tries += 1
        if self._tries > TRIES_MAX:
            self._send_away("Too many failed log-ins.")
            return False
        try:
            for question in questions:
                self._claimed = await question()
                if self._claimed is not None:
                    return True
            # Programs with many keys try each of them, so this is no warning.
            log.info("ssh log-in refused", address=self._address)
            await self._door.refuse_guesser(self._address)
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                log.warning("ssh log-in cannot be decided", reason=str(error))
            if error.kind is Kind.LIMITED:
                log.warning("ssh guesser is sent away", address=self._address)
                self._send_away(error.public)
        return False

    def _send_away(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, reason)

    def _count(self, counter: Counter[str], key: str, most: int) -> bool:
        if counter[key] >= most:
            return False
        counter[key] += 1
        self._counted.append((counter, key))
        return True

    async def _serve(self, guest: Guest) -> None:
        try:
            with guest.serving():
                await self._until_idle()
            self._reason = "There was no traffic for a long time."
        except asyncio.CancelledError:
            # The connection is lost, the guest has to leave, or what let him in has ended.
            pass
        finally:
            await self._end(guest)

    async def _until_idle(self) -> None:
        idle, loop = self._door.limits.idle_seconds, asyncio.get_running_loop()
        while loop.time() - self._seen_at < idle:  # noqa: ASYNC110 - each piece of data would set the event
            await asyncio.sleep(idle / IDLE_LOOKS)

    async def _end(self, guest: Guest) -> None:
        self._is_ending = True
        connection = self._connection
        assert connection is not None
        channels = tuple(self._channels)
        for channel in channels:
            self.stop(channel)
        if not self._is_lost.is_set():
            log.info("ssh guest is sent away", guest=guest.name, reason=self._reason)
            # To asyncssh as a client, "by application" would be a clean end without a word.
            connection.disconnect(asyncssh.DISC_SERVICE_NOT_AVAILABLE, self._reason)
        # Files in the making are given up before anybody may think that the visit is over.
        while pending := [channel for channel in channels if not channel.done()]:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(pending)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_lost.wait(), FAREWELL_SECONDS)
        finally:
            connection.abort()
            self._over()

    def _over(self) -> None:
        if self in self._door.visits:
            self._door.visits.discard(self)
            self._door.told_sessions(-1)


def _leave_out_fillers(connection: asyncssh.SSHServerConnection) -> None:
    """Send no empty packet before each packet.

    asyncssh does so against an attack on ciphers in CBC mode (RFC 4251, 9.3.1), of which we offer none; it costs a
    third of the time of a download.
    """
    send_packet = connection.send_packet

    def send(pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype != MSG_IGNORE:
            send_packet(pkttype, *args, handler=handler)

    setattr(connection, "send_packet", send)  # noqa: B010 - as said; not a plain assignment to type checkers
