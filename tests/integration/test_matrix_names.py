"""Names that mean something to some program, through every door to every kind of storage and back.

A name is what it is in the storage, byte for byte, whoever wrote it; what no path can hold is refused at each door and
makes nothing.
"""

import xml.etree.ElementTree as ET
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote

import aiohttp
import asyncssh
import pytest
import pytest_asyncio
from yarl import URL

from support.davgateway import client
from support.everydoor import STORAGES, WRITE, before

NAMES = (
    " a space before",
    "a space behind ",
    "two  spaces",
    "100%",
    "%41",
    "a%2fb",
    "number#1",
    "what?x=1",
    "semi;colon=1",
    "plus+and&amp;",
    'it\'s "quoted"',
    "<b>",
    "`$(x)`*[a]{b}",
    ".hidden",
    "...",
    "-rf",
    "~user",
    "C:",
    "r\u00e9sum\u00e9",
    "u\u0308ber",
    "\u65e5\u672c\u8a9e",
    "\U0001f600",
    "\u202etxt.exe",
    "n" * 255,
    "\u00e4" * 127 + "x",
)
ASK = '<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/></prop></propfind>'
# wsgidav unquotes a Destination before it reads it as a URL, and so cuts these at `?` and `;`. A rename to one would
# land on another file's name, and so is refused (docs/storages.md); written, read and listed they are as all others.
CUT_BY_WSGIDAV = frozenset({"what?x=1", "semi;colon=1", "plus+and&amp;"})
NOT_NAMES = ("a\x01b", "two\nlines", "tab\t", "\x7f", "back\\slash", "\x1b[31m")
TOO_LONG = ("n" * 256, "\u00e4" * 128)

module_loop = pytest.mark.asyncio(loop_scope="module")


class RefusedError(Exception):
    """The door says that it is the client's own fault, or that there is no such thing."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=STORAGES)
async def doors(request, tmp_path_factory):
    """All doors before one kind of storage."""
    async with before(request.param, tmp_path_factory.mktemp(request.param)) as doors:
        yield doors


class Dav:
    """The WebDAV door, by a client that encodes every byte."""

    def __init__(self, session, doors):
        self.session = session
        self.root = doors.offers[WRITE].webdav
        self.headers = {"Authorization": aiohttp.encode_basic_auth(doors.offers[WRITE].secret, "")}

    async def _ask(self, method, name, *, headers=None, **options):
        url = URL(self.root + quote(name, safe=""), encoded=True)
        headers = self.headers | (headers or {})
        async with self.session.request(method, url, headers=headers, **options) as answer:
            if 400 <= answer.status < 500:
                raise RefusedError(answer.status)
            assert answer.status < 300, (name, answer.status, await answer.text())
            return await answer.read()

    async def write(self, name, content):
        await self._ask("PUT", name, data=content)

    async def read(self, name):
        return await self._ask("GET", name)

    async def rename(self, old, new):
        await self._ask("MOVE", old, headers={"Destination": self.root + quote(new, safe=""), "Overwrite": "F"})

    async def names(self):
        listing = ET.fromstring(await self._ask("PROPFIND", "", data=ASK, headers={"Depth": "1"}))
        hrefs = [element.text for element in listing.iter("{DAV:}href")]
        return {unquote(href.rstrip("/").rpartition("/")[2]) for href in hrefs[1:]}


class Sftp:
    """The SSH door, by asyncssh's own client."""

    def __init__(self, sftp):
        self.sftp = sftp

    async def _do(self, work):
        try:
            return await work
        except (asyncssh.SFTPError, asyncssh.SFTPNoSuchFile) as error:
            raise RefusedError(error.code) from error

    async def write(self, name, content):
        async def work():
            async with self.sftp.open("/" + name, "wb") as file:
                await file.write(content)

        await self._do(work())

    async def read(self, name):
        async def work():
            async with self.sftp.open("/" + name, "rb") as file:
                return await file.read()

        return await self._do(work())

    async def rename(self, old, new):
        await self._do(self.sftp.rename("/" + old, "/" + new))

    async def names(self):
        return set(await self._do(self.sftp.listdir("/"))) - {".", ".."}


