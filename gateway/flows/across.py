"""Copying and moving from one share into another, the bytes going through us (RFC 4918, 9.8 and 9.9).

A copy goes on after a member failed and tells which ones did. Only a single file is moved, and its original is
removed only when the copy is complete and the original is still what was copied: whatever happens in between, the
content is somewhere whole. A folder is not moved, since nobody could promise that of all its members.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, Outcome, ResourcePath

# One request copies at most this many files and folders.
COPY_MAX_ENTRIES = 10_000


async def copy_across(
    tree: Backend, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True
) -> Outcome:
    """Copy a file or folder by reading and writing; raises as `Backend.copy`."""
    entry = await tree.stat(source)
    created = await _make_room(tree, entry, target, overwrite=overwrite)
    copying = _Copying(tree)
    await copying.run(entry, target, deep=deep)
    return Outcome(created=created, failures=tuple(copying.failures))


async def move_across(tree: Backend, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
    """Move a file by copying it and then removing the original.

    Raises:
        GatewayError: `FORBIDDEN` for a folder; `CONFLICT` if the original changed meanwhile (then both are there);
            as `Backend.move`.
    """
    entry = await tree.stat(source)
    if entry.is_folder:
        raise GatewayError(
            Kind.FORBIDDEN, "A folder cannot be moved into another share. Copy it, then delete the original."
        )
    outcome = await copy_across(tree, source, target, overwrite=overwrite)
    now = await tree.stat(source)
    if (now.etag, now.size, now.modified) != (entry.etag, entry.size, entry.modified):
        raise GatewayError(Kind.CONFLICT, "The original changed while it was copied, so it was not removed.")
    await tree.delete(source)
    return outcome


async def _make_room(tree: Backend, entry: Entry, target: ResourcePath, *, overwrite: bool) -> bool:
    """Prepare the target and tell whether nothing was there; a file replaces a file without being removed first."""
    try:
        present = await tree.stat(target)
    except GatewayError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return True
    if not overwrite:
        raise GatewayError(Kind.PRECONDITION_FAILED, "There is something of this name already.")
    if present.is_folder or entry.is_folder:
        await tree.delete(target)
    return False


@dataclass(slots=True)
class _Copying:
    """One copy."""

    tree: Backend
    failures: list[tuple[ResourcePath, GatewayError]] = field(default_factory=list)
    count: int = 0

    async def run(self, entry: Entry, target: ResourcePath, *, deep: bool) -> None:
        """Copy `entry` to `target`; what fails at the top is raised, what fails below is kept."""
        await self._one(entry, target)
        waiting = [(entry.path, target)] if entry.is_folder and deep else []
        while waiting:
            folder, place = waiting.pop()
            for member in await self._members(folder):
                below = place / member.path.name
                if await self._member(member, below) and member.is_folder:
                    waiting.append((member.path, below))

    async def _members(self, folder: ResourcePath) -> list[Entry]:
        # Whole, since the storage is not kept waiting in the middle of a listing while its files are read.
        members = self.tree.list(folder)
        found: list[Entry] = []
        try:
            async for member in members:
                self._count()
                found.append(member)
        finally:
            if isinstance(members, AsyncGenerator):
                await members.aclose()
        return found

    async def _member(self, member: Entry, target: ResourcePath) -> bool:
        try:
            await self._one(member, target)
        except GatewayError as error:
            self.failures.append((target, error))
            return False
        return True

    async def _one(self, entry: Entry, target: ResourcePath) -> None:
        if entry.is_folder:
            await self.tree.mkdir(target)
            return
        async with self.tree.open(entry.path) as content:
            await self.tree.write(target, content.chunks, size=content.span.length)

    def _count(self) -> None:
        self.count += 1
        if self.count > COPY_MAX_ENTRIES:
            raise GatewayError(Kind.TOO_LARGE, f"More than {COPY_MAX_ENTRIES} files cannot be copied at once.")
