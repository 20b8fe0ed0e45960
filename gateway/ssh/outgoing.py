"""What goes out on a channel: cut into packets as large as the client takes them, with the fewest copies.

asyncssh decides as ever how much may go out (the client's window), holds what must wait, and ends the channel; here its
packets of data are made, all that may go now in one go. They are encrypted here under AES-GCM, and by asyncssh under
other ciphers. While keys are exchanged all data wait here, within the bounds of the channel: asyncssh would hold
without bound what is asked for by a client that never finishes the exchange.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - as in `gcm`.
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import asyncssh
from asyncssh.constants import MSG_CHANNEL_DATA

from gateway.ssh.gcm import BLOCK_BYTES, LENGTH_BYTES, Current, is_known
from gateway.ssh.held import Data

# RFC 4253, 6.
_PADDING_MIN_BYTES = 4
_HEAD_BYTES = 10
# More than any client takes in one packet; what is more goes into the next.
DATA_MAX_BYTES = 64 * 1024
# A packet is put together here and encrypted in the same moment, so that one place serves all channels.
_packet = memoryview(bytearray(_HEAD_BYTES + DATA_MAX_BYTES + 2 * BLOCK_BYTES))


class Outgoing:
    """The way out of one channel."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        # Not a wrapper around one (`line_editor`): what is counted here is counted in the channel itself.
        assert isinstance(channel, asyncssh.SSHServerChannel)
        self._channel = channel
        self._connection = channel.get_connection()
        self._current = Current()
        self._flush_slowly: Callable[[], None] = channel._flush_send_buf
        setattr(channel, "_flush_send_buf", self._flush)  # noqa: B010 - not a plain assignment to type checkers

    @classmethod
    def go_on_with_new_keys(cls, connection: asyncssh.SSHServerConnection) -> None:
        """Let the channels of a connection go on whenever keys have been exchanged."""
        send_deferred = connection._send_deferred_packets

        def send() -> None:
            send_deferred()
            for channel in tuple(connection._channels.values()):
                channel._flush_send_buf()

        setattr(connection, "_send_deferred_packets", send)  # noqa: B010 - as above

    def send(self, *parts: Data) -> None:
        """Send bytes, or hold them until the client takes more; nobody changes them from now on."""
        channel = self._channel
        for part in parts:
            if part:
                # asyncssh says bytearray; it is given what it says before it takes something out.
                channel._send_buf.append((cast("bytearray", memoryview(part)), None))
                channel._send_buf_len += len(part)
        self._flush()

    def _flush(self) -> None:
        """Send what may be sent, and leave to asyncssh what cannot be sent here."""
        if self._has_more():
            if is_known() and not self._connection._kex_complete:
                self._channel._pause_resume_writing()
                return
            if self._is_ready():
                self._send_packets()
            if self._has_more():
                self._channel._send_buf = [(bytearray(data), kind) for data, kind in self._channel._send_buf]
        self._flush_slowly()

    def _has_more(self) -> bool:
        return bool(self._channel._send_buf and self._channel._send_window)

    def _is_ready(self) -> bool:
        """Tell whether packets of data can be made here now."""
        connection, channel = self._connection, self._channel
        is_ready = connection._kex_complete and connection._auth_complete and not connection._deferred_packets
        is_open = connection._transport is not None and channel._send_chan is not None
        is_due = connection._rekey_seconds and time.monotonic() >= connection._rekey_time
        is_plain = connection._send_encryption is None or connection._compressor is not None
        return is_known() and is_ready and is_open and not is_due and not is_plain

    def _send_packets(self) -> None:
        channel, connection = self._channel, self._connection
        filler = os.urandom(2 * BLOCK_BYTES)
        packets: list[bytes] = []
        while self._has_more() and channel._send_buf[0][1] is None:
            if connection._rekey_bytes_sent >= connection._rekey_bytes:
                break
            packets += self._next_packet(filler)
        # As in asyncssh: a lost connection is told elsewhere.
        if packets and connection._transport is not None:
            with suppress(ConnectionError):
                connection._transport.writelines(packets)

    def _next_packet(self, filler: bytes) -> tuple[bytes, bytes]:
        channel, connection = self._channel, self._connection
        assert channel._send_chan is not None
        size = self._put(min(channel._send_window, channel._send_pktsize, DATA_MAX_BYTES))
        channel._send_buf_len -= size
        channel._send_window -= size
        # What is encrypted of the five bytes before the kind comes first.
        padding = -(connection._send_enchdrlen + _HEAD_BYTES - 1 + size) % connection._send_blocksize
        if padding < _PADDING_MIN_BYTES:
            padding += connection._send_blocksize
        _packet[0], _packet[1] = padding, MSG_CHANNEL_DATA
        _packet[2:_HEAD_BYTES] = channel._send_chan.to_bytes(4) + size.to_bytes(4)
        end = _HEAD_BYTES + size + padding
        _packet[end - padding : end] = filler[:padding]
        number = connection._send_seq
        connection._send_seq = (number + 1) & 0xFFFFFFFF
        connection._rekey_bytes_sent += end
        return self._sealed(number, _packet[:end])

    def _sealed(self, number: int, packet: memoryview) -> tuple[bytes, bytes]:
        encryption = self._connection._send_encryption
        assert encryption is not None
        gcm = self._current.gcm(encryption)
        if gcm is not None:
            return gcm.seal(packet)
        return encryption.encrypt_packet(number, len(packet).to_bytes(LENGTH_BYTES), bytes(packet))

    def _put(self, most: int) -> int:
        """Put the data of the next packet in their place; return how much there is."""
        held, size = self._channel._send_buf, 0
        while held and size < most and held[0][1] is None:
            data = memoryview(held[0][0])
            count = min(len(data), most - size)
            _packet[_HEAD_BYTES + size : _HEAD_BYTES + size + count] = data[:count]
            size += count
            if count == len(data):
                del held[0]
            else:
                held[0] = (cast("bytearray", data[count:]), None)
        return size
