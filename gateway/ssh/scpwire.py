"""The lines and signs of the old SCP protocol: headers, agreement, warnings."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.ssh.pipe import Pipe
from gateway.ssh.wire import BadPacketError

LINE_MAX_BYTES = 8192
_ENTRY = re.compile(rb"([CD])([0-7]{4}) ([0-9]{1,19}) (.+)", re.DOTALL)
_TIMES = re.compile(rb"T([0-9]{1,19}) [0-9]{1,9} [0-9]{1,19} [0-9]{1,9}")
_OK, _WARNING, _FATAL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Header:
    """What a client announces.

    Attributes:
        kind: `C` for a file, `D` for a folder, `E` for a folder's end, `T` for times.
        number: the size of a file in bytes, or a time.
    """

    kind: str
    number: int = 0
    name: str = ""


class Wire:
    """Both directions of one run."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.has_failed = False

    async def agree(self) -> None:
        """Say that all is well."""
        await self._pipe.write(bytes([_OK]))

    async def fail(self, message: str) -> None:
        """Say what went wrong; the next file may go well."""
        self.has_failed = True
        await self._pipe.write(bytes([_WARNING]), b"scp: ", _one_line(message).encode(), b"\n")

    async def say(self, header: str, name: str = "") -> None:
        """Announce something, and wait until the client agrees.

        Raises:
            GatewayError: `CONFLICT` if it does not.
        """
        await self._pipe.write(header.encode(), os.fsencode(name), b"\n")
        if not await self.hears_ok():
            raise GatewayError(Kind.CONFLICT, "The other side did not take it.")

    async def heard(self) -> None:
        """Wait for the client's first sign."""
        if not await self.hears_ok():
            raise BadPacketError

    async def send(self, data: bytes) -> None:
        """Send bytes of a file."""
        await self._pipe.write(data)

    async def confirm(self) -> None:
        """Say that a file was whole, and wait until the client agrees."""
        await self.agree()
        await self.hears_ok()

    async def take(self, most: int) -> bytes:
        """Return bytes of a file.

        Raises:
            EOFError: if the client ends before that.
        """
        data = await self._pipe.read_some(most)
        if not data:
            raise EOFError
        return data

    async def hears_ok(self) -> bool:
        """Return whether the client says that all is well; a warning is noted.

        Raises:
            EOFError: if it says that nothing more can go well, or goes away.
        """
        sign = (await self._pipe.read(1))[0]
        if sign == _OK:
            return True
        self.has_failed = True
        if sign == _WARNING:
            await self._line()
            return False
        raise EOFError

    async def headers(self) -> AsyncIterator[Header]:
        """Yield what the client announces, until it ends.

        Raises:
            BadPacketError: if it says what is not of this protocol.
        """
        while first := await self._pipe.read_some(1):
            if first[0] == _FATAL:
                raise EOFError
            line = await self._line()
            if first[0] == _WARNING:
                self.has_failed = True
                continue
            yield _header(first + line)

    async def _line(self) -> bytes:
        line = bytearray()
        while (byte := await self._pipe.read(1)) != b"\n":
            line += byte
            if len(line) > LINE_MAX_BYTES:
                raise BadPacketError
        return bytes(line)


def _header(line: bytes) -> Header:
    if line == b"E":
        return Header("E")
    times, entry = _TIMES.fullmatch(line), _ENTRY.fullmatch(line)
    if times:
        return Header("T", int(times[1]))
    if not entry or b"/" in entry[4] or entry[4] in (b".", b".."):
        raise BadPacketError
    return Header(entry[1].decode(), int(entry[3]), os.fsdecode(entry[4]))


def _one_line(message: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in message)
