"""Connections to one SSH server, shared by all that goes on there: few, kept for a while, never leaked.

Each account has connections of its own; on each of them several sessions run beside each other, one for each verb
under way. Who finds all of them in use waits. A connection that nobody needs is closed after a while, or earlier if
another account needs its place. Every verb begins with a look-up, which changes nothing: if the connection turns out
to have died while it lay idle, the look-up is said again on another one, and nothing else ever is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.backends.sftp_channel import CLOSE_SECONDS, Channel
from gateway.backends.sftp_errors import Dropped
from gateway.backends.sftp_line import Full, Line
from gateway.backends.sftp_server import SftpAccount, SftpPatience, SftpServer
from gateway.errors import CREDENTIAL_REFUSED, GatewayError, unavailable

T = TypeVar("T")

TURNS = 64
REFUSALS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How much a pool takes from its server.

    Attributes:
        connections: open at once, all accounts together.
        connections_per_account: of one account.
        sessions_per_connection: beside each other; OpenSSH allows 10 (`MaxSessions`).
        dials: log-ins under way at once; OpenSSH begins to refuse at 10 (`MaxStartups`).
        idle_seconds: after which an unused connection is closed.
        wait_seconds: for a free session, before the storage counts as busy.
        refused_seconds: for which a refused log-in is not tried again, so that no storage locks an account out.
    """

    connections: int = 64
    connections_per_account: int = 8
    sessions_per_connection: int = 8
    dials: int = 4
    idle_seconds: float = 60.0
    wait_seconds: float = 30.0
    refused_seconds: float = 10.0


