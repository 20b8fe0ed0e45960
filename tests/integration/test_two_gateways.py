"""The main job, end to end: what one gateway's user shares, another's opens, over real sockets and storages."""

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager

import pytest

from gateway.backends.webdav import WebdavBackend
from support.apache import apache
from support.pair import Clock, folder_storage, side
from support.wsgi import wsgidav

DEADLINE_SECONDS = 20.0
WRITES = ("PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "UNLOCK")


async def until(check):
    """Wait until `check` returns something true, and return that."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = await check()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.05)


def dav_storage(server, name):
    """Return the configuration of a WebDAV server with Alice's project on it."""
    url = server.fresh(name)
    project = server.files / name / "alice" / "Project"
    (project / "sub").mkdir(parents=True)
    (project / "hello.txt").write_text("hello")
    for path in (project.parent, project, project / "sub", project / "hello.txt"):
        server.own(path)
    credentials = f"service:{server.users['service']}"
    return {"url": f"webdav+{url}{{user}}", "credentials": credentials, "view": "template"}


@contextmanager
def alices_storage(kind, folder):
    """Run one kind of storage and give its configuration."""
    if kind == "local":
        yield folder_storage(folder / "alpha-storage", "alice")
        return
    with apache() if kind == "apache" else wsgidav() as server:
        yield dav_storage(server, folder.name.replace("_", "-")[:40])


@asynccontextmanager
async def pair(folder, kind="local", *, alpha=None, beta=None, clock=None):
    """Run alpha (Alice, before a storage of this kind) and beta (Bob, before a folder)."""
    clock = clock or Clock()
    with alices_storage(kind, folder) as storage:
        async with (
            side(folder, "alpha", "alice", storage, clock=clock, **(alpha or {})) as first,
            side(folder, "beta", "bob", folder_storage(folder / "b", "bob"), clock=clock, **(beta or {})) as second,
        ):
            yield first, second


@pytest.mark.req("SHARE-1", "SHARE-7", "SIG-1", "TOK-1", "ACC-1", "ACC-2", "NOTE-1", "NOTE-3", "DISC-1")
@pytest.mark.parametrize("kind", ["apache", "wsgidav", "local"])
async def test_a_share_is_made_used_and_revoked(tmp_path, kind):
    """A shared folder is listed, read and written by its recipient, and closed to him at once by its owner."""
    async with pair(tmp_path, kind) as (alice, bob):
        share = await alice.share("/Project", bob.address)
        assert share["state"] == "delivered"
        assert share["recipient_display_name"] == "Bob"
        (offered,) = await bob.received()
        assert (offered["owner"], offered["is_signed"], offered["state"]) == (alice.address, True, "pending")
        received = await bob.accepted()
        assert (await alice.sent(share["id"]))["state"] == "accepted"
        files = f"received/{received}/files"
        status, listing = await bob.rest("GET", f"{files}/")
        assert status == 200
        assert {entry["path"] for entry in listing["entries"]} == {"/sub", "/hello.txt"}
        assert await bob.rest("GET", f"{files}/hello.txt") == (200, b"hello")
        assert (await bob.rest("PUT", f"{files}/sub/answer.txt", data=b"from bob"))[0] == 201
        assert await alice.rest("GET", "files/Project/sub/answer.txt") == (200, b"from bob")
        assert (await bob.rest("DELETE", f"{files}/hello.txt"))[0] == 204
        assert (await alice.rest("GET", "files/Project/hello.txt"))[0] == 404
        secret = await alice.secret_of(share["id"])
        assert (await alice.dav("PROPFIND", secret))[0] == 207
        assert (await alice.rest("DELETE", f"shares/{share['id']}"))[0] == 200
        assert (await alice.dav("PROPFIND", secret))[0] == 401
        assert (await bob.received())[0]["state"] == "unshared"
        assert (await bob.rest("GET", f"{files}/"))[0] == 409


@pytest.mark.req("SHARE-10", "NOTE-1")
async def test_a_declined_share_is_closed(tmp_path):
    """What the recipient declines opens nothing any more, and the owner sees it."""
    async with pair(tmp_path) as (alice, bob):
        share = await alice.share("/Project", bob.address)
        secret = await alice.secret_of(share["id"])
        (offered,) = await bob.received()
        assert (await bob.rest("POST", f"received/{offered['id']}/decline"))[1]["state"] == "declined"
        assert (await alice.sent(share["id"]))["state"] == "declined"
        assert (await alice.dav("PROPFIND", secret))[0] == 401


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("kind", ["apache", "local"])
@pytest.mark.parametrize("method", WRITES)
async def test_a_share_for_reading_refuses_every_change(tmp_path, kind, method):
    """Without `write` each changing method is 403, whether it is relayed or served by ourselves."""
    async with pair(tmp_path, kind) as (alice, bob):
        share = await alice.share("/Project", bob.address, write=False)
        secret = await alice.secret_of(share["id"])
        target = f"{alice.local}/ocm/dav/other.txt"
        headers = {"Destination": target, "Lock-Token": "<urn:uuid:0>"}
        assert (await alice.dav(method, secret, "hello.txt", headers=headers))[0] == 403
        assert await alice.dav("GET", secret, "hello.txt") == (200, b"hello")


@pytest.mark.req("ACC-3", "TOK-2")
async def test_a_token_is_required_where_it_is_said(tmp_path):
    """With `must-exchange-token` the bare secret is refused and the exchanged token opens the share."""
    async with pair(tmp_path, alpha={"criteria": {"must_exchange_token": True}}) as (alice, bob):
        share = await alice.share("/Project", bob.address)
        assert share["requirements"] == ["must-exchange-token"]
        assert (await alice.dav("PROPFIND", await alice.secret_of(share["id"])))[0] == 401
        received = await bob.accepted()
        assert await bob.rest("GET", f"received/{received}/files/hello.txt") == (200, b"hello")


@pytest.mark.req("SHARE-1", "IP-1")
async def test_an_expired_share_opens_nothing(tmp_path):
    """When its time has come a share is closed on both sides, and its tokens with it."""
    clock = Clock()
    async with pair(tmp_path, clock=clock) as (alice, bob):
        share = await alice.share("/Project", bob.address, expires_at=int(clock()) + 300)
        secret = await alice.secret_of(share["id"])
        received = await bob.accepted()
        assert (await bob.rest("GET", f"received/{received}/files/hello.txt"))[0] == 200
        clock.ahead = 301
        assert (await alice.dav("GET", secret, "hello.txt"))[0] == 401
        assert (await bob.rest("GET", f"received/{received}/files/hello.txt"))[0] == 409

        async def is_over():
            states = ((await alice.sent(share["id"]))["state"], (await bob.received())[0]["state"])
            return states == ("expired", "expired")

        await until(is_over)


@pytest.mark.req("DISC-7")
async def test_a_share_waits_for_a_peer_that_is_away(tmp_path):
    """A peer that is away does not lose the share: its state is seen, and it is delivered later."""
    clock = Clock()
    with alices_storage("local", tmp_path) as storage:
        async with side(tmp_path, "alpha", "alice", storage, clock=clock) as alice:
            beta = folder_storage(tmp_path / "b", "bob")
            async with side(tmp_path, "beta", "bob", beta, clock=clock) as bob:
                address, port = bob.address, bob.config.http.port
                await alice.share("/Project/sub", address)
            share = await alice.share("/Project", address)
            assert share["state"] == "delivering"
            assert share["problem"]
            assert share["next_attempt_at"] > clock()
            async with side(tmp_path, "beta", "bob", beta, clock=clock, port=port) as bob:
                clock.ahead = 2 * 86_400

                async def is_delivered():
                    return (await alice.sent(share["id"]))["state"] == "delivered"

                await until(is_delivered)
                assert "Project" in {received["name"] for received in await bob.received()}


@pytest.mark.req("SHARE-7")
async def test_an_unknown_recipient_is_told_to_the_sender(tmp_path):
    """A share for nobody is refused for good, and the sender reads the peer's reason."""
    async with pair(tmp_path) as (alice, bob):
        share = await alice.share("/Project", bob.address.replace("bob@", "nobody@"))
        assert share["state"] == "refused"
        assert "no such user" in share["problem"]
        assert await bob.received() == []


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize("is_required", [False, True])
async def test_the_secret_is_the_fall_back_only_where_it_may_be(tmp_path, is_required):
    """Where the exchange fails (here for a clock that is wrong) the secret opens the share, unless a token must."""
    skewed = Clock()
    alpha = {"criteria": {"must_exchange_token": is_required}}
    storage = folder_storage(tmp_path / "a", "alice")
    async with (
        side(tmp_path, "alpha", "alice", storage, **alpha) as alice,
        side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob"), clock=skewed) as bob,
    ):
        await alice.share("/Project", bob.address)
        received = await bob.accepted()
        skewed.ahead = 1800
        status, content = await bob.rest("GET", f"received/{received}/files/hello.txt")
        if is_required:
            assert status != 200
        else:
            assert (status, content) == (200, b"hello")


async def test_a_restarted_gateway_keeps_shares_and_keys(tmp_path):
    """After a stop and a start both sides still know their share, and it opens as before."""
    storage = folder_storage(tmp_path / "a", "alice")
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as bob:
        async with side(tmp_path, "alpha", "alice", storage) as alice:
            port = alice.config.http.port
            share = await alice.share("/Project", bob.address)
            received = await bob.accepted()
            assert (await bob.rest("GET", f"received/{received}/files/hello.txt"))[0] == 200
        async with side(tmp_path, "alpha", "alice", storage, port=port) as alice:
            assert (await alice.sent(share["id"]))["state"] == "accepted"
            assert await bob.rest("GET", f"received/{received}/files/hello.txt") == (200, b"hello")


@pytest.mark.req("ACC-1")
async def test_a_download_looks_once(tmp_path, monkeypatch):
    """A file of another gateway is looked up once and then fetched; if it changes in between, it comes as it now is."""
    async with pair(tmp_path) as (alice, bob):
        await alice.share("/Project", bob.address)
        file = f"received/{await bob.accepted()}/files/hello.txt"

        def asked(method):
            labels = {"door": "dav", "method": method, "status": "207" if method == "PROPFIND" else "200"}
            return alice.gateway.metrics.registry.get_sample_value("ocm_gateway_http_requests_total", labels) or 0

        before = [asked(method) for method in ("PROPFIND", "GET")]
        assert await bob.rest("GET", file) == (200, b"hello")
        assert [asked(method) for method in ("PROPFIND", "GET")] == [before[0] + 1, before[1] + 1]
        look = WebdavBackend.stat

        async def look_and_change(self, path):
            entry = await look(self, path)
            (tmp_path / "alpha-storage/alice/Project/hello.txt").write_text("another")
            return entry

        monkeypatch.setattr(WebdavBackend, "stat", look_and_change)
        assert await bob.rest("GET", file) == (200, b"another")
