"""Whole trees of a local storage: copied, moved and removed as far as that goes, and listed at any size."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from gateway.backends import localsys, localtree
from gateway.backends.local import LocalBackend
from gateway.backends.threads import Stop
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from support.smalldisk import names_in, open_descriptors, without_rights

ROOT = ResourcePath()
F, G = ResourcePath(("f",)), ResourcePath(("g",))


@pytest.fixture
def backend(tmp_path):
    """A storage with a folder of three files."""
    (tmp_path / "f/sub").mkdir(parents=True)
    for name in ("one", "two", "sub/three"):
        (tmp_path / "f" / name).write_text(name)
    return LocalBackend(tmp_path, is_durable=False)


async def kind_of(awaitable):
    """The kind of the error in which this ends."""
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value.kind


def resident_bytes():
    """The memory that this process really uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def leftovers(folder):
    """Our hidden names anywhere below a folder."""
    return list(folder.rglob(".ocm-*"))


async def test_members_that_cannot_be_copied_are_told(tmp_path):
    """What cannot be read is reported by its place in the copy and left out; the rest is copied."""
    with without_rights() as folder:
        (folder / "f/sub").mkdir(parents=True)
        for name in ("one", "two", "sub/three"):
            (folder / "f" / name).write_text(name)
        (folder / "f/two").chmod(0)
        (folder / "f/sub").chmod(0)
        outcome = await LocalBackend(folder).copy(F, G, overwrite=False)
        assert outcome.created
        assert {(path, error.kind) for path, error in outcome.failures} == {
            (G / "two", Kind.FORBIDDEN),
            (G / "sub", Kind.FORBIDDEN),
        }
        assert names_in(folder / "g") == ["one"]
        assert leftovers(folder) == []


async def test_a_file_that_cannot_be_copied_leaves_the_target():
    """If the source itself cannot be read nothing is changed, not even a target that was to be replaced."""
    with without_rights() as folder:
        (folder / "f").write_text("secret")
        (folder / "f").chmod(0)
        (folder / "g").write_text("old")
        assert await kind_of(LocalBackend(folder).copy(F, G, overwrite=True)) is Kind.FORBIDDEN
        assert (folder / "g").read_text() == "old"
        assert names_in(folder) == ["f", "g"]


async def test_removing_goes_as_far_as_it_can():
    """A member that cannot be removed is an error, and the others are gone."""
    with without_rights() as folder:
        (folder / "f/locked").mkdir(parents=True)
        (folder / "f/locked/x").touch()
        (folder / "f/free").touch()
        (folder / "f/locked").chmod(0o500)
        assert await kind_of(LocalBackend(folder).delete(F)) is Kind.FORBIDDEN
        assert names_in(folder / "f") == ["locked"]


