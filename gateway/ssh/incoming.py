"""What comes in on a connection: the data of its channels, taken out of the packets with the fewest copies.

It stands between the socket and asyncssh. Under AES-GCM it takes two kinds of packets of an open channel, which are
nearly all: data, and more room in the client's window. Every other packet, all that is not as it should be, and all
packets under other ciphers are left to asyncssh as they came, so that the rules of the protocol are kept in one place.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - as in `gcm`.
import asyncio
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_WINDOW_ADJUST

from gateway.ssh.gcm import BLOCK_BYTES, LENGTH_BYTES, TAG_BYTES, Current, Gcm
from gateway.ssh.held import SMALL_BYTES
from gateway.ssh.pipe import Flow

# So much is worked on before others have their turn.
CHUNK_BYTES = 256 * 1024
# asyncssh copies for each packet all that came behind it, so it is given little at a time.
LITTLE_BYTES = 64 * 1024
# A packet: the length of its padding, its kind, the channel, a number (the length of the data), and then the data.
_KIND, _CHANNEL, _NUMBER, _DATA = 1, 2, 6, 10
# RFC 4253, 6.
_PADDING_MIN_BYTES = 4
_OPEN_STATES = {"open", "eof_pending", "eof"}
# How much later than it could have been a connection may be asked whether it still lives.
_LATE_SECONDS = 1.0

# Filled by the event loop and emptied in the same moment, so that one serves all connections.
_chunk = memoryview(bytearray(CHUNK_BYTES))


class Incoming(asyncio.BufferedProtocol):
    """The way in of one connection.

    Args:
        flow: told when more can be sent; asyncssh would hold without bound what the client does not read.
    """

    def __init__(self, connection: asyncssh.SSHServerConnection, flow: Flow) -> None:
        self._connection = connection
        self._flow = flow
        self._current = Current()
        # The beginning of a packet whose end is still to come.
        self._begun = b""
        self._loop = asyncio.get_running_loop()
        self._alive_at = self._loop.time()

    @classmethod
    def stand_before(cls, connection: asyncssh.SSHServerConnection, flow: Flow) -> None:
        """Take from now on what comes in on `connection`."""
        if connection._transport is not None:
            connection._transport.set_protocol(cls(connection, flow))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where the next bytes may be put: behind those that have come already."""
        self._take_back()
        begun = len(self._begun)
        _chunk[:begun] = self._begun
        return _chunk[begun:] if self._gcm() else _chunk[begun : begun + LITTLE_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come in."""
        data = _chunk[: len(self._begun) + nbytes]
        self._begun = b""
        try:
            self._stay_alive()
            self._take(data)
        except Exception:  # noqa: BLE001 - asyncssh ends a connection for all that goes wrong in it
            self._connection.internal_error()

    def eof_received(self) -> None:
        """Tell asyncssh that nothing more comes in."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell asyncssh that the connection is gone."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._flow.pause()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._flow.resume()

    def _take(self, data: memoryview) -> None:
        """Take packet after packet; what comes behind one that asyncssh is still busy with is asyncssh's as well.

        Nothing is taken behind a packet that ended the connection.
        """
        while data and self._connection._transport is not None:
            gcm, size = self._gcm(), _size_of(data)
            if gcm is None or size > CHUNK_BYTES // 2:
                self._connection.data_received(bytes(data))
                return
            if not size or size > len(data):
                self._begun = bytes(data)
                return
            if not self._is_taken(gcm, data[:size]):
                self._connection.data_received(bytes(data[:size]))
            data = data[size:]

    def _gcm(self) -> Gcm | None:
        """Return the cipher if it is AES-GCM, the client has logged in, and asyncssh waits for a new packet."""
        connection = self._connection
        is_waiting = connection._recv_handler == connection._recv_pkthdr and not connection._inpbuf
        # `_auth_final` says that packets of channels have come already.
        if not is_waiting or not connection._auth_final or connection._transport is None or connection._decompressor:
            return None
        return self._current.gcm(connection._recv_encryption)

    def _take_back(self) -> None:
        """Take back from asyncssh the beginning of a packet, which it holds when it was busy as that came in."""
        connection = self._connection
        is_begun = connection._recv_handler == connection._recv_packet
        if is_begun or (connection._inpbuf and connection._recv_handler == connection._recv_pkthdr):
            held = connection._packet + connection._inpbuf
            if self._current.gcm(connection._recv_encryption) and len(held) < CHUNK_BYTES // 2:
                connection._packet = connection._inpbuf = b""
                connection._recv_handler = connection._recv_pkthdr
                self._begun = held + self._begun

    def _is_taken(self, gcm: Gcm, sealed: memoryview) -> bool:
        packet = gcm.look(sealed)
        if packet is None or len(packet) < BLOCK_BYTES:
            return False
        channel = self._connection._channels.get(int.from_bytes(packet[_CHANNEL:_NUMBER]))
        number, data = int.from_bytes(packet[_NUMBER:_DATA]), memoryview(packet)[_DATA:]
        data = data[: max(len(data) - packet[0], 0)]
        if channel is None or packet[0] < _PADDING_MIN_BYTES or _DATA + len(data) + packet[0] != len(packet):
            return False
        if packet[_KIND] == MSG_CHANNEL_DATA and _is_due(channel, number, data):
            self._step(gcm)
            # asyncssh says bytes and looks at their length only. What is small holds no more than itself, if it waits.
            channel._accept_data(cast("bytes", data) if len(data) >= SMALL_BYTES else bytes(data))
        elif packet[_KIND] == MSG_CHANNEL_WINDOW_ADJUST and not data and channel._recv_state in _OPEN_STATES:
            self._step(gcm)
            channel._send_window += number
            channel._flush_send_buf()
        else:
            return False
        return True

    def _step(self, gcm: Gcm) -> None:
        gcm.step()
        self._connection._recv_seq = (self._connection._recv_seq + 1) & 0xFFFFFFFF

    def _stay_alive(self) -> None:
        """Tell asyncssh that there was traffic, not more often than it needs to know."""
        if self._loop.time() - self._alive_at > _LATE_SECONDS:
            self._alive_at = self._loop.time()
            self._connection._reset_keepalive_timer()


def _size_of(data: memoryview) -> int:
    """Return how long the packet is that begins here, with all around it; 0 if that is not known yet."""
    if len(data) < LENGTH_BYTES:
        return 0
    return LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES]) + TAG_BYTES


def _is_due(channel: SSHChannel[bytes], length: int, data: memoryview) -> bool:
    """Tell whether an open channel may be sent these data; refusals are asyncssh's."""
    return channel._recv_state == "open" and length == len(data) <= channel._recv_window
