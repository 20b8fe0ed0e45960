"""Reading files of an SFTP server: several requests under way at once, their bytes in order, their number bounded.

A server may answer with less than was asked for; the rest is then asked for again. With more it lies. The length of
what we deliver was promised when the file was opened, so a file that ends earlier breaks the stream: never a short
body that looks whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import asyncssh
from asyncssh import SFTPAttrs

from gateway.backends.localfs import missing
from gateway.backends.localpart import a_folder
from gateway.backends.sftp_channel import OPEN_READ, Channel
from gateway.backends.sftp_errors import nonsense
from gateway.backends.sftp_tree import Spot, is_folder, is_served, size_of
from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.resource import Span

# How much of one file is asked for ahead of its reader.
READ_AHEAD_BYTES = 2 * 1024 * 1024
_FIRST_REQUESTS = 2


async def open_file(channel: Channel, spot: Spot, flags: int = OPEN_READ) -> tuple[asyncssh.SFTPClientFile, SFTPAttrs]:
    """Open the file that was found at `spot`, and see that what was opened is a file that still lies there.

    Raises:
        GatewayError: `CONFLICT` if it is a folder; `NOT_FOUND` if something else took its place meanwhile.
    """
    if is_folder(spot.served()):
        raise a_folder()
    file = await channel.open(spot.path, flags)
    try:
        opened, there = await asyncio.gather(channel.fstat(file), channel.lstat(spot.path))
        _refuse_other(opened, there)
    except BaseException:
        await channel.close_file(file)
        raise
    return file, opened


def _refuse_other(opened: SFTPAttrs, there: SFTPAttrs | None) -> None:
    if is_folder(opened):
        raise a_folder()
    if there is None or not is_served(there) or not is_served(opened):
        # A link that was put there behind our look: what it leads to is not ours to give.
        raise missing()
    size_of(opened)


async def chunks(channel: Channel, file: asyncssh.SFTPClientFile, span: Span) -> AsyncIterator[bytes]:
    """Yield the bytes of `span`, whose length is known.

    Raises:
        GatewayError: `UNAVAILABLE` if the file ends earlier, or the server stops answering.
    """
    position, end = span.start, span.start + (span.length or 0)
    under_way: deque[asyncio.Task[bytes]] = deque()
    wanted = _FIRST_REQUESTS
    try:
        while position < end or under_way:
            while position < end and len(under_way) < wanted:
                length = min(channel.piece_bytes, end - position)
                under_way.append(asyncio.ensure_future(read_exactly(channel, file, position, length)))
                position += length
            yield await channel.ask(under_way.popleft(), channel.patience.idle)
            wanted = min(wanted * 2, max(2, READ_AHEAD_BYTES // channel.piece_bytes))
    finally:
        await dropped(under_way)


async def read_exactly(channel: Channel, file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    """Return `length` bytes from `offset`.

    Raises:
        GatewayError: `UNAVAILABLE` if the file has fewer.
    """
    data = await read_some(channel, file, offset, length)
    if len(data) == length:
        return data
    parts = [data]
    while parts[-1] and (got := sum(map(len, parts))) < length:
        parts.append(await read_some(channel, file, offset + got, length - got))
    whole = b"".join(parts)
    if len(whole) < length:
        # The length was promised already; only a broken stream tells the client that this is not all.
        raise unavailable("The file was cut short while it was read.", log="sftp: file ends early", retry_after=1)
    return whole


async def read_some(channel: Channel, file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    """Return up to `length` bytes from `offset`; none only at the end of the file."""
    data: bytes = await channel.untimed(file.read(length, offset))
    if len(data) > length:
        channel.is_spoilt = True
        raise nonsense("more bytes than were asked for")
    return data


async def dropped(under_way: deque[asyncio.Task[bytes]]) -> None:
    """Give up requests that are still under way, and wait until they are gone."""
    for task in under_way:
        task.cancel()
    if under_way:
        await asyncio.gather(*under_way, return_exceptions=True)


def resolved(span: Span, size: int) -> Span:
    """Return the span cut to a file of `size` bytes.

    Raises:
        GatewayError: `RANGE_INVALID` if it starts behind the end.
    """
    if span.start < 0 or (span.start and span.start >= size):
        raise GatewayError(Kind.RANGE_INVALID, "The range starts behind the end of the file.")
    rest = size - span.start
    return Span(span.start, rest if span.length is None else max(0, min(span.length, rest)))
