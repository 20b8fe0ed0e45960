"""The contract of `OpenAt`, run by a local folder and by the stand-in for storages that take whole files only."""

import uuid

import aiohttp
import pytest

pytest.register_assert_rewrite("contract.openat_suite")

from contract.openat_suite import (  # noqa: E402 - its assertions are rewritten first
    MIB,
    READ,
    REPLACE,
    OpenAtSuite,
    at,
    get,
    put,
    refusal,
)

from gateway.backends.local import LocalBackend  # noqa: E402 - as above
from gateway.backends.spool import SpoolRules  # noqa: E402 - as above
from gateway.backends.streamed import Streamed  # noqa: E402 - as above
from gateway.backends.webdav import WebdavBackend  # noqa: E402 - as above
from gateway.errors import Kind  # noqa: E402 - as above
from support.apache import apache  # noqa: E402 - as above


def rules(tmp_path):
    return SpoolRules(folder=tmp_path / "spool", max_bytes=32 * MIB)


class TestLocal(OpenAtSuite):
    """A folder of this machine."""

    @pytest.fixture
    def backend(self, tmp_path):
        (tmp_path / "root").mkdir()
        return LocalBackend(tmp_path / "root", is_durable=False)

    @pytest.fixture
    def files(self, backend):
        return backend


class StreamedSuite(OpenAtSuite):
    """What holds for the stand-in over any storage."""

    @pytest.fixture
    def files(self, backend, tmp_path):
        return Streamed(backend, rules(tmp_path))

    async def test_a_late_jump_is_refused(self, backend, files):
        """Once the upload has begun, a real jump is refused and the old content stays."""
        await put(backend, "a", b"old")

        async def jump(place):
            async with files.open_at(at("a"), REPLACE) as file:
                for start in range(0, 6 * MIB, MIB):
                    await file.write_at(start, bytes(MIB))
                await file.write_at(place, b"x")

        assert await refusal(jump(0)) is Kind.NOT_IMPLEMENTED
        assert await refusal(jump(20 * MIB)) is Kind.NOT_IMPLEMENTED
        assert await get(backend, "a") == b"old"

    async def test_what_is_put_together_on_disk_is_bounded(self, files):
        """A jump behind the bound is refused, and nothing is left on the disk."""

        async def jump():
            async with files.open_at(at("a"), REPLACE) as file:
                await file.write_at(32 * MIB, b"x")

        assert await refusal(jump()) is Kind.TOO_LARGE
        assert list(files.rules.folder.iterdir()) == []

    async def test_a_file_that_changes_while_it_is_read(self, backend, files):
        """A reader that jumps is told when the file is another one by now."""
        await put(backend, "a", b"a" * 8 * MIB)
        async with files.open_at(at("a"), READ) as file:
            assert await file.read_at(0, 10) == b"a" * 10
            await put(backend, "a", b"b" * 8 * MIB)
            assert await refusal(file.read_at(7 * MIB, 10)) is Kind.PRECONDITION_FAILED


class TestStreamedLocal(StreamedSuite):
    """The stand-in over a folder, whose own ability it does not use."""

    @pytest.fixture
    def backend(self, tmp_path):
        (tmp_path / "root").mkdir()
        return LocalBackend(tmp_path / "root", is_durable=False)


@pytest.fixture(scope="module")
def mod_dav():
    with apache() as server:
        yield server


class TestStreamedWebdav(StreamedSuite):
    """The stand-in over Apache's WebDAV server."""

    @pytest.fixture
    async def backend(self, mod_dav):
        async def authorize():
            return mod_dav.basic()

        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield WebdavBackend(session, mod_dav.fresh(uuid.uuid4().hex), authorize)
