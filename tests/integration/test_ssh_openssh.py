"""OpenSSH's own clients at the SSH door."""

import os

import aiohttp
import pytest

from gateway.backends.local import LocalBackend
from gateway.backends.spool import SpoolRules
from gateway.backends.streamed import Streamed
from gateway.backends.webdav import WebdavBackend
from gateway.model.resource import ResourcePath
from support.apache import apache
from support.sshdoor import ssh_door


@pytest.fixture
async def rig(tmp_path):
    """Run a door over a folder."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "client").mkdir()
    (root / "hello.txt").write_text("hello")
    async with ssh_door(tmp_path / "client", LocalBackend(root, is_durable=False)) as rig:
        rig.root = root
        yield rig


@pytest.mark.req("SHARE-4")
async def test_sftp_fetches_a_file(rig, tmp_path):
    """OpenSSH's sftp lists the folder and fetches a file from it."""
    status, output = await rig.sftp("ls -la", f"get hello.txt {tmp_path}/got")
    assert status == 0, output
    assert "hello.txt" in output
    assert (tmp_path / "got").read_text() == "hello"


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize("protocol", ["-O", "-s"])
async def test_scp_copies_both_ways_in_both_protocols(rig, tmp_path, protocol):
    """Scp fetches and stores single files and whole folders, with their times, by the old protocol and by SFTP."""
    words = ("scp", protocol, "-P", str(rig.port), "-r", "-p")
    (rig.root / "sub" / "deep").mkdir()
    (rig.root / "sub" / "deep" / "ä b").write_bytes(b"x" * 700_000)
    os.utime(rig.root / "sub" / "deep" / "ä b", (1_600_000_000, 1_600_000_000))
    status, output = await rig.run(*words, f"{rig.place}:/sub", f"{rig.place}:hel*", str(tmp_path / "client"))
    assert status == 0, output
    got = tmp_path / "client" / "sub" / "deep" / "ä b"
    assert (got.stat().st_size, got.stat().st_mtime) == (700_000, 1_600_000_000)
    assert (tmp_path / "client" / "hello.txt").read_text() == "hello"
    status, output = await rig.run(*words, str(tmp_path / "client" / "sub"), f"{rig.place}:new")
    assert status == 0, output
    put = rig.root / "new" / "deep" / "ä b"
    assert (put.stat().st_size, put.stat().st_mtime) == (700_000, 1_600_000_000)
    status, output = await rig.run(*words, f"{rig.place}:nothing", str(tmp_path / "client"))
    assert status == 1
    assert "no such file" in output.lower()


async def test_files_of_a_webdav_storage(tmp_path):
    """Over a storage that takes whole files only, OpenSSH's sftp writes, replaces, resumes and reads large files."""
    (tmp_path / "client").mkdir()
    content = os.urandom(9 * 2**20 + 3)
    (tmp_path / "data").write_bytes(content)
    with apache() as server:
        url = server.fresh("door")

        async def authorize():
            return server.basic()

        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            backend = WebdavBackend(session, url, authorize)
            files = Streamed(backend, SpoolRules(folder=tmp_path / "spool", max_bytes=2**30))
            async with ssh_door(tmp_path / "client", backend, files=files) as rig:
                status, output = await rig.sftp(
                    *("mkdir folder", f"put {tmp_path}/data folder/data", f"get folder/data {tmp_path}/back"),
                    *("ls -l folder", "-rmdir folder", "rename folder/data moved", "rmdir folder"),
                )
                assert status == 0, output
                assert (tmp_path / "back").read_bytes() == content
                await backend.write(ResourcePath(("moved",)), _pieces(content[:5_000_000]))
                status, output = await rig.sftp(f"reput {tmp_path}/data moved", f"get moved {tmp_path}/again")
                assert status == 0, output
                assert (tmp_path / "again").read_bytes() == content
                assert rig.counts["handles"] == 0
        assert [path.name for path in (server.files / "door").iterdir()] == ["moved"]


async def _pieces(content):
    yield content
