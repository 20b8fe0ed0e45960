"""Where a run keeps its files: a folder in memory if there is room, since no disk is to be measured."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Cores

SHARED = "bench"
# Who shares it.
USER, PASSWORD = "alice", "correct horse battery staple"
SMALL_BYTES = 4096
# Under root nginx and Apache give their rights up to this user of Debian's.
WEB_USER = "www-data"
# The file itself, what is written, and what servers keep of both on the way.
_COPIES = 6
_MEMORY_DISK = Path("/dev/shm")
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a run; `files` in it is the storage's, and `bench` in that is what is shared."""

    root: Path
    cores: Cores

    @classmethod
    @contextlib.contextmanager
    def fresh(cls, cores: Cores, large_bytes: int) -> Iterator[Place]:
        """Make the folder with an empty storage; it is gone when the block ends."""
        is_room = _MEMORY_DISK.is_dir() and shutil.disk_usage(_MEMORY_DISK).free > 2 * _COPIES * large_bytes
        root = Path(tempfile.mkdtemp(prefix="ocm-bench-", dir=_MEMORY_DISK if is_room else None))
        root.chmod(0o755)
        place = cls(root, cores)
        try:
            place.for_web_user(place.files)
            place.for_web_user(place.shared)
            yield place
        finally:
            shutil.rmtree(root, ignore_errors=True)

    @property
    def files(self) -> Path:
        """The storage's folder."""
        return self.root / "files"

    @property
    def shared(self) -> Path:
        """The folder that is shared."""
        return self.files / SHARED

    def for_web_user(self, path: Path) -> Path:
        """Make a folder, or give a file, to the user that web servers become."""
        if not path.exists():
            path.mkdir(parents=True)
        path.chmod(0o755 if path.is_dir() else 0o644)
        if os.geteuid() == 0:
            shutil.chown(path, WEB_USER, WEB_USER)
        return path

    def add_file(self, name: str, size: int) -> None:
        """Put a file of noise into the shared folder."""
        piece = os.urandom(min(size, _PIECE))
        with (self.shared / name).open("wb") as file:
            for _ in range(size // len(piece)):
                file.write(piece)

    def add_folder(self, name: str, entries: int, size: int = 1) -> None:
        """Put a folder of small files into the shared folder."""
        folder = self.for_web_user(self.shared / name)
        for number in range(entries):
            (folder / f"file-{number:05}.txt").write_bytes(b"x" * size)
