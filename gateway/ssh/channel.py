"""One channel of a guest: the SFTP subsystem or an `scp` command, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import asyncssh

from gateway.log import get_logger
from gateway.ssh.guests import Guest
from gateway.ssh.pipe import Pipe
from gateway.ssh.scp import Command, Scp
from gateway.ssh.sftp import Sftp
from gateway.ssh.view import View
from gateway.ssh.wire import BadPacketError

if TYPE_CHECKING:
    from gateway.ssh.visit import Visit

log = get_logger(__name__)

FAILED = 1
# The smallest that a client must take; those in use take 16 KiB and more.
PACKET_MIN_BYTES = 1024


class Channel(asyncssh.SSHServerSession[bytes]):
    """One channel."""

    def __init__(self, visit: Visit, guest: Guest) -> None:
        self._visit = visit
        self._guest = guest
        self._pipe = Pipe(visit.flow, visit.seen)
        self._serve: Callable[[], Coroutine[None, None, int]] | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Begin, but not for a client that wants so small packets that they would keep everybody else waiting."""
        self._pipe.attach(chan)
        if chan._send_pktsize < PACKET_MIN_BYTES:  # noqa: SLF001 - asyncssh tells nobody what the client takes
            log.warning("ssh client wants too small packets", guest=self._guest.name)
            chan.abort()

    def subsystem_requested(self, subsystem: str) -> bool:
        """Serve SFTP."""
        if subsystem != "sftp":
            return False
        self._serve = self._sftp
        return True

    def exec_requested(self, command: str) -> bool:
        """Serve `scp`, and no other command."""
        known = Command.parse(command)
        if known is not None:
            self._serve = Scp(self._pipe, View(self._guest), self._visit.handles, known).run
        return known is not None

    def session_started(self) -> None:
        """Start to serve what was asked for."""
        assert self._serve is not None
        self._task = self._visit.work(self._work(self._serve))

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        """Take what has come in."""
        self._pipe.feed(data)

    def eof_received(self) -> bool:
        """Take it that nothing more comes in; answers still go out."""
        self._pipe.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        """End at once: nobody reads the answers."""
        self._pipe.end()
        if self._task is not None:
            self._visit.stop(self._task)

    def pause_writing(self) -> None:
        """Let the answers wait."""
        self._pipe.pause()

    def resume_writing(self) -> None:
        """Let the answers go on."""
        self._pipe.resume()

    async def _sftp(self) -> int:
        await Sftp(self._pipe, View(self._guest), self._visit.handles, self._visit.now).run()
        return 0

    async def _work(self, serve: Callable[[], Coroutine[None, None, int]]) -> None:
        status = FAILED
        try:
            status = await serve()
        except BadPacketError:
            log.warning("ssh client does not speak the protocol", guest=self._guest.name)
        except EOFError:
            pass
        finally:
            self._pipe.finish(status)
