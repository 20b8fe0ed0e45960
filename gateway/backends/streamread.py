"""Reading at any place from a storage that gives streams: one stream is kept open and gone along with.

Clients read straight through, with requests that may overtake each other a little. So some of what was read is kept,
and a place not far ahead is reached by reading on. Whoever jumps gets a bounded piece at each jump; from where a
piece ends the file is streamed again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, Span

# How far back, and how far ahead, a read may be of the stream without a new one being opened.
WINDOW_BYTES = 1024 * 1024
# What is asked for at a jump, at least.
PIECE_BYTES = 1024 * 1024
OFFSET_MAX = 2**63 - 1


class StreamReader:
    """A file open for reading.

    Args:
        entry: the file as it was when it was opened; a later content is refused.
    """

    def __init__(self, backend: Backend, entry: Entry) -> None:
        self._backend = backend
        self._entry = entry
        self._stack = AsyncExitStack()
        self._chunks: AsyncIterator[bytes] | None = None
        self._start = 0
        self._held = bytearray()

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        size = self._entry.size
        end = offset + length if size is None else min(offset + length, size)
        if offset < 0 or length < 0 or offset + length > OFFSET_MAX:
            raise GatewayError(Kind.INVALID, "No file has bytes at this place.")
        if offset >= end:
            return b""
        if not self._start <= offset <= self._end + WINDOW_BYTES:
            await self._jump(offset, None if offset == self._end else max(end - offset, PIECE_BYTES))
        await self._read_to(end)
        if self._end < end and self._chunks is None and (size is None or self._end < size):
            # A bounded piece is used up: from here on the file is streamed.
            await self._jump(max(offset, self._end), None, keeps=True)
            await self._read_to(end)
        data = bytes(self._held[offset - self._start : end - self._start])
        self._forget()
        return data

    async def write_at(self, offset: int, data: bytes) -> None:  # noqa: ARG002 - the port's signature
        """Refuse."""
        raise _only_reading()

    async def truncate(self, size: int) -> None:  # noqa: ARG002 - the port's signature
        """Refuse."""
        raise _only_reading()

    async def stat(self) -> Entry:
        """Return the entry of the open file."""
        return self._entry

    async def close(self) -> None:
        """Close the stream."""
        await self._stack.aclose()

    @property
    def _end(self) -> int:
        return self._start + len(self._held)

    async def _jump(self, offset: int, length: int | None, *, keeps: bool = False) -> None:
        await self._stack.aclose()
        if not keeps:
            self._start = offset
            self._held.clear()
        opening = self._backend.open(self._entry.path, Span(offset, length))
        try:
            content = await self._stack.enter_async_context(opening)
        except GatewayError as error:
            if error.kind is not Kind.RANGE_INVALID:
                raise
            self._chunks = None
            return
        # Compared here, not by a condition: some servers give only weak tags at first, of which none can be made.
        if (_bare(content.entry.etag), content.entry.size) != (_bare(self._entry.etag), self._entry.size):
            await self._stack.aclose()
            raise GatewayError(Kind.PRECONDITION_FAILED, "The file was changed while it was read.")
        self._chunks = content.chunks

    async def _read_to(self, end: int) -> None:
        if self._chunks is None and not self._held and self._start == 0:
            await self._jump(0, None)
        while self._end < end and self._chunks is not None:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._chunks = None
                await self._stack.aclose()
            else:
                self._held += chunk

    def _forget(self) -> None:
        surplus = len(self._held) - WINDOW_BYTES
        if surplus > WINDOW_BYTES:
            del self._held[:surplus]
            self._start += surplus


def _bare(etag: str | None) -> str:
    return (etag or "").removeprefix("W/")


def _only_reading() -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, "The file is open for reading only.")
