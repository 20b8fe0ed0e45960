"""Files beyond every 32-bit number, at each door before each storage: 5 GiB that are nearly all hole, read and written.

What comes is summed as it comes and kept nowhere; what arrives is summed in the storage and removed. To move all of it
takes minutes, so that is marked `large`; the end of such a file, which is where small numbers give out, is fetched each
time (`test_matrix`).
"""

import asyncio
import hashlib
from contextlib import contextmanager

import pytest
from integration.test_kill import storage

from support.davserver import program
from support.everydoor import READ, WRITE, digest_of, doors_in_a_process, every_door

SIZE = 5 * 2**30
MARKS = {0: b"begin", 2**31 - 3: b"around 2 GiB", 2**32 - 3: b"around 4 GiB", SIZE - 3: b"end"}
# What sha256sum says of the file that `sparse` makes.
DIGEST = "4b06222ec03df330fb4da5851575416f5b116d45e63631f47cb0a4075ef5b8b7"
DOORS = ["webdav", "sftp", "scp"]
STORAGES = ["local", "apache", "wsgidav", "sshd"]
pytestmark = [pytest.mark.large, pytest.mark.timeout(900)]


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


def storing(doors, share, door, source):
    """Return the command that writes a file into a share under the name `five`."""
    offer = doors.offers[share]
    if door == "webdav":
        return ["curl", "-sS", "--fail", *doors.credential(share), "-T", str(source), offer.webdav + "five"]
    if door == "scp":
        return doors.ssh_words("scp", share, "-O", source, "{}:/five")
    batch = doors.folder / "batch"
    batch.write_text(f"put {source} five\n")
    return doors.ssh_words("sftp", share, "-b", batch, "{}")


async def done(words):
    """Run a program and return its exit status."""
    program = await asyncio.create_subprocess_exec(*map(str, words), stdout=-3, stderr=-3, stdin=-3)
    return await program.wait()


@contextmanager
def removed(*paths):
    """Remove what is large however the test ends."""
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("door", DOORS)
async def test_five_gib_are_read(tmp_path, door, kind):
    """From a share to read a file of 5 GiB comes whole and in order, and none goes to it."""
    with storage(kind, tmp_path) as (place, _):
        async with doors_in_a_process(tmp_path, place) as doors:
            place.own(sparse(doors.stored(READ, "five")))
            assert await digest_of(*fetching(doors, door, "five")) == (0, DIGEST)
            doors.stored(READ, "five").unlink()
            assert await done(storing(doors, READ, door, sparse(tmp_path / "five"))) != 0
            assert not doors.stored(READ, "five").exists()


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("door", DOORS)
async def test_five_gib_are_written(tmp_path, door, kind):
    """A file of 5 GiB arrives whole and in order."""
    with storage(kind, tmp_path) as (place, _):
        async with doors_in_a_process(tmp_path, place) as doors:
            arrived = doors.stored(WRITE, "five")
            with removed(arrived):
                assert await done(storing(doors, WRITE, door, sparse(tmp_path / "five"))) == 0
                assert await asyncio.to_thread(sum_of, arrived) == DIGEST


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("kind", STORAGES)
async def test_five_gib_are_copied(tmp_path, kind):
    """A transfer of 5 GiB, in pieces that come in any order where the storage can, ends in the same file."""
    with storage(kind, tmp_path) as (place, _):
        async with every_door(tmp_path, place) as doors:
            place.own(sparse(doors.stored(READ, "five")))
            arrived = place.files / "bob" / "five"
            with removed(arrived):
                status, output = await doors.ours("received", "copy", doors.offers[READ].bobs, "five", "--wait")
                assert status == 0, output
                assert await asyncio.to_thread(sum_of, arrived) == DIGEST
