"""Bytes at any place, for a storage that takes and gives only whole files in order, such as a WebDAV server.

Reading keeps one stream open and goes along with it (`streamread`). Writing sends what comes in order as one streamed
upload, through a window in which pieces may come in any order (`streamwrite`). What is changed in place, or written
with real jumps, is put together on disk first and uploaded whole (`spool`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from gateway.backends.base import Backend, OpenFile, OpenMode
from gateway.backends.spool import Spool, SpoolRules
from gateway.backends.streamread import StreamReader
from gateway.backends.streamwrite import SpooledFile, StreamWriter, upload
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath


@dataclass(frozen=True, slots=True)
class Streamed:
    """`OpenAt` over any `Backend`."""

    backend: Backend
    rules: SpoolRules

    def open_at(
        self, path: ResourcePath, mode: OpenMode, *, is_new: bool = False
    ) -> AbstractAsyncContextManager[OpenFile]:
        """Open a file for bytes at any place."""
        match mode:
            case OpenMode.READ:
                return self._reading(path)
            case OpenMode.UPDATE:
                return self._updating(path)
            case OpenMode.REPLACE:
                return self._replacing(path, is_new=is_new)

    @asynccontextmanager
    async def _reading(self, path: ResourcePath) -> AsyncIterator[OpenFile]:
        reader = StreamReader(self.backend, await self._file(path))
        try:
            yield reader
        finally:
            await reader.close()

    @asynccontextmanager
    async def _updating(self, path: ResourcePath) -> AsyncIterator[OpenFile]:
        entry = await self._file(path)
        async with Spool(self.rules, is_on_disk=True) as spool:
            async with self.backend.open(path) as content:
                async for chunk in content.chunks:
                    await spool.write_at(spool.size, chunk)
            file = SpooledFile(spool, entry)
            yield file
            if file.is_changed:
                # Whoever wrote meanwhile must not lose it to us.
                await upload(self.backend, path, spool, if_match=strong(entry))

    @asynccontextmanager
    async def _replacing(self, path: ResourcePath, *, is_new: bool) -> AsyncIterator[OpenFile]:
        await self._refuse_place(path, is_new=is_new)
        async with Spool(self.rules) as spool:
            writer = StreamWriter(self.backend, path, spool, if_none_match="*" if is_new else None)
            try:
                yield writer
                await writer.finish()
            finally:
                await writer.close()

    async def _file(self, path: ResourcePath) -> Entry:
        entry = await self.backend.stat(path)
        if entry.is_folder:
            raise GatewayError(Kind.CONFLICT, "This is a folder.")
        return entry

    async def _refuse_place(self, path: ResourcePath, *, is_new: bool) -> None:
        """Refuse what the storage would refuse only after all bytes were sent to it."""
        try:
            await self._file(path)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            if not path.is_root and not (await self._above(path)).is_folder:
                raise GatewayError(Kind.CONFLICT, "The folder above is a file.") from error
        else:
            if is_new:
                raise GatewayError(Kind.PRECONDITION_FAILED, "There is a file already.")

    async def _above(self, path: ResourcePath) -> Entry:
        try:
            return await self.backend.stat(path.parent)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            raise GatewayError(Kind.CONFLICT, "The folder above does not exist.") from error


def strong(entry: Entry) -> str | None:
    """Return the entry's tag if a condition can be made of it (RFC 9110, 13.1.1)."""
    return entry.etag if entry.etag and not entry.etag.startswith("W/") else None
