"""Large files come in pieces and are carried on in the middle; what changes or is damaged is fetched anew (ACC-5)."""

import os

import pytest
from integration.test_transfer_kill import whole_files
from integration.test_two_gateways import pair

from support.pair import Clock, folder_storage, side
from support.transferrig import (
    bob_in_a_process,
    files_below,
    offered,
    slowly,
    transfer,
    until,
    until_over,
)
from support.wsgi import wsgidav

SIZE = 4_000_000
CONTENT = os.urandom(SIZE)
# Pieces of a sixteenth of this, 62,500 bytes: 64 of them.
LARGE = {"transfers": {"large_bytes": 1_000_000, "parallel_pieces": 2}}
PIECE = 62_500


@pytest.mark.req("ACC-5")
async def test_a_large_file_is_carried_on_in_the_middle(tmp_path, monkeypatch):
    """A gateway killed within a large file reads again only the pieces that it was at, and what it had not written."""
    storage = folder_storage(tmp_path / "a", "alice")
    (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    async with (
        side(tmp_path, "alpha", "alice", storage) as alice,
        bob_in_a_process(tmp_path, **LARGE) as process,
    ):
        bob = process.side
        share = await offered(alice, bob, "/Project/slow.bin")
        started = await transfer(bob, share)
        await reading.stands.wait()
        kept = await until(bob, started["id"], lambda shown: shown["bytes_done"] >= SIZE // 2 - 2 * PIECE)
        await process.kill()
        assert list(whole_files(tmp_path / "b/bob")) == ["Project/hello.txt"]
        reading.go.set()
        await process.start()
        over = await until_over(bob, started["id"])
        assert (over["state"], kept["files"]) == ("done", 1)
        assert (tmp_path / "b/bob/slow.bin").read_bytes() == CONTENT
        again = sum(reading.sent) - SIZE
        # The pieces under way, and those finished since the last checkpoint.
        assert again < SIZE // 4
        assert alice.gateway.watch.streams == 0
        assert not list((tmp_path / "b/bob").rglob("*.partial"))


@pytest.mark.req("ACC-5")
async def test_a_source_that_changes_is_fetched_anew(tmp_path, monkeypatch):
    """A file that changes while it is copied comes whole in its new form, never as a mixture."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    async with pair(tmp_path, beta=LARGE) as (alice, bob):
        source = tmp_path / "alpha-storage/alice/Project/slow.bin"
        source.write_bytes(CONTENT)
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        other = bytes(reversed(CONTENT))
        source.with_name("new").write_bytes(other)
        source.with_name("new").rename(source)
        reading.go.set()
        over = await until_over(bob, started["id"])
        assert (over["state"], over["faults"]) == ("done", 0)
        assert (tmp_path / "b/bob/Copy/slow.bin").read_bytes() == other


@pytest.mark.req("ACC-3")
async def test_a_refused_token_is_exchanged_once_more(tmp_path):
    """A token that its sender does not take any more, whatever we think of it, is replaced without anybody noticing."""
    alices, bobs = Clock(), Clock()
    storage = folder_storage(tmp_path / "a", "alice")
    async with (
        side(tmp_path, "alpha", "alice", storage, clock=alices, token={"lifetime_seconds": 60}) as alice,
        side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob"), clock=bobs) as bob,
    ):
        share = await offered(alice, bob)
        assert (await bob.rest("GET", f"received/{share}/files/hello.txt"))[0] == 200
        alices.ahead, bobs.ahead = 100.0, 20.0
        assert await bob.rest("GET", f"received/{share}/files/hello.txt") == (200, b"hello")


@pytest.mark.req("ACC-5")
async def test_an_own_storage_that_dies_is_waited_for(tmp_path, monkeypatch):
    """While the user's own storage is away the transfer waits; over WebDAV too, nothing half has a final name."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    parts = {"transfers": {"first_retry_seconds": "200ms", "max_retry_seconds": "500ms"}}
    with wsgidav() as server:
        url = server.fresh("bobs")
        (server.files / "bobs" / "bob").mkdir(parents=True)
        target = {
            "url": f"webdav+{url}{{user}}",
            "credentials": f"service:{server.users['service']}",
            "view": "template",
        }
        storage = folder_storage(tmp_path / "a", "alice")
        (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
        async with (
            side(tmp_path, "alpha", "alice", storage) as alice,
            side(tmp_path, "beta", "bob", target, **parts) as bob,
        ):
            started = await transfer(bob, await offered(alice, bob), name="Copy")
            await reading.stands.wait()
            server.process.kill()
            server.process.wait()
            reading.go.set()
            waiting = await until(bob, started["id"], lambda shown: shown["state"] == "retrying")
            assert waiting["problem"].startswith("In your storage")
            assert "slow.bin" not in whole_files(server.files / "bobs" / "bob" / "Copy")
            assert (await bob.rest("POST", f"transfers/{started['id']}/cancel"))[1]["state"] == "cancelled"


@pytest.mark.req("ACC-5")
async def test_a_wrong_checksum_is_never_put_in_place(tmp_path, monkeypatch):
    """What does not fit the sender's checksum is fetched again, then given up with the reason, and leaves nothing."""
    opened = "gateway.backends.webdav_get.digests_of"
    monkeypatch.setattr(opened, lambda _headers: {"sha-256": "0" * 64})
    parts = {"transfers": {"tries": 2, "first_retry_seconds": "100ms"}}
    async with pair(tmp_path, beta=parts) as (alice, bob):
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        over = await until_over(bob, started["id"])
        assert (over["state"], over["faults"]) == ("partly-done", 1)
        (fault,) = (await bob.rest("GET", f"transfers/{started['id']}/faults"))[1]["faults"]
        assert "checksum" in fault["reason"]
        assert files_below(tmp_path / "b/bob/Copy") == {}
