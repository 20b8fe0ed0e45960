"""What a client may do to the SSH door on purpose or by accident, and what it gets for it."""

import asyncio
import struct
import time
from dataclasses import replace

import asyncssh
import pytest
import structlog.testing

from gateway.backends.local import LocalBackend
from gateway.crypto.sshkeys import HostKey
from gateway.errors import GatewayError, Kind
from gateway.ssh.wire import Ask, Open, Packet, Status, string
from support.rawsftp import NO_ATTRS, raw_sftp
from support.sshdoor import LIMITS, make_key, ssh_door

NEW = Open.WRITE | Open.CREAT | Open.TRUNC
SECONDS = 5.0


@pytest.fixture
def root(tmp_path):
    (tmp_path / "client").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("old content")
    return tmp_path / "root"


@pytest.fixture
async def rig(root, tmp_path):
    """Run a door over a folder."""
    async with ssh_door(tmp_path / "client", LocalBackend(root, is_durable=False)) as rig:
        yield rig


def names(folder):
    """What is in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


async def until(is_so):
    """Wait until something has come about."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


async def gone(rig):
    """Wait until all sessions have ended, and see that nothing is left open."""
    await until(lambda: not rig.door.visits and rig.counts["sessions"] == 0 and not rig.keeper.tasks)
    assert rig.counts["handles"] == 0
    assert not rig.door.addresses
    assert not rig.door.rooms


async def test_writes_in_any_order(rig, root):
    """Re-ordered and overlapping writes give the content that they describe, seen at the close."""
    async with raw_sftp(rig) as sftp:
        handle = await sftp.open(b"a.txt", NEW)
        for offset, data in ((6, b"world"), (0, b"hellooo"), (5, b" "), (11, b"!")):
            assert await sftp.write(handle, offset, data) == Status.OK
        assert (root / "a.txt").read_text() == "old content"
        assert await sftp.ask(Ask.CLOSE, string(handle)) == Status.OK
    assert (root / "a.txt").read_text() == "hello oorld!"
    await gone(rig)


async def test_places_that_no_file_has(rig, root):
    """Huge and negative offsets are failures of their request, and a write that failed is never put in place."""
    async with raw_sftp(rig) as sftp:
        handle = await sftp.open(b"a.txt", Open.READ)
        for offset in (2**63, 2**64 - 1, 2**63 - 5):
            assert await sftp.read(handle, offset, 10) in (Status.FAILURE, Status.EOF)
        assert len(await sftp.read(handle, 0, 2**32 - 1)) == 11
        assert await sftp.read(handle, 11, 5) == Status.EOF
        assert await sftp.write(handle, 0, b"x") == Status.PERMISSION_DENIED
        handle = await sftp.open(b"a.txt", NEW)
        assert await sftp.write(handle, 2**64 - 1, b"x") == Status.FAILURE
        # Clients have sent many writes before they hear of a failure: none of those behind it is tried.
        assert await sftp.write(handle, 0, b"fine") == Status.FAILURE
        assert await sftp.ask(Ask.CLOSE, string(handle)) == Status.FAILURE
    assert (root / "a.txt").read_text() == "old content"
    await gone(rig)


async def test_ten_thousand_handles(rig):
    """Beyond the limit opening fails, and what is open goes on; afterwards nothing is."""
    async with raw_sftp(rig) as sftp:
        for _ in range(10_000):
            sftp.send(Ask.OPEN, string(b"a.txt"), int(Open.READ).to_bytes(4), NO_ATTRS)
        kinds = [(await sftp.answer())[0] for _ in range(10_000)]
        assert kinds.count(102) == LIMITS.handles
        assert kinds.count(101) == 10_000 - LIMITS.handles
        assert await sftp.read(bytes(4), 0, 3) == b"old"
        assert await sftp.ask(Ask.CLOSE, string(bytes(4))) == Status.OK
        assert isinstance(await sftp.open(b"a.txt", Open.READ), bytes)
    await gone(rig)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", bytes(4), (400_000).to_bytes(4) + b"x" * 100, string(b"\x05"), b"GET / HTTP/1.1\r\n\r\n"],
)
async def test_what_is_no_sftp_ends_the_session_only(rig, data):
    """Bytes that are no packets end their session; the connection, and others, go on."""
    async with raw_sftp(rig) as sftp:
        sftp.writer.write(data)
        assert await asyncio.wait_for(sftp.reader.read(), SECONDS) == b""
        async with sftp.connection.start_sftp_client() as client:
            assert await client.exists("a.txt")
    await gone(rig)


