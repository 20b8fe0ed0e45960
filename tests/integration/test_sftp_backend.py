"""Storage behind real SSH servers: links, names, random access, connections that are shared and lost (DESIGN 6)."""

import asyncio
import os
import shutil
import unicodedata

import asyncssh
import pytest
from contract.backend_suite import at, get, names, pieces, put, refusal

from gateway.backends.base import HasQuota, OpenAt, OpenMode, SetTime
from gateway.backends.localfs import ASIDE_PREFIX, TEMPORARY_PREFIX
from gateway.backends.sftp import SftpBackend
from gateway.backends.sftp_pool import PoolLimits, SftpPool
from gateway.backends.sftp_server import KnownHosts, PinnedKeys, SftpAccount, SftpServer
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from support.asyncserver import account, async_server
from support.proftpd import proftpd
from support.smalldisk import names_in
from support.sshd import sshd
from support.sshservers import kill_all, new_key, private_text, public_line

ROOT = ResourcePath()
DATA = bytes(range(256)) * 40_000


@pytest.fixture(scope="module")
def openssh():
    """An OpenSSH sshd."""
    with sshd() as server:
        yield server


@pytest.fixture
async def folder(openssh):
    """An empty folder of the sshd."""
    return openssh.fresh("test")


@pytest.fixture
async def backend(openssh, folder):
    """The folder as a storage."""
    async with openssh.backend(folder) as backend:
        yield backend


def pool_of(backend):
    """The pool of a backend."""
    return backend._pool


async def test_abilities(backend):
    """Times can be set, the disk's room is told, and files are open at any place."""
    assert isinstance(backend, SetTime)
    assert isinstance(backend, HasQuota)
    assert isinstance(backend, OpenAt)
    quota = await backend.quota(ROOT)
    assert quota.available == pytest.approx(shutil.disk_usage("/tmp").free, rel=0.2)


@pytest.mark.req("ACC-6")
async def test_links_are_neither_shown_nor_followed(backend, folder):
    """Links, to files and folders, inside and outside, do not exist for readers and are not replaced by writers."""
    (folder.parent / "secret").mkdir(exist_ok=True)
    (folder.parent / "secret/file").write_text("secret")
    (folder / "real").mkdir()
    (folder / "real/file").write_text("real")
    (folder / "out").symlink_to(folder.parent / "secret")
    (folder / "in").symlink_to("real")
    (folder / "link").symlink_to("real/file")
    os.mkfifo(folder / "pipe")
    assert await names(backend) == ["real"]
    for path in ("out", "out/file", "in/file", "link", "pipe"):
        assert await refusal(backend.stat(at(path))) is Kind.NOT_FOUND
        assert await refusal(get(backend, path)) is Kind.NOT_FOUND
        assert await refusal(backend.delete(at(path))) is Kind.NOT_FOUND
    for path in ("link", "out", "pipe"):
        assert await refusal(put(backend, path)) is Kind.FORBIDDEN
    assert await refusal(put(backend, "out/new")) is Kind.CONFLICT
    assert await refusal(backend.move(at("real"), at("out/x"), overwrite=True)) is Kind.CONFLICT


async def test_a_removed_folder_takes_its_links_along_and_not_what_they_lead_to(backend, folder):
    """Removing a folder removes the links in it; a copy leaves them out."""
    victim = folder.parent / "victim"
    victim.mkdir(exist_ok=True)
    (victim / "file").write_text("dear")
    (folder / "f/deep").mkdir(parents=True)
    (folder / "f/deep/out").symlink_to(victim)
    await backend.copy(at("f"), at("g"), overwrite=False)
    assert names_in(folder / "g/deep") == []
    await backend.delete(at("f"))
    assert names_in(folder) == ["g"]
    assert names_in(victim) == ["file"]


async def test_names_are_found_in_the_other_normal_form(backend, folder):
    """A name is found exactly, or else in the one other Unicode normal form that exists; bytes stay as stored."""
    composed, apart = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    (folder / apart).mkdir()
    (folder / apart / apart).write_text("x")
    assert await get(backend, f"{composed}/{composed}") == b"x"
    await put(backend, f"{composed}/{composed}", b"new")
    assert names_in(folder) == [apart]
    assert names_in(folder / apart) == [apart]
    (folder / os.fsdecode(b"\xff")).touch()
    assert os.fsdecode(b"\xff") in await names(backend)


