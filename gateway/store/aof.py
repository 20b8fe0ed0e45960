"""Repairs the tail of an append-only file.

A torn tail heals itself when the server starts. A power cut can also leave a tail of zeros, at which every server
refuses to start. The server's own checker (the same program under another name) cuts such a tail off. We let it only
where the file does end with zeros, and keep a copy: any other damage is for a human to look at.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from gateway.log import get_logger

AOF_DIR = "appendonlydir"
CHECK_SECONDS = 600.0

_log = get_logger(__name__)


async def repair(data_dir: Path, server: Path) -> bool:
    """Cut a tail of zeros off the newest file in `data_dir`; tell whether anything was done."""
    newest = _newest(data_dir / AOF_DIR)
    if newest is None or not _ends_with_zero(newest):
        return False
    before = newest.stat().st_size
    copy = newest.with_suffix(".aof.before-repair")
    await asyncio.to_thread(shutil.copyfile, newest, copy)
    code = await _check_and_fix(newest, server)
    cut = before - newest.stat().st_size
    _log.warning("repaired the store's file", file=str(newest), bytes_cut=cut, copy=str(copy), code=code)
    return code == 0 and cut > 0


def _newest(folder: Path) -> Path | None:
    """Return the file that the manifest names last as incremental, where new commands were appended."""
    for manifest in folder.glob("*.manifest"):
        rows = [line.split() for line in manifest.read_text().splitlines()]
        # file <name> seq <number> type <b|i|h>
        names = [row[1] for row in rows if row[:1] == ["file"] and row[5:6] == ["i"]]
        if names and (folder / names[-1]).is_file():
            return folder / names[-1]
    return None


def _ends_with_zero(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read(1) == b"\0"


async def _check_and_fix(path: Path, server: Path) -> int:
    # The program looks at the name it was started under; Valkey and Redis know both spellings of their own.
    name = server.name.replace("-server", "-check-aof")
    process = await asyncio.create_subprocess_exec(
        name,
        "--fix",
        str(path),
        executable=str(server),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            output, _ = await process.communicate(b"y\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    _log.info("checked the store's file", said=output.decode(errors="replace").strip()[-500:])
    return process.returncode or 0
