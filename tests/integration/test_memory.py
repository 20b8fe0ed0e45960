"""What the gateway's process needs in memory does not grow with what it carries, at eight streams at a time.

The streams are files that are one hole, 64 MiB long, or 1 GiB where that was asked for (`-m large`). Before it is
measured, the door has served eight small ones. A listing of 100,000 entries is in `test_dav_memory`.
"""

import asyncio
import sys

import pytest
from integration.test_dav_memory import GROWTH_MAX_BYTES, peak
from integration.test_kill import storage
from integration.test_matrix_large import fetching

from support.everydoor import READ, WRITE, doors_in_a_process

STREAMS = 8
MIB = 2**20


def holes(path, size):
    """Make a file of one hole and return it."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


async def all_fetched(doors, door, name):
    """Fetch a file eight times at once, and throw it away."""
    programs = [await started(*fetching(doors, door, name)) for _ in range(STREAMS)]
    assert [await program.wait() for program in programs] == [0] * STREAMS


async def all_stored(doors, door, source, prefix):
    """Store a file under eight names at once, and remove them."""
    commands = []
    for number in range(STREAMS):
        name = f"{prefix}{number}"
        if door == "webdav":
            url = doors.offers[WRITE].webdav + name
            commands.append(["curl", "-sS", "--fail", *doors.credential(WRITE), "-T", source, url])
        else:
            commands.append(doors.ssh_words("scp", WRITE, "-O", source, "{}:" + name))
    programs = [await started(*command) for command in commands]
    assert [await program.wait() for program in programs] == [0] * STREAMS
    for number in range(STREAMS):
        doors.stored(WRITE, f"{prefix}{number}").unlink()


async def started(*words):
    """Start a program whose output goes nowhere."""
    return await asyncio.create_subprocess_exec(*map(str, words), stdout=-3, stderr=-3, stdin=-3)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", [64 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.large)], ids=["64M", "1G"])
@pytest.mark.parametrize(
    ("door", "kind", "way"),
    [
        ("webdav", "local", "down"),
        ("webdav", "local", "up"),
        ("webdav", "apache", "down"),
        ("webdav", "apache", "up"),
        ("sftp", "local", "down"),
        ("sftp", "local", "up"),
    ],
)
async def test_eight_streams(tmp_path, door, kind, way, size):
    """Eight streams at once, much more than may be held, let the process grow by less than 64 MiB."""
    with storage(kind, tmp_path) as (place, _):
        async with doors_in_a_process(tmp_path, place) as doors:
            gateway = doors.process.running.pid
            for name, length in (("small", 100_000), ("large", size)):
                source = holes(doors.stored(READ, name), length)
                place.own(source)
                before = peak(gateway)
                if way == "down":
                    await all_fetched(doors, door, name)
                else:
                    await all_stored(doors, door, source, name)
            grown = peak(gateway) - before
            sys.stdout.write(f"grown by {grown / MIB:.0f} MiB over {before / MIB:.0f} MiB\n")
            assert grown < GROWTH_MAX_BYTES, grown
