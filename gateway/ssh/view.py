"""The tree of names that a guest sees: what stands at a path, and what a path means.

A shared folder is the root itself. A single shared file stands alone in a root folder of its own, under its name: so
`sftp user@host:/name` and `scp user@host:name` fetch it, and a client that lists finds it. Paths are bytes; `.` and
`..` are resolved here, by their letters, and nothing is above the root.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, EntryKind, ResourcePath
from gateway.ssh.guests import Guest

ROOT = ResourcePath()


def path_of(raw: bytes) -> ResourcePath:
    """Return the path that a client means, seen from the root, where every relative path begins.

    Raises:
        GatewayError: `INVALID` if it is too long or holds a name that no storage here can have.
    """
    parts: list[str] = []
    for part in raw.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(os.fsdecode(part))
    return ResourcePath(tuple(parts))


def raw_of(path: ResourcePath) -> bytes:
    """Return the absolute path as clients see it."""
    return b"/" + b"/".join(os.fsencode(part) for part in path.parts)


@dataclass(frozen=True, slots=True)
class View:
    """What a guest sees."""

    guest: Guest

    def inner(self, path: ResourcePath) -> ResourcePath:
        """Return where in the guest's storage the file or folder at `path` is.

        Raises:
            GatewayError: `NOT_FOUND` for what is not the single shared file; `FORBIDDEN` for the folder around it.
        """
        if self.guest.file_name is None:
            return path
        if path.is_root:
            raise GatewayError(Kind.FORBIDDEN, "Only the file in this folder is shared.")
        if path.parts != (self.guest.file_name,):
            raise GatewayError(Kind.NOT_FOUND, "There is no such file or folder.")
        return ROOT

    def refuse_reader(self) -> None:
        """Do nothing for a guest who may change things.

        Raises:
            GatewayError: `FORBIDDEN` for one who may not.
        """
        if not self.guest.may_write:
            raise GatewayError(Kind.FORBIDDEN, "This is for reading only.")

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        if self.guest.file_name is not None and path.is_root:
            # The folder has no time of its own, and is there as long as the share stands: the file tells.
            around = await self.guest.backend.stat(ROOT)
            return Entry(path=ROOT, kind=EntryKind.FOLDER, modified=around.modified)
        return replace(await self.guest.backend.stat(self.inner(path)), path=path)

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of the folder at `path`."""
        if self.guest.file_name is None:
            async for entry in self.guest.backend.list(path):
                yield entry
        elif path.is_root:
            yield await self.stat(ResourcePath((self.guest.file_name,)))
        else:
            self.inner(path)
            raise GatewayError(Kind.CONFLICT, "This is not a folder.")

    async def find(self, path: ResourcePath) -> Entry | None:
        """Return the entry at `path`, or None if nothing is there."""
        try:
            return await self.stat(path)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return None
