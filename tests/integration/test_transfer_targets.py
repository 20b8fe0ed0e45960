"""Transfers into each kind of own storage, one that goes away and comes back, and what is counted meanwhile (ACC-5)."""

import os
from contextlib import asynccontextmanager

import pytest
from integration.test_sftp_storage import PASSWORDS, homes
from integration.test_two_gateways import pair

from support.apache import apache
from support.pair import folder_storage, side
from support.transferrig import files_below, offered, slowly, transfer, until, until_over
from support.wsgi import wsgidav

CONTENT = os.urandom(1_000_000)


@asynccontextmanager
async def apache_target(folder, program=apache):
    """Run a WebDAV server with a folder of Bob's; give its configuration, more of the gateway's, and the folder."""
    with program() as server:
        url = server.fresh("transfer-target")
        home = server.files / "transfer-target" / "bob"
        home.mkdir()
        server.own(home)
        credentials = f"service:{server.users['service']}"
        yield {"url": f"webdav+{url}{{user}}", "credentials": credentials, "view": "template"}, {}, home


def wsgidav_target(folder):
    """Run wsgidav likewise; it cuts names in a MOVE."""
    return apache_target(folder, wsgidav)


@asynccontextmanager
async def sftp_target(folder):
    """Run an SSH server with a home of Bob's, who logs in there."""
    async with homes(folder) as (port, hosts):
        url = f"sftp://127.0.0.1:{port}/~/"
        storage = {"url": url, "known_hosts_file": str(hosts), "view": "user", "stored_accounts": True}
        yield storage, {"identity": {"providers": ["storage"]}}, folder / "homes" / "bob"


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("target", [apache_target, wsgidav_target, sftp_target])
async def test_a_remote_own_storage_takes_a_transfer(tmp_path, target):
    """Into an own storage on a WebDAV or an SSH server a folder comes as whole as into one of this machine."""
    shared = folder_storage(tmp_path / "a", "alice")
    (tmp_path / "a/alice/Project/sub/large.bin").write_bytes(CONTENT)
    for name in ("b", "b;c", "b?c", "b#c"):
        (tmp_path / "a/alice/Project" / name).write_text(name)
    async with (
        target(tmp_path) as (storage, parts, home),
        side(tmp_path, "alpha", "alice", shared) as alice,
        side(tmp_path, "beta", "bob", storage, **parts) as bob,
    ):
        bob.password = PASSWORDS["bob"] if "identity" in parts else bob.password
        assert (await bob.rest("GET", "me"))[0] == 200
        over = await until_over(bob, (await transfer(bob, await offered(alice, bob), name="Copy"))["id"])
        assert (over["state"], over["problem"], over["files_done"]) == ("done", "", 6)
        assert files_below(home / "Copy") == files_below(tmp_path / "a/alice/Project")


@pytest.mark.req("ACC-5")
async def test_an_own_storage_that_returns_gets_the_rest(tmp_path, monkeypatch):
    """While the own storage is away the transfer waits and says why; it counts as running only while it is."""
    reading = slowly(monkeypatch, "slow.bin", after=len(CONTENT) // 2)
    parts = {"transfers": {"first_retry_seconds": "200ms", "max_retry_seconds": "500ms"}}
    async with pair(tmp_path, beta=parts) as (alice, bob):

        def running():
            return bob.gateway.metrics.registry.get_sample_value("ocm_gateway_transfers")

        (tmp_path / "alpha-storage/alice/Project/slow.bin").write_bytes(CONTENT)
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        await reading.stands.wait()
        assert running() == 1
        home = tmp_path / "b/bob"
        home.rename(tmp_path / "away")
        reading.go.set()
        waiting = await until(bob, started["id"], lambda shown: shown["state"] == "retrying")
        assert waiting["problem"].startswith("In your storage")
        (tmp_path / "away").rename(home)
        over = await until_over(bob, started["id"])
        assert (over["state"], over["problem"], over["files_done"]) == ("done", "", 2)
        assert files_below(home / "Copy") == files_below(tmp_path / "alpha-storage/alice/Project")
        assert running() == 0
