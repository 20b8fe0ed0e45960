"""What replicas share, what a restart keeps, and what is said while the store is lost or comes back empty."""

import asyncio
import base64
import os
import signal
import time

import aiohttp
import pytest
from aiohttp import web
from redis import Redis

from gateway.app.run import running
from support.davgateway import client, local_storage, site

DEADLINE_SECONDS = 15.0
REVOKED_WITHIN_SECONDS = 1.0


async def until(check):
    """Wait until `check` returns something true, and return that."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = await check()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


def project(folder):
    """Make Alice's project in a local storage and return the storage's configuration."""
    storage = local_storage(folder / "storage")
    (folder / "storage" / "alice" / "Project").mkdir()
    (folder / "storage" / "alice" / "Project" / "hello.txt").write_text("hello")
    return storage


async def status_of(session, share, path="hello.txt"):
    """Return the status with which a share's file is answered."""
    async with session.get(share.url + path, headers=share.headers) as answer:
        await answer.read()
        return answer.status


@pytest.mark.req("NOTE-3")
async def test_replicas_share_grants_and_their_end(tmp_path):
    """A share opens on every replica, and within a second of its end on none."""
    async with site(tmp_path, project(tmp_path), replicas=2) as here, client() as session:
        first = await here.share("Project")
        second = here.seen_from(first, 1)
        assert await status_of(session, first) == 200
        assert await status_of(session, second) == 200
        await here.end(first, replica=0)
        ended = time.monotonic()

        async def is_closed():
            return await status_of(session, second) == 401

        await until(is_closed)
        assert time.monotonic() - ended < REVOKED_WITHIN_SECONDS
        assert await status_of(session, first) == 401


@pytest.mark.req("NOTE-3")
async def test_an_open_upload_is_cut_when_its_grant_ends(tmp_path):
    """What is being written under a grant that ends on another replica is cut, and leaves nothing behind."""
    async with site(tmp_path, project(tmp_path), replicas=2) as here, client() as session:
        share = await here.share("Project")
        more = asyncio.Event()

        async def body():
            yield b"begun"
            await more.wait()

        async def put():
            async with session.put(here.seen_from(share, 1).url + "new.txt", data=body(), headers=share.headers):
                pass

        upload = asyncio.create_task(put())

        async def is_running():
            return here.gateways[1].watch.streams == 1

        await until(is_running)
        await here.end(share, replica=0)
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(upload, DEADLINE_SECONDS)
        more.set()

        async def is_over():
            return here.gateways[1].watch.streams == 0

        await until(is_over)
        names = {path.name for path in (tmp_path / "storage" / "alice" / "Project").iterdir()}
        assert "new.txt" not in names


async def test_replicas_share_locks(tmp_path):
    """A file that was locked at one replica is locked at the other."""
    async with site(tmp_path, project(tmp_path), replicas=2) as here, client() as session:
        share = await here.share("Project")
        lock = (
            b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
            b"<locktype><write/></locktype></lockinfo>"
        )
        async with session.request("LOCK", share.url + "hello.txt", data=lock, headers=share.headers) as answer:
            assert answer.status == 200
        other = here.seen_from(share, 1)
        async with session.put(other.url + "hello.txt", data=b"x", headers=share.headers) as answer:
            assert answer.status == 423


async def test_a_restart_keeps_everything(tmp_path):
    """A gateway that is started again serves the shares that it served before."""
    async with site(tmp_path, project(tmp_path)) as here, client() as session:
        share = await here.share("Project")
        async with running(here.configs[0]) as again:
            url = f"http://127.0.0.1:{again.port}/ocm/dav/hello.txt"
            async with session.get(url, headers=share.headers) as answer:
                assert (answer.status, await answer.read()) == (200, b"hello")


async def _old_service():
    async def answer(_request):
        return web.Response(text="the old service")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def test_a_lost_store_closes_only_what_needs_it(tmp_path):
    """Without the store OCM doors answer 503 with Retry-After; probes and the old service go on; later all is there."""
    runner, behind = await _old_service()
    async with site(tmp_path, project(tmp_path), parts={"passthrough.url": behind}) as here, client() as session:
        share = await here.share("Project")
        assert await status_of(session, share) == 200
        with Redis.from_url(here.configs[0].store.url) as redis:
            server = int(redis.info("server")["process_id"])
        os.kill(server, signal.SIGSTOP)
        try:
            async with session.get(share.url + "hello.txt", headers=share.headers) as answer:
                # What was proven a moment ago may be believed for a second; then nothing is.
                pass

            async def is_away():
                async with session.get(share.url + "hello.txt", headers=share.headers) as answer:
                    return answer.status == 503 and answer.headers["Retry-After"]

            await until(is_away)
            async with session.post(here.origin() + "/ocm/shares", json={}) as answer:
                assert answer.status in (400, 503)
            async with session.get(here.origin() + "/old/page") as answer:
                assert (answer.status, await answer.text()) == (200, "the old service")
            for probe in ("healthz", "readyz"):
                async with session.get(f"http://127.0.0.1:{here.gateways[0].ops_port}/{probe}") as answer:
                    assert answer.status == 200
        finally:
            os.kill(server, signal.SIGCONT)

        async def is_back():
            return await status_of(session, share) == 200

        await until(is_back)
    await runner.cleanup()


@pytest.mark.parametrize("credential", ["secret", "nonsense"])
async def test_a_store_that_came_back_empty_is_an_outage(tmp_path, credential):
    """After the store was emptied no grant is refused: 503, never 401, since peers would drop their mounts."""
    async with site(tmp_path, project(tmp_path)) as here, client() as session:
        share = await here.share("Project")
        assert await status_of(session, share) == 200
        with Redis.from_url(here.configs[0].store.url) as redis:
            redis.flushall()
        text = share.secret if credential == "secret" else "nothing-that-exists"
        packed = base64.b64encode(f"{text}:".encode()).decode()
        headers = {"Authorization": f"Basic {packed}"}

        async def status():
            async with session.get(share.url + "hello.txt", headers=headers) as answer:
                return answer.status

        if credential == "nonsense":
            assert await status() == 503
        # What is remembered may be served on; it must never turn into a refusal.
        assert await status() in (200, 503)
