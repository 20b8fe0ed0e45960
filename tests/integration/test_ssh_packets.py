"""The packets of an SSH connection: every cipher, new keys in the middle, all sizes, and tampering."""

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager

import asyncssh
import pytest
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_KEXINIT

from gateway.backends.local import LocalBackend
from gateway.ssh import server
from gateway.ssh.gcm import Gcm
from gateway.ssh.incoming import Incoming
from gateway.ssh.wire import Ask, Open, Status, string
from support.rawsftp import Raw, raw_sftp
from support.sshdoor import ssh_door

MIB = 2**20
SECONDS = 10.0
NEW = Open.WRITE | Open.CREAT | Open.TRUNC


@pytest.fixture
def root(tmp_path):
    (tmp_path / "client").mkdir()
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
async def rig(root, tmp_path):
    """Run a door over a folder."""
    async with ssh_door(tmp_path / "client", LocalBackend(root, is_durable=False)) as rig:
        yield rig


@pytest.fixture
def made(monkeypatch):
    """Count packets made and taken here, and exchanges of keys on both sides."""
    counts = Counter()

    def counted(owner, name):
        call = getattr(owner, name)

        def wrapper(self, *args):
            counts[name] += 1
            return call(self, *args)

        monkeypatch.setattr(owner, name, wrapper)

    for owner, name in ((Gcm, "seal"), (Gcm, "step"), (SSHConnection, "_send_kexinit")):
        counted(owner, name)
    return counts


async def until(is_so):
    """Wait until something has come about."""
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def gone(rig):
    """Wait until all sessions have ended, and see that nothing is left open."""
    await until(lambda: not rig.door.visits and not rig.keeper.tasks)
    assert rig.counts["handles"] == 0


async def both_ways(rig, folder, *options):
    """Store and fetch a file with OpenSSH's sftp, and see that it has stayed what it was."""
    content = os.urandom(6 * MIB + 7)
    (folder / "data").write_bytes(content)
    commands = f"put {folder}/data data\nget data {folder}/back\n"
    words = ("-b", "-", "-P", str(rig.port), *options, rig.place)
    status, output = await rig.run("sftp", *words, text=commands)
    assert status == 0, output
    assert (folder / "back").read_bytes() == content


@pytest.mark.parametrize("cipher", server.CIPHERS)
async def test_every_cipher_carries_files_both_ways(rig, tmp_path, made, cipher):
    """What is stored and fetched is the same under each cipher; under AES-GCM, its packets are made here."""
    await both_ways(rig, tmp_path, "-c", cipher)
    is_ours = "gcm" in cipher
    assert (made["seal"] > 150, made["step"] > 150) == (is_ours, is_ours)


async def test_an_unknown_asyncssh_makes_all_packets_itself(rig, tmp_path, made, monkeypatch):
    """With another asyncssh than the one that is known, files are carried as well, and nothing is made here."""
    monkeypatch.setattr(asyncssh, "__version__", "2.99.0")
    await both_ways(rig, tmp_path, "-c", "aes128-gcm@openssh.com")
    assert (made["seal"], made["step"]) == (0, 0)


@pytest.mark.parametrize("size", [1001, 32_805, 70_000])
async def test_however_the_bytes_are_cut(rig, tmp_path, monkeypatch, size):
    """Packets may be cut anywhere on their way, also around new keys."""
    get_buffer = Incoming.get_buffer
    monkeypatch.setattr(Incoming, "get_buffer", lambda self, hint: get_buffer(self, hint)[:size])
    await both_ways(rig, tmp_path, "-c", "aes256-gcm@openssh.com", "-o", "RekeyLimit=1M")


async def test_a_client_that_likes_another_cipher_better(rig, tmp_path):
    """A client that would rather have ChaCha20 comes in with what both know."""
    await both_ways(rig, tmp_path, "-c", "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com")


async def test_the_client_wants_new_keys_in_the_middle(rig, tmp_path, made):
    """Keys are exchanged many times during a transfer because the client wants it, and our packets go on after each."""
    await both_ways(rig, tmp_path, "-c", "aes128-gcm@openssh.com", "-o", "RekeyLimit=1M")
    assert made["_send_kexinit"] > 6
    assert min(made["seal"], made["step"]) > 150


