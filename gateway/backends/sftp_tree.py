"""Finding things on an SFTP server, and nothing outside the root (DESIGN 6, paths).

Each component of a path is asked for with `lstat`: a link on the way, or at its end, is nothing to a reader, and a
writer may not replace it. SFTP has no way to hold on to a folder, so between this look and the act itself somebody with
another access to the storage could put a link in the place of a folder; who opens or lists something looks again
behind it, which leaves the moments in between (docs/sftp.md). Names are bytes as stored, found exactly or else by
the one other Unicode normal form that exists. A root that is not there is an outage.
"""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asyncssh import FILEXFER_TYPE_DIRECTORY, FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN, SFTPAttrs

from gateway.backends.localfs import content_type_of, is_hidden, missing
from gateway.backends.sftp_channel import Channel
from gateway.backends.sftp_errors import nonsense
from gateway.errors import RETRY_SOON_SECONDS, STORAGE_MISSING, GatewayError, Kind
from gateway.model.resource import PATH_MAX_BYTES, Entry, EntryKind, ResourcePath

SIZE_MAX_BYTES = 2**63 - 1
NAME_MAX_BYTES = 255


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in a folder, and what has that name.

    Attributes:
        folder: the folder's path on the server; for the root itself the root's own.
        name: the name as stored, or as asked for if nothing has it; empty for the root.
        found: what is there, links not followed; None if nothing is.
    """

    folder: bytes
    name: bytes
    found: SFTPAttrs | None

    @property
    def path(self) -> bytes:
        """The whole path on the server."""
        return joined(self.folder, self.name) if self.name else self.folder

    def served(self) -> SFTPAttrs:
        """Return what is there.

        Raises:
            GatewayError: `NOT_FOUND` if it is nothing, or nothing that we serve.
        """
        if self.found is None or not is_served(self.found) or is_hidden_name(self.name):
            raise missing()
        return self.found

    def replaceable(self) -> SFTPAttrs | None:
        """Return the file or folder that a writer would replace, or None.

        Raises:
            GatewayError: `FORBIDDEN` if something is there that we do not serve, or if the name is reserved.
        """
        if is_hidden_name(self.name) or (self.found is not None and not is_served(self.found)):
            raise GatewayError(Kind.FORBIDDEN, "This name cannot be used here.")
        return self.found


@dataclass(frozen=True, slots=True)
class Tree:
    """The folder of a server that a storage consists of; a relative `root` starts where the log-in leads."""

    root: bytes

    def spot(self, path: ResourcePath) -> Callable[[Channel], Awaitable[Spot]]:
        """Return the look-up of something that is expected to exist.

        Raises (when it is called):
            GatewayError: `NOT_FOUND` if the folder that should hold it does not exist.
        """

        async def look_up(channel: Channel) -> Spot:
            return await self.find(channel, path)

        return look_up

    def new_spot(self, path: ResourcePath) -> Callable[[Channel], Awaitable[Spot]]:
        """Return the look-up of something to be made or replaced.

        Raises (when it is called):
            GatewayError: `CONFLICT` if the folder that is to hold it does not exist.
        """

        async def look_up(channel: Channel) -> Spot:
            return await self.find_new(channel, path)

        return look_up

    async def find(self, channel: Channel, path: ResourcePath) -> Spot:
        """Look something up; all components are asked for at once."""
        names = [as_stored(part) for part in path.parts]
        if any(is_hidden_name(name) for name in names[:-1]):
            raise missing()
        places = [joined(self.root, *names[: count + 1]) for count in range(len(names))]
        if any(len(name) > NAME_MAX_BYTES for name in names) or len(joined(self.root, *names)) >= PATH_MAX_BYTES:
            raise GatewayError(Kind.INVALID, "This name is too long for the storage.")
        questions = channel.stat(self.root), *(channel.lstat(place) for place in places)
        root, *found = await asyncio.gather(*questions, return_exceptions=True)
        _refuse_root(_answer(root))
        if not names:
            return Spot(self.root, b"", _answer(root))
        # What was said of places below something that is no folder does not matter.
        if not all(_is_folder(_answer(part)) for part in found[:-1]):
            return await self._walk(channel, path)
        spot = Spot(joined(self.root, *names[:-1]), names[-1], _answer(found[-1]))
        return spot if spot.found is not None else await look_up(channel, spot.folder, path.name)

    async def find_new(self, channel: Channel, path: ResourcePath) -> Spot:
        """Look up something to be made or replaced; raises as `new_spot` tells."""
        try:
            return await self.find(channel, path)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            raise GatewayError(Kind.CONFLICT, "The folder above does not exist.") from error

    async def _walk(self, channel: Channel, path: ResourcePath) -> Spot:
        if all(part.isascii() for part in path.parts):
            raise missing()
        folder = self.root
        for part in path.parts[:-1]:
            spot = await look_up(channel, folder, part)
            if not _is_folder(spot.found):
                raise missing()
            folder = spot.path
        return await look_up(channel, folder, path.name)


async def look_up(channel: Channel, folder: bytes, name: str) -> Spot:
    """Return what has `name`, or else what alone has it in another Unicode normal form."""
    spot = await exact(channel, folder, as_stored(name))
    if spot.found is not None or name.isascii():
        return spot
    others = {unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)} - {name}
    # Decomposed, a name may have three times as many bytes, more than servers take: nothing has it.
    possible = [stored for stored in map(as_stored, others) if len(stored) <= NAME_MAX_BYTES]
    known = [await exact(channel, folder, stored) for stored in possible]
    matches = [match for match in known if match.found is not None]
    return matches[0] if len(matches) == 1 else spot


async def exact(channel: Channel, folder: bytes, name: bytes) -> Spot:
    """Return what has exactly this name, links not followed."""
    return Spot(folder, name, await channel.lstat(joined(folder, name)))


def joined(*parts: bytes) -> bytes:
    """Return the path of parts, the first of which may be a whole path, or empty for where the log-in leads."""
    base, *rest = parts
    return b"/".join([base.rstrip(b"/") or (b"" if base else b"."), *rest]) if rest else base or b"."


def as_stored(name: str) -> bytes:
    """Return the bytes of a name."""
    return name.encode(errors="surrogateescape")


def as_asked(name: bytes) -> str:
    """Return the name that has these bytes."""
    return name.decode(errors="surrogateescape")


def is_hidden_name(name: bytes) -> bool:
    """Tell whether this name is one of ours, which nobody sees."""
    return is_hidden(as_asked(name))


def is_served(found: SFTPAttrs) -> bool:
    """Tell whether this is a file or folder, not a link, a device, or something that the server has no word for."""
    return found.type in (FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_DIRECTORY)


def is_unknown(found: SFTPAttrs) -> bool:
    """Tell whether the server has not said what this is, as some do not in listings."""
    return found.type == FILEXFER_TYPE_UNKNOWN


def is_folder(found: SFTPAttrs) -> bool:
    """Tell whether this is a folder."""
    return found.type == FILEXFER_TYPE_DIRECTORY


def entry_of(path: ResourcePath, found: SFTPAttrs) -> Entry:
    """Return the entry for what was found at `path`."""
    modified = None if found.mtime is None else float(found.mtime)
    if is_folder(found):
        return Entry(path=path, kind=EntryKind.FOLDER, modified=modified, etag=etag_of(found))
    return Entry(
        path=path,
        kind=EntryKind.FILE,
        size=size_of(found),
        modified=modified,
        etag=etag_of(found),
        content_type=content_type_of(path.name),
    )


def etag_of(found: SFTPAttrs) -> str | None:
    """Return the entity tag, made of size and time; None where the server tells neither.

    SFTP tells whole seconds and no number of the file. What is written through us gets a later time than what it
    replaces (`sftp_write`), so each content has a tag of its own; a change behind our back within one second and
    without a change of size is not seen.
    """
    if found.mtime is None or (found.size is None and not is_folder(found)):
        return None
    facts = f"{found.type}:{0 if is_folder(found) else found.size}:{found.mtime}"
    return f'"{hashlib.blake2b(facts.encode(), digest_size=12).hexdigest()}"'


def size_of(found: SFTPAttrs) -> int:
    """Return the size of a file.

    Raises:
        GatewayError: `UNAVAILABLE` if the server tells none, or an impossible one.
    """
    if found.size is None or found.size > SIZE_MAX_BYTES:
        raise nonsense("a file without a possible size")
    return found.size


def _is_folder(found: SFTPAttrs | None) -> bool:
    return found is not None and is_folder(found)


def _refuse_root(root: SFTPAttrs | None) -> None:
    if root is None or not is_folder(root):
        raise GatewayError(
            Kind.UNAVAILABLE,
            "The storage is not there.",
            code=STORAGE_MISSING,
            log="sftp: the root folder is missing",
            retry_after=RETRY_SOON_SECONDS,
        )


def _answer(answer: SFTPAttrs | BaseException | None) -> SFTPAttrs | None:
    if isinstance(answer, BaseException):
        raise answer
    return answer
