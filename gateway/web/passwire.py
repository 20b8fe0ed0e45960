"""HTTP/1.1 as it is spoken with the service behind: heads and bodies, read strictly and written by one hand (RFC 9112).

What a body's end is must never be a matter of opinion: an answer that frames itself in two ways, or in none that the
RFC knows, is `Nonsense`, and its connection is not used again. A request is written from its parts, so the service
reads one request where one was meant. Trailers are dropped: this hop offers none (`TE` never passes).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

Fields = tuple[tuple[bytes, bytes], ...]

HEAD_MAX_BYTES = 64 * 1024
FIELDS_MAX = 256
READ_BYTES = 64 * 1024
TRAILERS_MAX_BYTES = 16 * 1024
_CHUNK_LINE_MAX = 4096

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t \x21-\x7e\x80-\xff]*))?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t \x21-\x7e\x80-\xff]*")
_LENGTH = re.compile(rb"[0-9]{1,19}")
# A chunk extension may be anything that cannot be taken for the end of its line.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t \x21-\x7e\x80-\xff]*)?\r\n")


class Nonsense(Exception):  # noqa: N818 - it is what the service said, not a fault of ours
    """The service's answer is no HTTP that can be passed on safely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """What stands before the body of an answer, as the service wrote it."""

    minor: int
    status: int
    reason: bytes
    fields: Fields

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of the fields of one (lower-case) name."""
        return [value for key, value in self.fields if key.lower() == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """Return the lower-case members of a list."""
        return [token.strip().lower() for value in self.all(name) for token in value.split(b",")]


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a body ends: after `length` bytes, with its last chunk, or (neither) with the connection."""

    length: int | None = None
    is_chunked: bool = False


def parse_head(raw: bytes) -> AnswerHead:
    """Return the head that ends `raw`.

    Raises:
        Nonsense: if it is none; line folding, bare CR or LF, and control characters included.
    """
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or len(lines) > FIELDS_MAX:
        raise Nonsense("no status line" if status is None else "too many fields")
    fields = tuple(_field(line) for line in lines)
    return AnswerHead(minor=int(status[1]), status=int(status[2]), reason=status[3] or b"", fields=fields)


def framing_of(head: AnswerHead, method: str) -> Framing:
    """Return how the body of an answer ends (RFC 9112, 6.3).

    Raises:
        Nonsense: if two readers might find different ends.
    """
    codings, lengths = head.tokens(b"transfer-encoding"), set(head.all(b"content-length"))
    if codings and (lengths or codings != [b"chunked"] or head.minor == 0):
        raise Nonsense("unclear transfer coding")
    if len(lengths) > 1 or any(not _LENGTH.fullmatch(length) for length in lengths):
        raise Nonsense("unclear length")
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:  # noqa: PLR2004 - informational
        return Framing(length=0)
    if codings:
        return Framing(is_chunked=True)
    return Framing(length=int(lengths.pop())) if lengths else Framing()


async def read_head(reader: asyncio.StreamReader) -> AnswerHead:
    """Return the next head.

    Raises:
        Nonsense: as `parse_head`, or if it is too large.
        EOFError: if the connection ends before it; `OSError` if it breaks.
    """
    try:
        return parse_head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.LimitOverrunError as error:
        raise Nonsense("the head is too large") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Nonsense("the head broke off") from error
        raise


async def read_body(reader: asyncio.StreamReader, framing: Framing) -> AsyncIterator[bytes]:
    """Yield a body as it comes; what is behind it stays unread.

    Raises:
        Nonsense: if its chunks are malformed.
        EOFError, OSError: if it ends early.
    """
    if framing.is_chunked:
        async for piece in _chunks(reader):
            yield piece
    elif framing.length is not None:
        async for piece in _exactly(reader, framing.length):
            yield piece
    else:
        while piece := await reader.read(READ_BYTES):
            yield piece


def render_request(method: str, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request. What might end a line early is refused by whoever made the parts, and here again.

    Raises:
        ValueError: if a part holds such a thing.
    """
    head = b"%s %s HTTP/1.1\r\n%s\r\n" % (method.encode("ascii"), target, render_fields(fields))
    if not re.fullmatch(rb"[!-~]+", target) or not _NAME.fullmatch(method.encode("ascii")):
        message = "no request line"
        raise ValueError(message)
    return head


def render_fields(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return fields as lines."""
    lines = bytearray()
    for name, value in fields:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            message = "a field would end its line"
            raise ValueError(message)
        lines += b"%s: %s\r\n" % (name, value)
    return bytes(lines)


def chunk(piece: bytes) -> bytes:
    """Return a piece as one chunk."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    # RFC 9112, 5.1: space before the colon is taken away from answers.
    name, value = name.rstrip(b" \t"), value.strip(b" \t")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise Nonsense("a malformed field")
    return name, value


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await reader.read(min(length, READ_BYTES))
        if not piece:
            raise EOFError("the body broke off")
        length -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(_matched(_CHUNK, await _line(reader))[1], 16):
        async for piece in _exactly(reader, size):
            yield piece
        if await reader.readexactly(2) != b"\r\n":
            raise Nonsense("a chunk that does not end where it says")
    left = TRAILERS_MAX_BYTES
    while (line := await _line(reader)) != b"\r\n":
        left -= len(line)
        if left < 0:
            raise Nonsense("the trailers are too large")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError as error:
        raise Nonsense("a line that does not end") from error
    if len(line) > _CHUNK_LINE_MAX:
        raise Nonsense("a line that is too long")
    return line


def _matched(pattern: re.Pattern[bytes], line: bytes) -> re.Match[bytes]:
    match = pattern.fullmatch(line)
    if match is None:
        raise Nonsense("a malformed chunk")
    return match
