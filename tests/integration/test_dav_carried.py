"""What hangs on a path goes along when the path changes: dead properties and shares, through every door."""

import asyncio
import os
import re
import time
from contextlib import AsyncExitStack

import pytest

from gateway.app.core import open_core
from gateway.app.storage import build
from gateway.backends.localfs import TEMPORARY_PREFIX
from gateway.model.resource import ResourcePath
from gateway.model.share import SentState
from gateway.model.user import LocalUser
from support.apache import apache
from support.davgateway import client, local_storage, site, webdav_storage

SET = (
    '<d:propertyupdate xmlns:d="DAV:" xmlns:z="urn:z" xml:lang="de"><d:set><d:prop><z:note a="1">'
    "<z:b>Grüße &amp; mehr</z:b></z:note></d:prop></d:set></d:propertyupdate>"
)
ASK = '<d:propfind xmlns:d="DAV:"><d:prop><z:note xmlns:z="urn:z"/></d:prop></d:propfind>'


class Peer:
    """Somebody who holds a share."""

    def __init__(self, http, share):
        self.http, self.share = http, share

    async def ask(self, method, path="", body=None, to=None, **headers):
        """Send a request and return status and text."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | self.share.headers
        if to is not None:
            headers["Destination"] = self.share.url + to
        async with self.http.request(method, self.share.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.text(errors="replace")

    async def note(self, path=""):
        """Tell whether the property of `SET` is kept at `path`, complete."""
        status, text = await self.ask("PROPFIND", path, ASK, Depth="0")
        assert status == 207, text
        return 'a="1"' in text and 'xml:lang="de"' in text and "<z:b>Grüße &amp; mehr</z:b>" in text


@pytest.fixture
async def http():
    async with client() as session:
        yield session


@pytest.fixture
async def running(tmp_path):
    """Two replicas before a local storage in which Alice has `docs/sub/deep/file` and `docs/loose`."""
    deep = tmp_path / "storage/alice/docs/sub/deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("content")
    (tmp_path / "storage/alice/docs/loose").write_text("loose")
    async with site(tmp_path, local_storage(tmp_path / "storage"), replicas=2) as found:
        yield found


@pytest.fixture
async def peer(running, http):
    return Peer(http, await running.share("docs"))


async def test_properties_are_seen_under_every_share(running, http, peer):
    """A property belongs to the file: who reaches the file by another share, at another replica, sees the same."""
    other = Peer(http, running.seen_from(await running.share("docs/sub"), 1))
    assert (await peer.ask("PROPPATCH", "sub/deep", SET))[0] == 207

    assert await other.note("deep")
    assert not await other.note("deep/file")


async def test_an_id_is_the_same_in_every_share(running, http, peer):
    """Two shares that show one file tell the same id for it, and another one for its neighbour."""
    other = Peer(http, await running.share("docs/sub"))
    ask = '<d:propfind xmlns:d="DAV:"><d:prop><o:id xmlns:o="http://owncloud.org/ns"/></d:prop></d:propfind>'
    texts = [
        (await who.ask("PROPFIND", path, ask, Depth="0"))[1]
        for who, path in ((peer, "sub/deep/file"), (other, "deep/file"), (peer, "sub/deep"))
    ]
    first, second, neighbour = (re.search(r":id[^>]*>([0-9a-f]{32})<", text)[1] for text in texts)
    assert first == second != neighbour


async def test_properties_follow_moves_and_copies(peer):
    """A property of something inside a folder goes with the folder's move, is doubled by its copy, ends with DELETE."""
    await peer.ask("PROPPATCH", "sub/deep/file", SET)
    assert (await peer.ask("MOVE", "sub", to="moved"))[0] == 201
    assert await peer.note("moved/deep/file")
    assert (await peer.ask("COPY", "moved", to="copied"))[0] == 201
    assert await peer.note("moved/deep/file")
    assert await peer.note("copied/deep/file")

    assert (await peer.ask("DELETE", "copied"))[0] == 204
    await peer.ask("MKCOL", "copied")
    await peer.ask("MKCOL", "copied/deep")
    await peer.ask("PUT", "copied/deep/file", "new")
    assert not await peer.note("copied/deep/file")


async def test_what_is_new_has_no_properties(running, peer, tmp_path):
    """What vanished behind our back leaves nothing to a new file of its name."""
    await peer.ask("PROPPATCH", "loose", SET)
    (tmp_path / "storage/alice/docs/loose").unlink()
    assert (await peer.ask("PUT", "loose", "new"))[0] == 201
    assert not await peer.note("loose")


