"""Other people's clients at the SSH door: rclone, sshfs, asyncssh's own; and a gateway that is killed."""

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from gateway.backends.local import LocalBackend
from support.sshdoor import USER, ran, ssh_door

MIB = 1024 * 1024
HAS_FUSE = Path("/dev/fuse").exists()


@pytest.fixture
async def rig(tmp_path):
    """Run a door over a folder."""
    (tmp_path / "client").mkdir()
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "hello.txt").write_text("hello")
    async with ssh_door(tmp_path / "client", LocalBackend(tmp_path / "root", is_durable=False)) as rig:
        rig.root = tmp_path / "root"
        yield rig


def rclones():
    """Return the rclones of this machine: Debian's, and that of the Python package index."""
    return [Path("/usr/bin/rclone"), Path(sys.executable).parent / "rclone"]


@pytest.mark.parametrize("program", rclones(), ids=["debian", "pypi"])
async def test_rclone_copies_both_ways(rig, tmp_path, program):
    """Either rclone uploads in concurrent writes, checks, lists and fetches a tree."""
    if not program.exists():
        pytest.skip(f"{program} is not installed")
    known, key = tmp_path / "client" / "known_hosts", rig.key_file
    options = f"host=127.0.0.1,port={rig.port},user={USER},key_file={key},known_hosts_file={known},shell_type=none"
    remote = f":sftp,{options},set_modtime=true:"
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "big").write_bytes(os.urandom(3 * MIB + 17))
    (tree / "deep" / "er" / "ünïcode name").write_text("x")
    words = [program, "--config", tmp_path / "none", "-q"]
    for command in (
        ("copy", str(tree), f"{remote}new"),
        ("check", "--download", str(tree), f"{remote}new"),
        ("copy", f"{remote}new", str(tmp_path / "back")),
        ("check", str(tree), str(tmp_path / "back")),
        ("moveto", f"{remote}new/big", f"{remote}sub/large"),
        ("purge", f"{remote}new"),
    ):
        status, output = await ran(*words, *command)
        assert (status, output) == (0, ""), command[0]
    assert (rig.root / "sub" / "large").stat().st_size == 3 * MIB + 17
    assert sorted(path.name for path in rig.root.iterdir()) == ["hello.txt", "sub"]


async def test_sshfs_mounts_the_share(rig, tmp_path):
    """Through sshfs programs write, append, rename, replace, cut and remove files as in any folder."""
    if shutil.which("sshfs") is None or not HAS_FUSE:
        pytest.skip("sshfs or FUSE is not here")
    mount = tmp_path / "mount"
    mount.mkdir()
    settings = f"IdentityFile={rig.key_file},UserKnownHostsFile={tmp_path / 'client' / 'known_hosts'},port={rig.port}"
    status, output = await ran("sshfs", f"{USER}@127.0.0.1:/", mount, "-F", "/dev/null", "-o", settings)
    assert status == 0, output
    script = """
        set -e
        test "$(cat hello.txt)" = hello
        echo one > new; echo two >> new; test "$(cat new)" = "one
two"
        head -c 5000000 /dev/urandom > big; sha256sum big > sum; sha256sum -c --quiet sum
        printf XX | dd of=new bs=1 seek=1 conv=notrunc status=none; test "$(head -1 new)" = oXX
        truncate -s 2 new; test "$(cat new)" = oX
        mkdir d; mv new d/moved; cp d/moved copy; echo again > other; mv other copy; test "$(cat copy)" = again
        touch -d @1600000000 copy; test "$(stat -c %Y copy)" = 1600000000
        ! ln -s /etc/passwd link 2>/dev/null
        ! rmdir d 2>/dev/null
        rm -r d big sum; df . > /dev/null; ls -a
    """
    try:
        status, output = await ran("sh", "-c", f"cd {mount} && {script}")
        assert status == 0, output
    finally:
        assert (await ran("fusermount3" if shutil.which("fusermount3") else "fusermount", "-u", mount))[0] == 0
    assert sorted(path.name for path in rig.root.iterdir()) == ["copy", "hello.txt", "sub"]


async def test_asyncssh_reads_and_writes(rig, tmp_path):
    """Asyncssh's client copies a tree both ways, asks for limits and for space, and renames by POSIX's rules."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "data").write_bytes(os.urandom(5 * MIB))
    async with rig.connect() as connection, connection.start_sftp_client() as client:
        await client.put(str(tree), "new", recurse=True)
        await client.get("new", str(tmp_path / "back"), recurse=True)
        assert (tmp_path / "back" / "data").read_bytes() == (tree / "data").read_bytes()
        assert client.limits.max_read_len == 256 * 1024 - 1024
        assert (await client.statvfs("/")).bavail > 0
        await client.posix_rename("new/data", "hello.txt")
        assert (rig.root / "hello.txt").stat().st_size == 5 * MIB
        async with client.open("hello.txt", "r+b") as file:
            await file.write(b"begin", 0)
            await file.fsync()
        async with client.open("hello.txt", "ab") as file:
            await file.write(b"end")
        content = (rig.root / "hello.txt").read_bytes()
        assert (content[:5], content[-3:], len(content)) == (b"begin", b"end", 5 * MIB + 3)
    assert rig.counts["handles"] == 0


async def until(is_so):
    """Wait until something has come about."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


DOOR = """
import asyncio, sys
from pathlib import Path
from gateway.backends.local import LocalBackend
from support.sshdoor import ssh_door

async def main(folder):
    async with ssh_door(folder / "client", LocalBackend(folder / "root")) as rig:
        print(rig.port, flush=True)
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.req("SHARE-4")
async def test_a_killed_gateway_leaves_no_half_file(tmp_path):
    """Killed in the middle of an upload, the gateway leaves the old file whole and no half one under a final name."""
    (tmp_path / "client").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "old").write_text("old content")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    door = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DOOR, tmp_path, stdout=asyncio.subprocess.PIPE, env=environment
    )
    port = None
    while port is None:
        line = await door.stdout.readline()
        port = int(line) if line.strip().isdigit() else None
    client = await asyncio.create_subprocess_exec(
        *(
            "sftp",
            "-F",
            "/dev/null",
            "-b",
            "-",
            "-P",
            str(port),
            "-o",
            f"IdentityFile={tmp_path / 'client' / 'id_ed25519'}",
        ),
        *("-o", f"UserKnownHostsFile={tmp_path / 'client' / 'known_hosts'}", f"{USER}@127.0.0.1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    with (tmp_path / "endless").open("wb") as file:
        file.truncate(64 * 2**30)
    client.stdin.write(f"put {tmp_path}/endless old\n".encode())
    parts = (tmp_path / "root").glob
    await until(lambda: any(part.stat().st_size > MIB for part in parts(".ocm-part-*")))
    door.send_signal(signal.SIGKILL)
    await door.wait()
    client.stdin.close()
    await client.wait()
    assert (tmp_path / "root" / "old").read_text() == "old content"
    assert {path.name for path in (tmp_path / "root").iterdir() if not path.name.startswith(".ocm-part-")} == {"old"}
    assert await LocalBackend(tmp_path / "root").sweep_temporaries(float("inf")) == 1
