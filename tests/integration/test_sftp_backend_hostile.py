"""SSH servers that lie, stall, drop and pretend: what the storage client makes of them (DESIGN 6)."""

import asyncio
import tracemalloc

import asyncssh
import pytest
from contract.backend_suite import at, get, names, pieces, put, refusal

from gateway.backends.base import OpenMode
from gateway.backends.sftp import SftpBackend
from gateway.backends.sftp_pool import PoolLimits, SftpPool
from gateway.backends.sftp_server import PinnedKeys, SftpPatience, SftpServer
from gateway.errors import CREDENTIAL_REFUSED, GatewayError, Kind
from gateway.model.resource import ResourcePath, Span
from support import badsftp
from support.asyncserver import Login, account, async_server
from support.smalldisk import names_in
from support.sshservers import new_key, public_line

ROOT = ResourcePath()
QUICK = SftpPatience(connect=5, first_byte=0.3, idle=0.3)


def with_facts(kind, **facts):
    """A class of server with some of its facts set."""
    return type(kind.__name__, (kind,), facts)


@pytest.mark.parametrize(
    "name", [b"../up", b"a/b", b"/etc/passwd", b"..", b".", b"", b"nul\0", b"new\nline", b"back\\slash", b"x" * 5000]
)
@pytest.mark.req("ACC-6")
async def test_names_that_lead_elsewhere_are_dropped(tmp_path, name):
    """A name in a listing that is none, or that no path can hold, is left out."""
    kind = with_facts(badsftp.Naming, names=(badsftp.named(name), badsftp.named(b"good")))
    async with async_server(tmp_path, kind) as server, server.backend(tmp_path) as backend:
        assert await names(backend) == ["good"]


@pytest.mark.req("ACC-6")
async def test_removing_a_folder_follows_no_name_out_of_it(tmp_path):
    """A server that lists `../victim` in a folder does not get us to remove the victim."""
    (tmp_path / "victim").write_text("dear")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/own").touch()
    kind = with_facts(badsftp.Naming, names=(badsftp.named(b"../victim"), badsftp.named(b"..", badsftp.FOLDER_BITS)))
    async with async_server(tmp_path, kind) as server, server.backend(tmp_path) as backend:
        assert await refusal(backend.delete(at("folder"))) is Kind.CONFLICT
    assert (tmp_path / "victim").read_text() == "dear"


async def test_a_listing_without_end_takes_no_memory(tmp_path):
    """Members are handed on as they come; a listing without end can be left at any time, and the session is free."""
    async with async_server(tmp_path, badsftp.Endless) as server, server.backend(tmp_path) as backend:
        seen = 0
        tracemalloc.start()
        listing = backend.list(ROOT)
        async for _entry in listing:
            seen += 1
            if seen == 5000:
                break
        await listing.aclose()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen == 5000
    assert peak < 8_000_000


