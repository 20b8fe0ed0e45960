"""Nextcloud 31 and ownCloud 10 ask, for each thing that their user does, what they were seen to ask, in that order."""

import pytest
from interop.peers.nextcloud import Nextcloud31
from interop.peers.owncloud import OwnCloud10

from support.pair import folder_storage, side

LOOK = ["GET ocm-provider", "PROPFIND root 0"]
# live-captures.md 3, "Sequence for one operation of a local user on NC31".
RECORDED = {
    "list": [*LOOK, "PROPFIND root 1"],
    "read": [*LOOK, "PROPFIND root 1", "PROPFIND root 0", "GET hello.txt"],
    "write a new file": [
        *LOOK,
        "PROPFIND root 1",
        "PROPFIND new.txt 0",
        "PROPFIND root 1",
        "PUT new.txt",
        "PROPFIND new.txt 0",
        "PROPFIND root 0",
    ],
    "overwrite": [
        *LOOK,
        "PROPFIND root 1",
        "PROPFIND root 0",
        "PROPFIND root 1",
        "GET hello.txt",
        "PUT hello.txt",
        "PROPFIND hello.txt 0",
    ],
    "make a folder": ["PROPFIND made 0", "MKCOL made", "PROPFIND made 0", "PROPFIND made 1"],
    "rename": ["PROPFIND b.txt 0", "MOVE hello.txt"],
}
DOINGS = {
    "list": lambda mount: mount.names(),
    "read": lambda mount: mount.read("hello.txt"),
    "write a new file": lambda mount: mount.write("new.txt", b"new"),
    "overwrite": lambda mount: mount.write("hello.txt", b"other"),
    "make a folder": lambda mount: mount.make("made"),
    "rename": lambda mount: mount.rename("hello.txt", "b.txt"),
}


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice's project behind it."""
    async with side(tmp_path, "here", "alice", folder_storage(tmp_path / "files", "alice")) as running:
        yield running


@pytest.mark.req("ACC-2")
async def test_nextcloud_31_asks_as_recorded(alice):
    """Each operation sends exactly the recorded requests, and each of them is answered as the next one needs it."""
    async with Nextcloud31.meeting(alice) as peer:
        share = await alice.share("/Project", peer.address)
        asked = {}
        for name, do in DOINGS.items():
            mount = await peer.mount(share["id"])
            await do(mount)
            asked[name] = mount.sent
        assert asked == RECORDED


@pytest.mark.req("ACC-2")
async def test_owncloud_10_reads_back_what_it_writes_and_deletes(alice):
    """It looks at each child by itself, and fetches a file after writing and before deleting it."""
    async with OwnCloud10.meeting(alice) as peer:
        share = await alice.share("/Project", peer.address)
        mount = await peer.mount(share["id"])
        await mount.names()
        await mount.write("new.txt", b"new")
        await mount.remove("new.txt")
        assert {"PROPFIND hello.txt 0", "PROPFIND sub 0"} <= set(mount.sent)
        assert mount.sent[-3:] == ["GET new.txt", "GET new.txt", "DELETE new.txt"]
        assert not any("status.php" in line or "ocs" in line for line in mount.sent)
