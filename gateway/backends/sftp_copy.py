"""Whole trees of an SFTP server: removing, moving, copying them, and sweeping up what broken writes left.

SFTP knows only single files and empty folders, so trees are walked, with one listing open for each level and no more
of a folder in memory than one batch. A copy is made under a temporary name and put in its place when it is complete;
the server copies itself where it has `copy-data`. What cannot be copied is reported and left out; links and devices
are not copied, but go with the folder that is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from stat import S_IMODE
from typing import cast

import asyncssh
from asyncssh import FILEXFER_TYPE_DIRECTORY, SFTPAttrs

from gateway.backends.localfs import TEMPORARY_PREFIX
from gateway.backends.localpart import PERMISSION_BITS
from gateway.backends.sftp_channel import OPEN_NEW, OPEN_WRITE, Channel
from gateway.backends.sftp_errors import Dropped, NotOffered, Vague, nonsense
from gateway.backends.sftp_place import move_aside, rename_to_nothing, replace
from gateway.backends.sftp_read import chunks, open_file
from gateway.backends.sftp_tree import (
    Spot,
    as_asked,
    as_stored,
    exact,
    is_folder,
    is_hidden_name,
    is_served,
    is_unknown,
    joined,
    size_of,
)
from gateway.backends.sftp_write import WriteBehind, settled
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import PATH_MAX_DEPTH, Outcome, ResourcePath, Span

REMOVE_BATCH_ENTRIES = 1000
REMOVES_AT_ONCE = 64
# One request to a server that copies by itself; short enough to be answered in time.
COPY_PIECE_BYTES = 64 * 1024 * 1024

log = get_logger(__name__)


async def remove(channel: Channel, path: bytes, depth: int = 0) -> None:
    """Remove a file, or a folder with all that is in it; what can be removed is, even if something cannot.

    Raises:
        GatewayError: the first that happened; `CONFLICT` if it is nested too deeply.
    """
    found = await channel.lstat(path)
    if found is None:
        return
    if not is_folder(found):
        await channel.ask(channel.sftp.remove(path))
        return
    _refuse_depth(depth)
    while batch := await _some_members(channel, path):
        errors = await _remove_all(channel, path, batch, depth)
        if len(errors) == len(batch):
            raise errors[0]
    try:
        await channel.ask(channel.sftp.rmdir(path))
    except Vague as error:
        raise GatewayError(Kind.CONFLICT, "The folder was changed meanwhile.") from error


async def move(channel: Channel, old: Spot, new: Spot, target: ResourcePath, *, overwrite: bool) -> Outcome:
    """Move by renaming, or by copying where the server cannot rename, say to another disk."""
    old.served()
    if old.path == new.path:
        # Only the spelling changes, say from one Unicode normal form to the other.
        await channel.ask(channel.sftp.rename(old.path, joined(old.folder, as_stored(target.name))))
        return Outcome(created=True)
    _refuse_overwrite(new, overwrite=overwrite)
    try:
        return Outcome(created=await _place(channel, old, new))
    except Vague:
        there = await channel.lstat(old.path), await channel.lstat(new.path)
        if there[0] is None or (there[1] is None) != (new.found is None):
            raise
    outcome = await copy(channel, old, new, target, overwrite=overwrite, deep=True)
    if not outcome.failures:
        await remove(channel, old.path)
    return outcome


async def copy(channel: Channel, old: Spot, new: Spot, target: ResourcePath, *, overwrite: bool, deep: bool) -> Outcome:
    """Copy under a temporary name, then put the copy in its place."""
    found = old.served()
    _refuse_overwrite(new, overwrite=overwrite)
    making = _Copy(channel=channel, deep=deep)
    temporary = Spot(new.folder, channel.temporary_name(), found)
    try:
        await making.make(old, temporary.path, target)
        created = await _place(channel, temporary, new)
    except BaseException:
        await settled(_discard(channel, temporary.path))
        raise
    return Outcome(created=created, failures=tuple(making.failures))


async def sweep(channel: Channel, folder: bytes, older_than: float, depth: int = 0) -> int:
    """Remove temporaries in which nothing has changed since `older_than`; return how many."""
    swept = 0
    if depth > PATH_MAX_DEPTH:
        return swept
    async for spot in members(channel, folder):
        if spot.name.startswith(TEMPORARY_PREFIX.encode()):
            if not await _is_touched(channel, spot, older_than):
                await remove(channel, spot.path)
                swept += 1
        elif spot.found is not None and is_folder(spot.found) and not is_hidden_name(spot.name):
            swept += await sweep(channel, spot.path, older_than, depth + 1)
    return swept


async def members(channel: Channel, folder: bytes) -> AsyncGenerator[Spot, None]:
    """Yield what is in a folder; names that are none are left out and counted, folders are looked at once more."""
    dropped = 0
    async with aclosing(channel.members(folder)) as told:
        async for member in told:
            name = cast("bytes", member.filename)
            if not is_member_name(name):
                dropped += name not in (b".", b"..")
                continue
            if is_unknown(member.attrs) or member.attrs.type == FILEXFER_TYPE_DIRECTORY:
                yield await exact(channel, folder, name)
            else:
                yield Spot(folder, name, member.attrs)
    if dropped:
        log.warning("an SFTP server lists names that are none", names=dropped)


def is_member_name(name: bytes) -> bool:
    """Tell whether these bytes can be the name of something in a folder."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


