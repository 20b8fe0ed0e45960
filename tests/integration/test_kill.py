"""What is left when something dies in the middle: the gateway, the storage, the store.

Two uploads and a download are under way each time, at the WebDAV and the SSH door. Afterwards no half file stands under
a final name where the storage can replace in one step (docs/storages.md says what the others keep), nothing is held
open, and work goes on.
"""

import asyncio
import os
import re
import signal
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from support.apache import apache
from support.everydoor import READ, WRITE, dav_place, doors_in_a_process, local_place, ssh_place
from support.sshd import sshd
from support.sshservers import descendants, kill_all
from support.wsgi import wsgidav

MIB = 1024 * 1024
SECONDS = 30.0
OLD = b"what was there before"
BIG = os.urandom(64 * MIB)
GAUGES = ("streams", "open_handles", "ssh_sessions")
# What stands in the folder of a file that was being replaced when the gateway died,
KEEPS = {
    "local": {"file": "old", ".ocm-part-": "a part"},
    "sshd": {"file": "old", ".ocm-part-": "a part"},
    "apache": {"file": "old"},
    "wsgidav": {"file": "a part"},
    "wsgidav by rename": {"file": "old", ".ocm-part-": "a part"},
}
# or when the storage itself did.
KEEPS_ITSELF = KEEPS | {"apache": {"file": "old", ".davfs.tmp": "a part"}}
SERVERS = {"apache": apache, "wsgidav": wsgidav, "wsgidav by rename": wsgidav, "sshd": sshd}


async def until(is_so, what):
    """Wait until something has come about."""
    deadline = time.monotonic() + SECONDS
    while not (found := is_so()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)
    return found


@contextmanager
def storage(kind, folder):
    """Give a storage of some kind, and its server if it has one."""
    if kind == "local":
        yield local_place(folder / "storage"), None
        return
    with SERVERS[kind]() as server:
        place = ssh_place(folder, server) if kind == "sshd" else dav_place(server)
        more = {"put": "rename"} if kind.endswith("by rename") else {}
        yield replace(place, options=place.options | more), server