async def test_properties_are_told_in_listings(peer):
    """All properties, and the names of all, include the dead ones of each member."""
    await peer.ask("PROPPATCH", "sub", SET)
    _, everything = await peer.ask("PROPFIND", "", Depth="1")
    _, names = await peer.ask("PROPFIND", "", '<d:propfind xmlns:d="DAV:"><d:propname/></d:propfind>', Depth="1")

    assert everything.count("Grüße") == 1
    assert names.count(':note xmlns:x="urn:z"/>') == 1
    assert "Grüße" not in names


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<d:set><d:prop><d:getetag>x</d:getetag><z:a>1</z:a></d:prop></d:set>", "403"),
        (f"<d:set><d:prop><z:big>{'x' * 20_000}</z:big><z:a>1</z:a></d:prop></d:set>", "507"),
        (
            "<d:set><d:prop>"
            + "".join(f"<z:n{n}>{'x' * 15_000}</z:n{n}>" for n in range(5))
            + "<z:a>1</z:a></d:prop></d:set>",
            "507",
        ),
    ],
)
async def test_a_refused_property_takes_the_others_with_it(peer, body, status):
    """A protected property or one that is too large is refused, and then nothing of the request is kept."""
    text = f'<d:propertyupdate xmlns:d="DAV:" xmlns:z="urn:z">{body}</d:propertyupdate>'
    answered, told = await peer.ask("PROPPATCH", "loose", text)
    assert answered == 207
    assert f"HTTP/1.1 {status}" in told
    assert "HTTP/1.1 200" not in told

    _, kept = await peer.ask("PROPFIND", "loose", Depth="0")
    assert "urn:z" not in kept


async def test_readers_and_strangers_to_a_lock_set_no_properties(running, http, peer):
    """A property is changed by nobody who may not write, and past no lock."""
    reader = Peer(http, await running.share("docs", permissions=frozenset()))
    assert (await reader.ask("PROPPATCH", "loose", SET))[0] == 403
    lock = '<d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype>'
    assert (await peer.ask("LOCK", "loose", lock + "</d:lockinfo>"))[0] == 200
    other = Peer(http, await running.share("docs"))
    assert (await other.ask("PROPPATCH", "loose", SET))[0] == 423
    assert not await peer.note("loose")


@pytest.mark.req("ACC-6")
async def test_shares_go_along_with_a_move(running, http, peer):
    """Shares of what is moved, and of what lies in it, open the new place on every replica at once."""
    at_folder = Peer(http, await running.share("docs/sub"))
    inside = Peer(http, running.seen_from(await running.share("docs/sub/deep"), 1))
    beside = Peer(http, await running.share("docs"))
    assert (await inside.ask("GET", "file"))[0] == 200

    assert (await peer.ask("MOVE", "sub", to="new place"))[0] == 201
    assert await inside.ask("GET", "file") == (200, "content")
    assert await at_folder.ask("GET", "deep/file") == (200, "content")
    assert await beside.ask("GET", "new place/deep/file") == (200, "content")
    record = await running.shares.get(inside.share.record.provider_id)
    assert record.root == ResourcePath(("docs", "new place", "deep"))
    assert record.name == inside.share.record.name


async def test_ended_shares_stay_where_they_were(running, peer):
    """A share that has ended is not touched by moves."""
    share = await running.share("docs/sub", state=SentState.REVOKED)
    await peer.ask("MOVE", "sub", to="moved")
    assert (await running.shares.get(share.record.provider_id)).root == ResourcePath.parse("docs/sub")


async def test_the_owners_own_move_takes_shares_along(running, http):
    """What the owner renames herself, as the pages and the API do, takes its shares along."""
    inside = Peer(http, await running.share("docs/sub/deep"))
    alice = LocalUser(identifier="alice", display_name="Alice")
    async with AsyncExitStack() as stack:
        near = await build(await open_core(running.configs[0], stack, time.time))
        docs, papers = ResourcePath.parse("docs"), ResourcePath.parse("papers")
        await near.as_user(alice).move(docs, papers, overwrite=False)
    assert await inside.ask("GET", "file") == (200, "content")


async def test_a_move_through_the_relay_takes_shares_along(tmp_path, http):
    """Also where requests are relayed to a WebDAV storage, shares go along with a move."""
    with apache() as server:
        for folder in ("alice", "alice/docs", "alice/docs/sub", "alice/docs/sub/deep"):
            server.fresh(folder)
        async with site(tmp_path, webdav_storage(server)) as running:
            peer, inside = Peer(http, await running.share("docs")), Peer(http, await running.share("docs/sub/deep"))
            assert (await inside.ask("PUT", "file", "content"))[0] == 201
            assert (await peer.ask("MOVE", "sub", to="moved"))[0] == 201
            assert await inside.ask("GET", "file") == (200, "content")


async def test_what_killed_processes_left_is_swept(tmp_path):
    """A starting gateway removes unfinished files that are a day old, in every user's folder, and nothing else."""
    for user in ("alice", "bob"):
        folder = tmp_path / "storage" / user
        folder.mkdir(parents=True)
        for name, age in ((f"{TEMPORARY_PREFIX}old", 2), (f"{TEMPORARY_PREFIX}new", 0), ("file", 2)):
            (folder / name).write_text("x")
            os.utime(folder / name, (time.time() - age * 86_400,) * 2)
    async with site(tmp_path, local_storage(tmp_path / "storage")) as running, asyncio.timeout(20):
        olds = [tmp_path / "storage" / user / f"{TEMPORARY_PREFIX}old" for user in ("alice", "bob")]
        while any(old.exists() for old in olds):  # noqa: ASYNC110 - a disk has no event to wait for
            await asyncio.sleep(0.05)
        assert running.gateways
    left = sorted(str(path.relative_to(tmp_path / "storage")) for path in (tmp_path / "storage").glob("*/*"))
    assert left == sorted(f"{user}/{name}" for user in ("alice", "bob") for name in (f"{TEMPORARY_PREFIX}new", "file"))
