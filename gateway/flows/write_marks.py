"""The tag of a shared folder changes whenever anything below it changes (DESIGN 6, "ETags").

Peers look at the root's ETag only. Where the storage does not carry changes upwards, a mark does: every write through
us makes a new one for the owner's storage, and what happens behind our back is caught by a bucket of time. One mark
for all of an owner's shares is coarser than needed, and costs a peer a listing it could have spared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gateway.backends.roottag import root_tag
from gateway.errors import GatewayError, Kind
from gateway.model.mark import WriteMark
from gateway.store.base import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteMarks:
    """Makes tags of folders, and new marks on writes.

    Attributes:
        propagating: the names of the storages that carry changes upwards themselves.
    """

    marks: Table[WriteMark]
    now: Callable[[], float]
    propagating: frozenset[str]

    async def written(self, storage: str, owner: str) -> None:
        """Note that something in this owner's storage has changed."""
        if storage in self.propagating:
            return
        key = f"{storage}\n{owner}"
        if await self.marks.get(key) is None:
            with _whoever_was_first():
                await self.marks.create(WriteMark(key=key, count=0))
        await self.marks.update(key, lambda mark: replace(mark, count=mark.count + 1))

    async def folder_tag(self, storage: str, owner: str, own_tag: str | None) -> str | None:
        """Return the tag to show for a folder whose own tag is `own_tag`."""
        if storage in self.propagating:
            return own_tag
        mark = await self.marks.get(f"{storage}\n{owner}")
        return root_tag(own_tag or "", writes=mark.count if mark else 0, now=self.now())


@contextmanager
def _whoever_was_first() -> Iterator[None]:
    """Go on if somebody else made the record first."""
    try:
        yield
    except GatewayError as error:
        if error.kind is not Kind.CONFLICT:
            raise