async def test_rights_of_a_replaced_file_are_kept(backend, folder):
    """New content has the permission bits of the old, from its first byte on."""
    (folder / "file").touch(mode=0o640)
    (folder / "file").chmod(0o640)
    async with backend.open_at(at("file"), OpenMode.REPLACE) as file:
        await file.write_at(0, b"new")
        (part,) = (path for path in folder.iterdir() if path.name.startswith(TEMPORARY_PREFIX))
        assert part.stat().st_mode & 0o077 & ~0o040 == 0
    assert (folder / "file").stat().st_mode & 0o777 == 0o640


async def test_each_content_has_a_tag_of_its_own(backend):
    """Contents of one size written within one second differ in their tags, also those changed in place."""
    tags = {(await put(backend, "file", bytes([65 + number]))).entry.etag for number in range(6)}
    async with backend.open_at(at("file"), OpenMode.UPDATE) as file:
        await file.write_at(0, b"x")
    tags.add((await backend.stat(at("file"))).etag)
    assert len(tags) == 7
    written = await put(backend, "file", b"z")
    assert written.entry == await backend.stat(at("file"))


async def test_unfinished_files_are_hidden_and_swept(backend, folder):
    """What a broken write left behind has no name for anybody, and is removed once it is old enough."""
    (folder / "sub").mkdir()
    (folder / "sub/file").touch()
    left = [folder / f"{TEMPORARY_PREFIX}1", folder / f"sub/{TEMPORARY_PREFIX}2", folder / f"{TEMPORARY_PREFIX}3/x"]
    left[2].parent.mkdir()
    for path in left:
        path.touch()
    (folder / f"{ASIDE_PREFIX}4").touch()
    assert await names(backend) == ["sub"]
    assert await refusal(backend.stat(at(f"{TEMPORARY_PREFIX}1"))) is Kind.NOT_FOUND
    assert await refusal(put(backend, f"{TEMPORARY_PREFIX}1")) is Kind.FORBIDDEN
    assert await backend.sweep_temporaries(0) == 0
    assert await backend.sweep_temporaries(2**33) == 3
    assert names_in(folder) == [f"{ASIDE_PREFIX}4", "sub"]
    assert names_in(folder / "sub") == ["file"]


async def test_random_access(backend):
    """A file is read and changed at any place, cut and extended, and holes read as zeros."""
    await put(backend, "file", DATA)
    async with backend.open_at(at("file"), OpenMode.UPDATE) as file:
        await asyncio.gather(file.write_at(5, b"five"), file.write_at(5_000_000, b"far"))
        assert await file.read_at(3, 8) == DATA[3:5] + b"five" + DATA[9:11]
        assert len(await file.read_at(0, 1_000_000)) == 1_000_000
        assert (await file.stat()).size == len(DATA)
        await file.truncate(10)
        await file.write_at(12, b"!")
        assert await file.read_at(0, 100) == DATA[:5] + b"five" + DATA[9:10] + b"\0\0!"
        assert await file.read_at(13, 100) == b""
    assert (await backend.stat(at("file"))).size == 13


async def test_open_for_reading_only(backend):
    """A file open for reading cannot be changed; what is no file cannot be opened."""
    await put(backend, "file", b"content")
    async with backend.open_at(at("file"), OpenMode.READ) as file:
        assert await file.read_at(3, 100) == b"tent"
        assert await refusal(file.write_at(0, b"x")) is Kind.FORBIDDEN
        assert await refusal(file.truncate(0)) is Kind.FORBIDDEN
    for path, kind in (("none", Kind.NOT_FOUND), ("", Kind.CONFLICT)):
        assert await refusal(backend.open_at(at(path), OpenMode.UPDATE).__aenter__()) is kind
    assert await refusal(backend.open_at(at("none/x"), OpenMode.REPLACE).__aenter__()) is Kind.CONFLICT
    opening = backend.open_at(at("file"), OpenMode.REPLACE, is_new=True)
    assert await refusal(opening.__aenter__()) is Kind.PRECONDITION_FAILED
    assert await get(backend, "file") == b"content"