async def test_types_that_are_not_told_are_asked_for(tmp_path):
    """A server whose listings have no types is asked for each member; links stay hidden."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("12345")
    (tmp_path / "link").symlink_to("file")
    async with async_server(tmp_path, badsftp.NoTypes) as server, server.backend(tmp_path) as backend:
        found = {entry.path.name: (entry.is_folder, entry.size) async for entry in backend.list(ROOT)}
    assert found == {"folder": (True, None), "file": (False, 5)}


async def test_a_folder_that_is_listed_as_a_file_is_no_file(tmp_path):
    """The type in a listing is not believed when the member itself is asked for."""
    (tmp_path / "thing").mkdir()
    kind = with_facts(badsftp.Naming, names=(badsftp.named(b"thing"),))
    async with async_server(tmp_path, kind) as server, server.backend(tmp_path) as backend:
        assert [entry.is_folder async for entry in backend.list(ROOT)] == [False]
        assert await refusal(get(backend, "thing")) is Kind.CONFLICT


async def test_a_file_shorter_than_was_said_breaks_the_stream(tmp_path):
    """A server that has fewer bytes than it told is an outage at the end of them, never a short body."""
    (tmp_path / "file").write_bytes(b"12345")
    async with (
        async_server(tmp_path, with_facts(badsftp.WrongSize, said=1_000_000)) as server,
        server.backend(tmp_path) as backend,
    ):
        assert await refusal(get(backend, "file")) is Kind.UNAVAILABLE


async def test_a_file_longer_than_was_said_is_cut(tmp_path):
    """No more bytes are delivered than the size that was promised."""
    (tmp_path / "file").write_bytes(b"12345")
    async with (
        async_server(tmp_path, with_facts(badsftp.WrongSize, said=3)) as server,
        server.backend(tmp_path) as backend,
    ):
        assert await get(backend, "file") == b"123"
        assert await refusal(get(backend, "file", Span(3, 1))) is Kind.RANGE_INVALID


async def test_an_impossible_size_is_an_outage(tmp_path):
    """A size that no file has is not passed on."""
    (tmp_path / "file").touch()
    async with (
        async_server(tmp_path, with_facts(badsftp.WrongSize, said=2**63)) as server,
        server.backend(tmp_path) as backend,
    ):
        assert await refusal(backend.stat(at("file"))) is Kind.UNAVAILABLE
        assert await refusal(get(backend, "file")) is Kind.UNAVAILABLE


async def test_more_bytes_than_asked_for_are_an_outage(tmp_path):
    """A server that answers with more than was asked for is not believed."""
    (tmp_path / "file").write_bytes(b"0123456789" * 100)
    async with async_server(tmp_path, badsftp.Lavish) as server, server.backend(tmp_path) as backend:
        assert await refusal(get(backend, "file", Span(0, 10))) is Kind.UNAVAILABLE


async def test_small_answers_are_put_together(tmp_path):
    """A server may answer with less than was asked for; the rest is asked for again."""
    data = bytes(range(256)) * 100
    (tmp_path / "file").write_bytes(data)
    async with async_server(tmp_path, badsftp.Meagre) as server, server.backend(tmp_path) as backend:
        assert await get(backend, "file") == data
        async with backend.open_at(at("file"), OpenMode.READ) as file:
            assert await file.read_at(500, 5000) == data[500:1500]


@pytest.mark.parametrize("verb", ["write", "open_at"])
async def test_bytes_that_were_not_kept_replace_nothing(tmp_path, verb):
    """A server that loses what it says it wrote keeps the old content, and no remains."""
    (tmp_path / "file").write_text("old")
    async with async_server(tmp_path, badsftp.Forgetful) as server, server.backend(tmp_path) as backend:

        async def open_at():
            async with backend.open_at(at("file"), OpenMode.REPLACE) as file:
                await file.write_at(0, b"new content")

        writing = put(backend, "file", b"new content") if verb == "write" else open_at()
        assert await refusal(writing) is Kind.UNAVAILABLE
    assert names_in(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


async def test_a_full_disk_is_told_as_such(tmp_path):
    """A failure to write on a full disk is `NO_SPACE`; the old content stays, and no remains."""
    (tmp_path / "file").write_text("old")
    async with async_server(tmp_path, badsftp.FullDisk) as server, server.backend(tmp_path) as backend:
        assert await refusal(put(backend, "file", b"n" * 1_000_000)) is Kind.NO_SPACE
        async with backend.open_at(at("file"), OpenMode.UPDATE) as file:
            assert await refusal(file.write_at(0, b"new")) is Kind.NO_SPACE
    assert names_in(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


async def test_a_drop_while_reading_is_an_outage(tmp_path):
    """A connection that breaks in a file breaks the stream, and the next reader gets another connection."""
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "small").write_text("small")
    async with async_server(tmp_path, badsftp.DropsReading) as server, server.backend(tmp_path) as backend:
        assert await refusal(get(backend, "file")) is Kind.UNAVAILABLE
        assert await get(backend, "small") == b"small"


async def test_a_drop_while_writing_leaves_the_old(tmp_path):
    """A connection that breaks in a write leaves the old content, and what was begun is removed on another one."""
    (tmp_path / "file").write_text("old")
    async with async_server(tmp_path, badsftp.DropsWriting) as server, server.backend(tmp_path) as backend:
        assert await refusal(put(backend, "file", b"n" * 3_000_000)) is Kind.UNAVAILABLE
        assert await get(backend, "file") == b"old"
        async with asyncio.timeout(10):
            while names_in(tmp_path) != ["file"]:
                await backend.stat(at("file"))


@pytest.mark.parametrize("request_name", ["read", "open", "lstat", "fstat", "scandir", "posix_rename"])
async def test_a_silent_server_is_an_outage(tmp_path, request_name):
    """A request without an answer ends in time, in an outage, and leaves no session in use."""
    (tmp_path / "file").write_text("content")
    kind = with_facts(badsftp.Silent, silent=request_name)
    async with async_server(tmp_path, kind) as server, server.backend_with(tmp_path, patience=QUICK) as backend:
        if request_name == "scandir":
            assert await refusal(names(backend)) is Kind.UNAVAILABLE
        elif request_name == "posix_rename":
            assert await refusal(put(backend, "file", b"new")) is Kind.UNAVAILABLE
            assert (tmp_path / "file").read_text() == "content"
        else:
            assert await refusal(get(backend, "file")) is Kind.UNAVAILABLE


async def test_a_server_that_says_nothing_at_all_is_an_outage():
    """A port that takes connections and is silent does not hold anybody up for longer than was set."""

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    acceptor = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = acceptor.sockets[0].getsockname()[1]
    server = SftpServer(host="127.0.0.1", port=port, host_keys=PinnedKeys((public_line(new_key()),)))
    pool = SftpPool(server, patience=SftpPatience(connect=0.3))
    assert await refusal(SftpBackend(pool, account()).stat(ROOT)) is Kind.UNAVAILABLE
    assert pool.connections == 0
    await pool.close()
    acceptor.close()


async def test_no_server_is_an_outage(tmp_path):
    """Where nothing listens the storage is out, with a time after which to try again."""
    async with async_server(tmp_path) as server:
        pass
    async with server.pool() as pool:
        with pytest.raises(GatewayError) as caught:
            await SftpBackend(pool, account(), str(tmp_path)).stat(ROOT)
    assert caught.value.kind is Kind.UNAVAILABLE
    assert caught.value.retry_after


class Counting(Login):
    """Counts the pass words that it is shown."""

    def __init__(self):
        self.seen = type(self).seen

    seen: list = []  # noqa: RUF012 - each test makes a class of its own

    def validate_password(self, username, password):
        """Count, and decide as always."""
        self.seen.append(password)
        return super().validate_password(username, password)


async def test_a_changed_host_key_gets_no_pass_word(tmp_path):
    """A server with another key than the pinned one is an outage, and does not see the pass word."""
    login = with_facts(Counting, seen=[])
    async with async_server(tmp_path, login=login) as server:
        impostor = SftpServer(host="127.0.0.1", port=server.port, host_keys=PinnedKeys((public_line(new_key()),)))
        pool = SftpPool(impostor)
        with pytest.raises(GatewayError) as caught:
            await SftpBackend(pool, account(), str(tmp_path)).stat(ROOT)
        await pool.close()
    assert caught.value.kind is Kind.UNAVAILABLE
    assert "host key" in caught.value.log
    assert login.seen == []


async def test_a_wrong_pass_word_is_an_outage_and_not_tried_again_at_once(tmp_path):
    """A refused log-in is an outage, never a 401 or 404, and is remembered so that no account is locked out."""
    login = with_facts(Counting, seen=[])
    async with async_server(tmp_path, login=login) as server, server.pool() as pool:
        for _attempt in range(3):
            with pytest.raises(GatewayError) as caught:
                await SftpBackend(pool, account("wrong-word"), str(tmp_path)).stat(ROOT)
            assert (caught.value.kind, caught.value.code) == (Kind.UNAVAILABLE, CREDENTIAL_REFUSED)
            assert "wrong-word" not in str(caught.value)
        assert login.seen == ["wrong-word"]
        assert not await pool.admits(account("wrong-word"))
        assert await pool.admits(account())


async def test_a_missing_root_is_an_outage(tmp_path):
    """A root that is not there must not look like an empty storage, or like deleted shares."""
    async with async_server(tmp_path) as server, server.backend(tmp_path / "gone") as backend:
        assert await refusal(backend.stat(ROOT)) is Kind.UNAVAILABLE
        assert await refusal(backend.stat(at("file"))) is Kind.UNAVAILABLE
        assert await refusal(put(backend, "file")) is Kind.UNAVAILABLE


@pytest.mark.req("ACC-6")
async def test_a_link_in_the_place_of_a_file_is_noticed(tmp_path):
    """What is opened behind a link that was put there after our look is not delivered."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("public")
    kind = with_facts(badsftp.LinkSwapper, secret=str(tmp_path / "secret"))
    async with async_server(tmp_path, kind) as server, server.backend(tmp_path / "root") as backend:
        assert await refusal(get(backend, "file")) is Kind.NOT_FOUND