async def test_requests_that_hold_nonsense(rig):
    """A short, unknown or impossible request gets its status, and the session goes on."""
    async with raw_sftp(rig) as sftp:
        assert await sftp.ask(Ask.OPEN, b"\xff\xff\xff\xff") == Status.BAD_MESSAGE
        assert await sftp.ask(Ask.READ) == Status.BAD_MESSAGE
        assert await sftp.ask(99) == Status.OP_UNSUPPORTED
        assert await sftp.ask(Ask.EXTENDED, string(b"nothing@example.org")) == Status.OP_UNSUPPORTED
        assert await sftp.ask(Ask.SYMLINK, string(b"/etc/passwd"), string(b"link")) == Status.OP_UNSUPPORTED
        assert await sftp.ask(Ask.CLOSE, string(b"nothing")) == Status.FAILURE
        assert await sftp.open(b"a\0b", NEW) == Status.FAILURE
        assert await sftp.open(b"x" * 5000, NEW) == Status.FAILURE
        packet = await sftp.ask(Ask.REALPATH, string(b"../../../etc/./x/.."))
        assert isinstance(packet, Packet)
        assert (packet.uint32(), packet.string()) == (1, b"/etc")
        assert await sftp.ask(Ask.STAT, string(b"../../../etc/passwd")) == Status.NO_SUCH_FILE
    await gone(rig)


async def test_a_write_with_a_tail(rig, root):
    """A write whose packet is longer than its data counts for its data, as older rclones send it."""
    async with raw_sftp(rig) as sftp:
        handle = await sftp.open(b"new", NEW)
        data = string(b"short") + b"tail that does not count"
        assert await sftp.ask(Ask.WRITE, string(handle), struct.pack(">Q", 0), data) == Status.OK
        assert await sftp.ask(Ask.CLOSE, string(handle)) == Status.OK
    assert (root / "new").read_text() == "short"


@pytest.mark.parametrize("way", ["abort", "end of what lets it in"])
async def test_a_client_that_goes_away_leaves_nothing_half(rig, root, way):
    """An upload that breaks off leaves the old file, no new one, no temporary, and nothing open."""
    async with raw_sftp(rig) as sftp:
        for path in (b"a.txt", b"new"):
            handle = await sftp.open(path, NEW)
            assert await sftp.write(handle, 0, b"half") == Status.OK
        end = sftp.connection.abort if way == "abort" else rig.keeper.end
        end()
        await sftp.connection.wait_closed()
    await gone(rig)
    assert (root / "a.txt").read_text() == "old content"
    assert names(root) == ["a.txt"]


async def test_scp_that_breaks_off_leaves_nothing_half(rig, root):
    """The old protocol too puts a file in place only when all its bytes have come."""
    async with rig.connect() as connection:
        writer, reader, _ = await connection.open_session("scp -t a.txt", encoding=None)
        assert await reader.readexactly(1) == b"\0"
        writer.write(b"C0644 100 a.txt\n")
        assert await reader.readexactly(1) == b"\0"
        writer.write(b"only this")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    await gone(rig)
    assert (root / "a.txt").read_text() == "old content"
    assert names(root) == ["a.txt"]


@pytest.mark.parametrize(
    "header", [b"C0644 1 ../x\n", b"C0644 1 ..\n", b"C0644 -1 x\n", b"nonsense\n", b"D0755 0 x\n", b"C" + b"0" * 9000]
)
async def test_scp_headers_that_lead_elsewhere(rig, root, header):
    """A header with a path, a negative size or nonsense makes no file."""
    async with rig.connect() as connection:
        writer, reader, _ = await connection.open_session("scp -t .", encoding=None)
        assert await reader.readexactly(1) == b"\0"
        writer.write(header)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), SECONDS)
    assert names(root) == ["a.txt"]
    assert not (root.parent / "x").exists()


@pytest.mark.parametrize("command", ["id", "scp", "scp -t a b", "scp -S sh -t a", "scp -f a; id", "rsync --server ."])
async def test_no_other_command_is_run(rig, command):
    """There is no shell and no command but scp; what looks like more is a name."""
    async with rig.connect() as connection:
        if command.startswith("scp -f"):
            result = await connection.run(command, input="\0" * 5)
            assert "no such file" in result.stdout
        else:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.create_process(command)


async def test_nothing_but_files_is_served(rig):
    """Shells, terminals, forwarding in either direction, agents and other subsystems are refused."""
    async with rig.connect() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_process()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_process(subsystem="netconf")
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", 22)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/run/docker.sock")
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 22)
    status, output = await rig.run("ssh", "-p", str(rig.port), "-tt", rig.place, "id")
    assert status != 0
    assert "uid" not in output