async def test_replacing_by_random_access(backend, folder):
    """New content stands only when it is complete; left with an error or cancelled, nothing has changed."""
    await put(backend, "file", b"old")

    async def break_off():
        async with backend.open_at(at("file"), OpenMode.REPLACE) as file:
            await file.write_at(0, b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_off()
    assert (names_in(folder), await get(backend, "file")) == (["file"], b"old")

    is_open, never = asyncio.Event(), asyncio.Event()

    async def replace():
        async with backend.open_at(at("file"), OpenMode.REPLACE) as file:
            await file.write_at(0, b"half")
            is_open.set()
            await never.wait()

    task = asyncio.create_task(replace())
    await is_open.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (names_in(folder), await get(backend, "file")) == (["file"], b"old")

    async with backend.open_at(at("file"), OpenMode.REPLACE) as file:
        await file.write_at(3, b"new")
        assert await get(backend, "file") == b"old"
    assert await get(backend, "file") == b"\0\0\0new"


async def test_a_new_file_that_came_meanwhile_is_kept(backend):
    """With `is_new` a file that appears while ours is written is not replaced."""

    async def replace():
        async with backend.open_at(at("file"), OpenMode.REPLACE, is_new=True) as file:
            await put(backend, "file", b"theirs")
            await file.write_at(0, b"ours")

    assert await refusal(replace()) is Kind.PRECONDITION_FAILED
    assert await get(backend, "file") == b"theirs"


async def test_a_large_folder_is_removed_in_pieces(backend, folder):
    """A folder with more members than one batch is removed whole."""
    (folder / "f").mkdir()
    for number in range(2300):
        (folder / f"f/{number}").touch()
    await backend.delete(at("f"))
    assert names_in(folder) == []


async def test_many_readers_share_few_connections(openssh, folder, backend):
    """Readers at the same time get sessions on few connections, and all of their bytes."""
    (folder / "file").write_bytes(DATA)
    results = await asyncio.gather(*(get(backend, "file") for _ in range(12)))
    assert all(result == DATA for result in results)
    assert pool_of(backend).connections <= 2


async def test_idle_connections_are_closed(openssh, folder):
    """A connection that nobody uses for a while is closed, and the next verb makes another."""
    async with openssh.backend_with(folder, limits=PoolLimits(idle_seconds=0.05)) as backend:
        await backend.stat(ROOT)
        async with asyncio.timeout(10):
            while pool_of(backend).connections:  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.01)
        assert (await backend.stat(ROOT)).is_folder


async def test_the_place_of_an_unused_connection_goes_to_another_account(tmp_path):
    """All accounts together have a bounded number of connections; one that is unused makes room."""

    class Anybody(asyncssh.SSHServer):
        """Lets everybody in who has a pass word."""

        def password_auth_supported(self):
            """Offer pass words."""
            return True

        def validate_password(self, username, password):
            """Accept any."""
            return True

    async with (
        async_server(tmp_path, login=Anybody) as server,
        server.pool(limits=PoolLimits(connections=2)) as pool,
    ):
        for number in range(5):
            own = SftpBackend(pool, SftpAccount(user=f"user{number}", password=Secret("x")), str(tmp_path))
            assert (await own.stat(ROOT)).is_folder
            assert pool.connections <= 2


async def test_accounts_do_not_share_connections(tmp_path):
    """A connection of one log-in never serves another, even of the same user name with another pass word."""
    async with async_server(tmp_path) as server, server.pool() as pool:
        assert (await SftpBackend(pool, account(), str(tmp_path)).stat(ROOT)).is_folder
        wrong = SftpBackend(pool, account("wrong"), str(tmp_path))
        assert await refusal(wrong.stat(ROOT)) is Kind.UNAVAILABLE


async def test_a_server_that_allows_one_session_serves_many(folder):
    """Where a connection may carry only one session (`MaxSessions 1`), further connections are made instead."""
    (folder / "file").write_bytes(b"x")
    with sshd(extra="MaxSessions 1") as server:
        async with server.backend(folder) as backend:
            async with backend.open(at("file")), backend.open(at("file")), backend.open(at("file")):
                assert pool_of(backend).connections == 3
            assert (await backend.stat(at("file"))).size == 1