@dataclass(slots=True, kw_only=True)
class _Copy:
    """One copy of a tree."""

    channel: Channel
    deep: bool
    failures: list[tuple[ResourcePath, GatewayError]] = field(default_factory=list)

    async def make(self, old: Spot, new: bytes, path: ResourcePath, depth: int = 0) -> None:
        """Copy one thing to the path `new`, where nothing is; `path` is where that will be seen."""
        found = old.served()
        if is_folder(found):
            await self._folder(old, new, path, depth)
        else:
            await self._file(old, new)
        if found.permissions is not None:
            bits = SFTPAttrs(permissions=S_IMODE(found.permissions) & PERMISSION_BITS)
            with suppress(GatewayError):
                await self.channel.ask(self.channel.sftp.setstat(new, bits))

    async def _folder(self, old: Spot, new: bytes, path: ResourcePath, depth: int) -> None:
        _refuse_depth(depth)
        await self.channel.ask(self.channel.sftp.mkdir(new))
        if not self.deep:
            return
        async for spot in members(self.channel, old.path):
            if spot.found is None or not is_served(spot.found) or is_hidden_name(spot.name):
                continue
            where, target = _below(path, spot.name), joined(new, spot.name)
            try:
                await self.make(spot, target, where, depth + 1)
            except Dropped:
                raise
            except GatewayError as error:
                self.failures.append((where, error))
                # Half a file must not look like a whole one.
                await _discard(self.channel, target)

    async def _file(self, old: Spot, new: bytes) -> None:
        reading, found = await open_file(self.channel, old)
        try:
            writing = await self.channel.open(new, OPEN_WRITE | OPEN_NEW)
            try:
                await _copy_bytes(self.channel, reading, writing, size_of(found), new)
                made = await self.channel.fstat(writing)
                if made.size != found.size:
                    raise nonsense("a copy does not have the size of its original")
            finally:
                await self.channel.close_file(writing)
        finally:
            await self.channel.close_file(reading)


async def _copy_bytes(
    channel: Channel, reading: asyncssh.SFTPClientFile, writing: asyncssh.SFTPClientFile, size: int, new: bytes
) -> None:
    """Copy inside the server where it can, else through us."""
    if channel.sftp.supports_remote_copy:
        try:
            for start in range(0, size, COPY_PIECE_BYTES):
                length = min(COPY_PIECE_BYTES, size - start)
                await channel.ask(channel.sftp.remote_copy(reading, writing, start, length, start))
        except (Vague, NotOffered):
            await channel.ask(writing.setstat(SFTPAttrs(size=0)))
        else:
            return
    behind = WriteBehind(channel, writing, new.rpartition(b"/")[0])
    try:
        async for chunk in chunks(channel, reading, Span(0, size)):
            await behind.put(chunk)
        await behind.flush()
    finally:
        await behind.drop()


async def _place(channel: Channel, old: Spot, new: Spot) -> bool:
    """Give what is at `old` the name of `new`, in the place of what is there; tell whether that was nothing."""
    assert old.found is not None
    if new.found is None:
        if await rename_to_nothing(channel, old.path, new.path):
            return True
        new = await exact(channel, new.folder, new.name)
        new.replaceable()
    if new.found is not None and (is_folder(old.found) or is_folder(new.found)):
        aside = await move_aside(channel, old.path, new)
        # What cannot be removed is out of sight already; the new is in its place, and that was asked for.
        with suppress(GatewayError):
            await remove(channel, aside)
    else:
        await replace(channel, old.path, new)
    return False


async def _some_members(channel: Channel, folder: bytes) -> list[Spot]:
    batch: list[Spot] = []
    async with aclosing(members(channel, folder)) as spots:
        async for spot in spots:
            batch.append(spot)
            if len(batch) >= REMOVE_BATCH_ENTRIES:
                break
    return batch


async def _remove_all(channel: Channel, folder: bytes, batch: list[Spot], depth: int) -> list[GatewayError]:
    errors: list[GatewayError] = []
    for start in range(0, len(batch), REMOVES_AT_ONCE):
        part = batch[start : start + REMOVES_AT_ONCE]
        removals = [remove(channel, joined(folder, spot.name), depth + 1) for spot in part]
        for outcome in await asyncio.gather(*removals, return_exceptions=True):
            if isinstance(outcome, Dropped) or (outcome is not None and not isinstance(outcome, GatewayError)):
                raise outcome
            if outcome is not None:
                errors.append(outcome)
    return errors


async def _is_touched(channel: Channel, spot: Spot, older_than: float, depth: int = 0) -> bool:
    found = spot.found
    if found is None or found.mtime is None or found.mtime > older_than or depth > PATH_MAX_DEPTH:
        return True
    if is_folder(found):
        async with aclosing(members(channel, spot.path)) as inner:
            async for member in inner:
                if await _is_touched(channel, member, older_than, depth + 1):
                    return True
    return False


async def _discard(channel: Channel, path: bytes) -> None:
    with suppress(GatewayError):
        await remove(channel, path)


def _refuse_overwrite(new: Spot, *, overwrite: bool) -> None:
    if new.replaceable() is not None and not overwrite:
        raise GatewayError(Kind.PRECONDITION_FAILED, "There is something at the target already.")


def _refuse_depth(depth: int) -> None:
    if depth > PATH_MAX_DEPTH:
        raise GatewayError(Kind.CONFLICT, "The folders are nested too deeply.")


def _below(path: ResourcePath, name: bytes) -> ResourcePath:
    """Return the path of a member, or of its folder if the name has no path."""
    try:
        return path / as_asked(name)
    except GatewayError:
        return path
