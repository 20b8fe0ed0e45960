"""AES-GCM beside asyncssh's own, and what of asyncssh's inner parts is used for that."""

import hashlib
import inspect

import asyncssh
import pytest
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.connection import SSHConnection
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.encryption import get_encryption

from gateway.ssh.gcm import KNOWN_VERSION, LENGTH_BYTES, Current

KEY, IV = bytes(range(16)), bytes(range(12))
# What gateway/ssh/incoming.py and outgoing.py stand in for, or rely on, and what it was when they were last compared.
STOOD_IN_FOR = {
    GCMCipher: "e389d2b5bed8eb41",
    SSHConnection.data_received: "b2d14a83b2604db6",
    SSHConnection._recv_data: "fc4e0735191bb0fd",
    SSHConnection._recv_pkthdr: "7adc4d88fe20593c",
    SSHConnection._recv_packet: "b3daa22e9763eee9",
    SSHConnection._finish_recv_packet: "e12d96db58b3524e",
    SSHConnection.send_packet: "fb9da7bec6dd395a",
    SSHConnection._send: "c6698a37eb80f574",
    SSHConnection._send_kexinit: "275ddc818b59f44b",
    SSHConnection._send_deferred_packets: "c5ef8240853eb331",
    SSHConnection.send_newkeys: "0b41234420373618",
    SSHConnection._process_newkeys: "a0331fe3cfd09d0b",
    SSHChannel.write: "1045e20008469933",
    SSHChannel._flush_send_buf: "3f11e9dc27c58b18",
    SSHChannel._pause_resume_writing: "b05e507ca9fdeec9",
    SSHChannel._accept_data: "33121e9e185c9850",
    SSHChannel._deliver_data: "bd94ccbaa59ab510",
    SSHChannel._process_data: "342490795c4b893c",
    SSHChannel._process_window_adjust: "7a2e4c4998e0b496",
    SSHServerChannel._wrap_session: "f63f63a6d2bc8af3",
}


def fresh(cipher=b"aes128-gcm@openssh.com"):
    return get_encryption(cipher, KEY, IV)


def sealed(gcm, packet):
    return b"".join(gcm.seal(memoryview(packet)))


def test_it_seals_as_asyncssh_does_and_both_may_take_turns():
    """Packets that are sealed here and by asyncssh in turns are those that asyncssh alone would have made."""
    ours, theirs = fresh(), fresh()
    gcm = Current().gcm(ours)
    for number in range(6):
        packet = bytes([number]) * (16 * number + 16)
        header = len(packet).to_bytes(LENGTH_BYTES)
        expected = b"".join(theirs.encrypt_packet(number, header, packet))
        if number % 2:
            assert b"".join(ours.encrypt_packet(number, header, packet)) == expected
        else:
            assert sealed(gcm, packet) == expected


def test_it_opens_what_asyncssh_has_sealed():
    """A packet can be looked at more than once, by both; the next one follows when it was taken."""
    sender, receiver = fresh(), fresh()
    gcm = Current().gcm(receiver)
    for number in range(4):
        packet = b"p" * 32
        data = b"".join(sender.encrypt_packet(number, (32).to_bytes(LENGTH_BYTES), packet))
        assert gcm.look(memoryview(data)) == packet
        assert gcm.look(memoryview(data)) == packet
        if number % 2:
            gcm.step()
        else:
            assert receiver.decrypt_packet(number, data[:16], data[16:-16], LENGTH_BYTES, data[-16:]) == packet


@pytest.mark.parametrize("place", [0, 3, 4, 35, 36, -1])
def test_a_packet_with_one_other_bit_is_not_genuine(place):
    """Whether in the length, the content or the tag: one changed bit, and there is no packet, and no step is made."""
    gcm, state = Current().gcm(fresh()), fresh()._cipher
    data = bytearray(sealed(Current().gcm(fresh()), b"p" * 32))
    data[place] ^= 1
    assert gcm.look(memoryview(data)) is None
    assert gcm._state._iv == state._iv
    data[place] ^= 1
    assert gcm.look(memoryview(data)) == b"p" * 32


def test_no_nonce_is_used_twice_even_if_sealing_fails():
    """A nonce counts as used before it is."""
    gcm = Current().gcm(fresh())
    used = gcm._state._iv
    with pytest.raises(TypeError):
        gcm.seal("no bytes")
    assert gcm._state._iv != used


def test_each_exchange_of_keys_has_its_own_cipher():
    """The cipher is kept as long as asyncssh keeps its own, and not a packet longer."""
    current, first, second = Current(), fresh(), get_encryption(b"aes128-gcm@openssh.com", KEY[::-1], IV)
    gcm = current.gcm(first)
    assert current.gcm(first) is gcm
    other = current.gcm(second)
    assert other is not gcm
    assert sealed(other, b"p" * 16) != sealed(gcm, b"p" * 16)


def test_other_ciphers_and_no_cipher_are_asyncsshs():
    """Nothing but AES-GCM is done here."""
    current = Current()
    assert current.gcm(None) is None
    assert current.gcm(get_encryption(b"chacha20-poly1305@openssh.com", bytes(64), b"")) is None
    assert current.gcm(get_encryption(b"aes128-ctr", KEY, bytes(16), b"hmac-sha2-256", bytes(32), etm=True)) is None
    assert current.gcm(fresh(b"aes128-gcm@openssh.com")) is not None


def test_an_unknown_asyncssh_does_its_work_itself(monkeypatch):
    """With another asyncssh than the one whose inner parts are known, none of them is touched."""
    monkeypatch.setattr(asyncssh, "__version__", "2.99.0")
    assert Current().gcm(fresh()) is None


def test_asyncsshs_inner_parts_are_those_that_are_known():
    """If this fails, asyncssh has changed: compare `incoming`, `outgoing` and `gcm` with it anew, then say so here."""
    now = {part: hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16] for part in STOOD_IN_FOR}
    changed = {part.__qualname__: found for part, found in now.items() if found != STOOD_IN_FOR[part]}
    assert (asyncssh.__version__, changed) == (KNOWN_VERSION, {})
