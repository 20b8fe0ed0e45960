"""A share that is offered over WebDAV and SSH opens over SSH where WebDAV does not (SHARE-4, ACC-5)."""

import os
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from integration.test_ssh_receive import without_statement

from gateway.model.access import PinnedBy
from support.cutline import cut_line
from support.pair import Clock, folder_storage, side
from support.transferrig import files_below, free_port, offered, slowly, transfer, until, until_over

CONTENT = os.urandom(1_000_000)
RETRIES = {"transfers": {"first_retry_seconds": "200ms", "max_retry_seconds": "500ms"}}


@asynccontextmanager
async def pair_over_a_line(folder):
    """Run Alice, whose web server is reached over a line and whose SSH door is not, and Bob."""
    storage = folder_storage(folder / "a", "alice")
    door = {"enabled": True, "port": free_port()}
    clock = Clock()
    async with cut_line() as line:
        origin = f"http://alpha.localhost:{line.port}"
        async with (
            side(folder, "alpha", "alice", storage, ssh=door, public_url=origin, clock=clock) as alice,
            side(
                *(folder, "beta", "bob", folder_storage(folder / "b", "bob")),
                **{"ssh": {"receive": True}, "clock": clock} | RETRIES,
            ) as bob,
        ):
            line.to = alice.config.http.port
            yield line, alice, bob


@asynccontextmanager
async def webdav_that_answers(status):
    """Give the URL of a server that answers everything in one way, or of one that is not there."""
    if status is None:
        yield f"http://127.0.0.1:{free_port()}/dav/"
        return

    async def answer(_request):
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/dav/"
    finally:
        await runner.cleanup()


async def webdav_at(bob, share_id, url):
    """Write another WebDAV address into a received share."""

    def change(share):
        return replace(share, webdav=replace(share.webdav, uri=url))

    await bob.gateway.tasks.received.update(share_id, change)


@pytest.mark.req("SHARE-4", "ACC-5")
@pytest.mark.parametrize("status", [None, 401, 403, 404, 500, 503], ids=lambda status: str(status or "unreachable"))
async def test_where_webdav_does_not_open_ssh_does(tmp_path, status):
    """Whether WebDAV is away, refuses or breaks: what is shared is browsed, read, changed and copied over SSH."""
    async with pair_over_a_line(tmp_path) as (_, alice, bob), webdav_that_answers(status) as url:
        share = await offered(alice, bob)
        await webdav_at(bob, share, url)
        files = f"received/{share}/files"
        assert await bob.rest("GET", f"{files}/hello.txt") == (200, b"hello")
        assert (await bob.rest("PUT", f"{files}/new.txt", data=b"new"))[0] == 201
        assert (tmp_path / "a/alice/Project/new.txt").read_bytes() == b"new"
        over = await until_over(bob, (await transfer(bob, share, name="Copy"))["id"])
        assert (over["state"], over["files_done"]) == ("done", 2)
        assert files_below(tmp_path / "b/bob/Copy") == {"hello.txt": b"hello", "new.txt": b"new"}


@pytest.mark.req("SHARE-4", "ACC-5")
async def test_a_transfer_goes_on_over_ssh(tmp_path, monkeypatch):
    """A sender's web server that dies in the middle of a file ends no transfer: SSH brings the rest, and only that."""
    reading = slowly(monkeypatch, "slow.bin", after=len(CONTENT) // 2)
    async with pair_over_a_line(tmp_path) as (line, alice, bob):
        (tmp_path / "a/alice/Project/slow.bin").write_bytes(CONTENT)
        share = await offered(alice, bob)
        started = await transfer(bob, share, name="Copy")
        await reading.stands.wait()
        await until(bob, started["id"], lambda shown: shown["files_done"] == 1)
        hello = (tmp_path / "b/bob/Copy/hello.txt").stat().st_ino
        line.cut()
        reading.go.set()
        over = await until_over(bob, started["id"])
        assert (over["state"], over["faults"], over["files_done"]) == ("done", 0, 2)
        assert files_below(tmp_path / "b/bob/Copy") == files_below(tmp_path / "a/alice/Project")
        assert (tmp_path / "b/bob/Copy/hello.txt").stat().st_ino == hello
        kept = await bob.gateway.tasks.received.get(share)
        assert kept.ssh.pinned_by is PinnedBy.STATEMENT


@pytest.mark.req("SHARE-4")
async def test_what_answered_is_used_for_a_while(tmp_path):
    """Who browses goes on over SSH for a moment after WebDAV is back, and then over WebDAV again."""
    async with pair_over_a_line(tmp_path) as (line, alice, bob):
        share = await offered(alice, bob)
        file = f"received/{share}/files/hello.txt"

        def ssh_sessions():
            return alice.gateway.metrics.registry.get_sample_value("ocm_gateway_ssh_sessions")

        assert await bob.rest("GET", file) == (200, b"hello")
        assert ssh_sessions() == 0
        line.cut()
        assert (await bob.rest("GET", file))[0] == 503
        bob.clock.ahead += 60
        assert await bob.rest("GET", file) == (200, b"hello")
        assert ssh_sessions() == 1
        line.mend()
        before = line.taken_count
        assert await bob.rest("GET", file) == (200, b"hello")
        assert line.taken_count == before
        bob.clock.ahead += 60
        assert await bob.rest("GET", file) == (200, b"hello")
        assert line.taken_count > before


@pytest.mark.req("SHARE-4")
async def test_where_neither_opens_webdav_has_the_word(tmp_path, monkeypatch):
    """If SSH does not open either, the user hears what WebDAV said; but a host key to confirm is told."""
    async with pair_over_a_line(tmp_path) as (_, alice, bob), webdav_that_answers(503) as url:
        share = await offered(alice, bob)
        await webdav_at(bob, share, url)

        def elsewhere(kept):
            return replace(kept, ssh=replace(kept.ssh, port=free_port(), host_keys=(), pinned_by=None))

        without_statement(monkeypatch)
        await bob.gateway.tasks.received.update(share, elsewhere)
        status, problem = await bob.rest("GET", f"received/{share}/files/")
        assert (status, "host key" in problem["detail"]) == (409, True)

        def believed(kept):
            return replace(kept, ssh=replace(kept.ssh, host_keys=(kept.ssh.public_key,), pinned_by=PinnedBy.FIRST_USE))

        await bob.gateway.tasks.received.update(share, believed)
        status, problem = await bob.rest("GET", f"received/{share}/files/")
        assert (status, problem["detail"]) == (503, "The storage does not work at the moment.")