@pytest.mark.parametrize("verb", ["stat", "list", "open", "write", "open_at"])
async def test_a_connection_that_died_while_idle_is_replaced(folder, verb):
    """After the server has lost its connections, the next verb of any kind succeeds on a new one."""
    (folder / "file").write_bytes(b"content")
    with sshd() as server:
        async with server.backend(folder) as backend:
            await backend.stat(ROOT)
            kill_all(server.process, with_itself=False)
            if verb == "stat":
                assert (await backend.stat(at("file"))).size == 7
            elif verb == "list":
                assert await names(backend) == ["file"]
            elif verb == "open":
                assert await get(backend, "file") == b"content"
            elif verb == "write":
                await put(backend, "file", b"new")
            else:
                async with backend.open_at(at("file"), OpenMode.READ) as file:
                    assert await file.read_at(0, 3) == b"con"


async def test_a_server_killed_while_it_is_written_to(folder):
    """A server that is killed in a write leaves the old content, and beside it only what a sweep finds."""
    (folder / "file").write_bytes(b"old")
    with sshd() as server:
        async with server.backend(folder) as backend:

            async def kill_in_the_middle():
                yield b"n" * 1_000_000
                kill_all(server.process)
                for _ in range(20):
                    yield b"n" * 1_000_000

            assert await refusal(backend.write(at("file"), kill_in_the_middle())) is Kind.UNAVAILABLE
            assert await refusal(backend.stat(ROOT)) is Kind.UNAVAILABLE
            assert pool_of(backend).connections == 0
    assert (folder / "file").read_bytes() == b"old"
    assert all(name == "file" or name.startswith(TEMPORARY_PREFIX) for name in names_in(folder))
    async with async_server(folder) as other, other.backend(folder) as backend:
        await backend.sweep_temporaries(2**33)
    assert names_in(folder) == ["file"]


async def test_known_hosts(tmp_path, folder, openssh):
    """The key in a known-hosts file is trusted for its host and port, and no other; a lost file is an outage."""
    file = tmp_path / "known_hosts"
    server = SftpServer(host="127.0.0.1", port=openssh.port, host_keys=KnownHosts(file))

    async def outcome():
        pool = SftpPool(server)
        try:
            return (await SftpBackend(pool, openssh.account, str(folder)).stat(ROOT)).kind
        except GatewayError as error:
            return error.kind
        finally:
            await pool.close()

    assert await outcome() is Kind.UNAVAILABLE
    file.write_text(f"[127.0.0.1]:{openssh.port} {openssh.host_key}\n")
    assert await outcome() == "folder"
    file.write_text(f"127.0.0.1 {openssh.host_key}\n")
    assert await outcome() == "folder"
    other = public_line(new_key())
    file.write_text(f"127.0.0.1 {openssh.host_key}\n[127.0.0.1]:{openssh.port} {other}\n")
    assert await outcome() is Kind.UNAVAILABLE
    file.write_text(f"storage.example {openssh.host_key}\n127.0.0.1 {other}\n")
    assert await outcome() is Kind.UNAVAILABLE
    file.write_text("")
    assert await outcome() is Kind.UNAVAILABLE
    line = f"[127.0.0.1]:{openssh.port} {openssh.host_key}\n"
    file.write_text(f"{line}@revoked {line}")
    assert await outcome() is Kind.UNAVAILABLE


