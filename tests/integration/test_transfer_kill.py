"""Transfers under blows: whatever is killed, they go on, and nothing half stands under a final name (ACC-5)."""

import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from integration.test_two_gateways import pair

from support.pair import folder_storage, side
from support.transferrig import (
    bob_in_a_process,
    files_below,
    offered,
    slowly,
    transfer,
    until,
    until_over,
)

SIZE = 3_000_000
# The checkpoint interval, and what a machine under load needs besides.
CANCELLED_WITHIN_SECONDS = 2.0
CONTENT = os.urandom(SIZE)


@asynccontextmanager
async def alice_and_a_process(folder, monkeypatch, **parts):
    """Run Alice's gateway here, with a large file to share, and Bob's in a process of its own."""
    storage = folder_storage(folder / "a", "alice")
    (folder / "a/alice/Project/slow.bin").write_bytes(CONTENT)
    for number in range(20):
        (folder / f"a/alice/Project/sub/{number}.txt").write_text(f"file {number}")
    async with side(folder, "alpha", "alice", storage) as alice, bob_in_a_process(folder, **parts) as process:
        yield alice, process


def store_of(bob):
    """Return the process of the embedded store of a gateway that runs here."""
    folder = str(bob.config.data_dir / "store")
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if os.path.realpath(f"/proc/{pid}/cwd") == folder:
                return int(pid)
    raise AssertionError("there is no store")


def whole_files(folder):
    """Return the files under final names."""
    return {name: content for name, content in files_below(folder).items() if not Path(name).name.startswith(".ocm-")}


@pytest.mark.req("ACC-5")
async def test_a_killed_gateway_carries_its_transfer_on(tmp_path, monkeypatch):
    """Killed in the middle of a file, the gateway starts again and reads only what it had not finished."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    async with alice_and_a_process(tmp_path, monkeypatch) as (alice, process):
        bob = process.side
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        await until(bob, started["id"], lambda shown: shown["files_done"] == 21)
        copied = tmp_path / "b/bob/Copy"
        inodes = {path: path.stat().st_ino for path in (copied / "sub").iterdir()}
        await process.kill()
        assert "slow.bin" not in whole_files(copied)
        reading.go.set()
        await process.start()
        over = await until_over(bob, started["id"])
        assert (over["state"], over["files_done"], over["bytes_done"]) == ("done", 22, over["bytes"])
        assert whole_files(copied) == files_below(tmp_path / "a/alice/Project")
        assert not list(copied.rglob("*.partial"))
        # What was finished before was not copied again.
        assert {path: path.stat().st_ino for path in (copied / "sub").iterdir()} == inodes
        assert len(reading.spans) == 2


@pytest.mark.req("ACC-5")
async def test_small_files_that_nobody_booked_are_known_again(tmp_path, monkeypatch):
    """Small files that a killed gateway had put but not written down are found, and not fetched again."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    seldom = {"transfers": {"checkpoint_seconds": "60s"}}
    async with alice_and_a_process(tmp_path, monkeypatch, **seldom) as (alice, process):
        bob = process.side
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        copied = tmp_path / "b/bob/Copy/sub"
        shown = await until(bob, started["id"], lambda _: len(list(copied.glob("*.txt"))) == 20)
        assert shown["files_done"] == 0
        inodes = {path: path.stat().st_ino for path in copied.glob("*.txt")}
        await process.kill()
        reading.go.set()
        await process.start()
        over = await until_over(bob, started["id"])
        assert (over["state"], over["files_done"], over["files_skipped"]) == ("done", 22, 0)
        assert whole_files(tmp_path / "b/bob/Copy") == files_below(tmp_path / "a/alice/Project")
        assert {path: path.stat().st_ino for path in copied.glob("*.txt")} == inodes


@pytest.mark.req("ACC-5")
async def test_a_cancelled_transfer_leaves_nothing_half(tmp_path, monkeypatch):
    """Who cancels is obeyed within a second; what was copied stays, what was half copied goes."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    async with pair(tmp_path) as (alice, bob):
        (tmp_path / "alpha-storage/alice/Project/slow.bin").write_bytes(CONTENT)
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        await until(bob, started["id"], lambda shown: shown["files_done"] == 1)
        asked = time.monotonic()
        status, shown = await bob.rest("POST", f"transfers/{started['id']}/cancel")
        assert (status, shown["state"]) == (200, "cancelled")
        ended = await until(bob, started["id"], lambda shown: shown["ended_at"])
        assert time.monotonic() - asked < CANCELLED_WITHIN_SECONDS
        reading.go.set()
        await until_quiet(alice)
        assert files_below(tmp_path / "b/bob/Copy") == {"hello.txt": b"hello"}
        assert ended["state"] == "cancelled"
        assert (await bob.rest("POST", f"transfers/{started['id']}/cancel"))[1]["state"] == "cancelled"


async def until_quiet(alice):
    """Wait until nothing is served under a grant any more."""
    await until(alice, "", lambda _: alice.gateway.watch.streams == 0, of="me?")


@pytest.mark.req("ACC-5")
async def test_a_sender_that_dies_is_waited_for(tmp_path, monkeypatch):
    """While the sender is away the transfer waits and says why; when it is there again, the rest is copied."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    storage = folder_storage(tmp_path / "a", "alice")
    (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
    parts = {"transfers": {"first_retry_seconds": "200ms", "max_retry_seconds": "500ms"}}
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob"), **parts) as bob:
        async with side(tmp_path, "alpha", "alice", storage) as alice:
            port = alice.config.http.port
            started = await transfer(bob, await offered(alice, bob), name="Copy")
            await reading.stands.wait()
        waiting = await until(bob, started["id"], lambda shown: shown["state"] == "retrying")
        assert waiting["problem"].startswith("At the sender")
        assert "slow.bin" not in whole_files(tmp_path / "b/bob/Copy")
        reading.go.set()
        async with side(tmp_path, "alpha", "alice", storage, port=port):
            assert (await until_over(bob, started["id"]))["state"] == "done"
    assert files_below(tmp_path / "b/bob/Copy") == files_below(tmp_path / "a/alice/Project")


@pytest.mark.req("ACC-5")
async def test_a_killed_store_stops_no_transfer(tmp_path, monkeypatch):
    """While Redis is dead the copying goes on; the books are written when it is there again."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    async with pair(tmp_path) as (alice, bob):
        (tmp_path / "alpha-storage/alice/Project/slow.bin").write_bytes(CONTENT)
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        os.kill(store_of(bob), signal.SIGKILL)
        reading.go.set()
        over = await until_over(bob, started["id"])
        assert (over["state"], over["problem"], len(reading.spans)) == ("done", "", 1)
        assert files_below(tmp_path / "b/bob/Copy/") == files_below(tmp_path / "alpha-storage/alice/Project")
