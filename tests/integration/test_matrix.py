"""Every door before every kind of storage, to read and to change, with the programs that people use (ACC-6).

Each cell reads files of the sizes at which things go wrong, and writes such files or is refused. The programs: curl,
OpenSSH's sftp and scp (both protocols), and our own command for a transfer, which writes to a storage of the same kind.
"""

import os

import pytest
import pytest_asyncio

from support.everydoor import READ, STORAGES, WRITE, before, digest
from support.transferrig import transfer, until_over

SIZES = {"empty": 0, "one": 1, "odd": 65_537}
CONTENTS = {name: os.urandom(size) for name, size in SIZES.items()}
FIVE_GIB = 5 * 2**30
OLD = b"what was there before"
DIGESTS = {name: digest(content) for name, content in CONTENTS.items()}

module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=STORAGES)
async def doors(request, tmp_path_factory):
    """All doors before one kind of storage, in which files to read are."""
    folder = tmp_path_factory.mktemp(request.param)
    async with before(request.param, folder) as doors:
        yield doors


class WebDav:
    """Curl at the WebDAV door."""

    async def fetch(self, doors, share, names, target):
        words = [word for name in names for word in ("-o", f"{target}/{name}", doors.offers[share].webdav + name)]
        return await doors.curl(*doors.credential(share), *words)

    async def store(self, doors, share, source, names):
        words = [word for name in names for word in ("-T", f"{source}/{name}", doors.offers[share].webdav + name)]
        return await doors.curl(*doors.credential(share), *words)


class Sftp:
    """OpenSSH's sftp at the SSH door."""

    async def fetch(self, doors, share, names, target):
        return await doors.ssh("sftp", share, "-b", "-", "{}", text="".join(f"get {n} {target}/{n}\n" for n in names))

    async def store(self, doors, share, source, names):
        return await doors.ssh("sftp", share, "-b", "-", "{}", text="".join(f"put {source}/{n} {n}\n" for n in names))


class Scp:
    """OpenSSH's scp at the SSH door, with the protocol that an option names."""

    def __init__(self, option):
        self.option = option

    async def fetch(self, doors, share, names, target):
        return await doors.ssh("scp", share, self.option, *("{}:" + name for name in names), str(target))

    async def store(self, doors, share, source, names):
        return await doors.ssh("scp", share, self.option, *(f"{source}/{name}" for name in names), "{}:/")


CLIENTS = {"webdav": WebDav(), "sftp": Sftp(), "scp": Scp("-O"), "scp over sftp": Scp("-s")}


def digests_in(folder, names):
    """Return the digests of these files."""
    return {name: digest((folder / name).read_bytes()) for name in names}


def seed(doors, share, prefix):
    """Put a file of each size into a share, and return their digests by name."""
    for name, content in CONTENTS.items():
        doors.put(share, prefix + name, content)
    return {prefix + name: told for name, told in DIGESTS.items()}


def upload(folder, prefix):
    """Write a file of each size into a folder of the client's, and return their digests by name."""
    for name, content in CONTENTS.items():
        (folder / (prefix + name)).write_bytes(content)
    return {prefix + name: told for name, told in DIGESTS.items()}


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", CLIENTS)
@module_loop
async def test_a_share_to_change_is_read_and_written(doors, door, tmp_path):
    """Files of each size come as they are in the storage, and go to the storage as they are at the client."""
    client, prefix = CLIENTS[door], door.replace(" ", "-")
    seeded = seed(doors, WRITE, f"{prefix}-down-")
    status, output = await client.fetch(doors, WRITE, seeded, tmp_path)
    assert status == 0, output
    assert digests_in(tmp_path, seeded) == seeded
    sent = upload(tmp_path, f"{prefix}-up-")
    doors.put(WRITE, f"{prefix}-up-one", OLD)
    status, output = await client.store(doors, WRITE, tmp_path, sent)
    assert status == 0, output
    assert digests_in(doors.stored(WRITE, "."), sent) == sent


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", CLIENTS)
@module_loop
async def test_a_share_to_read_is_read_and_not_written(doors, door, tmp_path):
    """Files of each size come as they are in the storage; neither a new nor an old file is written."""
    client, prefix = CLIENTS[door], door.replace(" ", "-")
    seeded = seed(doors, READ, f"{prefix}-down-")
    status, output = await client.fetch(doors, READ, seeded, tmp_path)
    assert status == 0, output
    assert digests_in(tmp_path, seeded) == seeded
    doors.put(READ, f"{prefix}-up-one", OLD)
    for name in upload(tmp_path, f"{prefix}-up-"):
        status, output = await client.store(doors, READ, tmp_path, [name])
        assert status != 0, output
    assert doors.stored(READ, f"{prefix}-up-one").read_bytes() == OLD
    assert not doors.stored(READ, f"{prefix}-up-odd").exists()


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("door", ["webdav", "sftp"])
@module_loop
async def test_a_download_of_five_gib_is_carried_on(doors, door, tmp_path):
    """Who has 5 GiB of a file but for its last bytes gets exactly these, from beyond every 32-bit number."""
    source, got = doors.stored(READ, f"five-{door}"), tmp_path / "five"
    end = CONTENTS["odd"]
    for path, content in ((source, end), (got, b"")):
        with path.open("wb") as file:
            file.truncate(FIVE_GIB - len(end))
            file.seek(0, os.SEEK_END)
            file.write(content)
    doors.place.own(source)
    if door == "webdav":
        words = ("-C", "-", "-o", str(got), doors.offers[READ].webdav + source.name)
        status, output = await doors.curl(*doors.credential(READ), *words)
    else:
        status, output = await doors.ssh("sftp", READ, "-b", "-", "{}", text=f"reget {source.name} {got}\n")
    assert status == 0, output
    assert got.stat().st_size == FIVE_GIB
    with got.open("rb") as file:
        file.seek(-len(end), os.SEEK_END)
        assert digest(file.read()) == DIGESTS["odd"]


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("share", [READ, WRITE])
@module_loop
async def test_a_share_is_copied(doors, share):
    """A transfer copies files of each size to the own storage; what may be changed is changed and copied again."""
    folder = doors.stored(share, "datatx")
    folder.mkdir()
    doors.place.own(folder)
    seeded = seed(doors, share, "datatx/")
    received, name = doors.offers[share].bobs, f"copy of {share}"
    status, output = await doors.ours("received", "copy", received, "datatx", "--name", name, "--wait")
    assert status == 0, output
    copied = doors.place.files / "bob" / name
    assert digests_in(copied, SIZES) == DIGESTS
    changed = CONTENTS["odd"][::-1]
    status, answer = await doors.bob.rest("PUT", f"received/{received}/files/datatx/one", data=changed)
    assert status == (204 if share == WRITE else 403), answer
    again = await transfer(doors.bob, received, path="/datatx", name=name, conflict="overwrite")
    assert (await until_over(doors.bob, again["id"]))["state"] == "done"
    now = seeded | ({"datatx/one": digest(changed)} if share == WRITE else {})
    assert digests_in(doors.stored(share, "."), now) == now
    assert digest((copied / "one").read_bytes()) == now["datatx/one"]
