"""OpenSSH's own clients at the SSH door."""

import os

import pytest

from gateway.backends.local import LocalBackend
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
