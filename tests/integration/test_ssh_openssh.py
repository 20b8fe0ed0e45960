"""OpenSSH's own clients at the SSH door."""

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
