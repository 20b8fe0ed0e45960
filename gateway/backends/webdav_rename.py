"""Writing to a WebDAV storage that writes in place: beside the old file, then MOVE over it (`put: rename`; DESIGN 6).

What grows has a name that is never shown (`.ocm-part-…`), so whatever breaks leaves the old content, and a reader
meets no half file. The storage replaces in its MOVE (RFC 4918, 9.9.3: as if a DELETE came first), and what it keeps of
the old file itself, locks and dead properties, ends there. So nothing of a peer's is relayed to such a storage: locks
and properties are ours, which go by the path.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.backends.localfs import TEMPORARY_PREFIX, is_hidden
from gateway.backends.localpart import a_folder, temporary_name
from gateway.backends.sftp_write import settled
from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_entry import is_same_tag
from gateway.backends.webdav_status import nonsense
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import PATH_MAX_DEPTH, Entry, Outcome, ResourcePath, Written

log = get_logger(__name__)


class RenamingBackend(WebdavBackend):
    """A `WebdavBackend` that replaces files as a whole; it is `Sweepable`."""

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder, without what is being written."""
        async for entry in super().list(path):
            if not is_hidden(entry.path.name):
                yield entry

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file; the old content stays until the new is complete, unless a MOVE would miss the name."""
        _refuse_hidden(path)
        if not await self.destinations.are_whole(self, path):
            return await super().write(path, chunks, size=size, if_match=if_match, if_none_match=if_none_match)
        await self._check(path, if_match, if_none_match)
        temporary = path.parent / temporary_name()
        counted = _Counted(chunks)
        try:
            _expect_size(await super().write(temporary, counted.passed_on(), size=size), counted.count)
            # It took its time.
            await self._check(path, if_match, if_none_match)
            created = await self._put_in_place(temporary, path, is_new=if_none_match == "*")
        except BaseException:
            await settled(self._discard(temporary))
            raise
        return Written(entry=await self.stat(path), created=created)

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        _refuse_hidden(path)
        await super().mkdir(path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move (rename) a file or folder."""
        _refuse_hidden(target)
        return await super().move(source, target, overwrite=overwrite)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder."""
        _refuse_hidden(target)
        return await super().copy(source, target, overwrite=overwrite, deep=deep)

    async def sweep_temporaries(self, older_than: float) -> int:
        """Remove what was left before `older_than` and has not grown since; count it."""
        swept, folders = 0, [ResourcePath()]
        while folders:
            left = []
            async for entry in super().list(folders.pop()):
                if entry.path.name.startswith(TEMPORARY_PREFIX):
                    left.append(entry)
                elif entry.is_folder and len(entry.path.parts) < PATH_MAX_DEPTH:
                    folders.append(entry.path)
            for entry in left:
                if entry.modified is not None and entry.modified < older_than:
                    await self.delete(entry.path)
                    swept += 1
        return swept

    async def _check(self, path: ResourcePath, if_match: str | None, if_none_match: str | None) -> None:
        found = await self.find(path)
        if found is not None and found.is_folder:
            raise a_folder()
        if (if_match is not None and not is_same_tag(if_match, found)) or (
            if_none_match is not None and is_same_tag(if_none_match, found)
        ):
            raise GatewayError(Kind.PRECONDITION_FAILED, "A condition of the request does not hold.")

    async def _put_in_place(self, temporary: ResourcePath, path: ResourcePath, *, is_new: bool) -> bool:
        outcome = await super().move(temporary, path, overwrite=not is_new)
        if outcome.failures:
            raise outcome.failures[0][1]
        return outcome.created

    async def _discard(self, temporary: ResourcePath) -> None:
        try:
            await self.delete(temporary)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                log.info("what a broken write left is removed later", reason=str(error))


class _Counted:
    """Bytes on their way, and how many they were."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.count = 0

    async def passed_on(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self.count += len(chunk)
            yield chunk


def _expect_size(grown: Written, count: int) -> None:
    if grown.entry.size not in (None, count):
        raise nonsense("the file does not have the size that was written")


def _refuse_hidden(path: ResourcePath) -> None:
    if any(map(is_hidden, path.parts)):
        raise GatewayError(Kind.FORBIDDEN, "This name is reserved.")
