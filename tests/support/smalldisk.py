"""A disk that is soon full, and a user without rights: what tests of a local storage need from the system."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.backends import localpart

NOBODY = 65534
DISK_BYTES = 1024 * 1024


def names_in(folder: Path) -> list[str]:
    """The names of everything in a folder, sorted, the hidden too."""
    return sorted(path.name for path in Path(folder).iterdir())


def open_descriptors() -> set[int]:
    """The file descriptors that this process has open."""
    found = set()
    for name in names_in(Path("/proc/self/fd")):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.add(int(name))
    return found


@contextmanager
def small_disk(folder: Path, monkeypatch) -> Iterator[Path]:
    """Mount a disk of one MiB at `folder`; without the right to mount, let writing behind that fail alike."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    real = localpart.write_all

    def write_all(descriptor: int, data: bytes) -> None:
        if os.fstat(descriptor).st_size + len(data) > DISK_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor, data)

    monkeypatch.setattr(localpart, "write_all", write_all)
    yield folder


@contextmanager
def without_rights() -> Iterator[Path]:
    """Give a folder of our own, and run as a user to whom the system forbids things."""
    folder = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)
