"""What every `OpenAt` does (DESIGN 6). A test class of an implementation inherits `OpenAtSuite`.

It needs the fixtures `backend` (an empty storage) and `files` (what opens its files).
"""

from __future__ import annotations

import pytest
from contract.backend_suite import at, get, names, put, refusal

from gateway.backends.base import OpenMode
from gateway.errors import Kind

MIB = 1024 * 1024
READ, UPDATE, REPLACE = OpenMode.READ, OpenMode.UPDATE, OpenMode.REPLACE


class GoneError(Exception):
    """The client went away."""


async def opened(files, path, mode, **rules):
    """Open and close a file."""
    async with files.open_at(at(path), mode, **rules):
        pass


async def abandoned(files, path, size):
    """Write a replacement and go away."""
    async with files.open_at(at(path), REPLACE) as file:
        for place in range(0, size, MIB):
            await file.write_at(place, bytes(min(MIB, size - place)))
        raise GoneError


class OpenAtSuite:
    """The facts, one a test."""

    async def test_bytes_are_read_at_any_place(self, backend, files):
        """Reading gives what stands at a place, fewer bytes at the end, and none behind it."""
        content = bytes(range(256)) * 8192
        await put(backend, "a", content)
        async with files.open_at(at("a"), READ) as file:
            assert (await file.stat()).size == len(content)
            for place in (0, 100, 5, 2 * MIB - 10, 1_500_000, 1_400_000, 0, 700_000):
                assert await file.read_at(place, 1000) == content[place : place + 1000]
            assert await file.read_at(len(content), 10) == b""
            assert await file.read_at(10 * MIB, 10) == b""
            place, pieces = 0, []
            while piece := await file.read_at(place, 100_000):
                pieces.append(piece)
                place += len(piece)
            assert b"".join(pieces) == content

    @pytest.mark.parametrize("place", [-1, 2**63, 2**64 - 1])
    async def test_a_place_that_no_file_has_is_refused(self, backend, files, place):
        """Negative and huge offsets are errors, or the end of the file, and never a crash."""
        await put(backend, "a", b"abc")
        async with files.open_at(at("a"), READ) as file:
            assert await refusal(file.read_at(place, 10)) is Kind.INVALID

        async def written():
            async with files.open_at(at("a"), REPLACE) as file:
                await file.write_at(place, b"x")

        assert await refusal(written()) is Kind.INVALID
        assert await get(backend, "a") == b"abc"

    async def test_an_open_file_for_reading_cannot_be_changed(self, backend, files):
        """Writing to, or cutting, a file that is open for reading is refused."""
        await put(backend, "a", b"abc")
        async with files.open_at(at("a"), READ) as file:
            assert await refusal(file.write_at(0, b"x")) is Kind.FORBIDDEN
            assert await refusal(file.truncate(0)) is Kind.FORBIDDEN
        assert await get(backend, "a") == b"abc"

    async def test_a_replacement_is_seen_when_it_is_complete(self, backend, files):
        """The old content stays until the context is left, then the new is there as a whole."""
        await put(backend, "a", b"old content")
        async with files.open_at(at("a"), REPLACE) as file:
            await file.write_at(0, b"new")
            assert (await file.stat()).size == 3
            assert await get(backend, "a") == b"old content"
        assert await get(backend, "a") == b"new"
        assert await names(backend) == ["a"]

    @pytest.mark.parametrize("size", [10, 6 * MIB])
    async def test_what_is_abandoned_changes_nothing(self, backend, files, size):
        """Left with an exception, a replacement leaves the old content, a new file nothing, and no rest of either."""
        await put(backend, "old", b"old content")
        for path in ("old", "new"):
            with pytest.raises(GoneError):
                await abandoned(files, path, size)
        assert await get(backend, "old") == b"old content"
        assert await names(backend) == ["old"]

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0)])
    async def test_writes_may_overtake_each_other(self, backend, files, order):
        """Pieces that come out of order stand at their places."""
        content = b"".join(bytes([number]) * 300_000 for number in range(4))
        async with files.open_at(at("a"), REPLACE) as file:
            for number in order:
                await file.write_at(number * 300_000, bytes([number]) * 300_000)
        assert await get(backend, "a") == content

    async def test_writes_may_overtake_each_other_in_a_large_file(self, backend, files):
        """Neighbours may change places all through a file that is larger than any window."""
        pieces = [bytes([number]) * 400_000 for number in range(30)]
        async with files.open_at(at("a"), REPLACE) as file:
            for number in range(0, 30, 2):
                await file.write_at((number + 1) * 400_000, pieces[number + 1])
                await file.write_at(number * 400_000, pieces[number])
        assert await get(backend, "a") == b"".join(pieces)

    async def test_overlapping_writes_and_holes(self, backend, files):
        """The later write counts, and what was never written is zeros."""
        async with files.open_at(at("a"), REPLACE) as file:
            await file.write_at(0, b"aaaa")
            await file.write_at(2, b"bbbb")
            await file.write_at(10, b"cc")
        assert await get(backend, "a") == b"aabbbb\0\0\0\0cc"

    async def test_a_jump_at_the_begin_is_taken(self, backend, files):
        """A client that begins far behind the start gets its file, with zeros before."""
        async with files.open_at(at("a"), REPLACE) as file:
            await file.write_at(9 * MIB, b"end")
            await file.write_at(0, b"begin")
        content = await get(backend, "a")
        assert (content[:5], content[9 * MIB :], len(content)) == (b"begin", b"end", 9 * MIB + 3)

    async def test_a_replacement_can_be_cut_and_extended(self, backend, files):
        """Truncating works in both directions."""
        async with files.open_at(at("a"), REPLACE) as file:
            await file.write_at(0, b"abcdef")
            await file.truncate(2)
            await file.truncate(4)
        assert await get(backend, "a") == b"ab\0\0"

    async def test_an_empty_replacement(self, backend, files):
        """A file into which nothing was written is empty."""
        await opened(files, "a", REPLACE)
        assert await get(backend, "a") == b""

    async def test_a_file_is_changed_in_place(self, backend, files):
        """An update changes what it writes and leaves the rest."""
        await put(backend, "a", b"0123456789")
        async with files.open_at(at("a"), UPDATE) as file:
            assert await file.read_at(2, 3) == b"234"
            await file.write_at(3, b"xx")
            await file.truncate(8)
            assert (await file.stat()).size == 8
        assert await get(backend, "a") == b"012xx567"

    async def test_an_update_that_changes_nothing(self, backend, files):
        """Opening for changes and closing again leaves the file as it was, its tag too."""
        written = await put(backend, "a", b"abc")
        await opened(files, "a", UPDATE)
        assert (await backend.stat(at("a"))).etag == written.entry.etag

    async def test_what_is_not_there(self, backend, files):
        """Reading and updating need a file, a replacement the folder above it."""
        assert await refusal(opened(files, "a", READ)) is Kind.NOT_FOUND
        assert await refusal(opened(files, "a", UPDATE)) is Kind.NOT_FOUND
        assert await refusal(opened(files, "no/a", REPLACE)) is Kind.CONFLICT

    @pytest.mark.parametrize("mode", list(OpenMode))
    async def test_a_folder_is_no_file(self, backend, files, mode):
        """A folder cannot be opened as a file."""
        await backend.mkdir(at("f"))
        assert await refusal(opened(files, "f", mode)) is Kind.CONFLICT

    async def test_only_a_new_file(self, backend, files):
        """With `is_new` what is there stays, also if it came while the new one was being written."""
        await put(backend, "a", b"old")
        assert await refusal(opened(files, "a", REPLACE, is_new=True)) is Kind.PRECONDITION_FAILED

        async def overtaken():
            async with files.open_at(at("b"), REPLACE, is_new=True) as file:
                await file.write_at(0, b"mine")
                await put(backend, "b", b"theirs")

        assert await refusal(overtaken()) is Kind.PRECONDITION_FAILED
        assert (await get(backend, "a"), await get(backend, "b")) == (b"old", b"theirs")
