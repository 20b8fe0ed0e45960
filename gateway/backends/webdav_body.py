"""The body of a request to a WebDAV storage, on its way from whoever sends it.

A small body of known length is gathered first: it can then be sent again after a redirect, and a sender that breaks
off leaves nothing behind. A large one streams: it is never sent twice, never padded, never cut: a wrong length is an
error before the storage can take the file for complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gateway.errors import GatewayError, Kind

GATHER_MAX_BYTES = 64 * 1024


class Clock:
    """Measures only the storage's time: it stands still while the body's sender is awaited."""

    __slots__ = ("_idle", "_timeout", "_wait")

    def __init__(self, timeout: asyncio.Timeout, *, wait: float, idle: float) -> None:
        self._timeout: asyncio.Timeout | None = timeout
        self._wait = wait
        self._idle = idle

    def stop(self) -> None:
        """Stand still: somebody else is awaited."""
        self._set(None)

    def piece(self) -> None:
        """Give the storage time to take a piece of the body."""
        self._set(self._idle)

    def last(self) -> None:
        """Give the storage, which has it all now, time to answer."""
        self._set(self._wait)

    def end(self) -> None:
        """Stop for good: the answer is there, though the body may still be on its way."""
        self._timeout = None

    def _set(self, seconds: float | None) -> None:
        if self._timeout is not None:
            self._timeout.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


class Body:
    """A request body; make it with `body_of`.

    Attributes:
        touched: whether anything was taken from it by the connection.
        is_complete: whether its last piece was handed over.
        error: what its source raised, since the library would hide it.
    """

    def __init__(self, chunks: AsyncIterator[bytes] | None, size: int | None, gathered: bytes | None) -> None:
        self._chunks = chunks
        self._size = size
        self._gathered = gathered
        self.touched = False
        self.is_complete = gathered is not None
        self.error: BaseException | None = None

    @property
    def waits(self) -> bool:
        """Whether this body should wait for `100 Continue`."""
        return self._gathered is None

    @property
    def can_restart(self) -> bool:
        """Whether the body can still be sent from its first byte."""
        return self._gathered is not None or not self.touched

    @property
    def headers(self) -> dict[str, str]:
        """The fields that frame this body."""
        return {} if self._size is None else {"Content-Length": str(self._size)}

    def start(self, clock: Clock) -> bytes | AsyncIterator[bytes]:
        """Return what the library sends."""
        return self._gathered if self._gathered is not None else self._stream(clock)

    async def _stream(self, clock: Clock) -> AsyncIterator[bytes]:
        self.touched = True
        assert self._chunks is not None
        clock.stop()
        try:
            async for chunk, is_last in _measured(self._chunks, self._size):
                self.is_complete = is_last
                clock.piece()
                yield chunk
                clock.stop()
        except Exception as error:
            self.error = error
            raise
        self.is_complete = True
        clock.last()


async def body_of(chunks: AsyncIterator[bytes], size: int | None = None) -> Body:
    """Return a body of `size` bytes, where known; small ones are gathered here.

    Raises:
        GatewayError: `INVALID` if a gathered body has another size. What `chunks` raises passes through.
    """
    if size is None or size > GATHER_MAX_BYTES:
        return Body(chunks, size, None)
    gathered = b"".join([chunk async for chunk, _ in _measured(chunks, size)])
    return Body(None, size, gathered)


def ready_body(content: bytes) -> Body:
    """Return a body that is there already."""
    return Body(None, len(content), content)


async def _measured(chunks: AsyncIterator[bytes], size: int | None) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield `chunks` and whether each is the last; one is held back, so that too much is noticed in time."""
    held = b""
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        if size is not None and seen > size:
            raise _wrong_size()
        if held:
            yield held, False
        held = chunk
    if size is not None and seen != size:
        raise _wrong_size()
    if held:
        yield held, True


def _wrong_size() -> GatewayError:
    return GatewayError(Kind.INVALID, "The body has another length than was told.", code="wrong-size")
