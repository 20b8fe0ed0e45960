"""SCP as `scp -O` and older clients speak it: the far side of the command `scp -f` (send) or `scp -t` (take).

There is no shell: of the command line only the options of scp itself are understood, and the paths are ours. A file
takes its place when all its bytes are there and the client says so; what breaks off before leaves nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Coroutine
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.backends.base import OpenMode, SetTime
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import Entry, ResourcePath
from gateway.ssh.handles import Count, FileHandle
from gateway.ssh.pipe import Pipe
from gateway.ssh.scpwire import Wire
from gateway.ssh.view import View, path_of

log = get_logger(__name__)

PIECE_BYTES = 256 * 1024
FOLDER_MODE, FILE_MODE = "0755", "0644"
DEPTH_MAX = 256
_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a command line asks for."""

    is_sending: bool
    is_deep: bool
    keeps_times: bool
    needs_folder: bool
    paths: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> Command | None:
        """Return what `line` asks for, or None if it is not what an scp client says."""
        try:
            name, *words = shlex.split(line)
        except ValueError:
            return None
        flags = ""
        while words and words[0].startswith("-") and words[0] != "-":
            word = words.pop(0)
            if word == "--":
                break
            flags += word[1:]
        is_known = name == "scp" and set(flags) <= set("ftrpdvq") and ("f" in flags) != ("t" in flags)
        if not is_known or not words or ("t" in flags and len(words) != 1):
            return None
        return cls(
            is_sending="f" in flags,
            is_deep="r" in flags,
            keeps_times="p" in flags,
            needs_folder="d" in flags,
            paths=tuple(words),
        )


class Scp:
    """One run of the command."""

    def __init__(self, pipe: Pipe, view: View, count: Count, command: Command) -> None:
        self._wire = Wire(pipe)
        self._view = view
        self._count = count
        self._command = command

    async def run(self) -> int:
        """Do what was asked for and return the exit status."""
        if self._command.is_sending:
            await self._wire.heard()
            for text in self._command.paths:
                await self._told(self._send_matching(_raw(text)))
        else:
            await self._told(self._take_all(path_of(_raw(self._command.paths[0]))))
        return 1 if self._wire.has_failed else 0

    async def _told(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                log.warning("scp failed", guest=self._view.guest.name, reason=str(error))
            await self._wire.fail(error.public)

    # Sending.

    async def _send_matching(self, raw: bytes) -> None:
        path = path_of(raw)
        entry = await self._view.find(path)
        if entry is not None:
            await self._send(entry)
            return
        matches = 0
        if not _GLOB.isdisjoint(path.name):
            async for member in self._view.list(path.parent):
                if fnmatchcase(member.path.name, path.name):
                    matches += 1
                    await self._send(await self._view.stat(path.parent / member.path.name))
        if not matches:
            raise GatewayError(Kind.NOT_FOUND, f"{path}: no such file or folder.")

    async def _send(self, entry: Entry, depth: int = 0) -> None:
        if depth > DEPTH_MAX:
            raise GatewayError(Kind.CONFLICT, "This folder is nested too deeply.")
        if entry.is_folder and not self._command.is_deep:
            raise GatewayError(Kind.CONFLICT, f"{entry.path}: is a folder.")
        await (self._send_folder(entry, depth) if entry.is_folder else self._told(self._send_file(entry)))

    async def _send_folder(self, entry: Entry, depth: int) -> None:
        await self._send_times(entry)
        await self._wire.say(f"D{FOLDER_MODE} 0 ", entry.path.name or ".")
        async for member in self._view.list(entry.path):
            await self._told(self._send(member, depth + 1))
        await self._wire.say("E")

    async def _send_file(self, entry: Entry) -> None:
        files, inner = self._view.guest.files, self._view.inner(entry.path)
        async with files.open_at(inner, OpenMode.READ) as file:
            size = (await file.stat()).size or 0
            await self._send_times(entry)
            await self._wire.say(f"C{FILE_MODE} {size} ", entry.path.name)
            place = 0
            while place < size:
                piece = await file.read_at(place, min(PIECE_BYTES, size - place))
                if not piece:
                    # The size was promised; only a broken stream tells the client that this is not all.
                    raise EOFError
                await self._wire.send(piece)
                place += len(piece)
            await self._wire.confirm()

    async def _send_times(self, entry: Entry) -> None:
        if self._command.keeps_times and entry.modified is not None:
            await self._wire.say(f"T{int(entry.modified)} 0 {int(entry.modified)} 0")

    # Taking.

    async def _take_all(self, path: ResourcePath) -> None:
        there = await self._view.find(path)
        is_folder = there is not None and there.is_folder
        if self._command.needs_folder and not is_folder:
            raise GatewayError(Kind.NOT_FOUND, f"{path}: no such folder.")
        await self._wire.agree()
        await self._take_into(path, is_folder=is_folder, depth=0)

    async def _take_into(self, path: ResourcePath, *, is_folder: bool, depth: int) -> None:
        modified: int | None = None
        async for header in self._wire.headers():
            if header.kind == "T":
                modified = header.number
                await self._wire.agree()
            elif header.kind == "E":
                await self._wire.agree()
                return
            else:
                target = path / header.name if is_folder else path
                is_deeper = header.kind == "D"
                take = self._take_folder(target, depth) if is_deeper else self._take_file(target, header.number)
                await self._told(take)
                if self._command.keeps_times and modified is not None and not self._wire.has_failed:
                    await self._told(self._set_time(target, modified))
                modified = None

    async def _take_folder(self, path: ResourcePath, depth: int) -> None:
        if not self._command.is_deep or depth >= DEPTH_MAX:
            raise GatewayError(Kind.CONFLICT, "No folder was asked for.")
        there = await self._view.find(path)
        if there is None:
            await self._view.guest.backend.mkdir(self._view.inner(path))
        elif not there.is_folder:
            raise GatewayError(Kind.CONFLICT, f"{path}: is not a folder.")
        await self._wire.agree()
        await self._take_into(path, is_folder=True, depth=depth + 1)

    async def _take_file(self, path: ResourcePath, size: int) -> None:
        # Now, since once agreed to all of the file comes, whatever is said.
        self._view.refuse_reader()
        self._count.take()
        try:
            opening = self._view.guest.files.open_at(self._view.inner(path), OpenMode.REPLACE)
            handle = FileHandle(path, opening, is_pending=True)
            await handle.open()
            try:
                await self._wire.agree()
                await self._receive(handle, size)
            finally:
                await handle.discard()
        finally:
            self._count.give_back()

    async def _receive(self, handle: FileHandle, size: int) -> None:
        """Take the bytes of a file; after a failure the rest is read and dropped, for the client sends it anyway."""
        place, failure = 0, None
        while place < size:
            piece = await self._wire.take(min(PIECE_BYTES, size - place))
            if failure is None:
                try:
                    await handle.write(place, piece)
                except GatewayError as error:
                    failure = error
            place += len(piece)
        is_whole = await self._wire.hears_ok()
        if failure is not None:
            raise failure
        if is_whole:
            await handle.close()
            await self._wire.agree()

    async def _set_time(self, path: ResourcePath, modified: int) -> None:
        if isinstance(self._view.guest.backend, SetTime):
            await self._view.guest.backend.set_time(self._view.inner(path), modified)


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
