"""Files beyond every 32-bit number, at each door: 5 GiB that are nearly all hole, read and written.

What comes is summed as it comes and kept nowhere. To move all of it takes minutes, so that is marked `large`; the end
of such a file, which is where small numbers give out, is fetched each time (`test_matrix`).
"""

import asyncio
import hashlib

import pytest

from support.apache import apache
from support.davserver import program
from support.everydoor import READ, WRITE, dav_place, digest_of, doors_in_a_process, every_door, local_place

SIZE = 5 * 2**30
MARKS = {0: b"begin", 2**31 - 3: b"around 2 GiB", 2**32 - 3: b"around 4 GiB", SIZE - 3: b"end"}
# What sha256sum says of the file that `sparse` makes.
DIGEST = "4b06222ec03df330fb4da5851575416f5b116d45e63631f47cb0a4075ef5b8b7"
pytestmark = pytest.mark.large


def sparse(path):
    """Make the file."""
    with path.open("wb") as file:
        file.truncate(SIZE)
        for place, text in MARKS.items():
            file.seek(place)
            file.write(text)
    return path


def sum_of(path):
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetching(doors, door, name):
    """Return the command that writes a file of the share to read to its standard output."""
    offer = doors.offers[READ]
    if door == "webdav":
        return ["curl", "-sS", "--fail", *doors.credential(READ), offer.webdav + name]
    if door == "scp":
        return doors.ssh_words("scp", READ, "-O", "{}:" + name, "/dev/stdout")
    key = doors.folder / "client" / "id_ed25519"
    options = f"host=127.0.0.1,port={offer.ssh_port},user={offer.ssh_user},key_file={key},shell_type=none"
    return [program("rclone"), "--config", "/dev/null", "-q", "cat", f":sftp,{options}:{name}"]


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("door", "kind"), [("webdav", "local"), ("webdav", "apache"), ("sftp", "local"), ("scp", "local")]
)
async def test_five_gib_are_read(tmp_path, door, kind):
    """A file of 5 GiB comes whole and in order."""
    if kind == "apache":
        with apache() as server:
            await read_five(tmp_path, dav_place(server), door)
    else:
        await read_five(tmp_path, local_place(tmp_path / "storage"), door)


async def read_five(folder, place, door):
    """Read the large file through a door."""
    async with doors_in_a_process(folder, place) as doors:
        place.own(sparse(doors.stored(READ, "five")))
        assert await digest_of(*fetching(doors, door, "five")) == (0, DIGEST)


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("door", ["webdav", "sftp", "scp"])
async def test_five_gib_are_written(tmp_path, door):
    """A file of 5 GiB arrives whole and in order."""
    async with doors_in_a_process(tmp_path, local_place(tmp_path / "storage")) as doors:
        source = sparse(tmp_path / "five")
        if door == "webdav":
            words = ("-T", str(source), doors.offers[WRITE].webdav + "five")
            status, output = await doors.curl(*doors.credential(WRITE), *words)
        elif door == "scp":
            status, output = await doors.ssh("scp", WRITE, "-O", str(source), "{}:/five")
        else:
            status, output = await doors.ssh("sftp", WRITE, "-b", "-", "{}", text=f"put {source} five\n")
        assert status == 0, output
        arrived = doors.stored(WRITE, "five")
        assert await asyncio.to_thread(sum_of, arrived) == DIGEST
        arrived.unlink()


@pytest.mark.req("ACC-5")
@pytest.mark.timeout(600)
async def test_five_gib_are_copied(tmp_path):
    """A transfer of 5 GiB, in pieces that come in any order, ends in the same file."""
    async with every_door(tmp_path, local_place(tmp_path / "storage")) as doors:
        sparse(doors.stored(READ, "five"))
        status, output = await doors.ours("received", "copy", doors.offers[READ].bobs, "five", "--wait")
        assert status == 0, output
        arrived = doors.place.files / "bob" / "five"
        assert await asyncio.to_thread(sum_of, arrived) == DIGEST
        arrived.unlink()
