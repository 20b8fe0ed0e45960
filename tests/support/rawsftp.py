"""An SFTP client that says what no good client would: packets made by hand over asyncssh."""

from __future__ import annotations

import struct
from contextlib import asynccontextmanager

from gateway.ssh.wire import Ask, Packet, Tell, string

NO_ATTRS = bytes(4)


class Raw:
    """One SFTP session."""

    def __init__(self, writer, reader):
        self.writer = writer
        self.reader = reader
        self.number = 0

    def send(self, kind, *fields):
        """Send a request without waiting; returns its number."""
        self.number += 1
        body = bytes([kind]) + self.number.to_bytes(4) + b"".join(fields)
        self.writer.write(string(body))
        return self.number

    async def answer(self):
        """Return the type of the next answer, and the fields behind its number."""
        size = int.from_bytes(await self.reader.readexactly(4))
        packet = Packet(await self.reader.readexactly(size))
        kind, number = packet.byte(), packet.uint32()
        return kind, number, packet

    async def ask(self, kind, *fields):
        """Send a request and return its status, or what it gives: a handle, data."""
        number = self.send(kind, *fields)
        told, answered, packet = await self.answer()
        assert answered == number
        if told == Tell.STATUS:
            return packet.uint32()
        return packet.string() if told in (Tell.HANDLE, Tell.DATA) else packet

    async def open(self, path, flags):
        """Open a file."""
        return await self.ask(Ask.OPEN, string(path), flags.to_bytes(4), NO_ATTRS)

    async def write(self, handle, offset, data):
        """Write bytes."""
        return await self.ask(Ask.WRITE, string(handle), struct.pack(">Q", offset), string(data))

    async def read(self, handle, offset, length):
        """Read bytes."""
        return await self.ask(Ask.READ, string(handle), struct.pack(">QI", offset, length))


@asynccontextmanager
async def raw_sftp(rig):
    """Connect to a door and begin a session."""
    async with rig.connect() as connection:
        writer, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        writer.write(string(bytes([Ask.INIT]) + (3).to_bytes(4)))
        size = int.from_bytes(await reader.readexactly(4))
        assert (await reader.readexactly(size))[0] == Tell.VERSION
        session = Raw(writer, reader)
        session.connection = connection
        yield session
