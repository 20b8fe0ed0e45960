"""The bytes of one SSH channel, in both directions, with an end to patience in each.

What comes in is held up to a bound and a window's worth beyond it, then the client's window is left to run dry. What
goes out waits while the channel or the connection below it is full: asyncssh itself lets the connection's buffer grow
without a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from gateway.ssh.held import Data, Held
from gateway.ssh.outgoing import Outgoing

INPUT_MAX_BYTES = 1024 * 1024
# How much may wait for the client's window before the writer waits.
OUTPUT_MAX_BYTES = 512 * 1024
# Behind a piece larger than this the event loop turns.
TURN_BYTES = 64 * 1024


class Flow:
    """Whether more can be sent on one connection."""

    def __init__(self) -> None:
        self._may_write = asyncio.Event()
        self._may_write.set()

    def pause(self) -> None:
        """Let writers wait."""
        self._may_write.clear()

    def resume(self) -> None:
        """Let writers go on."""
        self._may_write.set()

    async def wait(self) -> None:
        """Return when more can be sent."""
        if not self._may_write.is_set():
            await self._may_write.wait()


class Pipe:
    """One channel.

    Args:
        below: the flow of the connection.
        on_traffic: called for each piece of data, so that idle connections can be told.
    """

    def __init__(self, below: Flow, on_traffic: Callable[[], None]) -> None:
        self._below = below
        self._own = Flow()
        self._on_traffic = on_traffic
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._out: Outgoing | None = None
        self._held = Held()
        self._is_ended = False
        self._is_paused = False
        self._is_taking = False
        self._more = asyncio.Event()

    def attach(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """Begin with this channel."""
        self._channel = channel
        channel.set_write_buffer_limits(high=OUTPUT_MAX_BYTES)
        self._out = Outgoing(channel)

    def feed(self, data: bytes) -> None:
        """Take what has come in."""
        self._on_traffic()
        self._held.add(data)
        self._more.set()
        if not self._is_taking:
            self._pause_if_full()

    def end(self) -> None:
        """Take it that nothing more comes in."""
        self._is_ended = True
        self._more.set()

    def pause(self) -> None:
        """Let writers wait: the client's window is used up."""
        self._own.pause()

    def resume(self) -> None:
        """Let writers go on."""
        self._own.resume()

    async def read(self, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises:
            EOFError: if the client ends before that.
        """
        return b"".join(await self.read_pieces(count))

    async def read_pieces(self, count: int) -> list[Data]:
        """Do as `read`, and leave it to the caller to put the pieces together."""
        while len(self._held) < count:
            await self._wait(count)
        return self._take(count)

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes without taking them; fewer if no more have come yet."""
        return self._held.peek(count)

    def has(self, count: int) -> bool:
        """Tell whether so many bytes have come."""
        return len(self._held) >= count

    async def read_some(self, most: int) -> bytes:
        """Return at least one byte and at most `most`; none at the end."""
        while not self._held:
            if self._is_ended:
                return b""
            await self._wait(1)
        return b"".join(self._take(most))

    async def write(self, *parts: Data) -> None:
        """Send bytes; returns when more can be sent."""
        if self._out is None or self._channel is None or self._channel.is_closing():
            raise EOFError
        self._on_traffic()
        self._out.send(*parts)
        if sum(map(len, parts)) > TURN_BYTES:
            # To encrypt this took a while; others may have their turn before the next piece.
            await asyncio.sleep(0)
        await self._own.wait()
        await self._below.wait()

    def finish(self, status: int) -> None:
        """End the channel with an exit status."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.exit(status)

    async def _wait(self, count: int) -> None:
        if self._is_ended:
            raise EOFError
        if self._is_paused and len(self._held) < max(count, INPUT_MAX_BYTES // 2):
            self._resume_reading()
            if len(self._held) >= count:
                return
        self._more.clear()
        await self._more.wait()

    def _take(self, count: int) -> list[Data]:
        taken = self._held.take(count)
        if self._is_paused and len(self._held) < INPUT_MAX_BYTES // 2:
            self._resume_reading()
        return taken

    def _pause_if_full(self) -> None:
        if len(self._held) > INPUT_MAX_BYTES and not self._is_paused and self._channel is not None:
            self._is_paused = True
            self._channel.pause_reading()

    def _resume_reading(self) -> None:
        """Take at once all that has come meanwhile, a window's worth at most, before stopping again.

        asyncssh opens the client's window anew as soon as it hands over the first piece, whatever it still holds: to
        stop in the middle would let what it holds grow with every turn.
        """
        assert self._channel is not None
        self._is_paused, self._is_taking = False, True
        self._channel.resume_reading()
        self._is_taking = False
        self._pause_if_full()