@asynccontextmanager
async def dav(doors):
    async with client() as session:
        yield Dav(session, doors)


@asynccontextmanager
async def sftp(doors):
    offer = doors.offers[WRITE]
    async with (
        asyncssh.connect(
            "127.0.0.1",
            offer.ssh_port,
            username=offer.ssh_user,
            client_keys=[str(doors.folder / "client" / "id_ed25519")],
            known_hosts=None,
            config=None,
        ) as connection,
        connection.start_sftp_client() as found,
    ):
        yield Sftp(found)


OPEN = {"webdav": dav, "sftp": sftp}


def stored(doors):
    """The names in the share's folder, as the storage has them."""
    return {path.name for path in doors.stored(WRITE, ".").iterdir()}


@pytest.fixture(autouse=True)
def empty(doors):
    """Leave nothing in the share behind."""
    yield
    for path in doors.stored(WRITE, ".").iterdir():
        path.unlink()


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", OPEN)
@module_loop
async def test_a_name_is_the_same_on_both_sides(doors, door):
    """What is written under a name is in the storage under it, is listed so, and comes back."""
    async with OPEN[door](doors) as there:
        for name in NAMES:
            await there.write(name, name.encode())
        assert stored(doors) == set(NAMES)
        assert await there.names() == set(NAMES)
        for name in NAMES:
            assert await there.read(name) == name.encode()


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", OPEN)
@module_loop
async def test_what_others_wrote_is_found_and_renamed(doors, door):
    """A file that appears in the storage is read by its name, and takes any other one."""
    async with OPEN[door](doors) as there:
        kept = set(NAMES) - (CUT_BY_WSGIDAV if doors.kind == "wsgidav" else set())
        for name in kept:
            doors.put(WRITE, name, b"by somebody else")
            assert await there.read(name) == b"by somebody else"
            await there.rename(name, "between")
            await there.rename("between", name)
        assert stored(doors) == kept


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", OPEN)
@module_loop
async def test_a_rename_never_lands_on_another_name(doors, door):
    """A storage that cuts names is not asked to: the rename is refused, and the file with the shorter name stays."""
    async with OPEN[door](doors) as there:
        for name in CUT_BY_WSGIDAV:
            shorter = name.partition("?")[0].partition(";")[0]
            doors.put(WRITE, shorter, b"somebody's")
            doors.put(WRITE, "old", b"old")
            if doors.kind == "wsgidav":
                with pytest.raises(RefusedError):
                    await there.rename("old", name)
                assert doors.stored(WRITE, "old").read_bytes() == b"old"
            else:
                await there.rename("old", name)
                assert doors.stored(WRITE, name).read_bytes() == b"old"
            assert doors.stored(WRITE, shorter).read_bytes() == b"somebody's"


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", OPEN)
@module_loop
async def test_what_is_no_name_is_refused(doors, door):
    """Control characters, backslashes and names longer than storages have are the client's fault, and make nothing."""
    doors.put(WRITE, "old", b"old")
    async with OPEN[door](doors) as there:
        for name in (*NOT_NAMES, *TOO_LONG):
            for attempt in (there.write(name, b"x"), there.read(name), there.rename("old", name)):
                with pytest.raises(RefusedError):
                    await attempt
        assert await there.read("old") == b"old"
    assert stored(doors) == {"old"}


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("door", OPEN)
@module_loop
async def test_names_that_no_path_can_hold_do_not_break_a_listing(doors, door):
    """What is in the storage under such a name is not shown, and everything beside it is."""
    for name in (*NOT_NAMES, "beside"):
        doors.put(WRITE, name, b"x")
    async with OPEN[door](doors) as there:
        assert await there.names() == {"beside"}
