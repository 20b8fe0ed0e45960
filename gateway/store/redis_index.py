"""Sorted indexes: members `<record key>` LF `<revision>`, one sorted set per partition (see `redis_table`).

A reader compares the score with the record's own, so an entry of an old revision does no harm; two entries of one
record with the same score stand next to each other and are taken for one.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.store.keyspace import Keyspace, to_bytes, to_text
from gateway.store.link import Link

BATCH_ENTRIES = 200

Place = tuple[str, str, float]
"""Index, partition and score under which a record is listed."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A record key at its place in an index."""

    key: str
    score: float

    @property
    def cursor(self) -> str:
        """The text from which the walk goes on behind this entry."""
        return base64.urlsafe_b64encode(json.dumps([self.score, self.key]).encode()).decode()


class RedisIndex:
    """The sorted indexes of one table."""

    def __init__(self, link: Link, keyspace: Keyspace, table: str) -> None:
        self._link = link
        self._keyspace = keyspace
        self._table = table

    async def add(self, key: str, revision: str, places: Sequence[Place]) -> int:
        """List one revision of a record at its places; return how many of them are new."""
        member = to_bytes(f"{key}\n{revision}")
        return sum(await self._link.many([("ZADD", self._key(*at), repr(score), member) for *at, score in places]))

    async def drop(self, key: str, revision: str, places: Sequence[Place]) -> None:
        """Remove one revision of a record from its places."""
        member = to_bytes(f"{key}\n{revision}")
        await self._link.many([("ZREM", self._key(*at), member) for *at, _ in places])

    async def walk(
        self, index: str, partition: str, *, until: float | None, cursor: str | None, newest_first: bool
    ) -> AsyncGenerator[list[IndexEntry]]:
        """Yield the entries of a partition in order, in batches, each record key once."""
        last = _parse_cursor(cursor) if cursor else None
        low, high = "-inf", "+inf" if until is None else repr(until)
        if last:
            low, high = (low, repr(last.score)) if newest_first else (repr(last.score), high)
        span = (high, low, "BYSCORE", "REV") if newest_first else (low, high, "BYSCORE")
        offset = 0
        while True:
            window = ("LIMIT", offset, BATCH_ENTRIES, "WITHSCORES")
            flat = await self._link.call("ZRANGE", self._key(index, partition), *span, *window)
            entries = []
            for member, score in zip(flat[::2], flat[1::2], strict=True):
                entry = IndexEntry(_split(member)[0], float(score))
                if last is None or _is_behind(entry, last, newest_first=newest_first):
                    entries.append(entry)
                    last = entry
            yield entries
            if len(flat) < 2 * BATCH_ENTRIES:
                return
            offset += BATCH_ENTRIES

    async def count(self, index: str, partition: str) -> int:
        """Return how many entries a partition has; a record that is just being changed may have two."""
        return int(await self._link.call("ZCARD", self._key(index, partition)))

    async def every(self) -> AsyncIterator[tuple[bytes, bytes, str, str]]:
        """Yield every entry of the table: index key, member, record key and revision."""
        async for key in self._link.scan(self._keyspace.table(self._table, "i")):
            for member in await self._link.call("ZRANGE", key, 0, -1):
                yield key, member, *_split(member)

    async def remove(self, key: bytes, member: bytes) -> None:
        """Remove one entry."""
        await self._link.call("ZREM", key, member)

    def _key(self, index: str, partition: str) -> bytes:
        return self._keyspace.index(self._table, index, partition)


def _is_behind(entry: IndexEntry, last: IndexEntry, *, newest_first: bool) -> bool:
    """Tell whether `entry` comes after `last` in Redis's order: by score, then by the bytes of the member."""
    here, there = ((at.score, to_bytes(f"{at.key}\n")) for at in (entry, last))
    return here < there if newest_first else here > there


def _split(member: bytes) -> tuple[str, str]:
    key, _, revision = member.rpartition(b"\n")
    return to_text(key), revision.decode()


def _parse_cursor(text: str) -> IndexEntry:
    try:
        score, key = json.loads(base64.urlsafe_b64decode(text.encode()))
        return IndexEntry(str(key), float(score))
    except (ValueError, TypeError, binascii.Error) as error:
        raise GatewayError(Kind.INVALID, "This cursor is not one of ours.") from error
