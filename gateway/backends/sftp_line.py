"""One connection of a pool: it is made once, carries several sessions, and is closed once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from gateway.backends.sftp_channel import CLOSE_SECONDS, Channel
from gateway.backends.sftp_connect import connect
from gateway.backends.sftp_errors import Dropped
from gateway.backends.sftp_server import SftpAccount, SftpPatience, SftpServer
from gateway.errors import unavailable

# How long a log-in may wait for others to be done.
QUEUE_SECONDS = 30.0


class Full(Exception):  # noqa: N818 - not an error but an answer
    """The server allows no further session on this connection."""


class Line:
    """A connection, in the making or made.

    Attributes:
        account: who is logged in.
        used: how many verbs have a place on it.
        was_used: whether a verb has ended well on it before.
        is_retired: whether it takes no further verb, and is closed when the last one has left.
    """

    def __init__(
        self,
        server: SftpServer,
        account: SftpAccount,
        patience: SftpPatience,
        sessions_max: int,
        dials: asyncio.Semaphore,
    ) -> None:
        self.account = account
        self.used = 0
        self.was_used = False
        self.is_retired = False
        self._patience = patience
        self._temporary_prefix = server.temporary_prefix
        self._sessions_max = sessions_max
        self._open = 0
        self._free: list[Channel] = []
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._making = asyncio.get_running_loop().create_task(self._connect(server, dials))

    @property
    def is_dead(self) -> bool:
        """Whether it serves no further verb."""
        if self._is_closed:
            return True
        if not self._making.done():
            return False
        return self._making.cancelled() or self._making.exception() is not None or self._making.result().is_closed()

    @property
    def has_place(self) -> bool:
        """Whether another verb can run on it."""
        return not (self.is_dead or self.is_retired) and self.used < self._sessions_max

    def enter(self) -> None:
        """Take a place."""
        self.used += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def leave(self) -> None:
        """Give a place back."""
        self.used -= 1

    async def channel(self) -> Channel:
        """Return a session for the place that was taken.

        Raises:
            GatewayError: `UNAVAILABLE` if the connection cannot be made; `Dropped` if it broke.
            Full: if the server allows no further session.
        """
        connection = await self._made()
        while self._free:
            channel = self._free.pop()
            if not connection.is_closed():
                return channel
        try:
            async with asyncio.timeout(self._patience.connect):
                self._open += 1
                sftp = await connection.start_sftp_client(path_encoding=None)
        except (asyncssh.Error, OSError, ValueError, EOFError) as error:
            self._open -= 1
            if isinstance(error, asyncssh.ChannelOpenError) and self._open and not connection.is_closed():
                self._sessions_max = self._open
                raise Full from error
            raise Dropped(f"no session: {type(error).__name__}") from error
        except BaseException:
            # A session may be half open, and only ends with its connection.
            self._open -= 1
            self.is_retired = True
            raise
        return Channel(sftp, self._patience, self._temporary_prefix)

    def keep(self, channel: Channel) -> None:
        """Keep a session for the next verb."""
        self.was_used = channel.is_reused = True
        self._free.append(channel)

    async def discard(self, channel: Channel) -> None:
        """Close a session, and with it all that is open on it; if the server does not, close the connection."""
        try:
            channel.sftp.exit()
            async with asyncio.timeout(CLOSE_SECONDS):
                await channel.sftp.wait_closed()
        except (asyncssh.Error, OSError):
            await self.close()
        self._open -= 1

    def when_idle(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` if the connection is not used for so long."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    async def close(self) -> None:
        """Close the connection, by force if the server does not answer."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._making.cancel()
        await asyncio.wait([self._making])
        if self._making.cancelled() or self._making.exception() is not None:
            return
        connection = self._making.result()
        connection.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.wait_closed()
        except TimeoutError:
            pass
        finally:
            connection.abort()

    async def _made(self) -> asyncssh.SSHClientConnection:
        await asyncio.wait([self._making], timeout=self._patience.connect + QUEUE_SECONDS)
        if not self._making.done():
            raise unavailable("The storage is busy.", log="sftp: too many log-ins are under way", retry_after=10)
        if self._making.cancelled():
            raise unavailable("The storage cannot be reached.", log="sftp: the connection was given up")
        return self._making.result()

    async def _connect(self, server: SftpServer, dials: asyncio.Semaphore) -> asyncssh.SSHClientConnection:
        async with dials:
            return await connect(server, self.account, self._patience.connect)
