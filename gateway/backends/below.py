"""A part of a storage as a storage of its own: a folder, or a single file, which then is the root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from gateway.backends.base import WHOLE, Backend
from gateway.errors import GatewayError
from gateway.model.resource import Content, Entry, Outcome, ResourcePath, Span, Written


@dataclass(frozen=True, slots=True)
class Below:
    """What lies at `base` in `backend`; every path, also in answers, is seen from there."""

    backend: Backend
    base: ResourcePath

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        return self._seen(await self.backend.stat(self.base / path))

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder."""
        async for entry in self.backend.list(self.base / path):
            yield self._seen(entry)

    def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Content]:
        """Open a piece of a file for reading."""
        return self._opened(self.backend.open(self.base / path, span, if_match=if_match))

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file."""
        written = await self.backend.write(
            self.base / path, chunks, size=size, if_match=if_match, if_none_match=if_none_match
        )
        return replace(written, entry=self._seen(written.entry))

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        await self.backend.mkdir(self.base / path)

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file or folder."""
        await self.backend.delete(self.base / path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder."""
        return self._told(await self.backend.move(self.base / source, self.base / target, overwrite=overwrite))

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder."""
        outcome = await self.backend.copy(self.base / source, self.base / target, overwrite=overwrite, deep=deep)
        return self._told(outcome)

    @asynccontextmanager
    async def _opened(self, opening: AbstractAsyncContextManager[Content]) -> AsyncIterator[Content]:
        async with opening as content:
            yield replace(content, entry=self._seen(content.entry))

    def _seen(self, entry: Entry) -> Entry:
        return replace(entry, path=entry.path.below(self.base))

    def _told(self, outcome: Outcome) -> Outcome:
        failures: tuple[tuple[ResourcePath, GatewayError], ...] = tuple(
            (path.below(self.base), error) for path, error in outcome.failures
        )
        return replace(outcome, failures=failures)
