"""The requests of an SFTP session as they come, and their answers as they go.

Clients send many writes at once, each of which goes on where the one before ends. Those that have come already are
taken as one: what they cost is mostly the trip to the storage. Each gets its answer when all of them are written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gateway.ssh.handles import HANDLE_BYTES
from gateway.ssh.held import Data
from gateway.ssh.pipe import Pipe
from gateway.ssh.wire import PACKET_MAX_BYTES, Answer, Ask, BadPacketError, Packet

MERGED_MAX_BYTES = 1024 * 1024
MERGED_MAX = 64
_SIZE_BYTES = 4
# What stands before the data of a write: kind, number, length of the handle, handle, offset, and length of the data.
_WRITE = struct.Struct(f">BII{HANDLE_BYTES}sQI")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, or several writes that are one; `packet` goes on behind the number."""

    kind: int
    numbers: tuple[int, ...]
    packet: Packet


async def read_init(pipe: Pipe) -> None:
    """Read the greeting of a client.

    Raises:
        BadPacketError: if it is something else.
    """
    packet = Packet(await pipe.read(await _size(pipe)))
    if packet.byte() != Ask.INIT:
        raise BadPacketError


async def next_request(pipe: Pipe) -> Request:
    """Read the next request.

    Raises:
        BadPacketError: if it is none.
        EOFError: if the client has ended the session.
    """
    size = await _size(pipe)
    head = await pipe.read(min(size, _WRITE.size))
    if head[0] == Ask.WRITE and len(head) == _WRITE.size:
        return await _write(pipe, head, size - len(head))
    packet = Packet(head + await pipe.read(size - len(head)))
    return Request(packet.byte(), (packet.uint32(),), packet)


def framed(answer: Answer, number: int) -> Answer:
    """Return an answer as it goes out, still in pieces: the data of a read are large."""
    size = 4 + sum(map(len, answer))
    return size.to_bytes(_SIZE_BYTES) + answer[0][:1] + number.to_bytes(4) + answer[0][1:], *answer[1:]


async def _size(pipe: Pipe) -> int:
    size = int.from_bytes(await pipe.read(_SIZE_BYTES))
    if not 0 < size <= PACKET_MAX_BYTES:
        raise BadPacketError
    return size


async def _write(pipe: Pipe, head: bytes, rest: int) -> Request:
    kind, number, width, handle, offset, length = _WRITE.unpack(head)
    numbers, pieces = [number], await pipe.read_pieces(rest)
    if (width, length) == (HANDLE_BYTES, rest):
        while (found := _follower(pipe, handle, offset + length)) and length + found[1] <= MERGED_MAX_BYTES:
            if len(numbers) == MERGED_MAX:
                break
            await pipe.read(_SIZE_BYTES + _WRITE.size)
            pieces += await pipe.read_pieces(found[1])
            numbers.append(found[0])
            length += found[1]
        head = _WRITE.pack(kind, number, width, handle, offset, length)
    return Request(kind, tuple(numbers), _packet(head, pieces))


def _follower(pipe: Pipe, handle: bytes, offset: int) -> tuple[int, int] | None:
    """Return number and length of the next write, if it is all there and goes on at `offset`."""
    ahead = pipe.peek(_SIZE_BYTES + _WRITE.size)
    if len(ahead) < _SIZE_BYTES + _WRITE.size:
        return None
    size = int.from_bytes(ahead[:_SIZE_BYTES])
    kind, number, width, named, at, length = _WRITE.unpack(ahead[_SIZE_BYTES:])
    is_next = (kind, width, named, at) == (Ask.WRITE, HANDLE_BYTES, handle, offset)
    is_whole = size == _WRITE.size + length <= PACKET_MAX_BYTES and pipe.has(_SIZE_BYTES + size)
    return (number, length) if is_next and is_whole else None


def _packet(head: bytes, pieces: list[Data]) -> Packet:
    packet = Packet(head, b"".join(pieces))
    packet.byte()
    packet.uint32()
    return packet
