"""The ETag rule (DESIGN 6): a file's tag is its storage's, a shared folder's tag changes with anything below."""

import re
import time
from contextlib import AsyncExitStack

import pytest

from gateway.app.core import open_core
from gateway.app.storage import build
from gateway.backends.local import LocalBackend
from gateway.backends.roottag import UNNOTICED_MAX_SECONDS
from gateway.flows.write_marks import WriteMarks
from gateway.model.mark import WriteMark
from gateway.model.resource import ResourcePath
from gateway.model.user import LocalUser
from support.davgateway import client, local_storage, site

ASK = '<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/></d:prop></d:propfind>'
TIME = (
    '<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:getlastmodified>1500000000</d:getlastmodified></d:prop>'
    "</d:set></d:propertyupdate>"
)


@pytest.fixture
async def rig(tmp_path):
    """Two replicas, and functions that ask under a share and that tell the tag of its root."""
    deep = tmp_path / "storage/alice/docs/a/b/c"
    deep.mkdir(parents=True)
    (deep / "file").write_text("content")
    async with site(tmp_path, local_storage(tmp_path / "storage"), replicas=2) as running, client() as http:
        yield Rig(running, http, await running.share("docs"), deep)


class Rig:
    def __init__(self, running, http, share, deep):
        self.running, self.http, self.share, self.deep = running, http, share, deep

    async def ask(self, method, path="", body=None, *, share=None, **headers):
        share = share or self.share
        async with self.http.request(method, share.url + path, data=body, headers=headers | share.headers) as answer:
            return answer.status, answer.headers, await answer.text()

    async def tag(self):
        """Return the root's tag, as peers ask for it."""
        _, _, text = await self.ask("PROPFIND", body=ASK, Depth="0")
        tag = re.search(r"<d:getetag>(.*)</d:getetag>", text)[1]
        assert 2 < len(tag) <= 40
        return tag


async def test_a_files_tag_is_the_storages_own(rig):
    """HEAD, GET, PROPFIND and the answer to PUT tell the very tag that the storage gives."""
    _, put, _ = await rig.ask("PUT", "a/b/c/file", "new content")
    own = (await LocalBackend(rig.deep).stat(ResourcePath(("file",)))).etag
    told = [(await rig.ask(method, "a/b/c/file"))[1]["ETag"] for method in ("HEAD", "GET")]
    _, _, text = await rig.ask("PROPFIND", "a/b/c/file", ASK, Depth="0")
    assert {put["ETag"], *told} == {own}
    assert own in text


async def test_every_change_below_changes_the_roots_tag(rig):
    """Whatever is done at any depth, by another share, at another replica or by the owner, the root's tag is new."""
    inner = rig.running.seen_from(await rig.running.share("docs/a/b"), 1)
    base = inner.url.removeprefix(inner.origin)
    changes = [
        ("PUT", "c/file", "new", {}),
        ("PUT", "c/other", "new", {}),
        ("MKCOL", "c/folder", None, {}),
        ("COPY", "c/file", None, {"Destination": f"{base}c/copied"}),
        ("MOVE", "c/other", None, {"Destination": f"{base}c/moved"}),
        ("PROPPATCH", "c/file", TIME, {}),
        ("DELETE", "c/moved", None, {}),
    ]
    tags = [await rig.tag()]
    for method, path, body, headers in changes:
        status, _, _ = await rig.ask(method, path, body, share=inner, **headers)
        assert status < 300, method
        tags.append(await rig.tag())
    async with AsyncExitStack() as stack:
        near = await build(await open_core(rig.running.configs[0], stack, time.time))
        alice = near.as_user(LocalUser(identifier="alice", display_name="Alice"))
        await alice.mkdir(ResourcePath.parse("docs/a/b/c/by alice"))
    tags.append(await rig.tag())
    assert len(set(tags)) == len(changes) + 2


async def test_reading_and_refused_writes_leave_the_tag(rig):
    """A tag stays while nothing changes, so that peers do not list again and again."""
    while True:
        minute = time.time() // UNNOTICED_MAX_SECONDS
        first = await rig.tag()
        assert (await rig.ask("GET", "a/b/c/file"))[0] == 200
        assert (await rig.ask("PUT", "a/none/file", "x"))[0] == 409
        assert (await rig.ask("PUT", "a/b/c/file", "x", **{"If-None-Match": "*"}))[0] == 412
        second = await rig.tag()
        # What happened behind our back may have changed the tag when a new bucket of time began.
        if time.time() // UNNOTICED_MAX_SECONDS == minute:
            break
    assert first == second


class Marks:
    """The one record that is asked for."""

    async def get(self, key):
        return WriteMark(key=key, count=1)


async def test_changes_behind_our_back_are_noticed_in_time(rig):
    """Without a write through us the tag is new at the latest when a bucket of time has passed."""
    now = 1_000_020.0
    marks = WriteMarks(marks=Marks(), now=lambda: now, propagating=frozenset({"eos"}))
    first = await marks.folder_tag("default", "alice", '"own"')
    now += UNNOTICED_MAX_SECONDS
    assert await marks.folder_tag("default", "alice", '"own"') != first
    assert await marks.folder_tag("eos", "alice", '"own"') == '"own"'