@asynccontextmanager
async def under_way(doors, *, size=4 * 2**30, download="2M"):
    """Have an upload running at each door, over a file that was there, and a download; give the three processes."""
    for name in ("webdav", "sftp"):
        folder = doors.stored(WRITE, name)
        folder.mkdir()
        doors.place.own(folder)
        doors.put(WRITE, f"{name}/file", OLD)
    doors.put(READ, "big", BIG)
    endless, got = doors.folder / "endless", doors.folder / "got"
    with endless.open("wb") as file:
        file.truncate(size)
    offers, slowly = doors.offers, ["--limit-rate", "16M"]
    (doors.folder / "batch").write_text(f"put {endless} sftp/file\n")
    running = [
        await started(
            "curl", "--fail", *doors.credential(WRITE), *slowly, "-T", endless, offers[WRITE].webdav + "webdav/file"
        ),
        await started(*doors.ssh_words("sftp", WRITE, "-l", "131072", "-b", doors.folder / "batch", "{}")),
        await started(
            "curl", *doors.credential(READ), "--limit-rate", download, "-o", got, offers[READ].webdav + "big"
        ),
    ]
    try:
        await until(lambda: all(grows(doors, name) for name in ("webdav", "sftp")), "the uploads do not grow")
        await until(lambda: got.exists() and got.stat().st_size > MIB // 2, "the download does not grow")
        yield running
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def started(*words):
    """Start a program that says nothing."""
    return await asyncio.create_subprocess_exec(*map(str, words), stdout=-3, stderr=-3, stdin=-3)


def grows(doors, name):
    """Tell whether what is uploaded through a door has begun to grow in the storage, under whatever name."""
    return any(path.stat().st_size > MIB for path in doors.stored(WRITE, name).iterdir())


def connections(port):
    """Return how many connections to a server of this machine are open."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(local.endswith(f":{port:04X}") and state == "01" for _, local, _, state, *_ in fields)


async def gauges(doors):
    """Return what the operations port says is open now."""
    url = f"http://127.0.0.1:{doors.alice.config.ops.port}/metrics"
    async with doors.alice.session.get(url) as answer:
        text = await answer.text()
    return {name: float(re.search(rf"^ocm_gateway_{name} (\S+)$", text, re.MULTILINE)[1]) for name in GAUGES}


async def until_quiet(doors):
    """Wait until nothing is open any more at the gateway."""
    deadline = time.monotonic() + SECONDS
    while any((found := await gauges(doors)).values()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def until_served(doors, name, content):
    """Wait until a file can be written through each door, and then read it."""
    (doors.folder / name).write_bytes(content)
    deadline = time.monotonic() + SECONDS
    for door in ("webdav", "sftp"):
        while True:
            if door == "webdav":
                words = ("-T", str(doors.folder / name), doors.offers[WRITE].webdav + "webdav/file")
                status, output = await doors.curl(*doors.credential(WRITE), *words)
            else:
                text = f"put {doors.folder / name} sftp/file\n"
                status, output = await doors.ssh("sftp", WRITE, "-b", "-", "{}", text=text)
            if status == 0:
                break
            assert time.monotonic() < deadline, output
            await asyncio.sleep(0.2)
        assert doors.stored(WRITE, f"{door}/file").read_bytes() == content


def left(doors):
    """Return what stands in the folder of each upload: kinds of names, and whether it is the old content or a part."""

    def described(folder):
        return {
            re.sub(r"^(\.ocm-part-|\.davfs\.tmp).*", r"\1", path.name): "old" if beginning(path) == OLD else "a part"
            for path in folder.iterdir()
        }

    return [described(doors.stored(WRITE, name)) for name in ("webdav", "sftp")]


def beginning(path):
    """Return the first bytes of a file, more than there are in the old one."""
    with path.open("rb") as file:
        return file.read(2 * len(OLD))


def temporaries(doors):
    """Return what was left under a name that only we look for."""
    return [*doors.place.files.rglob(".ocm-part-*")]


def make_old(doors):
    """Let what was left have been left two days ago."""
    for path in temporaries(doors):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)


@contextmanager
def started_again(server):
    """Run a server once more, as it was and where it was."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(server.process.args, stdout=-3, stderr=-3, stdin=-3, env=environment) as process:
        try:
            yield
        finally:
            kill_all(process)


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("kind", KEEPS)
async def test_the_gateway_is_killed(tmp_path, kind):
    """A killed gateway leaves the old files, keeps no connection, and serves again; a download goes on where it was."""
    with storage(kind, tmp_path) as (place, server):
        async with doors_in_a_process(tmp_path, place) as doors:
            async with under_way(doors) as running:
                assert await gauges(doors) == {"streams": 3, "open_handles": 1, "ssh_sessions": 1}
                await doors.process.kill()
                for process in running:
                    assert await asyncio.wait_for(process.wait(), SECONDS) != 0
            if server is not None:
                port = server.port if kind == "sshd" else int(server.url.split(":")[2].split("/")[0])
                await until(lambda: connections(port) == 0, "connections to the storage stay open")
            await until(lambda: left(doors) == [KEEPS[kind]] * 2, left(doors))
            make_old(doors)
            await doors.process.start()
            await until(lambda: not temporaries(doors), "what was left is not removed")
            await until_served(doors, "new", b"new content")
            got = doors.folder / "got"
            status, output = await doors.curl(
                *doors.credential(READ), "-C", "-", "-o", str(got), doors.offers[READ].webdav + "big"
            )
            assert status == 0, output
            assert got.read_bytes() == BIG
            await until_quiet(doors)


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("kind", SERVERS)
async def test_the_storage_is_killed(tmp_path, kind):
    """Behind a storage that is killed nothing stays open; all clients hear of it, and are served when it is back."""
    with storage(kind, tmp_path) as (place, server):
        async with doors_in_a_process(tmp_path, place) as doors:
            async with under_way(doors) as running:
                kill_all(server.process)
                server.process.wait()
                for process in running:
                    assert await asyncio.wait_for(process.wait(), SECONDS) != 0
            await until_quiet(doors)
            assert left(doors) == [KEEPS_ITSELF[kind]] * 2
            with started_again(server):
                await until_served(doors, "new", b"new content")
                await until_quiet(doors)


@pytest.mark.req("ACC-6", "SHARE-4")
@pytest.mark.parametrize("kind", ["local", "apache"])
async def test_the_store_is_killed(tmp_path, kind):
    """What is under way when the store is killed goes on, and is whole in the end; nothing is left over."""
    with storage(kind, tmp_path) as (place, _):
        async with doors_in_a_process(tmp_path, place) as doors:
            async with under_way(doors, size=len(BIG), download="16M") as running:
                os.kill(store_of(doors.process.running.pid, doors.alice.config.data_dir), signal.SIGKILL)
                assert [await asyncio.wait_for(process.wait(), SECONDS) for process in running] == [0, 0, 0]
            await until_quiet(doors)
            assert (tmp_path / "got").read_bytes() == BIG
            for name in ("webdav", "sftp"):
                (file,) = doors.stored(WRITE, name).iterdir()
                assert (file.name, file.read_bytes()) == ("file", bytes(len(BIG)))
            await until_served(doors, "new", b"new content")


def store_of(gateway, data_dir):
    """Return the process of a gateway's embedded store."""
    (pid,) = [pid for pid in descendants(gateway) if Path(f"/proc/{pid}/cwd").resolve() == data_dir / "store"]
    return pid