async def test_the_server_wants_new_keys_in_the_middle(root, tmp_path, made, monkeypatch):
    """Keys are exchanged after so many bytes that the server has sent, also when it made their packets itself."""
    monkeypatch.setattr(server, "REKEY_BYTES", MIB // 2)
    async with ssh_door(tmp_path / "client", LocalBackend(root, is_durable=False)) as rig:
        await both_ways(rig, tmp_path, "-c", "aes256-gcm@openssh.com")
    assert made["_send_kexinit"] > 10
    assert made["seal"] > 100


async def test_a_client_that_never_finishes_an_exchange_of_keys_is_not_read_for(rig, root):
    """While keys are exchanged nothing is sent, and what waits to be sent has a bound, whatever the client asks for."""
    (root / "data").write_bytes(bytes(8 * MIB))
    async with rig.connect() as connection:
        writer, reader, _ = await connection.open_session(subsystem="sftp", encoding=None, window=2**30)
        writer.write(string(bytes([Ask.INIT]) + (3).to_bytes(4)))
        sftp = Raw(writer, reader)
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
        handle = await sftp.open(b"data", Open.READ)
        # It begins an exchange, ignores the answer, and goes on as if there were none.
        ignored = {**connection._packet_handlers, MSG_KEXINIT: lambda *_: True}
        connection._packet_handlers = ignored
        connection._send_kexinit()
        connection._kex_complete = True
        for number in range(30):
            sftp.send(Ask.READ, string(handle), (number * 200_000).to_bytes(8), (200_000).to_bytes(4))
        (visit,) = rig.door.visits
        there = visit._connection
        (channel,) = there._channels.values()
        await until(lambda: channel._send_paused)
        waiting = sum(len(b"".join(parts)) for _, parts in there._deferred_packets) + channel._send_buf_len
        assert waiting < 2 * MIB
        connection.abort()
    await gone(rig)


async def test_new_keys_for_another_cipher(rig, root, made):
    """A client may change to another cipher and back while it writes and reads."""
    content = os.urandom(8 * MIB)
    ciphers = [b"aes128-ctr", b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com"]
    async with rig.connect(encryption_algs=["aes128-gcm@openssh.com"]) as connection:

        async def change():
            while True:
                # Not in the middle of an exchange: what it offered counts until the end of it.
                if connection._kex_complete:
                    connection._enc_algs = [ciphers[0]]
                    ciphers.append(ciphers.pop(0))
                    connection._rekey_bytes_sent = connection._rekey_bytes
                await asyncio.sleep(0.05)

        changing = asyncio.create_task(change())
        async with connection.start_sftp_client() as sftp:
            for _ in range(3):
                async with sftp.open("data", "wb") as file:
                    await file.write(content)
                async with sftp.open("data", "rb") as file:
                    assert await file.read() == content
        changing.cancel()
    assert (root / "data").read_bytes() == content
    assert made["_send_kexinit"] > 6


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
@pytest.mark.parametrize("size", [1024, 1031, 4096, 65_536, 200_000])
async def test_packets_of_every_size(rig, root, size, cipher):
    """The client gets packets as small or large as it wants, and sends such ones too."""
    content = os.urandom(3 * size + 1)
    async with rig.connect(encryption_algs=[cipher]) as connection:
        writer, reader, _ = await connection.open_session("scp -t data", encoding=None, max_pktsize=size)
        writer.channel._send_pktsize = min(size, 32_768)
        writer.write(b"C0644 %d data\n%s\0" % (len(content), content))
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), SECONDS) == b"\0\0\0"
        assert (root / "data").read_bytes() == content
        writer, reader, _ = await connection.open_session("scp -f data", encoding=None, max_pktsize=size)
        writer.write(b"\0\0\0\0")
        got = await asyncio.wait_for(reader.read(), SECONDS)
    assert got == b"C0644 %d data\n%s\0" % (len(content), content)


@pytest.mark.parametrize("size", [1, 5, 16])
async def test_a_client_may_send_tiny_packets(rig, root, size):
    """What comes in packets of a few bytes arrives whole."""
    content = os.urandom(3000)
    async with rig.connect() as connection:
        writer, reader, _ = await connection.open_session("scp -t data", encoding=None)
        writer.channel._send_pktsize = size
        writer.write(b"C0644 %d data\n%s\0" % (len(content), content))
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), SECONDS) == b"\0\0\0"
    assert (root / "data").read_bytes() == content


