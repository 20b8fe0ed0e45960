"""Nothing outside the root of a local storage is reachable, however it is tried."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import unicodedata
from contextlib import suppress

import pytest

from gateway.backends import localfs, localsys
from gateway.backends.local import LocalBackend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from support.smalldisk import names_in

NFC = unicodedata.normalize("NFC", "é")
NFD = unicodedata.normalize("NFD", "é")


@pytest.fixture(params=["openat2", "walk"])
def backend(request, tmp_path, monkeypatch):
    """A storage beside a secret, found by either kind of look-up."""
    if request.param == "walk":
        monkeypatch.setattr(localsys, "has_openat2", lambda: False)
    elif not localsys.has_openat2():
        pytest.skip("this kernel has no openat2")
    (tmp_path / "root/f").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    return LocalBackend(tmp_path / "root", is_durable=False)


def at(*parts):
    """The path of these names."""
    return ResourcePath(parts)


async def pieces(*chunks):
    """The chunks in order."""
    for chunk in chunks:
        yield chunk


async def read(backend, path):
    """The whole content."""
    async with backend.open(path) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def listed(backend, path=ResourcePath()):  # noqa: B008 - an immutable value
    """The names in a folder, sorted."""
    return sorted([entry.path.name async for entry in backend.list(path)])


async def kind_of(awaitable):
    """The kind of the error in which this ends."""
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value.kind


async def every_reading_verb(backend, path):
    """The kinds of refusal of all verbs that need something to be there."""
    return {
        await kind_of(backend.stat(path)),
        await kind_of(read(backend, path)),
        await kind_of(listed(backend, path)),
        await kind_of(backend.delete(path)),
        await kind_of(backend.move(path, at("new"), overwrite=True)),
        await kind_of(backend.copy(path, at("new"), overwrite=True)),
        await kind_of(backend.set_time(path, 0)),
        await kind_of(backend.quota(path)),
        await kind_of(backend.file_descriptor(path)),
    }


LINKS = {
    "absolute": "{tmp}/outside",
    "relative": "../outside",
    "to a file": "../outside/secret",
    "to itself": "link",
    "inside": "f",
    "to nothing": "nowhere",
    "to the system": "/proc/self/root",
}


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS.keys())
async def test_links_do_not_exist_for_readers(backend, tmp_path, target):
    """A symbolic link is neither listed nor followed, wherever it leads, at the end or in the middle of a path."""
    (tmp_path / "root/link").symlink_to(target.format(tmp=tmp_path))
    assert await listed(backend) == ["f"]
    assert await every_reading_verb(backend, at("link")) == {Kind.NOT_FOUND}
    assert await every_reading_verb(backend, at("link", "secret")) == {Kind.NOT_FOUND}
    assert (tmp_path / "outside/secret").read_text() == "secret"
    assert (tmp_path / "root/link").is_symlink()


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS.keys())
async def test_nothing_is_written_through_a_link(backend, tmp_path, target):
    """A writer can neither replace a link nor write below it."""
    (tmp_path / "root/link").symlink_to(target.format(tmp=tmp_path))
    (tmp_path / "root/a").write_text("a")
    for path, kind in ((at("link"), Kind.FORBIDDEN), (at("link", "x"), Kind.CONFLICT)):
        assert await kind_of(backend.write(path, pieces(b"bad"))) is kind
        assert await kind_of(backend.mkdir(path)) is kind
        assert await kind_of(backend.move(at("a"), path, overwrite=True)) is kind
        assert await kind_of(backend.copy(at("a"), path, overwrite=True)) is kind
    assert (tmp_path / "root/link").is_symlink()
    assert names_in(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside/secret").read_text() == "secret"
    assert names_in(tmp_path / "root/f") == []


@pytest.mark.req("ACC-6")
async def test_a_folder_is_removed_without_what_its_links_lead_to(backend, tmp_path):
    """Removing a folder removes the links in it, not their targets."""
    (tmp_path / "root/f/link").symlink_to(tmp_path / "outside")
    await backend.delete(at("f"))
    assert not (tmp_path / "root/f").exists()
    assert (tmp_path / "outside/secret").read_text() == "secret"


@pytest.mark.req("ACC-6")
async def test_a_copy_has_no_links(backend, tmp_path):
    """Copying a folder copies neither links nor what they lead to."""
    (tmp_path / "root/f/link").symlink_to(tmp_path / "outside/secret")
    (tmp_path / "root/f/folder").symlink_to(tmp_path / "outside")
    outcome = await backend.copy(at("f"), at("g"), overwrite=False)
    assert outcome.failures == ()
    assert names_in(tmp_path / "root/g") == []


@pytest.mark.req("ACC-6")
async def test_a_folder_swapped_for_a_link_leads_nowhere(backend, tmp_path):
    """While a folder and a link to the outside change places, readers get what is inside or nothing."""
    inside, link = tmp_path / "root/f", tmp_path / "root/link"
    (inside / "secret").write_text("inside")
    link.symlink_to(tmp_path / "outside")
    is_over = threading.Event()

    def swap():
        folder = os.open(tmp_path / "root", os.O_RDONLY)
        while not is_over.is_set():
            localsys.exchange(folder, "f", folder, "link")
        os.close(folder)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for number in range(300):
            with suppress(GatewayError):
                seen.add(await read(backend, at("f", "secret")))
            with suppress(GatewayError):
                await backend.write(at("f", f"new{number}"), pieces(b"x"))
            with suppress(GatewayError):
                await backend.delete(at("f", f"new{number}"))
    finally:
        is_over.set()
        await asyncio.to_thread(swapper.join)
    assert seen == {b"inside"}
    assert names_in(tmp_path / "outside") == ["secret"]


async def test_only_files_and_folders_are_served(backend, tmp_path):
    """Pipes and sockets are not listed, do not hold a reader, and cannot be replaced."""
    os.mkfifo(tmp_path / "root/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(tmp_path / "root", os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        assert await listed(backend) == ["f"]
        for name in ("pipe", "socket"):
            assert await every_reading_verb(backend, at(name)) == {Kind.NOT_FOUND}
            assert await kind_of(backend.write(at(name), pieces(b"x"))) is Kind.FORBIDDEN


async def test_a_pipe_in_the_last_moment_holds_nobody(backend, tmp_path, monkeypatch):
    """A pipe that takes the place of a file between look-up and opening is refused at once."""
    (tmp_path / "root/a").write_text("a")

    def swap(spot):
        (tmp_path / "root/a").unlink()
        os.mkfifo(tmp_path / "root/a")
        return spot.found

    monkeypatch.setattr(localfs.Spot, "served", swap)
    assert await asyncio.wait_for(kind_of(read(backend, at("a"))), 5) is Kind.CONFLICT


@pytest.mark.parametrize("name", [".ocm-part-0123", ".ocm-aside-0123"])
async def test_reserved_names_are_hidden(backend, tmp_path, name):
    """Our own temporaries can be neither seen, read, removed nor made."""
    (tmp_path / "root" / name).mkdir()
    (tmp_path / "root" / name / "x").write_text("x")
    assert await listed(backend) == ["f"]
    assert await every_reading_verb(backend, at(name)) == {Kind.NOT_FOUND}
    assert await every_reading_verb(backend, at(name, "x")) == {Kind.NOT_FOUND}
    assert await kind_of(backend.write(at(name), pieces(b"x"))) is Kind.FORBIDDEN
    assert await kind_of(backend.mkdir(at(name + "new"))) is Kind.FORBIDDEN
    assert await kind_of(backend.write(at(name, "new"), pieces(b"x"))) is Kind.CONFLICT
    assert await kind_of(backend.move(at("f"), at(name + "new"), overwrite=False)) is Kind.FORBIDDEN


@pytest.mark.parametrize(("stored", "asked"), [(NFC, NFD), (NFD, NFC)])
async def test_a_name_is_found_in_its_other_normal_form(backend, tmp_path, stored, asked):
    """A name in the other Unicode normal form means the file that exists, for readers and writers."""
    (tmp_path / "root" / stored).mkdir()
    (tmp_path / "root" / stored / stored).write_text("text")
    assert await read(backend, at(asked, asked)) == b"text"
    assert (await backend.stat(at(asked))).path == at(asked)
    assert not (await backend.write(at(asked, asked), pieces(b"new"))).created
    assert await kind_of(backend.mkdir(at(asked))) is Kind.NOT_ALLOWED
    assert [names_in(tmp_path / "root" / stored), await read(backend, at(stored, stored))] == [[stored], b"new"]


async def test_an_exact_name_comes_first(backend, tmp_path):
    """Where both normal forms exist, each name means its own file."""
    for name in (NFC, NFD):
        (tmp_path / "root" / name).write_bytes(name.encode())
    assert [await read(backend, at(name)) for name in (NFC, NFD)] == [NFC.encode(), NFD.encode()]


async def test_an_ambiguous_name_means_nothing(backend, tmp_path):
    """A name that is in neither of two existing normal forms is not found."""
    # The order of the two marks is neither that of NFC nor that of NFD.
    odd = "é" + "o\u0301\u0323"
    for form in ("NFC", "NFD"):
        (tmp_path / "root" / unicodedata.normalize(form, odd)).write_text("x")
    assert await kind_of(backend.stat(at(odd))) is Kind.NOT_FOUND


async def test_only_the_spelling_may_change(backend, tmp_path):
    """A file can be moved from one normal form of its name to the other."""
    (tmp_path / "root" / NFD).write_text("x")
    await backend.move(at(NFD), at(NFC), overwrite=False)
    assert names_in(tmp_path / "root") == sorted(["f", NFC])


async def test_names_that_are_not_unicode_are_served(backend, tmp_path):
    """Bytes that are not UTF-8 travel as surrogate escapes, both ways."""
    raw = os.fsencode(tmp_path / "root") + b"/\xff\xfe.txt"
    descriptor = os.open(raw, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"text")
    os.close(descriptor)
    name = os.fsdecode(b"\xff\xfe.txt")
    assert name in await listed(backend)
    assert await read(backend, at(name)) == b"text"
    await backend.move(at(name), at("f", name), overwrite=False)
    assert names_in(tmp_path / "root/f") == [name]


async def test_names_that_no_path_can_hold_are_hidden(backend, tmp_path):
    """A member whose name has a backslash or a control character does not spoil the listing."""
    for name in ("a\\b", "a\nb"):
        (tmp_path / "root" / name).write_text("x")
    assert await listed(backend) == ["f"]


async def test_a_name_too_long_for_the_disk_is_invalid(backend):
    """A name that the file system cannot hold is the client's mistake."""
    name = "x" * 256
    assert await kind_of(backend.stat(at(name))) is Kind.INVALID
    assert await kind_of(backend.write(at(name), pieces(b"x"))) is Kind.INVALID
    assert await kind_of(backend.mkdir(at("f", name))) is Kind.INVALID


async def test_a_missing_root_is_an_outage(backend, tmp_path):
    """If the root itself is not there, every verb says that the storage is away, never that something is gone."""
    (tmp_path / "root").rename(tmp_path / "elsewhere")
    assert await every_reading_verb(backend, at("f")) == {Kind.UNAVAILABLE}
    assert await kind_of(backend.stat(ResourcePath())) is Kind.UNAVAILABLE
    assert await kind_of(backend.write(at("x"), pieces(b"x"))) is Kind.UNAVAILABLE
    assert await kind_of(backend.mkdir(at("x"))) is Kind.UNAVAILABLE
    (tmp_path / "root").write_text("a file")
    assert await kind_of(backend.stat(at("f"))) is Kind.UNAVAILABLE


async def test_a_disk_without_its_marker_is_an_outage(backend, tmp_path):
    """With a marker configured, an empty mount point is told from an empty disk."""
    marked = LocalBackend(tmp_path / "root", marker=".disk")
    assert await kind_of(marked.stat(at("f"))) is Kind.UNAVAILABLE
    (tmp_path / "root/.disk").touch()
    assert (await marked.stat(at("f"))).is_folder
