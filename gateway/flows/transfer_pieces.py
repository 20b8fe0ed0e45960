"""A large file of a transfer, fetched in several pieces at a time into its partial file (`OpenAt`).

Which pieces are there is kept with the item, so that a run that is killed costs no more than the pieces it was at. The
bytes of a file do not come in order, so a checksum is compared in the end, by reading the partial file once: that also
checks what the storage has made of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

from gateway.backends.base import Backend, OpenAt, OpenFile, OpenMode
from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_digest import Check
from gateway.flows.transfer_ports import Where, on
from gateway.model.resource import Content, ResourcePath, Span
from gateway.model.transfer import Item

# So many pieces of one file at most, since which of them are there is kept in a record; and at least so many.
PIECES_MAX = 512
PIECES_OF_LEAST = 16

Opened = Callable[[Item, Span], AbstractAsyncContextManager[Content]]


@dataclass(slots=True, kw_only=True)
class Pieces:
    """The pieces of one file.

    Attributes:
        opened: opens a piece at the sender, or raises because the file has changed.
        came, keep: told of bytes that came, and of the item with another piece.
    """

    target: Backend
    partial: ResourcePath
    item: Item
    step: int
    parallel: int
    opened: Opened
    came: Callable[[int], None]
    keep: Callable[[Item], None]
    _digests: dict[str, str] = field(default_factory=dict)

    async def fetch(self) -> None:
        """Fetch what is missing and check the whole.

        Raises:
            GatewayError: as `opened`, or what the own storage raises; what is complete is kept.
        """
        todo = iter([number for number in range(self.count) if not self._mask() >> number & 1])
        if not isinstance(self.target, OpenAt):
            raise GatewayError(Kind.INTERNAL, "This storage takes no pieces.")
        with on(Where.OWN):
            async with self.target.open_at(self.partial, OpenMode.UPDATE) as file:
                await _together([self._work(file, todo) for _ in range(self.parallel)])
        await self._check()

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.item.size or 0

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return -(-self.size // self.step)

    @property
    def there(self) -> int:
        """Bytes of the pieces that are there."""
        mask = self._mask()
        return sum(self._span(number)[1] for number in range(self.count) if mask >> number & 1)

    def _span(self, number: int) -> tuple[int, int]:
        start = number * self.step
        return start, min(self.step, self.size - start)

    def _mask(self) -> int:
        step, _, mask = self.item.pieces.partition(".")
        # Another version of this program may have cut another way.
        return int(mask, 16) if step == f"{self.step:x}" else 0

    async def _work(self, file: OpenFile, todo: Iterator[int]) -> None:
        for number in todo:
            await self._piece(file, number)
            self.item = replace(self.item, pieces=f"{self.step:x}.{self._mask() | 1 << number:x}")
            self.keep(self.item)

    async def _piece(self, file: OpenFile, number: int) -> None:
        start, length = self._span(number)
        async with self.opened(self.item, Span(start, length)) as content:
            self._digests.update(content.digests)
            if content.span != Span(start, length):
                raise _another_piece()
            at = start
            async for chunk in _named(content.chunks):
                self.came(len(chunk))
                if at + len(chunk) > start + length:
                    raise _another_piece()
                await file.write_at(at, chunk)
                at += len(chunk)
            if at != start + length:
                raise _another_piece()

    async def _check(self) -> None:
        if not self._digests and self.size:
            # All was there already: nobody has asked the sender in this run.
            async with self.opened(self.item, Span(0, 1)) as content:
                self._digests.update(content.digests)
        check = Check(self._digests)
        if not check.is_needed:
            return
        with on(Where.OWN):
            async with self.target.open(self.partial) as content:
                async for chunk in content.chunks:
                    check.update(chunk)
        try:
            check.finish()
        except GatewayError:
            self.keep(replace(self.item, pieces=""))
            raise


def step_of(size: int, large_bytes: int) -> int:
    """Return how long the pieces of a file are, where from `large_bytes` on a file counts as large."""
    return max(large_bytes // PIECES_OF_LEAST, -(-size // PIECES_MAX), 1)


async def _named(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with on(Where.SENDER):
        async for chunk in chunks:
            yield chunk


async def _together(work: list[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _another_piece() -> GatewayError:
    return GatewayError(Kind.UNAVAILABLE, f"{Where.SENDER.value}: another piece came than was asked for.")
