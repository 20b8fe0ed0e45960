"""What every `Backend` does (DESIGN 6). A test class of an implementation inherits `BackendSuite`.

It needs a fixture `backend`: an empty storage. What an implementation cannot do it says in the class attributes.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.backends.base import Bulk, HasQuota, OpenKnown, SetTime, SmallFile
from gateway.errors import GatewayError, Kind
from gateway.model.resource import EntryKind, ResourcePath, Span

ROOT = ResourcePath()
ETAG_MAX_CHARS = 40


def at(text):
    """The path written as `a/b`."""
    return ResourcePath.parse(text)


async def pieces(*chunks, then=None):
    """The chunks in order, and then the error `then`."""
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


async def put(backend, path, content=b"content", **rules):
    """Write a small file."""
    return await backend.write(at(path), pieces(content), size=len(content), **rules)


async def get(backend, path, span=None, **rules):
    """Read a file, or a piece of it."""
    async with backend.open(at(path), *([span] if span else []), **rules) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def names(backend, path=""):
    """The names in a folder."""
    return sorted([entry.path.name async for entry in backend.list(at(path))])


async def refusal(awaitable):
    """The kind of the error in which this ends."""
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value.kind


class BackendSuite:
    """The facts, one a test."""

    keeps_old_content = True
    """Whether the old content stays when a write is broken off."""
    writes_are_atomic = True
    """Whether readers see either the whole old or the whole new content."""
    side_by_side = 1
    """How many of many small requests are sent at a time."""
    unknown_folder_write = frozenset({Kind.CONFLICT})
    """What writing into a folder that does not exist is answered with."""

    async def test_an_empty_storage_has_a_root_without_members(self, backend):
        """The root of an empty storage is a folder without members."""
        assert (await backend.stat(ROOT)).kind is EntryKind.FOLDER
        assert await names(backend) == []

    async def test_what_was_written_is_read(self, backend):
        """A written file is read back byte for byte, and its entry tells size, time and an opaque strong tag."""
        data = bytes(range(256)) * 5000
        before = time.time()
        written = await backend.write(at("file.bin"), pieces(data[:7], data[7:300_000], b"", data[300_000:]))
        assert written.created
        assert await get(backend, "file.bin") == data
        entry = await backend.stat(at("file.bin"))
        assert (entry.path, entry.kind, entry.size) == (at("file.bin"), EntryKind.FILE, len(data))
        assert abs(entry.modified - before) < 120
        assert len(entry.etag) <= ETAG_MAX_CHARS
        assert entry.etag.endswith('"')
        assert written.entry.path == entry.path

    async def test_an_empty_file_is_a_file(self, backend):
        """A file may be empty."""
        await put(backend, "empty", b"")
        assert (await backend.stat(at("empty"))).size == 0
        assert await get(backend, "empty") == b""

    async def test_writing_again_replaces(self, backend):
        """A second write replaces the content, says so, and changes the tag."""
        await put(backend, "a", b"one")
        old = await backend.stat(at("a"))
        written = await put(backend, "a", b"two")
        assert not written.created
        assert await get(backend, "a") == b"two"
        assert (await backend.stat(at("a"))).etag != old.etag

    @pytest.mark.parametrize(
        "name",
        [
            "with space",
            "ümläut",
            "100%",
            "a%2Fb",
            "plus+and&",
            "semi;colon=1",
            "q?x",
            "#hash",
            "日本",
            "'\"<>|*:",
            "...",
        ],
    )
    async def test_names_are_kept(self, backend, name):
        """A name with characters that mean something elsewhere comes back as it was given."""
        await backend.mkdir(ResourcePath((name,)))
        await backend.write(ResourcePath((name, name)), pieces(b"x"))
        assert [entry.path.parts async for entry in backend.list(ROOT)] == [(name,)]
        assert [entry.path.parts async for entry in backend.list(ResourcePath((name,)))] == [(name, name)]
        assert (await backend.stat(ResourcePath((name, name)))).size == 1

    @pytest.mark.parametrize(
        ("span", "piece", "resolved"),
        [
            (Span(), b"0123456789", Span(0, 10)),
            (Span(3), b"3456789", Span(3, 7)),
            (Span(3, 4), b"3456", Span(3, 4)),
            (Span(9, 1), b"9", Span(9, 1)),
            (Span(8, 100), b"89", Span(8, 2)),
        ],
    )
    async def test_a_piece_is_read(self, backend, span, piece, resolved):
        """A span is read exactly, clipped at the end, and its resolved length is told."""
        await put(backend, "digits", b"0123456789")
        async with backend.open(at("digits"), span) as content:
            assert content.span == resolved
            assert content.entry.size == 10
            assert b"".join([chunk async for chunk in content.chunks]) == piece

    @pytest.mark.parametrize("start", [10, 11, 5000])
    async def test_a_span_behind_the_end_is_refused(self, backend, start):
        """A span that starts at or behind the end is `RANGE_INVALID`."""
        await put(backend, "digits", b"0123456789")
        assert await refusal(get(backend, "digits", Span(start, 1))) is Kind.RANGE_INVALID

    async def test_reading_may_end_early(self, backend):
        """A reader may leave after the first piece, and the storage goes on serving."""
        await put(backend, "big", b"x" * 3_000_000)
        async with backend.open(at("big")) as content:
            assert await anext(content.chunks)
        assert len(await get(backend, "big")) == 3_000_000

    async def test_reading_with_a_condition(self, backend):
        """`if_match` lets the file with that tag pass and no other."""
        etag = (await put(backend, "a", b"one")).entry.etag or (await backend.stat(at("a"))).etag
        assert await get(backend, "a", if_match=etag) == b"one"
        assert await refusal(get(backend, "a", if_match='"other"')) is Kind.PRECONDITION_FAILED

    async def test_nothing_there_is_not_found(self, backend):
        """What does not exist, or lies below a file, is `NOT_FOUND` for readers."""
        await put(backend, "file")
        for path in ("none", "none/deeper", "file/deeper"):
            assert await refusal(backend.stat(at(path))) is Kind.NOT_FOUND
            assert await refusal(get(backend, path)) is Kind.NOT_FOUND
            assert await refusal(names(backend, path)) is Kind.NOT_FOUND
            assert await refusal(backend.delete(at(path))) is Kind.NOT_FOUND
            assert await refusal(backend.move(at(path), at("x"), overwrite=True)) is Kind.NOT_FOUND
            assert await refusal(backend.copy(at(path), at("x"), overwrite=True)) is Kind.NOT_FOUND
        assert await names(backend) == ["file"]

    async def test_file_and_folder_are_not_confused(self, backend):
        """A file cannot be listed, a folder neither read nor overwritten."""
        await put(backend, "file")
        await backend.mkdir(at("folder"))
        assert await refusal(names(backend, "file")) is Kind.CONFLICT
        assert await refusal(get(backend, "folder")) is Kind.CONFLICT
        assert await refusal(put(backend, "folder")) is Kind.CONFLICT
        assert await refusal(put(backend, "")) is Kind.CONFLICT

    async def test_a_folder_is_listed(self, backend):
        """A listing has each member once, with its facts, and not the folder itself or what lies deeper."""
        await backend.mkdir(at("f"))
        await backend.mkdir(at("f/sub"))
        await put(backend, "f/sub/deeper")
        await put(backend, "f/file", b"12345")
        entries = {entry.path: entry async for entry in backend.list(at("f"))}
        assert set(entries) == {at("f/sub"), at("f/file")}
        assert entries[at("f/sub")].is_folder
        assert entries[at("f/file")].size == 5
        assert entries[at("f/file")].etag == (await backend.stat(at("f/file"))).etag

    async def test_many_members_are_listed(self, backend):
        """No member of a large folder is lost between two batches."""
        await backend.mkdir(at("many"))
        for first in range(0, 1100, self.side_by_side):
            batch = range(first, min(first + self.side_by_side, 1100))
            await asyncio.gather(*(backend.mkdir(at(f"many/{number}")) for number in batch))
        assert len(set(await names(backend, "many"))) == 1100

    async def test_a_folder_is_made_once(self, backend):
        """A folder is made only where nothing is and in a folder that exists."""
        await backend.mkdir(at("f"))
        await put(backend, "file")
        assert await refusal(backend.mkdir(at("f"))) is Kind.NOT_ALLOWED
        assert await refusal(backend.mkdir(at("file"))) is Kind.NOT_ALLOWED
        assert await refusal(backend.mkdir(ROOT)) is Kind.NOT_ALLOWED
        assert await refusal(backend.mkdir(at("none/f"))) is Kind.CONFLICT

    async def test_a_file_needs_its_folder(self, backend):
        """Writing does not make the folders above."""
        await put(backend, "file")
        assert await refusal(put(backend, "none/file")) in self.unknown_folder_write
        assert await refusal(put(backend, "file/file")) in self.unknown_folder_write
        assert await names(backend) == ["file"]

    async def test_a_condition_on_writing(self, backend):
        """`if_match` and `if_none_match` are obeyed, and a refusal leaves the file as it was."""
        assert await refusal(put(backend, "a", b"new", if_match="*")) is Kind.PRECONDITION_FAILED
        assert await refusal(put(backend, "a", b"new", if_match='"x"')) is Kind.PRECONDITION_FAILED
        assert await names(backend) == []
        assert (await put(backend, "a", b"one", if_none_match="*")).created
        assert await refusal(put(backend, "a", b"new", if_none_match="*")) is Kind.PRECONDITION_FAILED
        assert await refusal(put(backend, "a", b"new", if_match='"x"')) is Kind.PRECONDITION_FAILED
        etag = (await backend.stat(at("a"))).etag
        assert await refusal(put(backend, "a", b"new", if_none_match=etag)) is Kind.PRECONDITION_FAILED
        assert await get(backend, "a") == b"one"
        await put(backend, "a", b"two", if_match=etag)
        assert await refusal(put(backend, "a", b"three", if_match=etag)) is Kind.PRECONDITION_FAILED
        await put(backend, "a", b"four", if_match="*", if_none_match='"x"')
        assert await get(backend, "a") == b"four"

    @pytest.mark.parametrize("size", [3, 5, 0])
    async def test_a_wrong_size_is_refused(self, backend, size):
        """More or fewer bytes than announced are `INVALID`, and nothing new is there."""
        writing = backend.write(at("new"), pieces(b"ab", b"cd"), size=size)
        assert await refusal(writing) is Kind.INVALID
        if self.keeps_old_content:
            assert await names(backend) == []

    async def test_an_error_of_the_source_passes_through(self, backend):
        """What the source of the bytes raises comes out, and the old content stays."""
        await put(backend, "a", b"old")
        with pytest.raises(ZeroDivisionError):
            await backend.write(at("a"), pieces(b"n" * 400_000, then=ZeroDivisionError()))
        if self.keeps_old_content:
            assert await get(backend, "a") == b"old"
            assert await names(backend) == ["a"]

    async def test_a_cancelled_write_leaves_the_old(self, backend):
        """A write that is cancelled in the middle leaves the old content, and nothing beside it."""
        await put(backend, "a", b"old")
        is_started, never = asyncio.Event(), asyncio.Event()

        async def slow():
            yield b"n" * 400_000
            is_started.set()
            await never.wait()

        task = asyncio.create_task(backend.write(at("a"), slow()))
        await asyncio.wait_for(is_started.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if self.keeps_old_content:
            assert await get(backend, "a") == b"old"
            assert await names(backend) == ["a"]

    async def test_of_two_writers_one_wins(self, backend):
        """Two writers at once end with the whole content of one of them."""
        contents = [bytes([65 + number]) * 700_000 for number in range(2)]
        await asyncio.gather(
            *(backend.write(at("a"), pieces(data[:350_000], data[350_000:]), size=len(data)) for data in contents)
        )
        if self.writes_are_atomic:
            assert await get(backend, "a") in contents
        assert await names(backend) == ["a"]

    async def test_of_two_creators_one_wins(self, backend):
        """Of writers who all demand that nothing is there, at most one succeeds where writes are atomic."""
        results = await asyncio.gather(
            *(put(backend, "a", bytes([65 + n]), if_none_match="*") for n in range(8)), return_exceptions=True
        )
        winners = [result for result in results if not isinstance(result, GatewayError)]
        assert {error.kind for error in results if isinstance(error, GatewayError)} <= {Kind.PRECONDITION_FAILED}
        if self.writes_are_atomic:
            assert len(winners) == 1

    async def test_an_open_file_stays_the_same(self, backend):
        """A reader who has begun gets the old content to its end, though the file is replaced."""
        old = b"o" * 2_000_000
        await put(backend, "a", old)
        async with backend.open(at("a")) as content:
            first = await anext(content.chunks)
            await put(backend, "a", b"n" * 2_000_000)
            rest = b"".join([chunk async for chunk in content.chunks])
        if self.writes_are_atomic:
            assert first + rest == old

    async def test_deleting(self, backend):
        """A file is removed, a folder with all that is in it, and the root never."""
        await put(backend, "file")
        await backend.mkdir(at("f"))
        await backend.mkdir(at("f/sub"))
        await put(backend, "f/sub/file")
        await backend.delete(at("file"))
        await backend.delete(at("f"))
        assert await names(backend) == []
        assert await refusal(backend.delete(ROOT)) is Kind.FORBIDDEN

    async def test_moving_a_file(self, backend):
        """A moved file has its content at the new name, and the old name is free."""
        await put(backend, "a", b"text")
        await backend.mkdir(at("f"))
        outcome = await backend.move(at("a"), at("f/b"), overwrite=False)
        assert outcome.created
        assert outcome.failures == ()
        assert await names(backend) == ["f"]
        assert await get(backend, "f/b") == b"text"

    async def test_moving_a_folder(self, backend):
        """A folder is moved with its members."""
        await backend.mkdir(at("f"))
        await put(backend, "f/a", b"text")
        assert (await backend.move(at("f"), at("g"), overwrite=False)).created
        assert await names(backend) == ["g"]
        assert await get(backend, "g/a") == b"text"

    async def test_copying_a_file(self, backend):
        """A copy is independent of its source."""
        await put(backend, "a", b"text")
        assert (await backend.copy(at("a"), at("b"), overwrite=False)).created
        await put(backend, "a", b"changed")
        assert await get(backend, "b") == b"text"

    async def test_copying_a_folder(self, backend):
        """A folder is copied with its members, or alone if `deep` is false."""
        await backend.mkdir(at("f"))
        await backend.mkdir(at("f/sub"))
        await put(backend, "f/sub/a", b"text")
        assert (await backend.copy(at("f"), at("g"), overwrite=False)).created
        assert await get(backend, "g/sub/a") == b"text"
        await backend.copy(at("f"), at("h"), overwrite=False, deep=False)
        assert await names(backend, "h") == []
        assert await get(backend, "f/sub/a") == b"text"

    @pytest.mark.parametrize("verb", ["move", "copy"])
    @pytest.mark.parametrize("source", ["file", "folder"])
    @pytest.mark.parametrize("target", ["file", "folder"])
    async def test_overwriting(self, backend, verb, source, target):
        """What is at the target is replaced as a whole with `overwrite`, and refused without."""
        for name, kind in (("source", source), ("target", target)):
            if kind == "file":
                await put(backend, name, name.encode())
            else:
                await backend.mkdir(at(name))
                await put(backend, f"{name}/{name}", name.encode())
        act = getattr(backend, verb)
        assert await refusal(act(at("source"), at("target"), overwrite=False)) is Kind.PRECONDITION_FAILED
        outcome = await act(at("source"), at("target"), overwrite=True)
        assert not outcome.created
        assert await names(backend) == (["target"] if verb == "move" else ["source", "target"])
        if source == "file":
            assert await get(backend, "target") == b"source"
        else:
            assert await names(backend, "target") == ["source"]

    @pytest.mark.parametrize("verb", ["move", "copy"])
    async def test_a_target_needs_its_folder(self, backend, verb):
        """Nothing is moved or copied into a folder that does not exist."""
        await put(backend, "a")
        assert await refusal(getattr(backend, verb)(at("a"), at("none/a"), overwrite=True)) is Kind.CONFLICT
        assert await names(backend) == ["a"]

    @pytest.mark.parametrize("verb", ["move", "copy"])
    @pytest.mark.parametrize(("source", "target"), [("f", "f"), ("f", "f/g"), ("f/a", "f"), ("", "g"), ("f", "")])
    async def test_nothing_goes_into_itself(self, backend, verb, source, target):
        """Neither path of a move or copy may lie within the other."""
        await backend.mkdir(at("f"))
        await put(backend, "f/a")
        assert await refusal(getattr(backend, verb)(at(source), at(target), overwrite=True)) is Kind.FORBIDDEN
        assert await names(backend, "f") == ["a"]

    async def test_small_files_are_put_together(self, backend):
        """Where many small files can be written at once, each is there as a whole or refused for itself."""
        if isinstance(backend, Bulk):
            await backend.mkdir(at("f"))
            await put(backend, "f/a", b"old")
            paths = [at("f/a"), at("f/a"), at("f/b"), at("f"), at("none/c"), at("d")]
            assert [entry and entry.size for entry in await backend.find_all(paths)] == [3, 3, None, None, None, None]
            files = [SmallFile(path=path, content=b"new", modified=1e9, is_new=n != 1) for n, path in enumerate(paths)]
            told = await backend.put_all(files)
            assert [made.kind if isinstance(made, GatewayError) else made.created for made in told] == [
                Kind.PRECONDITION_FAILED,
                False,
                True,
                Kind.CONFLICT,
                Kind.CONFLICT,
                True,
            ]
            assert [await get(backend, path) for path in ("f/a", "f/b", "d")] == [b"new"] * 3
            assert (await backend.stat(at("d"))).modified == 1e9
            assert (await names(backend), await names(backend, "f")) == (["d", "f"], ["a", "b"])

    async def test_a_file_is_opened_by_its_listing(self, backend):
        """Where a file may be opened by what its listing told, it comes only as long as it is that file."""
        if isinstance(backend, OpenKnown):
            await put(backend, "a", b"0123456789")
            (listed,) = [entry async for entry in backend.list(ROOT)]
            for span, expected in ((Span(), b"0123456789"), (Span(2, 3), b"234")):
                async with backend.open_known(listed, span) as content:
                    assert b"".join([chunk async for chunk in content.chunks]) == expected
                    assert (content.entry.size, content.span.length) == (10, len(expected))
            await put(backend, "a", b"another")
            with pytest.raises(GatewayError) as caught:
                async with backend.open_known(listed):
                    pass
            assert caught.value.kind is Kind.PRECONDITION_FAILED

    async def test_the_time_can_be_set(self, backend):
        """Where the storage can set the modification time, it keeps it to the second."""
        if isinstance(backend, SetTime):
            await put(backend, "a")
            await backend.set_time(at("a"), 1_000_000_000)
            assert (await backend.stat(at("a"))).modified == 1_000_000_000

    async def test_the_quota_is_told(self, backend):
        """Where the storage knows how full it is, the numbers are not negative."""
        if isinstance(backend, HasQuota):
            quota = await backend.quota(ROOT)
            assert all(number is None or number >= 0 for number in (quota.used, quota.available))
