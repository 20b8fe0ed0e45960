"""A write to a local storage has happened as a whole or not at all, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest

from gateway.backends import localpart
from gateway.backends.local import LocalBackend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from support.smalldisk import names_in, open_descriptors, small_disk, without_rights

A = ResourcePath(("a",))


@pytest.fixture
def backend(tmp_path):
    """A storage with one file."""
    (tmp_path / "a").write_bytes(b"old")
    return LocalBackend(tmp_path, is_durable=False)


async def pieces(*chunks):
    """The chunks in order."""
    for chunk in chunks:
        yield chunk


async def kind_of(awaitable):
    """The kind of the error in which this ends."""
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value.kind


def temporaries(folder):
    """The names of our temporaries in a folder."""
    return [name for name in names_in(folder) if name.startswith(".ocm-part-")]


async def test_a_full_disk_keeps_the_old(tmp_path, monkeypatch):
    """When the disk is full the writer is told so, the old content stays, and the space is free again."""
    with small_disk(tmp_path, monkeypatch) as disk:
        backend = LocalBackend(disk, is_durable=False)
        await backend.write(A, pieces(b"old"))
        assert await kind_of(backend.write(A, pieces(*[b"n" * 300_000] * 8))) is Kind.NO_SPACE
        assert (disk / "a").read_bytes() == b"old"
        assert names_in(disk) == ["a"]
        await backend.write(A, pieces(b"n" * 900_000))


async def test_the_old_stays_until_the_new_is_complete(tmp_path, backend):
    """While new content comes in, readers see the old, and the temporary is not listed."""
    seen = []

    async def slow():
        yield b"n" * 300_000
        seen.append((tmp_path / "a").read_bytes())
        seen.append(len(temporaries(tmp_path)))
        seen.append([entry.path async for entry in backend.list(ResourcePath())])
        yield b"n"

    await backend.write(A, slow())
    assert seen == [b"old", 1, [A]]
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").stat().st_size == 300_001


async def test_too_much_is_noticed_before_the_end(backend):
    """A source that sends more than was said is not read to its end."""
    taken = []

    async def endless():
        while True:
            taken.append(1)
            yield b"x" * 1000

    assert await kind_of(backend.write(A, endless(), size=10)) is Kind.INVALID
    assert len(taken) < 1000


async def test_what_can_be_refused_is_refused_before_the_first_byte(backend):
    """A failed condition, a folder in the place, a missing folder: none of them takes the body first."""

    async def never():
        raise AssertionError("the body was asked for")
        yield b""

    await backend.mkdir(ResourcePath(("f",)))
    assert await kind_of(backend.write(A, never(), if_match='"x"')) is Kind.PRECONDITION_FAILED
    assert await kind_of(backend.write(A, never(), if_none_match="*")) is Kind.PRECONDITION_FAILED
    assert await kind_of(backend.write(ResourcePath(("f",)), never())) is Kind.CONFLICT
    assert await kind_of(backend.write(ResourcePath(("g", "x")), never())) is Kind.CONFLICT


async def test_a_condition_holds_at_the_end_too(tmp_path, backend):
    """If the file was changed or made while the new content came in, the condition fails and the other's stays."""
    etag = (await backend.stat(A)).etag
    (tmp_path / "taken").mkdir()

    async def meanwhile(path, text):
        yield b"new"
        (tmp_path / "other").write_bytes(text)
        (tmp_path / "other").rename(path)
        yield b"new"

    assert (
        await kind_of(backend.write(A, meanwhile(tmp_path / "a", b"theirs"), if_match=etag)) is Kind.PRECONDITION_FAILED
    )
    b = ResourcePath(("b",))
    assert (
        await kind_of(backend.write(b, meanwhile(tmp_path / "b", b"theirs"), if_none_match="*"))
        is Kind.PRECONDITION_FAILED
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"theirs"
    assert temporaries(tmp_path) == []


async def test_of_two_with_the_same_condition_one_wins(backend):
    """Of writers who all name the present tag, exactly one succeeds."""
    etag = (await backend.stat(A)).etag
    writes = [backend.write(A, pieces(bytes([65 + n])), if_match=etag) for n in range(16)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    refused = [result for result in results if isinstance(result, GatewayError)]
    assert len(refused) == 15
    assert {error.kind for error in refused} == {Kind.PRECONDITION_FAILED}


async def test_a_folder_removed_meanwhile_is_a_conflict(tmp_path, backend):
    """If the folder goes while content comes in, the writer is told and nothing is left anywhere."""
    await backend.mkdir(ResourcePath(("f",)))

    async def meanwhile():
        yield b"x"
        await backend.delete(ResourcePath(("f",)))

    assert await kind_of(backend.write(ResourcePath(("f", "x")), meanwhile())) is Kind.CONFLICT
    assert names_in(tmp_path) == ["a"]


async def test_the_rights_of_the_old_file_stay(tmp_path, backend):
    """New content has the permission bits and the owner of the old."""
    (tmp_path / "a").chmod(0o640)
    await backend.write(A, pieces(b"new"))
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640
    if os.geteuid() == 0:
        os.chown(tmp_path / "a", 12345, 54321)
        await backend.write(A, pieces(b"newer"))
        assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("is_durable", [True, False])
async def test_durable_writes_reach_the_disk_first(tmp_path, monkeypatch, is_durable):
    """A durable write syncs the content before the rename and the folder after it; another does neither."""
    calls = []
    real = os.fsync
    monkeypatch.setattr(localpart.os, "fsync", lambda fd: (calls.append((tmp_path / "a").exists()), real(fd)))
    await LocalBackend(tmp_path, is_durable=is_durable).write(A, pieces(b"x"))
    assert calls == ([False, True] if is_durable else [])


async def test_the_tag_tells_contents_apart(tmp_path, backend):
    """Two contents of the same size and time have different tags, since each is a file of its own."""
    first = (await backend.write(A, pieces(b"one"))).entry
    await backend.set_time(A, 1_000_000_000)
    one = await backend.stat(A)
    await backend.write(A, pieces(b"two"))
    await backend.set_time(A, 1_000_000_000)
    two = await backend.stat(A)
    assert (one.size, one.modified) == (two.size, two.modified)
    assert len({first.etag, one.etag, two.etag}) == 3


@pytest.mark.parametrize("modified", [float("nan"), float("inf"), 1e300, -1e300])
async def test_an_impossible_time_is_invalid(backend, modified):
    """A time that no file system holds is the client's mistake."""
    assert await kind_of(backend.set_time(A, modified)) is Kind.INVALID


async def test_cancelling_again_and_again_still_cleans_up(tmp_path, backend):
    """Cleaning up survives being cancelled itself."""
    is_started, never = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"n" * 400_000
        is_started.set()
        await never.wait()

    task = asyncio.create_task(backend.write(A, slow()))
    await is_started.wait()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_cancelling_at_any_time_leaks_nothing(tmp_path, backend, turns):
    """However early or late a verb is cancelled, no descriptor stays open and no temporary behind."""
    before = open_descriptors()

    async def read():
        async with backend.open(A) as content:
            return [chunk async for chunk in content.chunks]

    async def take():
        os.close((await backend.file_descriptor(A))[0])

    for verb in (backend.write(A, pieces(b"x" * 300_000, b"y")), read(), take()):
        task = asyncio.create_task(verb)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert open_descriptors() <= before
    assert temporaries(tmp_path) == []


WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.backends.local import LocalBackend
from gateway.model.resource import ResourcePath

async def slow():
    yield b"n" * 400_000
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(LocalBackend(Path(sys.argv[1])).write(ResourcePath(("a",)), slow()))
"""


async def test_a_killed_writer_leaves_the_old(tmp_path, backend):
    """A writer that is killed leaves the old content; its temporary is spared while it lives and swept after."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(writer.stdout.readline(), 30) == b"ready\n"
        assert await backend.sweep_temporaries(time.time() + 60) == 0
        assert len(temporaries(tmp_path)) == 1
    finally:
        writer.send_signal(signal.SIGKILL)
        await writer.wait()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert await backend.sweep_temporaries(time.time() - 3600) == 0
    assert await backend.sweep_temporaries(time.time() + 60) == 1
    assert names_in(tmp_path) == ["a"]


async def test_sweeping_takes_only_temporaries(tmp_path, backend):
    """Sweeping finds temporaries at every depth, folders too, and takes nothing else."""
    (tmp_path / "f/.ocm-part-folder/x").mkdir(parents=True)
    (tmp_path / "f/.ocm-part-file").touch()
    (tmp_path / "f/.ocm-aside-1").mkdir()
    (tmp_path / "f/link").symlink_to("/proc/self/root")
    assert await backend.sweep_temporaries(time.time() + 60) == 2
    assert names_in(tmp_path / "f") == [".ocm-aside-1", "link"]


async def test_what_the_system_forbids_is_forbidden():
    """A folder that may not be written, and a file that may not be read, are `FORBIDDEN`."""
    with without_rights() as folder:
        (folder / "f").mkdir()
        (folder / "f/a").write_text("x")
        (folder / "f/a").chmod(0)
        (folder / "f").chmod(0o500)
        backend = LocalBackend(folder)
        file = ResourcePath(("f", "a"))
        assert await kind_of(backend.write(file, pieces(b"x"))) is Kind.FORBIDDEN
        assert await kind_of(backend.file_descriptor(file)) is Kind.FORBIDDEN
        assert await kind_of(backend.delete(file)) is Kind.FORBIDDEN
        assert await kind_of(backend.mkdir(ResourcePath(("f", "g")))) is Kind.FORBIDDEN


async def test_a_file_cut_short_breaks_the_stream(tmp_path, backend):
    """If a file shrinks under a reader, the stream ends in an error and not as if it were complete."""
    (tmp_path / "a").write_bytes(b"x" * 600_000)
    async with backend.open(A) as content:
        await anext(content.chunks)
        os.truncate(tmp_path / "a", 300_000)
        with pytest.raises(GatewayError) as caught:
            async for _ in content.chunks:
                pass
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_nothing_is_read_from_a_closed_file(backend):
    """Chunks that are asked for after closing fail; they never come from another file with the same number."""
    async with backend.open(A) as content:
        pass
    with pytest.raises(GatewayError):
        await anext(content.chunks)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain"),
        ("A.PDF", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknown-ending", "application/octet-stream"),
        ("none", "application/octet-stream"),
        ("data:text,html", "application/octet-stream"),
    ],
)
async def test_the_media_type_follows_the_name(tmp_path, backend, name, kind):
    """The media type comes from the ending of the name, and from nothing else in it."""
    (tmp_path / name).touch()
    assert (await backend.stat(ResourcePath((name,)))).content_type == kind
