"""What macOS leaves in every folder that it visits, kept away from those who share it (ANCHORS 2).

Finder asks again and again for `.DS_Store` and `._name` beside each file: that there is none is remembered for a few
seconds, so that no sender is asked each time. What it writes there is stored, taken and thrown away, or refused, as
the operator decides.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from gateway.backends.base import WHOLE, Backend, HasQuota, SetTime
from gateway.config import MacMetadata
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, EntryKind, Outcome, Quota, ResourcePath, Span, Written

NAMES = frozenset({".ds_store", ".spotlight-v100", "backups.backupdb", ".trashes", ".fseventsd", ".temporaryitems"})
PREFIX = "._"
# How long it is believed that there is none, in seconds: Finder asks several times within that.
ABSENT_SECONDS = 5.0
MEMORY_MAX_PATHS = 10_000


@dataclass(slots=True, kw_only=True)
class Absent:
    """Which of these files of whom were not there a moment ago."""

    now: Callable[[], float]
    _until: OrderedDict[tuple[str, ResourcePath], float] = field(default_factory=OrderedDict)

    def remember(self, whose: str, path: ResourcePath) -> None:
        """Note that there is nothing at `path`."""
        self._until[whose, path] = self.now() + ABSENT_SECONDS
        while len(self._until) > MEMORY_MAX_PATHS:
            self._until.popitem(last=False)

    def forget(self, whose: str, path: ResourcePath) -> None:
        """Note that something may be at `path` from now on."""
        self._until.pop((whose, path), None)

    def has(self, whose: str, path: ResourcePath) -> bool:
        """Tell whether there was nothing at `path`, or at what would hold it, a moment ago."""
        now = self.now()
        return any(self._until.get((whose, one), 0.0) > now for one in _marked(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class MacFiles:
    """A `Backend` around another.

    Attributes:
        whose: the tree that paths belong to in `absent`.
    """

    backend: Backend
    rule: MacMetadata
    absent: Absent
    whose: str

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        if not _is_left(path):
            return await self.backend.stat(path)
        if self.absent.has(self.whose, path):
            raise _missing()
        try:
            return await self.backend.stat(path)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                self.absent.remember(self.whose, path)
            raise

    def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder."""
        return self.backend.list(path)

    def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Content]:
        """Open a piece of a file for reading."""
        return self.backend.open(path, span, if_match=if_match)

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file, if it is wanted."""
        if self._is_wanted(path):
            self.absent.forget(self.whose, path)
            return await self.backend.write(path, chunks, size=size, if_match=if_match, if_none_match=if_none_match)
        count = 0
        async for chunk in chunks:
            count += len(chunk)
        return Written(entry=Entry(path=path, kind=EntryKind.FILE, size=count), created=True)

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder, if it is wanted."""
        if self._is_wanted(path):
            self.absent.forget(self.whose, path)
            await self.backend.mkdir(path)

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file or folder."""
        await self.backend.delete(path)

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move a file or folder."""
        self._must_store(target)
        return await self.backend.move(source, target, overwrite=overwrite)

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder."""
        self._must_store(target)
        return await self.backend.copy(source, target, overwrite=overwrite, deep=deep)

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification."""
        if not isinstance(self.backend, SetTime):
            raise GatewayError(Kind.NOT_IMPLEMENTED, "The storage does not set times.")
        if self._is_wanted(path):
            await self.backend.set_time(path, modified)

    async def quota(self, path: ResourcePath) -> Quota:
        """Return the quota that holds at `path`."""
        return await self.backend.quota(path) if isinstance(self.backend, HasQuota) else Quota()

    def _is_wanted(self, path: ResourcePath) -> bool:
        """Tell whether what is made at `path` is kept.

        Raises:
            GatewayError: `FORBIDDEN` if it is refused.
        """
        if self.rule is MacMetadata.STORE or not _is_left(path):
            return True
        if self.rule is MacMetadata.REFUSE:
            raise _refused()
        return False

    def _must_store(self, target: ResourcePath) -> None:
        self.absent.forget(self.whose, target)
        if self.rule is not MacMetadata.STORE and _is_left(target):
            raise _refused()


def _marked(path: ResourcePath) -> tuple[ResourcePath, ...]:
    """Return `path` and the folders above it, as far as macOS leaves them."""
    ends = (end for end, name in enumerate(path.parts, 1) if _is_left_name(name))
    return tuple(ResourcePath(path.parts[:end]) for end in ends)


def _is_left(path: ResourcePath) -> bool:
    return any(_is_left_name(name) for name in path.parts)


def _is_left_name(name: str) -> bool:
    return name.startswith(PREFIX) or name.casefold() in NAMES


def _refused() -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, "Files that only macOS needs are not stored here.")


def _missing() -> GatewayError:
    return GatewayError(Kind.NOT_FOUND, "There is no such file or folder.")