@pytest.mark.req("ACC-6")
async def test_a_link_in_the_place_of_a_folder_is_noticed(tmp_path):
    """What is listed behind a link that was put there after our look is not shown."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").touch()
    (tmp_path / "root/folder").mkdir(parents=True)
    kind = with_facts(badsftp.FolderSwapper, elsewhere=str(tmp_path / "elsewhere"))
    async with async_server(tmp_path, kind) as server, server.backend(tmp_path / "root") as backend:
        assert await refusal(names(backend, "folder")) is Kind.NOT_FOUND


async def test_a_cancelled_stall_leaves_nothing_in_use(tmp_path):
    """A reader who is cancelled while the server is silent gives the session back."""
    (tmp_path / "file").write_text("content")
    async with async_server(tmp_path, badsftp.Silent) as server, server.backend(tmp_path) as backend:
        task = asyncio.create_task(get(backend, "file"))
        await asyncio.wait([task], timeout=0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_busy_sessions_are_waited_for_and_not_for_ever(tmp_path):
    """Who finds all sessions in use waits for one; if none comes free in time, the storage counts as busy."""
    (tmp_path / "file").write_bytes(b"x")
    limits = PoolLimits(connections=1, sessions_per_connection=1, wait_seconds=0.2)
    async with async_server(tmp_path) as server, server.backend_with(tmp_path, limits=limits) as backend:
        async with backend.open(at("file")):
            assert await refusal(backend.stat(ROOT)) is Kind.UNAVAILABLE
        assert (await backend.stat(ROOT)).is_folder
        results = await asyncio.gather(*(backend.stat(at("file")) for _ in range(20)))
    assert {result.size for result in results} == {1}


async def test_the_source_of_a_write_may_end_a_dropped_one(tmp_path):
    """An error of the source comes out as it is, though the server is silent meanwhile."""
    (tmp_path / "file").write_text("old")
    kind = with_facts(badsftp.Silent, silent="write")
    async with async_server(tmp_path, kind) as server, server.backend_with(tmp_path, patience=QUICK) as backend:
        with pytest.raises(ZeroDivisionError):
            await backend.write(at("file"), pieces(b"new", then=ZeroDivisionError()))
    assert (tmp_path / "file").read_text() == "old"


async def test_weak_algorithms_are_not_spoken(tmp_path):
    """A server that has only SHA-1 for its key exchange is not spoken to."""
    async with (
        async_server(tmp_path, kex_algs=["diffie-hellman-group14-sha1"]) as server,
        server.backend(tmp_path) as backend,
    ):
        with pytest.raises(GatewayError) as caught:
            await backend.stat(ROOT)
    assert caught.value.log == f"sftp: {asyncssh.KeyExchangeFailed.__name__}"