@pytest.mark.req("SHARE-4")
async def test_only_a_proven_key_comes_in(rig, tmp_path):
    """Another key, another user, no key and pass words are refused, and each try counts as a guess."""
    make_key(tmp_path / "client", "other")
    tries = (
        {"client_keys": [str(tmp_path / "client" / "other")]},
        {"username": "root"},
        {"client_keys": None, "password": "open sesame"},
    )
    with structlog.testing.capture_logs() as events:
        for options in tries:
            with pytest.raises(asyncssh.PermissionDenied):
                await rig.connect(**options)
        await gone(rig)
    assert len(rig.guesses) == 2
    told = [event["address"] for event in events if event["event"] == "ssh log-in refused"]
    assert told == ["127.0.0.1"] * 2


async def test_a_key_that_is_only_asked_about_opens_nothing(rig):
    """To know a public key is not to have it: without a signature nothing is served."""
    private = asyncssh.read_private_key(str(rig.key_file))
    other = asyncssh.generate_private_key("ssh-ed25519")
    pair = asyncssh.load_keypairs([other])[0]
    pair.public_data = asyncssh.load_keypairs([private])[0].public_data
    with pytest.raises(asyncssh.PermissionDenied):
        await rig.connect(client_keys=[pair])
    assert rig.keeper.tasks == set()


async def test_pass_words_only_where_somebody_has_one(root, tmp_path):
    """A doorkeeper with pass words lets their owner in by the right one only."""
    async with ssh_door(tmp_path / "client", LocalBackend(root), takes_passwords=True) as rig:
        async with rig.connect(client_keys=None, password="open sesame"):
            pass
        with pytest.raises(asyncssh.PermissionDenied):
            await rig.connect(client_keys=None, password="wrong")


async def test_old_ciphers_and_keys_are_not_offered(rig):
    """What is weak, or slow, is in none of the door's lists."""
    weak = (
        {"encryption_algs": ["chacha20-poly1305@openssh.com"]},
        {"encryption_algs": ["aes128-cbc"]},
        {"kex_algs": ["diffie-hellman-group14-sha1"]},
        {"mac_algs": ["hmac-sha1"], "encryption_algs": ["aes128-ctr"]},
        {"compression_algs": ["zlib"]},
    )
    for options in weak:
        with pytest.raises(asyncssh.KeyExchangeFailed):
            await rig.connect(**options)


@pytest.mark.parametrize("limit", ["per_address", "per_room", "connections"])
async def test_too_many_connections_are_refused(root, tmp_path, limit):
    """Beyond the limit of an address, a share or the door a connection is refused; when one ends there is room."""
    limits = replace(LIMITS, **{limit: 2})
    async with ssh_door(tmp_path / "client", LocalBackend(root), limits=limits) as rig:
        async with rig.connect(), rig.connect():
            with pytest.raises((asyncssh.Error, OSError)):
                async with rig.connect() as third:
                    await third.start_sftp_client()
        await gone(rig)
        async with rig.connect():
            pass


async def test_who_does_not_log_in_or_does_nothing_is_sent_away(root, tmp_path):
    """A connection without a log-in ends, and one without traffic too."""
    limits = replace(LIMITS, log_in_seconds=0.2, idle_seconds=0.4)
    async with ssh_door(tmp_path / "client", LocalBackend(root), limits=limits) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        greeting = await reader.readline()
        assert greeting == b"SSH-2.0-ocm-gateway\r\n"
        await asyncio.wait_for(reader.read(), SECONDS)
        writer.close()
        connection = await rig.connect()
        await asyncio.wait_for(connection.wait_closed(), SECONDS)
        await gone(rig)


@pytest.mark.req("ACC-6")
async def test_links_lead_nowhere(rig, root, tmp_path):
    """Symbolic links in the storage, to a file, a folder or around, are not there for a guest."""
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "out").symlink_to(tmp_path)
    (root / "etc").symlink_to("/etc")
    async with rig.connect() as connection, connection.start_sftp_client() as client:
        assert set(await client.listdir(".")) == {".", "..", "a.txt"}
        for path in ("link", "out/secret", "etc/passwd", "out", "../secret"):
            for verb in (client.stat, client.lstat, client.open, client.listdir, client.remove, client.readlink):
                with pytest.raises(asyncssh.SFTPError):
                    await verb(path)
        for path in ("link", "out/new", "etc/new"):
            with pytest.raises(asyncssh.SFTPError):
                await client.open(path, "w")
        with pytest.raises(asyncssh.SFTPError):
            await client.symlink("/etc/passwd", "mine")
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.req("ACC-6")
async def test_a_guest_for_reading_changes_nothing(root, tmp_path):
    """Every request that would change something is refused with "permission denied" for a reader."""
    async with ssh_door(tmp_path / "client", ReadOnly(root), may_write=False) as rig, raw_sftp(rig) as sftp:
        a = string(b"a.txt")
        denied = [
            await sftp.open(b"a.txt", NEW),
            await sftp.open(b"a.txt", Open.WRITE),
            await sftp.ask(Ask.REMOVE, a),
            await sftp.ask(Ask.RENAME, a, string(b"b")),
            await sftp.ask(Ask.MKDIR, string(b"f"), NO_ATTRS),
            await sftp.ask(Ask.RMDIR, a),
            await sftp.ask(Ask.SETSTAT, a, struct.pack(">II", 4, 0o777)),
            await sftp.ask(Ask.EXTENDED, string(b"posix-rename@openssh.com"), a, string(b"b")),
        ]
        assert denied == [Status.PERMISSION_DENIED] * len(denied)
        handle = await sftp.open(b"a.txt", Open.READ)
        assert await sftp.read(handle, 0, 100) == b"old content"
        assert await sftp.ask(Ask.FSETSTAT, string(handle), struct.pack(">IQ", 1, 0)) == Status.PERMISSION_DENIED