@pytest.mark.parametrize("verb", ["copy", "delete"])
async def test_a_cancelled_tree_stops(tmp_path, backend, monkeypatch, verb):
    """Cancelling stops work on a tree in its midst; of a copy nothing is left."""
    for number in range(2000):
        (tmp_path / f"f/{number}").touch()
    checks = []
    is_amidst = threading.Event()
    real = Stop.check

    def check(self):
        checks.append(1)
        if 50 < len(checks) < 200:
            is_amidst.set()
            time.sleep(0.001)  # so that there is a midst
        real(self)

    monkeypatch.setattr(Stop, "check", check)
    work = backend.copy(F, G, overwrite=False) if verb == "copy" else backend.delete(F)
    task = asyncio.create_task(work)
    await asyncio.to_thread(is_amidst.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = len(names_in(tmp_path / "f"))
    assert left == 2003 if verb == "copy" else 0 < left < 2003
    assert names_in(tmp_path) == ["f"]


@pytest.mark.parametrize("has_exchange", [True, False])
async def test_replacing_a_folder_loses_nothing_on_failure(tmp_path, backend, monkeypatch, has_exchange):
    """If the last step of replacing a folder fails, the old folder is where it was."""
    (tmp_path / "g").mkdir()
    (tmp_path / "g/old").touch()
    real = os.rename

    def refuse(*_args):
        raise localsys.NotSupported if not has_exchange else OSError(errno.EIO, "broken")

    def rename(source, target, **folders):
        if source == "f":
            raise OSError(errno.EIO, "broken")
        real(source, target, **folders)

    monkeypatch.setattr(localsys, "exchange", refuse)
    monkeypatch.setattr(localtree.os, "rename", rename)
    assert await kind_of(backend.move(F, G, overwrite=True)) is Kind.UNAVAILABLE
    assert names_in(tmp_path) == ["f", "g"]
    assert names_in(tmp_path / "g") == ["old"]


async def test_a_move_to_another_disk_copies(tmp_path, backend, monkeypatch):
    """Where renaming is not possible the tree is copied, and the source removed only then."""
    (tmp_path / "g").mkdir()
    real = localtree._place

    def place(old, new, stop):
        if old.name == "f":
            raise OSError(errno.EXDEV, "other disk")
        return real(old, new, stop)

    monkeypatch.setattr(localtree, "_place", place)
    outcome = await backend.move(F, G, overwrite=True)
    assert (outcome.created, outcome.failures) == (False, ())
    assert names_in(tmp_path) == ["g"]
    assert (tmp_path / "g/sub/three").read_text() == "sub/three"


async def test_a_copy_without_the_kernels_help(tmp_path, backend, monkeypatch):
    """Where the kernel cannot copy between two files, the bytes are copied by hand, to the last."""

    def refuse(*_args):
        raise OSError(errno.ENOSYS, "unknown")

    data = os.urandom(localtree.COPY_PIECE_BYTES + 12345)
    (tmp_path / "f/big").write_bytes(data)
    monkeypatch.setattr(localtree.os, "copy_file_range", refuse)
    await backend.copy(F, G, overwrite=False)
    assert (tmp_path / "g/big").read_bytes() == data


async def test_a_copy_keeps_the_permission_bits(tmp_path, backend):
    """A program stays a program, a private folder private; special bits are not copied."""
    (tmp_path / "f/one").chmod(0o4750)
    (tmp_path / "f/sub").chmod(0o700)
    await backend.copy(F, G, overwrite=False)
    assert (tmp_path / "g/one").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "g/sub").stat().st_mode & 0o7777 == 0o700


async def test_trees_nested_too_deeply_are_refused(tmp_path, backend):
    """A tree deeper than any path can name is neither copied whole nor removed, and breaks nothing."""
    folder = os.open(tmp_path / "f", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("deeper", dir_fd=folder)
        deeper = os.open("deeper", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    outcome = await backend.copy(F, G, overwrite=False)
    assert [error.kind for _, error in outcome.failures] == [Kind.CONFLICT]
    assert (tmp_path / "g/sub/three").exists()
    assert await kind_of(backend.delete(F)) is Kind.CONFLICT


@pytest.fixture
def memory_folder(tmp_path):
    """A folder in memory where there is one: making many files on a disk takes longer than the test."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


async def test_a_huge_folder_is_listed_in_bounded_memory(memory_folder):
    """A folder of 100,000 entries is listed in little memory, and others are served meanwhile."""
    folder = os.open(memory_folder, os.O_RDONLY)
    try:
        for number in range(100_000):
            os.mknod(f"entry-{number:06}", 0o644, dir_fd=folder)
    finally:
        os.close(folder)
    backend = LocalBackend(memory_folder)
    count, sizes = 0, []
    async for _ in backend.list(ROOT):
        count += 1
        if count % 10_000 == 0:
            await backend.stat(ROOT)
            sizes.append(resident_bytes())
    assert (count, len(sizes)) == (100_000, 10)
    assert sizes[-1] - sizes[0] < 8 * 1024 * 1024


async def test_a_listing_may_be_left(tmp_path, backend):
    """Leaving a listing early closes the folder."""
    before = open_descriptors()
    listing = backend.list(F)
    await anext(listing)
    await listing.aclose()
    assert open_descriptors() <= before


async def test_members_that_vanish_are_left_out(tmp_path, backend, monkeypatch):
    """A member that is removed while the folder is listed is not shown and harms nothing."""
    real = os.scandir

    class Scan:
        def __init__(self, folder):
            self._scan = real(folder)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._scan.close()

        def __iter__(self):
            return self

        def __next__(self):
            member = next(self._scan)
            if member.name == "one":
                (tmp_path / "f/one").unlink()
            return member

    monkeypatch.setattr(os, "scandir", Scan)
    assert {entry.path.name async for entry in backend.list(F)} == {"two", "sub"}


async def test_a_descriptor_outlives_its_call(tmp_path, backend):
    """The descriptor of a file is the caller's, and shows the content that its entry tells of."""
    descriptor, entry = await backend.file_descriptor(F / "one")
    try:
        assert (os.read(descriptor, 10), entry.size) == (b"one", 3)
    finally:
        os.close(descriptor)
    assert await kind_of(backend.file_descriptor(F)) is Kind.CONFLICT
