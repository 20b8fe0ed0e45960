"""The embedded store under blows: killed servers, damaged files, second owners, dead parents."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError, Kind
from gateway.store import embedded as embedded_module
from gateway.store.base import TableSpec
from gateway.store.binary import find_server
from gateway.store.embedded import EmbeddedStore
from gateway.store.queue import run_worker
from support.redisserver import debian_server, make_store

PREFIX = "kill-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    name: str
    count: int = 0


TALLIES = TableSpec(name="tallies", record=Tally, version=1, key=lambda tally: tally.name, lookups={}, indexes={})


@pytest.fixture(params=["embedded", "redis"])
def binary(request):
    """Each server program that may be embedded."""
    found = find_server() if request.param == "embedded" else debian_server()
    if found is None:
        pytest.skip("redis-server is not installed")
    return found


def add(tally):
    return replace(tally, count=tally.count + 1)


async def write_all(data_dir: Path, binary: Path, number: int) -> None:
    async with EmbeddedStore(data_dir, binary=binary) as server, make_store(server.url, prefix=PREFIX) as store:
        await asyncio.gather(*(store.table(TALLIES).create(Tally(name=f"t{n}")) for n in range(number)))


async def count_all(data_dir: Path, binary: Path) -> int:
    async with EmbeddedStore(data_dir, binary=binary) as server, make_store(server.url, prefix=PREFIX) as store:
        found = await asyncio.gather(*(store.table(TALLIES).get(f"t{n}") for n in range(100)))
        return sum(tally is not None for tally in found)


def newest_file(data_dir: Path) -> Path:
    (path,) = (data_dir / "appendonlydir").glob("*.incr.aof")
    return path


async def until(check):
    async with asyncio.timeout(15):
        while not check():  # noqa: ASYNC110 - what is awaited is not ours to signal
            await asyncio.sleep(0.01)


def mode(path):
    return Path(path).stat().st_mode


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_kill_under_load_loses_nothing(tmp_path, binary):
    """A server killed three times under writes loses no acknowledged one, and clients go on by themselves."""
    async with EmbeddedStore(tmp_path, binary=binary) as server, make_store(server.url, prefix=PREFIX) as store:
        tallies = store.table(TALLIES)
        acknowledged, is_over = [0] * 8, False

        async def write(number):
            await tallies.create(Tally(name=f"t{number}"))
            while not is_over:
                await tallies.update(f"t{number}", add)
                acknowledged[number] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(write(number))
            for _ in range(3):
                before = sum(acknowledged)
                await until(lambda before=before: sum(acknowledged) > before + 100)
                killed = server.pid
                os.kill(killed, signal.SIGKILL)
                await until(lambda killed=killed: server.pid not in (None, killed))
            before = sum(acknowledged)
            await until(lambda: sum(acknowledged) > before + 100)
            is_over = True

        # Exactly: nothing lost, and nothing done twice by a client that tried again.
        assert [(await tallies.get(f"t{n}")).count for n in range(8)] == acknowledged


async def test_records_survive_a_clean_stop(tmp_path, binary):
    """What was written is there when the store is entered again, and nothing of its run is left over."""
    await write_all(tmp_path, binary, 20)

    assert await count_all(tmp_path, binary) == 20


async def test_the_server_stops_with_us(tmp_path):
    """Leaving the store ends its server and removes its socket."""
    async with EmbeddedStore(tmp_path) as server:
        pid, socket = server.pid, server.url.removeprefix("unix://")
        folder = Path(socket).parent
        assert mode(socket) & 0o077 == 0
        assert mode(folder) & 0o077 == 0
        assert len(socket) < 100

    assert not is_alive(pid)
    with pytest.raises(FileNotFoundError):
        mode(folder)


async def test_a_torn_tail_heals(tmp_path, binary):
    """A file that ends in the middle of a command loses that command only."""
    await write_all(tmp_path, binary, 20)
    with newest_file(tmp_path).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$100\r\nhalf")

    assert await count_all(tmp_path, binary) == 20


async def test_a_tail_of_zeros_heals(tmp_path, binary):
    """A file that ends in zeros (power cut) is repaired, and what was cut off is kept in a copy."""
    await write_all(tmp_path, binary, 20)
    with newest_file(tmp_path).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n" + bytes(5000))
    damaged = newest_file(tmp_path).stat().st_size

    assert await count_all(tmp_path, binary) == 20
    (copy,) = (tmp_path / "appendonlydir").glob("*.before-repair")
    assert copy.stat().st_size == damaged


async def test_other_damage_is_left_to_a_human(tmp_path, binary):
    """A file that is damaged elsewhere stops the start with the server's own words, and is not touched."""
    await write_all(tmp_path, binary, 20)
    content = bytearray(newest_file(tmp_path).read_bytes())
    command = content.index(b"\r\n*", len(content) // 2)
    content[command + 2 : command + 3] = b"?"
    newest_file(tmp_path).write_bytes(content)

    with pytest.raises(GatewayError) as caught:
        await count_all(tmp_path, binary)
    assert caught.value.kind is Kind.CONFIGURATION
    assert "Bad file format" in caught.value.log
    assert newest_file(tmp_path).read_bytes() == content


async def test_a_second_gateway_is_refused(tmp_path, monkeypatch):
    """Two stores on one data directory are one too many: the second says so, the first goes on."""
    monkeypatch.setattr(embedded_module, "LOCK_SECONDS", 0.1)
    async with EmbeddedStore(tmp_path) as first:
        with pytest.raises(GatewayError, match="Another gateway is using the data directory") as caught:
            await EmbeddedStore(tmp_path).__aenter__()
        assert caught.value.kind is Kind.CONFIGURATION
        async with make_store(first.url) as store:
            await store.health.ping()


async def test_a_server_that_cannot_start_says_why(tmp_path):
    """A program that ends at once is an error that names its last words."""
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    broken.chmod(0o755)

    with pytest.raises(GatewayError, match="it ended with 3") as caught:
        await EmbeddedStore(tmp_path / "data", binary=broken).__aenter__()
    assert "no luck today" in caught.value.log


async def test_a_missing_program_is_told(tmp_path, monkeypatch):
    """Without any server program the error says what to install."""
    monkeypatch.setattr("gateway.store.binary._packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GatewayError, match="install one"):
        await EmbeddedStore(tmp_path).__aenter__()


PARENT = textwrap.dedent("""
    import asyncio, signal, sys
    from pathlib import Path
    from gateway.log import configure
    from gateway.store.embedded import EmbeddedStore

    async def main():
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopping.set)
        async with EmbeddedStore(Path(sys.argv[1])) as server:
            print(server.pid, flush=True)
            await stopping.wait()
            print("stopping", flush=True)
            # A server that got the signal too ends within this time.
            await asyncio.sleep(0.5)
            await asyncio.to_thread(sys.stdin.readline)

    configure()
    asyncio.run(main())
""")


async def parent_of_a_store(folder, **options):
    """Start a process with a store of its own; return it and the server's process id."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        **options,
    )
    return parent, int(await asyncio.wait_for(parent.stdout.readline(), 20))


async def test_ctrl_c_in_a_terminal_leaves_the_server_to_its_parent(tmp_path):
    """A signal to everything that runs in the terminal does not end the store while the gateway still writes."""
    parent, pid = await parent_of_a_store(tmp_path, start_new_session=True, stderr=asyncio.subprocess.PIPE)
    os.killpg(parent.pid, signal.SIGINT)
    assert await asyncio.wait_for(parent.stdout.readline(), 20) == b"stopping\n"
    assert is_alive(pid)
    _, said = await asyncio.wait_for(parent.communicate(b"\n"), 20)
    assert (parent.returncode, b"store server ended" in said) == (0, False)
    assert not is_alive(pid)


async def test_the_server_dies_with_its_parent(tmp_path):
    """When the gateway is killed, its server dies too, and the next gateway takes over at once."""
    parent, pid = await parent_of_a_store(tmp_path)
    assert is_alive(pid)

    parent.kill()
    await parent.wait()

    async with EmbeddedStore(tmp_path):
        assert not is_alive(pid)


async def test_a_cancelled_start_leaves_nothing(tmp_path):
    """A start that is cancelled leaves no server and no lock behind."""
    store = EmbeddedStore(tmp_path)
    start = asyncio.create_task(store.__aenter__())
    await until(lambda: store.pid is not None)
    pid = store.pid
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert not is_alive(pid)
    started = time.monotonic()
    async with EmbeddedStore(tmp_path):
        assert time.monotonic() - started < 3


async def test_a_worker_outlives_the_server(tmp_path):
    """A worker that lost its server runs what it is woken for afterwards."""
    ran = []

    async def deliver(key):
        ran.append(key)

    async with EmbeddedStore(tmp_path) as server, make_store(server.url, prefix=PREFIX) as store:
        queue = store.queue("jobs")
        worker = asyncio.create_task(run_worker(queue, {"deliver": deliver}, concurrency=2))
        await queue.wake("deliver", "before")
        await until(lambda: ran)
        os.kill(server.pid, signal.SIGKILL)
        await queue.wake("deliver", "after")
        await until(lambda: "after" in ran)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    assert ran == ["before", "after"]