class SftpPool:
    """The connections to one server. Make it inside the running loop, and close it."""

    def __init__(
        self, server: SftpServer, *, patience: SftpPatience | None = None, limits: PoolLimits | None = None
    ) -> None:
        self._server = server
        self._patience = patience or SftpPatience()
        self._limits = limits or PoolLimits()
        self._lines: list[Line] = []
        self._changed = asyncio.Event()
        self._dials = asyncio.Semaphore(self._limits.dials)
        self._refusals: dict[SftpAccount, tuple[float, GatewayError]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = tuple(asyncio.Lock() for _ in range(TURNS))
        self._is_closed = False

    @property
    def connections(self) -> int:
        """How many connections are open or being opened."""
        return len(self._lines)

    @property
    def sessions(self) -> int:
        """How many sessions are lent out now."""
        return sum(line.used for line in self._lines)

    def turn(self, folder: bytes) -> asyncio.Lock:
        """Return the lock under which a condition on a member of `folder` is checked and then acted on."""
        return self._turns[hash(folder) % TURNS]

    async def admits(self, account: SftpAccount) -> bool:
        """Tell whether the server accepts the account's log-in.

        Raises:
            GatewayError: `UNAVAILABLE` if it cannot be asked.
        """
        try:
            async with self.lease(account):
                return True
        except GatewayError as error:
            if error.code == CREDENTIAL_REFUSED:
                return False
            raise

    @asynccontextmanager
    async def begun(
        self, account: SftpAccount, look_up: Callable[[Channel], Awaitable[T]]
    ) -> AsyncIterator[tuple[Channel, T]]:
        """Lend a session on which `look_up` was done, and give its result; only `look_up` may be done again.

        Raises:
            GatewayError: `UNAVAILABLE` if there is no connection, or no free session in time; as `look_up`.
        """
        async with AsyncExitStack() as stack:
            while True:
                channel = await stack.enter_async_context(self.lease(account))
                try:
                    found = await look_up(channel)
                    break
                except Dropped as error:
                    if not channel.is_reused or error.is_timeout:
                        raise
                await stack.aclose()
            yield channel, found

    @asynccontextmanager
    async def lease(self, account: SftpAccount) -> AsyncIterator[Channel]:
        """Lend a session; it is closed behind the block if that ends in a cancellation, and else kept.

        Raises:
            GatewayError: as `begun`.
        """
        line, channel = await self._take(account)
        try:
            yield channel
        except asyncio.CancelledError:
            channel.is_spoilt = True
            raise
        finally:
            self._give_back(line, channel)

    def remove_later(self, account: SftpAccount, path: bytes) -> None:
        """Try to remove a file that was left when a connection broke, without anybody waiting for it."""
        if not self._is_closed:
            self._later(self._remove(account, path))

    async def close(self) -> None:
        """Close all connections; what is still under way on them fails."""
        self._is_closed = True
        lines, self._lines = self._lines, []
        await asyncio.gather(*(line.close() for line in lines))
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _take(self, account: SftpAccount) -> tuple[Line, Channel]:
        while True:
            line = await self._seat(account)
            try:
                return line, await line.channel()
            except Full:
                line.leave()
            except Dropped:
                line.leave()
                # Others may still be served on it.
                line.is_retired = True
                self._after(line)
                if not line.was_used:
                    raise
            except GatewayError as error:
                line.leave()
                self._drop(line)
                self._remember(account, error)
                raise
            except BaseException:
                line.leave()
                self._after(line)
                raise

    async def _seat(self, account: SftpAccount) -> Line:
        """Return a connection, made or in the making, on which a place was taken."""
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                while (line := self._line_for(account)) is None:
                    await self._changed.wait()
        except TimeoutError as error:
            raise unavailable("The storage is busy.", log="sftp: all sessions are in use", retry_after=10) from error
        line.enter()
        return line

    def _line_for(self, account: SftpAccount) -> Line | None:
        self._refuse(account)
        for line in [line for line in self._lines if line.is_dead]:
            self._drop(line)
        own = [line for line in self._lines if line.account == account]
        free = next((line for line in own if line.has_place), None)
        if free is not None or len(own) >= self._limits.connections_per_account or not self._has_room():
            return free
        line = Line(self._server, account, self._patience, self._limits.sessions_per_connection, self._dials)
        self._lines.append(line)
        return line

    def _refuse(self, account: SftpAccount) -> None:
        if self._is_closed:
            raise unavailable("The storage cannot be reached.", log="sftp: the pool is closed")
        until, error = self._refusals.get(account, (0.0, None))
        if error is not None and asyncio.get_running_loop().time() < until:
            raise GatewayError(error.kind, error.public, code=error.code, log=error.log, retry_after=error.retry_after)

    def _has_room(self) -> bool:
        """Tell whether another connection may be made, and close an unused one if need be."""
        if len(self._lines) < self._limits.connections:
            return True
        unused = next((line for line in self._lines if not line.used), None)
        if unused is not None:
            self._drop(unused)
        return unused is not None

    def _remember(self, account: SftpAccount, error: GatewayError) -> None:
        if error.code == CREDENTIAL_REFUSED:
            now = asyncio.get_running_loop().time()
            # Guessed pass words are not kept for longer than they are of use.
            kept = [(key, known) for key, known in self._refusals.items() if known[0] > now]
            self._refusals = dict(kept[-REFUSALS_MAX:]) | {account: (now + self._limits.refused_seconds, error)}

    def _give_back(self, line: Line, channel: Channel) -> None:
        line.leave()
        line.is_retired = line.is_retired or channel.is_stalled
        if channel.is_spoilt:
            self._later(line.discard(channel))
        else:
            line.keep(channel)
        self._after(line)

    def _after(self, line: Line) -> None:
        """Wake who waits, and let a connection go that nobody uses."""
        if not line.used and (line.is_dead or line.is_retired):
            self._drop(line)
        elif not line.used:
            line.when_idle(self._limits.idle_seconds, lambda: self._drop(line))
        self._wake()

    def _drop(self, line: Line) -> None:
        if line in self._lines:
            self._lines.remove(line)
            self._later(line.close())
            self._wake()

    async def _remove(self, account: SftpAccount, path: bytes) -> None:
        with suppress(GatewayError):
            async with self.lease(account) as channel:
                await channel.ask(channel.sftp.remove(path), CLOSE_SECONDS)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wake(self) -> None:
        """Let everybody who waits for a place look again."""
        self._changed.set()
        self._changed = asyncio.Event()
