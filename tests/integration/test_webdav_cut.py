"""Storages that cut the name in `Destination`: no other file is replaced, and whole names work where they are kept."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
import pytest
from integration.test_relay import door_to

from gateway.backends.webdav import WebdavBackend, WebdavTraits
from gateway.backends.webdav_rename import RenamingBackend
from gateway.errors import NAME_CUT, GatewayError, Kind
from gateway.flows.transfer_name import give_name
from gateway.model.resource import ResourcePath
from support.apache import apache
from support.wsgi import wsgidav

SERVERS = {"apache": apache, "wsgidav": wsgidav}
CUT = ("b;c", "b?c", "b&amp;c")
UNCUT = ("b#c", "b%41", "100%")


@pytest.fixture(scope="module", params=SERVERS)
def kind_and_server(request):
    """A running server of each kind."""
    with SERVERS[request.param]() as server:
        yield request.param, server


@pytest.fixture(scope="module")
def python_dav():
    """A running wsgidav, which cuts."""
    with wsgidav() as server:
        yield server


class Watched:
    """A storage on an empty folder of a server, and what it is asked."""

    def __init__(self, backend, server, folder):
        self.backend, self.server, self.folder, self.asked = backend, server, folder, []

    def put(self, name, text):
        """Put a file there behind our back."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        self.server.own(path.parent)
        path.write_text(text)
        self.server.own(path)

    @property
    def files(self):
        """All files, hidden ones too, and their content."""
        return {str(p.relative_to(self.folder)): p.read_text() for p in self.folder.rglob("*") if p.is_file()}


@asynccontextmanager
async def storage(server, kind=WebdavBackend, folder=None):
    """A client of the server that notes which methods it sends."""
    name = folder or uuid.uuid4().hex
    server.fresh(name)
    url = f"{server.url}{quote(name)}/"

    async def authorize():
        return server.basic()

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        watched = Watched(kind(session, url, authorize, traits=WebdavTraits()), server, server.files / name)
        exchange = watched.backend.upstream.exchange

        def noting(method, *args, **options):
            watched.asked.append(method)
            return exchange(method, *args, **options)

        watched.backend.upstream.exchange = noting
        yield watched


def at(path):
    """The path of a text."""
    return ResourcePath(tuple(path.split("/")))


@pytest.mark.parametrize("verb", ["move", "copy"])
@pytest.mark.parametrize("overwrite", [True, False])
async def test_no_other_file_is_replaced(kind_and_server, verb, overwrite):
    """A move or copy lands under its whole name or is refused, and the file with the shorter name stays as it was."""
    kind, server = kind_and_server
    async with storage(server) as there:
        for name in (*CUT, *UNCUT):
            there.put("a", "moved")
            there.put("b", "somebody's")
            act = getattr(there.backend, verb)(at("a"), at(name), overwrite=overwrite)
            if kind == "wsgidav" and name in CUT:
                with pytest.raises(GatewayError) as caught:
                    await act
                assert (caught.value.kind, caught.value.code) == (Kind.FORBIDDEN, NAME_CUT)
                assert there.files["a"] == "moved"
            else:
                assert (await act).created
                assert there.files[name] == "moved"
            assert there.files["b"] == "somebody's"
        assert not any(name.startswith(".ocm-") for name in there.files)


async def test_each_character_is_tried_once(kind_and_server):
    """What a storage does is remembered, also when many ask at once; plain names are never tried."""
    _kind, server = kind_and_server
    async with storage(server) as there:
        there.put("a", "text")
        await there.backend.copy(at("a"), at("plain"), overwrite=False)
        assert "PUT" not in there.asked
        names = [at(f"{n};x") for n in range(5)] + [at(f"{n};y;z") for n in range(5)]
        acts = (there.backend.copy(at("a"), name, overwrite=False) for name in names)
        await asyncio.gather(*acts, return_exceptions=True)
        assert there.asked.count("PUT") == there.asked.count("MOVE") == 1


async def test_nothing_is_tried_where_the_trial_itself_would_be_cut(python_dav):
    """Below a folder with such a name the trial goes to the folder above, and a doubtful address is never tried in."""
    async with storage(python_dav) as there:
        there.put("what?x/a", "text")
        there.put("a", "text")
        assert await _refused(there.backend.move(at("what?x/a"), at("what?x/b"), overwrite=True))
        assert there.asked.count("MOVE") == 1
        assert there.files == {"what?x/a": "text", "a": "text"}
    place = uuid.uuid4().hex
    async with storage(python_dav, folder=f"{place}?x") as there:
        there.put("a", "text")
        assert await _refused(there.backend.move(at("a"), at("b"), overwrite=True))
        assert there.asked == []
        assert not (python_dav.files / place).exists()


