"""A Redis beside the gateways is killed under uploads, downloads and transfers, and started again (ACC-5, ACC-6).

What needs no store goes on without it; what has to ask it before it takes effect is refused, and changes nothing. What
was acknowledged before is there again afterwards, and nothing is held open.
"""

import asyncio
import re

import pytest
from integration.test_kill import (
    BIG,
    SECONDS,
    left,
    started,
    storage,
    temporaries,
    under_way,
    until_quiet,
    until_served,
)
from integration.test_kill import until as until_so
from integration.test_transfer_kill import alice_and_a_process, whole_files
from integration.test_transfer_large import CONTENT, LARGE, PIECE, SIZE

from support.everydoor import READ, WRITE, doors_in_a_process
from support.outerredis import outer_redis
from support.transferrig import files_below, free_port, in_a_process, offered, slowly, transfer, until, until_over

# A worker whose store is away gives up after 60 % of this.
LOST_SECONDS = 3
TRANSFERS = LARGE["transfers"] | {
    "lost_seconds": f"{LOST_SECONDS}s",
    "first_retry_seconds": "200ms",
    "max_retry_seconds": "500ms",
}


@pytest.mark.req("ACC-6", "SHARE-4", "NOTE-3")
@pytest.mark.parametrize(("kind", "is_back_in_time"), [("local", True), ("local", False), ("apache", False)])
async def test_an_outer_store_is_killed(tmp_path, kind, is_back_in_time):
    """Downloads need no store; an upload is refused at its end if the store is still away, and changes nothing."""
    with storage(kind, tmp_path) as (place, _), outer_redis(tmp_path) as redis:
        async with doors_in_a_process(tmp_path, place, store={"url": redis.url}) as doors:
            before = (await doors.alice.rest("GET", "shares"))[1]
            async with under_way(doors, size=len(BIG), download="16M") as running:
                over_ssh = await started(
                    *doors.ssh_words("sftp", READ, "-l", "131072", "{}:big", tmp_path / "over_ssh")
                )
                await until_so((tmp_path / "over_ssh").exists, "the download over SSH does not begin")
                redis.kill()
                if is_back_in_time:
                    redis.start()
                *uploads, download = [await asyncio.wait_for(process.wait(), SECONDS) for process in running]
                assert (download, await asyncio.wait_for(over_ssh.wait(), SECONDS)) == (0, 0)
            for name in ("got", "over_ssh"):
                assert (tmp_path / name).read_bytes() == BIG
            assert [status == 0 for status in uploads] == [is_back_in_time] * 2
            await until_quiet(doors)
            if is_back_in_time:
                for name in ("webdav", "sftp"):
                    assert files_below(doors.stored(WRITE, name)) == {"file": bytes(len(BIG))}
            else:
                # What is relayed has its answer from the storage before we note it in the store.
                webdav, sftp = left(doors)
                assert sftp == {"file": "old"}
                if webdav != {"file": "old"}:
                    assert files_below(doors.stored(WRITE, "webdav")) == {"file": bytes(len(BIG))}
                    assert kind == "apache"
                redis.start()
            assert temporaries(doors) == []
            await until_served(doors, "new", b"new content")
            await until_quiet(doors)
            assert (await doors.alice.rest("GET", "shares"))[1] == before


async def transfers_running(process):
    """Return how many transfers a gateway says that it carries out now."""
    url = f"http://127.0.0.1:{process.side.config.ops.port}/metrics"
    async with process.side.session.get(url) as answer:
        return float(re.search(r"^ocm_gateway_transfers (\S+)$", await answer.text(), re.MULTILINE)[1])


async def until_idle(process):
    """Wait until a gateway carries no transfer out."""
    async with asyncio.timeout(SECONDS):
        while await transfers_running(process):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("is_given_up", [False, True], ids=["for a moment", "until the run gives up"])
async def test_a_transfer_outlives_an_outer_store(tmp_path, monkeypatch, is_given_up):
    """Without its store a transfer copies on, or is taken up again when it is back; what was verified stays."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    parts = {"transfers": TRANSFERS, "ops": {"port": free_port()}}
    with outer_redis(tmp_path) as redis:
        async with alice_and_a_process(tmp_path, monkeypatch, store={"url": redis.url}, **parts) as (alice, process):
            bob = process.side
            (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
            begun = await transfer(bob, await offered(alice, bob), name="Copy")
            await reading.stands.wait()
            await until(bob, begun["id"], lambda shown: shown["files_done"] == 21)
            redis.kill()
            if is_given_up:
                await until_idle(process)
            reading.go.set()
            if not is_given_up:
                await until_so(lambda: sum(reading.sent) == SIZE, "the copying does not go on")
            redis.start()
            over = await until_over(bob, begun["id"])
            assert (over["state"], over["files_done"], over["problem"]) == ("done", 22, "")
            assert files_below(tmp_path / "b/bob/Copy") == files_below(tmp_path / "a/alice/Project")
            again = sum(reading.sent) - SIZE
            assert again < (SIZE // 4 if is_given_up else PIECE)
            await until_idle(process)
            await until_so(lambda: alice.gateway.watch.streams == 0, "streams stay open at the sender")


def replica_of(first, folder, storage):
    """Return what runs one more replica of a gateway."""
    config = first.side.config
    parts = {"public_url": config.public_url, "keys_file": str(config.keys_file), "store": {"url": config.store.url}}
    return in_a_process(folder, "beta2", "bob", storage, transfers=TRANSFERS, ops={"port": free_port()}, **parts)


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "stalled"])
async def test_another_replica_takes_a_transfer_over(tmp_path, monkeypatch, is_killed):
    """When a replica is silent for too long another carries its transfer on; one that wakes up again does no harm."""
    reading = slowly(monkeypatch, "slow.bin", after=SIZE // 2)
    parts = {"transfers": TRANSFERS, "ops": {"port": free_port()}}
    with outer_redis(tmp_path) as redis:
        async with alice_and_a_process(tmp_path, monkeypatch, store={"url": redis.url}, **parts) as (alice, first):
            (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
            begun = await transfer(first.side, await offered(alice, first.side), name="Copy")
            await reading.stands.wait()
            await until(first.side, begun["id"], lambda shown: shown["bytes_done"] >= SIZE // 2 - 2 * PIECE)
            async with replica_of(first, tmp_path, {"url": f"file://{tmp_path / 'b'}/{{user}}"}) as second:
                if is_killed:
                    await first.kill()
                else:
                    first.freeze()
                assert "slow.bin" not in whole_files(tmp_path / "b/bob/Copy")
                reading.go.set()
                over = await until_over(second.side, begun["id"])
                assert (over["state"], over["files_done"], over["bytes_done"]) == ("done", 22, over["bytes"])
                if not is_killed:
                    first.thaw()
                    await until_idle(first)
                    assert (await first.side.rest("GET", f"transfers/{begun['id']}"))[1] == over
                await until_idle(second)
                assert files_below(tmp_path / "b/bob/Copy") == files_below(tmp_path / "a/alice/Project")
                assert sum(reading.sent) - SIZE < SIZE // 4
                await until_so(lambda: alice.gateway.watch.streams == 0, "streams stay open at the sender")