@pytest.mark.parametrize("size", [1, 1023])
async def test_nobody_is_sent_tiny_packets(rig, size):
    """A client that takes only tiny packets, very many of which would be made at once, gets none."""
    async with rig.connect() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await asyncio.wait_for(connection.open_session(subsystem="sftp", max_pktsize=size), SECONDS)
    await gone(rig)


async def test_more_than_the_window_ends_the_connection(rig, root):
    """A client that sends more than it may is cut off, and what it was writing does not appear."""
    async with raw_sftp(rig) as sftp:
        handle = await sftp.open(b"data", NEW)
        channel = sftp.writer.channel
        channel._send_window = channel._send_pktsize = 2**31
        # Larger than what may come in one packet: refused by its length, before it is there.
        sftp.send(Ask.WRITE, string(handle), bytes(8), string(bytes(3 * MIB)))
        await asyncio.wait_for(sftp.connection.wait_closed(), SECONDS)
    await gone(rig)
    assert list(root.iterdir()) == []


@asynccontextmanager
async def tampering(port, spoil):
    """Relay to a port, with each piece that the client sends handed to `spoil` on its way; yield the relay's port."""

    async def pass_on(reader, writer, change):
        try:
            while data := await reader.read(65_536):
                writer.write(change(data))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def relay(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, there[1], spoil), pass_on(there[0], writer, bytes))

    relay_server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with relay_server:
        yield relay_server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr"])
async def test_a_changed_bit_ends_the_connection(rig, root, cipher):
    """One bit changed on the way in: the connection ends, and nothing of what it carried is used or left."""
    is_spoiling = False

    def spoil(data):
        if not is_spoiling or len(data) < 1000:
            return data
        return data[:500] + bytes([data[500] ^ 1]) + data[501:]

    async with tampering(rig.port, spoil) as port:
        options = {"username": "ocm-0123", "client_keys": [str(rig.key_file)], "known_hosts": None, "config": None}
        connection = await asyncssh.connect("127.0.0.1", port, encryption_algs=[cipher], **options)
        async with connection, connection.start_sftp_client() as sftp:
            file = await sftp.open("data", "wb")
            await file.write(b"fine")
            is_spoiling = True
            with pytest.raises((asyncssh.Error, OSError)):
                await asyncio.wait_for(file.write(os.urandom(100_000), 4), SECONDS)
    await gone(rig)
    assert list(root.iterdir()) == []


async def test_what_was_written_before_counts(rig, root):
    """Data packets and the requests behind them come in the order in which they were sent, however they are cut."""
    async with raw_sftp(rig) as sftp:
        handle = await sftp.open(b"data", NEW)
        sftp.writer.channel._send_pktsize = 999
        pieces = [os.urandom(10_000) for _ in range(20)]
        for number, piece in enumerate(pieces):
            sftp.send(Ask.WRITE, string(handle), (number * 10_000).to_bytes(8), string(piece))
        sftp.send(Ask.CLOSE, string(handle))
        answers = [await sftp.answer() for _ in range(21)]
        assert [number for _, number, _ in answers] == list(range(2, 23))
        assert {packet.uint32() for _, _, packet in answers} == {Status.OK}
    assert (root / "data").read_bytes() == b"".join(pieces)


async def test_writes_that_fail_together_are_told_one_by_one(rig, root):
    """Of many writes that go on where the one before ends, each is told that it has failed, and nothing appears."""
    async with raw_sftp(rig) as sftp:
        (root / "old").write_bytes(b"old")
        handle = await sftp.open(b"old", Open.READ)
        for number in range(10):
            sftp.send(Ask.WRITE, string(handle), (number * 1000).to_bytes(8), string(bytes(1000)))
        answers = [await sftp.answer() for _ in range(10)]
        assert [number for _, number, _ in answers] == list(range(2, 12))
        assert {packet.uint32() for _, _, packet in answers} == {Status.PERMISSION_DENIED}
        assert await sftp.ask(Ask.CLOSE, string(handle)) != Status.OK
    assert (root / "old").read_bytes() == b"old"