async def test_a_trial_that_fails_is_refused_and_not_remembered(python_dav):
    """Where nothing can be tried nothing is moved, and the next request tries again."""
    async with storage(python_dav) as there:
        there.put("a", "text")
        exchange = there.backend.upstream.exchange

        def forbidding(method, *args, **options):
            if method == "PUT":
                raise GatewayError(Kind.FORBIDDEN, "No.")
            return exchange(method, *args, **options)

        there.backend.upstream.exchange = forbidding
        assert await _refused(there.backend.move(at("a"), at("b#c"), overwrite=True))
        there.backend.upstream.exchange = exchange
        await there.backend.move(at("a"), at("b#c"), overwrite=True)
        assert there.files == {"b#c": "text"}


async def test_a_missing_folder_is_told_as_such(python_dav):
    """The client hears of the folder that is missing, not of the name."""
    async with storage(python_dav) as there:
        there.put("a", "text")
        with pytest.raises(GatewayError) as caught:
            await there.backend.move(at("a"), at("none/b;c"), overwrite=True)
        assert caught.value.kind is Kind.CONFLICT


async def test_a_file_is_replaced_as_a_whole_where_names_are_kept(kind_and_server):
    """With `put: rename` a doubtful name is moved over the old file where it is kept whole, else written in place."""
    kind, server = kind_and_server
    async with storage(server, RenamingBackend) as there:
        there.put("b", "somebody's")
        for text in (b"one", b"three"):
            await there.backend.write(at("b;c"), pieces(text))
        assert there.files == {"b": "somebody's", "b;c": "three"}
        assert there.asked.count("MOVE") == (1 if kind == "wsgidav" else 3)


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_the_relay_sends_no_target_that_would_be_cut(kind_and_server, method):
    """Through the relay too it is the whole name or 403, and the other file stays."""
    kind, server = kind_and_server
    async with door_to(server) as door:
        assert await door.status("PUT", "b", "somebody's") == 201
        status, _, body = await door.ask(method, "file", Destination=door.destination("b%3Bc"))
        if kind == "wsgidav":
            assert (status, "choose a name" in body) == (403, True)
            assert await door.status("GET", "file") == 200
        else:
            assert (status, (door.folder / "my share/b;c").read_text()) == (201, "content")
        assert (door.folder / "my share/b").read_text() == "somebody's"
        assert not [p for p in door.folder.rglob("*") if p.name.startswith(".ocm-")]


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("overwrite", [True, False])
async def test_the_last_step_of_a_transfer_gives_any_name(kind_and_server, overwrite):
    """What a transfer has fetched gets its whole name on every storage, and nothing stays beside it."""
    _kind, server = kind_and_server
    async with storage(server) as there:
        there.put("b", "somebody's")
        there.put(".ocm-1.partial", "fetched")
        await give_name(there.backend, at(".ocm-1.partial"), at("b;c?d"), overwrite=overwrite)
        assert there.files == {"b": "somebody's", "b;c?d": "fetched"}


async def test_the_last_step_of_a_transfer_obeys_the_rule_on_conflicts(kind_and_server):
    """A file that has the name already stays unless it is to be replaced."""
    _kind, server = kind_and_server
    async with storage(server) as there:
        there.put("b;c", "older")
        there.put(".ocm-1.partial", "fetched")
        with pytest.raises(GatewayError) as caught:
            await give_name(there.backend, at(".ocm-1.partial"), at("b;c"), overwrite=False)
        assert caught.value.kind is Kind.PRECONDITION_FAILED
        assert there.files == {"b;c": "older", ".ocm-1.partial": "fetched"}
        await give_name(there.backend, at(".ocm-1.partial"), at("b;c"), overwrite=True)
        assert there.files == {"b;c": "fetched"}


@pytest.mark.parametrize("broken", [GatewayError(Kind.UNAVAILABLE, "gone"), asyncio.CancelledError()])
async def test_a_last_step_that_breaks_leaves_no_part(python_dav, broken):
    """If writing under the final name breaks off, the part is removed and what was fetched stays."""
    async with storage(python_dav) as there:
        there.put(".ocm-1.partial", "fetched")
        write = there.backend.write

        async def breaking(path, chunks, **_options):
            await write(path, pieces(b"fet"))
            raise broken

        there.backend.write = breaking
        with pytest.raises(type(broken)):
            await give_name(there.backend, at(".ocm-1.partial"), at("b;c"), overwrite=False)
        assert there.files == {".ocm-1.partial": "fetched"}


async def pieces(text):
    """A body in one piece."""
    yield text


async def _refused(act):
    try:
        await act
    except GatewayError as error:
        return error.code == NAME_CUT
    return False
