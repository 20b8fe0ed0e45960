"""The door's memory does not grow with what it serves."""

import asyncio
import os
import re
import sys
from pathlib import Path

from support.davgateway import client

ENTRIES = 100_000
GROWTH_MAX_BYTES = 64 * 1024 * 1024
ASK = (
    '<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/><d:getcontentlength/><d:getlastmodified/><d:resourcetype/>'
    '<o:permissions xmlns:o="http://owncloud.org/ns"/></d:prop></d:propfind>'
)


def peak(pid):
    """Return the most memory, in bytes, that a process ever had."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


async def test_a_huge_folder_is_listed_in_bounded_memory(tmp_path):
    """All of 100,000 entries are told, each once, while the process grows by less than 64 MiB."""
    folder = tmp_path / "served"
    (folder / "huge").mkdir(parents=True)
    descriptor = os.open(folder / "huge", os.O_RDONLY)
    for number in range(ENTRIES):
        os.mknod(f"{number:06}", dir_fd=descriptor)
    os.close(descriptor)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(__file__).parent.parent / "support/davprocess.py",
        folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with client() as http:
            async with http.request("PROPFIND", url, data=ASK, headers={"Depth": "1"}) as answer:
                await answer.read()
            before = peak(process.pid)
            names, rest = set(), b""
            async with http.request("PROPFIND", url + "huge", data=ASK, headers={"Depth": "1"}) as answer:
                assert answer.status == 207
                async for piece in answer.content.iter_chunked(1 << 18):
                    rest += piece
                    names.update(re.findall(rb"huge/(\d{6})</d:href>", rest))
                    rest = rest[-200:]
        grown = peak(process.pid) - before
    finally:
        process.stdin.close()
        await process.wait()
    assert len(names) == ENTRIES
    assert rest.endswith(b"</d:multistatus>\n")
    assert grown < GROWTH_MAX_BYTES, grown
