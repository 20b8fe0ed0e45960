"""A WebDAV server as a `Backend`: the contract, over two real servers that were written quite differently."""

import asyncio
import time
import uuid

import aiohttp
import pytest

pytest.register_assert_rewrite("contract.backend_suite")

from contract.backend_suite import BackendSuite, at, get, names, pieces, put, refusal  # noqa: E402 - its assertions are rewritten first

from gateway.backends.probe import probe  # noqa: E402 - as above
from gateway.backends.webdav import WebdavBackend, WebdavTraits  # noqa: E402 - as above
from gateway.backends.webdav_rename import RenamingBackend  # noqa: E402 - as above
from gateway.errors import GatewayError, Kind  # noqa: E402 - as above
from support.apache import apache  # noqa: E402 - as above
from support.wsgi import wsgidav  # noqa: E402 - as above


@pytest.fixture(scope="module")
def mod_dav():
    """A running Apache."""
    with apache() as server:
        yield server


@pytest.fixture(scope="module")
def python_dav():
    """A running wsgidav."""
    with wsgidav() as server:
        yield server


@pytest.fixture
async def session():
    """A client session."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def backend_on(server, session, kind=WebdavBackend, **options):
    """A backend on an empty folder of the server."""

    async def authorize():
        return server.basic()

    return kind(session, server.fresh(uuid.uuid4().hex), authorize, **options)


class TestModDav(BackendSuite):
    """Apache mod_dav: writes through a temporary file, sets no times."""

    @pytest.fixture
    def backend(self, mod_dav, session):
        """An empty folder of the Apache."""
        return backend_on(mod_dav, session)

    async def test_of_two_creators_one_wins(self, backend):
        """mod_dav checks conditions before it takes the body, so several creators may win; one content stays."""
        await asyncio.gather(
            *(put(backend, "a", bytes([65 + n]), if_none_match="*") for n in range(8)), return_exceptions=True
        )
        assert await get(backend, "a") in [bytes([65 + n]) for n in range(8)]

    async def test_the_time_can_be_set(self, backend):
        """A storage that sets no times says so."""
        await put(backend, "a")
        assert await refusal(backend.set_time(at("a"), 1)) is Kind.NOT_IMPLEMENTED

    async def test_the_probe_tells_what_it_can(self, backend):
        """Everything the relay needs is found, and the scratch folder is gone again."""
        found = await probe(backend, at("scratch"))
        assert found.locks
        assert found.conditions
        assert found.overwrite_respected
        assert found.encoded_names
        assert found.ranges
        assert found.etags
        assert found.atomic
        assert await names(backend) == []


class TestModDavWithoutTraits(TestModDav):
    """The same, with conditions and `Overwrite` checked by us."""

    @pytest.fixture
    def backend(self, mod_dav, session):
        """An empty folder of an Apache that we do not trust with conditions."""
        return backend_on(mod_dav, session, traits=WebdavTraits(has_conditions=False, has_overwrite=False))


class TestWsgidav(BackendSuite):
    """wsgidav: writes in place, ignores `If-Match: *`, copies members always; its tags know only size and second."""

    keeps_old_content = False
    writes_are_atomic = False

    @pytest.fixture
    def backend(self, python_dav, session):
        """An empty folder of the wsgidav, with what the probe found out about it."""
        return backend_on(python_dav, session, traits=WebdavTraits(has_conditions=False))

    async def test_writing_again_replaces(self, backend):
        """A second write of another size replaces the content, says so, and changes the tag."""
        old = (await put(backend, "a", b"one")).entry
        written = await put(backend, "a", b"three")
        assert not written.created
        assert await get(backend, "a") == b"three"
        assert written.entry.etag != old.etag

    async def test_a_condition_on_writing(self, backend):
        """Conditions are obeyed although the storage ignores some of them."""
        assert await refusal(put(backend, "a", b"new", if_match="*")) is Kind.PRECONDITION_FAILED
        etag = (await put(backend, "a", b"one", if_none_match="*")).entry.etag
        assert await refusal(put(backend, "a", b"new", if_none_match="*")) is Kind.PRECONDITION_FAILED
        assert await refusal(put(backend, "a", b"new", if_match='"x"')) is Kind.PRECONDITION_FAILED
        assert await refusal(put(backend, "a", b"new", if_none_match=etag)) is Kind.PRECONDITION_FAILED
        await put(backend, "a", b"other", if_match=etag)
        assert await refusal(put(backend, "a", b"new", if_match=etag)) is Kind.PRECONDITION_FAILED
        assert await get(backend, "a") == b"other"

    async def test_copying_a_folder(self, backend):
        """A folder is copied with its members."""
        await backend.mkdir(at("f"))
        await put(backend, "f/a", b"text")
        assert (await backend.copy(at("f"), at("g"), overwrite=False)).created
        assert await get(backend, "g/a") == b"text"

    async def test_an_open_file_stays_the_same(self, backend):
        """A file that is cut under its reader is an error, never a short file that looks whole."""
        await put(backend, "a", b"o" * 20_000_000)
        async with backend.open(at("a")) as content:
            first = await anext(content.chunks)
            await put(backend, "a", b"n")
            with pytest.raises(GatewayError) as caught:
                assert not [chunk async for chunk in content.chunks if chunk is first]
        assert caught.value.kind is Kind.UNAVAILABLE

    async def test_the_probe_tells_what_it_can(self, backend):
        """A storage that writes in place and ignores conditions is found out."""
        found = await probe(backend, at("scratch"))
        assert found.locks
        assert found.overwrite_respected
        assert not found.encoded_names  # it cuts a Destination at `;` and `?`, escaped or not
        assert found.ranges
        assert not found.conditions
        assert not found.etags
        assert not found.atomic
        assert await names(backend) == []


class TestWsgidavByRename(TestWsgidav):
    """wsgidav again, with files that grow beside the old ones: what breaks leaves the old content, and nothing else."""

    keeps_old_content = True

    @pytest.fixture
    def backend(self, python_dav, session):
        """An empty folder of the wsgidav."""
        return backend_on(python_dav, session, RenamingBackend, traits=WebdavTraits(has_conditions=False))

    async def test_of_two_writers_one_wins(self, backend):
        """Of two writers at once one may fail, as the server replaces in two steps; the other one's file is whole."""
        contents = [bytes([65 + number]) * 700_000 for number in range(2)]
        results = await asyncio.gather(*(put(backend, "a", data) for data in contents), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        # Its step may break on the other's, or find nothing between the other's two.
        assert [error.kind for error in failed] in ([], [Kind.UNAVAILABLE], [Kind.NOT_FOUND])
        whole = [data for data, result in zip(contents, results, strict=True) if result not in failed]
        assert await get(backend, "a") in whole
        assert await names(backend) == ["a"]

    async def test_an_open_file_stays_the_same(self, backend):
        """Whoever reads a file while it is replaced gets the old content to its end."""
        await put(backend, "a", b"o" * 20_000_000)
        async with backend.open(at("a")) as content:
            first = await anext(content.chunks)
            await put(backend, "a", b"n")
            assert len(first) + sum([len(chunk) async for chunk in content.chunks]) == 20_000_000
        assert await get(backend, "a") == b"n"

    async def test_the_probe_tells_what_it_can(self, backend):
        """The probe finds that now a write which breaks off leaves the old content."""
        assert (await probe(backend, at("scratch"))).atomic
        assert await names(backend) == []

    async def test_nothing_is_left_of_a_broken_write(self, backend):
        """What was beside the old file is removed, whether the sender breaks off or a condition fails at the end."""
        etag = (await put(backend, "a", b"old")).entry.etag
        with pytest.raises(LookupError, match="gone"):
            await backend.write(at("a"), pieces(b"n" * 200_000, then=LookupError("gone")))

        async def overtaken():
            yield b"n" * 200_000
            await put(backend, "a", b"another's")

        assert await refusal(backend.write(at("a"), overtaken(), if_match=etag)) is Kind.PRECONDITION_FAILED
        assert await get(backend, "a") == b"another's"
        assert await everything(backend) == ["a"]

    async def test_a_condition_holds_at_the_end_too(self, backend):
        """Of two who make a file the second is refused, also if it began first."""

        async def overtaken():
            yield b"n" * 200_000
            await put(backend, "a", b"another's")

        assert await refusal(backend.write(at("a"), overtaken(), if_none_match="*")) is Kind.PRECONDITION_FAILED
        assert await get(backend, "a") == b"another's"

    async def test_names_that_a_move_would_cut_are_written_in_place(self, backend):
        """A name with a semicolon is written, and no file with the beginning of that name is replaced."""
        await put(backend, "a", b"mine")
        await put(backend, "a;b", b"other")
        assert [await get(backend, name) for name in ("a", "a;b")] == [b"mine", b"other"]

    async def test_what_grows_is_not_shown_and_swept_later(self, backend):
        """Unfinished files are hidden, their names are refused, and old ones are removed."""
        await backend.mkdir(at("f"))
        await put(backend, "f/a", b"kept")
        for verb in (put(backend, ".ocm-part-1"), backend.mkdir(at(".ocm-part-2"))):
            assert await refusal(verb) is Kind.FORBIDDEN
        for verb in (backend.move, backend.copy):
            assert await refusal(verb(at("f/a"), at("f/.ocm-part-3"), overwrite=False)) is Kind.FORBIDDEN
        await WebdavBackend.write(backend, at("f/.ocm-part-4"), pieces(b"left"))
        assert await names(backend, "f") == ["a"]
        assert await backend.sweep_temporaries(time.time() - 60) == 0
        assert await everything(backend, "f") == [".ocm-part-4", "a"]
        assert await backend.sweep_temporaries(time.time() + 60) == 1
        assert await everything(backend, "f") == ["a"]


async def everything(backend, path=""):
    """The names in a folder, hidden ones too."""
    return sorted([entry.path.name async for entry in WebdavBackend.list(backend, at(path))])