async def test_the_ssh_set_up_of_this_machine_is_not_used(tmp_path, monkeypatch, folder, openssh):
    """Neither configuration, keys nor known hosts in the home of whoever runs the gateway have a say."""
    home = tmp_path / ".ssh"
    home.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    (home / "config").write_text("Host *\n  ProxyCommand /bin/false\n  User nobody\n")
    (home / "known_hosts").write_text(f"* {openssh.host_key}\n[127.0.0.1]:{openssh.port} {openssh.host_key}\n")
    (home / "id_ed25519").write_text(openssh.account.private_key.reveal())
    (tmp_path / "empty").touch()
    strangers = SftpServer(host="127.0.0.1", port=openssh.port, host_keys=KnownHosts(tmp_path / "empty"))
    without_key = SftpAccount(user=openssh.account.user, password=Secret("none"))
    for server, own, kind in (
        (openssh.server, openssh.account, None),
        (strangers, openssh.account, Kind.UNAVAILABLE),
        (openssh.server, without_key, Kind.UNAVAILABLE),
    ):
        pool = SftpPool(server)
        stat = SftpBackend(pool, own, str(folder)).stat(ROOT)
        if kind is None:
            assert (await stat).is_folder
        else:
            assert await refusal(stat) is kind
        await pool.close()


async def test_a_pass_word_is_also_given_in_a_dialogue(tmp_path):
    """A server that asks for the pass word in a dialogue (`keyboard-interactive`, as PAM does) gets it."""
    async with (
        async_server(tmp_path, password_auth=False, public_key_auth=False) as server,
        server.backend(tmp_path) as backend,
    ):
        assert (await backend.stat(ROOT)).is_folder


async def test_the_address_dialled_is_the_one_that_a_guard_gave(folder, openssh):
    """A guard turns the name into the address that is dialled, or refuses; the name itself is not looked up."""
    asked = []

    async def dial(host, port):
        asked.append((host, port))
        return "127.0.0.1"

    async def refuse(_host, _port):
        raise OSError("not public")

    keys = PinnedKeys((openssh.host_key,))
    for guard, kind in ((dial, None), (refuse, Kind.UNAVAILABLE)):
        pool = SftpPool(SftpServer(host="storage.invalid", port=openssh.port, host_keys=keys, dial=guard))
        stat = SftpBackend(pool, openssh.account, str(folder)).stat(ROOT)
        if kind is None:
            assert (await stat).is_folder
        else:
            assert await refusal(stat) is kind
        await pool.close()
    assert asked == [("storage.invalid", openssh.port)]


def test_credentials_that_cannot_be_used_are_refused():
    """An account needs a pass word or a key that can be read, a server at least one host key."""
    locked = new_key().export_private_key(passphrase="phrase").decode()
    assert SftpAccount(user="u", private_key=Secret(locked), passphrase=Secret("phrase")).key
    for options in (
        {},
        {"private_key": Secret("nonsense")},
        {"private_key": Secret(locked)},
        {"private_key": Secret(locked), "passphrase": Secret("wrong")},
    ):
        with pytest.raises(GatewayError) as caught:
            SftpAccount(user="u", **options)
        assert caught.value.kind is Kind.CONFIGURATION
    for lines in ((), ("nonsense",), (public_line(new_key()), "")):
        with pytest.raises(GatewayError):
            PinnedKeys(lines)
    secret = private_text(new_key())
    assert secret not in repr(SftpAccount(user="u", private_key=Secret(secret)))


async def test_a_closed_pool_serves_nobody(openssh, folder):
    """Closing a pool ends what is under way on it, and nothing begins anew."""
    (folder / "file").write_bytes(DATA)
    pool = SftpPool(openssh.server)
    backend = SftpBackend(pool, openssh.account, str(folder))

    async def read():
        async with backend.open(at("file")) as content:
            await anext(content.chunks)
            await pool.close()
            async for _chunk in content.chunks:
                pass

    assert await refusal(read()) is Kind.UNAVAILABLE
    assert await refusal(backend.stat(ROOT)) is Kind.UNAVAILABLE
    assert (pool.connections, pool.sessions) == (0, 0)


async def test_an_aborted_write_keeps_the_old_on_proftpd(tmp_path):
    """ProFTPD keeps the old content, and nothing beside it, when a write breaks off."""
    del tmp_path
    with proftpd() as server:
        folder = server.fresh("abort")
        (folder / "file").write_bytes(b"old")
        async with server.backend(folder) as backend:
            with pytest.raises(ZeroDivisionError):
                await backend.write(at("file"), pieces(b"n" * 1_000_000, then=ZeroDivisionError()))
        assert names_in(folder) == ["file"]
        assert (folder / "file").read_bytes() == b"old"