async def test_what_a_reader_sends_is_refused_before_it_comes(root, tmp_path):
    """A guest for reading hears at once that nothing is taken, not after gigabytes, whatever the storage says later."""
    door = ssh_door(tmp_path / "client", LocalBackend(root, is_durable=False), may_write=False)
    async with door as rig, rig.connect() as connection:
        writer, reader, _ = await connection.open_session("scp -t new", encoding=None)
        assert await reader.readexactly(1) == b"\0"
        writer.write(b"C0644 5368709120 new\n")
        assert await asyncio.wait_for(reader.readexactly(1), SECONDS) == b"\1"
        writer.write_eof()
    assert names(root) == ["a.txt"]


async def test_a_storage_that_fails_is_a_failure(root, tmp_path):
    """A full or absent storage is SFTP's failure, the old content stays, and nothing is left open."""
    async with ssh_door(tmp_path / "client", FullDisk(root, is_durable=False)) as rig, raw_sftp(rig) as sftp:
        handle = await sftp.open(b"a.txt", NEW)
        assert await sftp.write(handle, 0, b"new") == Status.FAILURE
        assert await sftp.ask(Ask.CLOSE, string(handle)) == Status.FAILURE
        assert await sftp.ask(Ask.STAT, string(b"boom")) == Status.FAILURE
        assert rig.counts["handles"] == 0
    assert (root / "a.txt").read_text() == "old content"
    assert names(root) == ["a.txt"]


async def test_a_slow_storage_stalls_nobody_else(root, tmp_path):
    """While the storage lets one request wait, the process turns and another session is served."""
    door = ssh_door(tmp_path / "client", SlowStat(root, is_durable=False))
    async with door as rig, raw_sftp(rig) as slow, raw_sftp(rig) as quick:
        slow.send(Ask.STAT, string(b"slow"))
        assert isinstance(await asyncio.wait_for(quick.ask(Ask.STAT, string(b"a.txt")), SECONDS), Packet)
        rig.keeper.backend.let_go.set()
        assert (await slow.answer())[0] == 101


class ReadOnly(LocalBackend):
    """A storage that lets nothing be changed, as a share for reading does."""

    def open_at(self, path, mode, *, is_new=False):
        if mode.value != "read":
            raise GatewayError(Kind.FORBIDDEN, "This share is for reading only.")
        return super().open_at(path, mode, is_new=is_new)


class FullDisk(LocalBackend):
    """A storage that has no room and cannot tell what `boom` is."""

    async def stat(self, path):
        if path.name == "boom":
            raise OSError("the disk is on fire")
        return await super().stat(path)

    def open_at(self, path, mode, *, is_new=False):
        return Full(super().open_at(path, mode, is_new=is_new))


class Full:
    def __init__(self, opening):
        self.opening = opening

    async def __aenter__(self):
        self.file = await self.opening.__aenter__()
        self.file.write_at = self.refuse
        return self.file

    async def refuse(self, offset, data):
        raise GatewayError(Kind.NO_SPACE, "The storage is full.")

    async def __aexit__(self, *problem):
        return await self.opening.__aexit__(*problem)


class SlowStat(LocalBackend):
    """A storage that takes its time for one name."""

    def __init__(self, root, **options):
        super().__init__(root, **options)
        self.let_go = asyncio.Event()

    async def stat(self, path):
        if path.name == "slow":
            await self.let_go.wait()
        return await super().stat(path)


async def test_a_new_host_key_needs_no_restart(rig, tmp_path):
    """When the keys were exchanged, connections to come meet the new one, and those that are open go on."""
    new = HostKey.generate()
    async with rig.connect() as old:
        rig.keys[:] = [new.openssh(), *rig.keys]
        async with rig.connect():
            pass
        known = asyncssh.import_known_hosts(f"127.0.0.1,[127.0.0.1]:{rig.port} {new.public}\n")
        async with rig.connect(known_hosts=known), old.start_sftp_client() as client:
            assert await client.exists("a.txt")
