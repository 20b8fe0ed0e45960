"""Two storages behind one gateway, and shares that follow their owner's files from one to the other."""

import asyncio
import os
import shutil
import sys
import time

import pytest

from gateway.app import rebind_shares
from gateway.errors import GatewayError, Kind
from support.davdoor import run_program
from support.davgateway import client, site
from support.pair import folder_storage, side

MOVED_WITHIN_SECONDS = 1.0


def two_storages(folder, **changes):
    """Make Alice's project in the storage `old` and return the configuration of `old` and `new`."""
    for name in ("old", "new"):
        (folder / name / "alice").mkdir(parents=True)
    (folder / "old" / "alice" / "Project").mkdir()
    (folder / "old" / "alice" / "Project" / "where.txt").write_text("old")
    (folder / "users.yaml").write_text("users: {}\n")
    return {
        "storages": {name: {"url": f"file://{folder}/{name}/{{user}}"} for name in ("old", "new")},
        "storage_rules": [{"users": ["alice"], "storage": "new"}, {"storage": "old"}],
        **changes,
    }


def move_files(folder):
    """Copy the project to the new storage, and change it there so that one can tell."""
    project = folder / "new" / "alice" / "Project"
    project.mkdir()
    (project / "where.txt").write_text("new")


async def read(session, share):
    """Return what the share's file says."""
    async with session.get(share.url + "where.txt", headers=share.headers) as answer:
        return answer.status, await answer.text()


async def rebind(here, **options):
    """Run the operator's command for Alice."""
    options = {"is_dry": False, "leave_missing": False} | options
    return await rebind_shares(here.configs[0], "alice", old="old", new="new", **options)


async def test_shares_stay_where_they_were_made_until_they_are_moved(tmp_path):
    """A rule moves the user, not her shares; the command moves those, on every replica, and can be run again."""
    async with site(tmp_path, two_storages(tmp_path), replicas=2) as here, client() as session:
        share = await here.share("Project", storage="old")
        assert [await read(session, here.seen_from(share, n)) for n in (0, 1)] == [(200, "old")] * 2
        move_files(tmp_path)
        assert await read(session, share) == (200, "old")
        found = await rebind(here, is_dry=True)
        assert [str(each.root) for each in found.movable] == ["/Project"]
        assert await read(session, share) == (200, "old")
        assert len((await rebind(here)).movable) == 1
        deadline = time.monotonic() + MOVED_WITHIN_SECONDS
        while [await read(session, here.seen_from(share, n)) for n in (0, 1)] != [(200, "new")] * 2:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        again = await rebind(here)
        assert (again.movable, again.missing) == ([], [])
        assert (await here.shares.get(share.record.provider_id)).storage == "new"


async def test_nothing_moves_if_something_is_missing(tmp_path):
    """One shared folder that is not in the new storage keeps all where they are, unless it is to be left behind."""
    async with site(tmp_path, two_storages(tmp_path)) as here, client() as session:
        (tmp_path / "old" / "alice" / "Other").mkdir()
        share, other = await here.share("Project", storage="old"), await here.share("Other", storage="old")
        move_files(tmp_path)
        with pytest.raises(GatewayError, match=r"Not in the storage new: /Other. Nothing was changed") as caught:
            await rebind(here)
        assert caught.value.kind is Kind.CONFLICT
        assert await read(session, share) == (200, "old")
        found = await rebind(here, leave_missing=True)
        assert [str(each.root) for each in found.missing] == ["/Other"]
        assert (await here.shares.get(share.record.provider_id)).storage == "new"
        assert (await here.shares.get(other.record.provider_id)).storage == "old"


async def test_a_storage_that_is_not_configured_any_more_is_an_outage(tmp_path):
    """Peers are told 503, never 404 or 401, so that they keep what was shared; the command still moves it."""
    options = two_storages(tmp_path)
    move_files(tmp_path)
    async with site(tmp_path, options) as here, client() as session:
        share = await here.share("Project", storage="gone")
        assert (await read(session, share))[0] == 503
        config = here.configs[0]
        await rebind_shares(config, "alice", old="gone", new="new", is_dry=False, leave_missing=False)
        assert await read(session, share) == (200, "new")


@pytest.mark.parametrize(("old", "new", "kind"), [("old", "old", Kind.INVALID), ("old", "odl", Kind.CONFIGURATION)])
async def test_impossible_moves_are_refused(tmp_path, old, new, kind):
    """The same storage twice, or one that is not configured, is refused before anything is opened."""
    async with site(tmp_path, two_storages(tmp_path)) as here:
        with pytest.raises(GatewayError) as caught:
            await rebind_shares(here.configs[0], "alice", old=old, new=new, is_dry=False, leave_missing=False)
        assert caught.value.kind is kind


async def test_writes_and_locks_of_two_storages_do_not_meet(tmp_path):
    """The same path of the same owner is locked in one storage and free in the other."""
    async with site(tmp_path, two_storages(tmp_path)) as here, client() as session:
        move_files(tmp_path)
        old, new = await here.share("Project", storage="old"), await here.share("Project", storage="new")
        body = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
        async with session.request("LOCK", old.url + "where.txt", headers=old.headers, data=body) as answer:
            assert answer.status == 200
        other = await here.share("Project", storage="old")
        for share, status in ((other, 423), (new, 204)):
            async with session.put(share.url + "where.txt", headers=share.headers, data=b"x") as answer:
                assert answer.status == status


async def test_an_operator_moves_everybody_to_a_new_storage(tmp_path):
    """The whole way by commands: stop, copy, rebind, change the rule, start; the recipient reads on, from there."""
    parts = two_storages(tmp_path)
    parts["storage_rules"] = [{"storage": "old"}]
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta:
        async with side(tmp_path, "alpha", "alice", None, **parts) as alpha:
            await alpha.share("/Project", beta.address)
            with pytest.raises(GatewayError, match="Another gateway is using"):
                await rebind_shares(alpha.config, "alice", old="old", new="new", is_dry=True, leave_missing=False)
            received = await beta.accepted()
            port = alpha.config.http.port
        shutil.copytree(tmp_path / "old" / "alice", tmp_path / "new" / "alice", dirs_exist_ok=True)
        (tmp_path / "new" / "alice" / "Project" / "where.txt").write_text("new")

        async def rebind(*words):
            command = (sys.executable, "-m", "gateway", "storage", "rebind", "-c", str(tmp_path / "alpha.yaml"))
            return await run_program(*command, "--user", "alice", *words, env=os.environ)

        assert await rebind("old", "new") == (0, f"moved      /Project → {beta.address}\n")
        parts["storage_rules"] = [{"storage": "new"}]
        async with side(tmp_path, "alpha", "alice", None, port=port, **parts) as alpha:
            assert (await alpha.rest("GET", "files/Project/where.txt"))[1] == b"new"
            assert (await beta.rest("GET", f"received/{received}/files/where.txt"))[1] == b"new"
