"""Records in Redis: one hash per record, with look-ups and sorted indexes that can be wrong only on the safe side.

A record is written with compare-and-set on its revision. Look-ups and indexes live in other hash slots, so they
cannot change in the same step; the order makes up for it. Entries are written first and the record last; whoever
reads an entry reads the record too and believes only the record; what a crash leaves over is swept by `repair`. Each
revision has index entries of its own (`<key>` LF `<revision>`), so that two writers never remove each other's.

A unique look-up that leads to nothing may be taken over, but not at once: its writer may be about to write the
record. After a takeover the old owner is looked up again, and every writer looks at its look-ups again after its
record is written. So of two writers at least one sees the other, however slow either is.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.errors import GatewayError, Kind, unavailable
from gateway.store.base import Page, TableSpec
from gateway.store.codec import Codec, Sealer
from gateway.store.keyspace import Keyspace, to_text
from gateway.store.link import Link, Script
from gateway.store.redis_index import RedisIndex
from gateway.store.redis_lookup import RedisLookup

R = TypeVar("R")

# A record under so much contention that this many writes in a row were beaten is taken for a fault.
UPDATE_ATTEMPTS = 400
UPDATE_PAUSE_SECONDS = 0.02
# Revisions that a record remembers, so that a write which runs twice (`link`) is known as done the second time.
REVISIONS_KEPT = 16
FOREVER = 0

# KEYS record; ARGV expected revision or "", new revision, document, expiry in ms or 0, revisions kept.
_WRITE = Script("""
local known = redis.call('HGET', KEYS[1], 'revisions') or ''
if string.find(known, ARGV[2], 1, true) then return 1 end
if string.match(known, '^%S*') ~= ARGV[1] then return 0 end
local kept, count = ARGV[2], 1
for revision in string.gmatch(known, '%S+') do
  if count >= tonumber(ARGV[5]) then break end
  kept, count = kept .. ' ' .. revision, count + 1
end
redis.call('HSET', KEYS[1], 'document', ARGV[3], 'revisions', kept)
if ARGV[4] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[4]) end
return 1
""")

# KEYS record. Returns what was there.
_DELETE = Script("""
local found = redis.call('HMGET', KEYS[1], 'document', 'revisions')
redis.call('DEL', KEYS[1])
return found
""")


@dataclass(frozen=True, slots=True)
class Held(Generic[R]):
    """A record as it was read, with the revision that a write has to name."""

    record: R
    revision: str


class RedisTable(Generic[R]):
    """Implements `Table`.

    Args:
        settle_seconds: how long an entry without its record is left alone, because its writer may be at work.
    """

    def __init__(
        self, link: Link, keyspace: Keyspace, spec: TableSpec[R], sealer: Sealer, *, settle_seconds: float
    ) -> None:
        self._link = link
        self._keyspace = keyspace
        self._spec = spec
        self._codec = Codec(spec.record, table=spec.name, version=spec.version, sealer=sealer)
        self._settle_seconds = settle_seconds
        self._lookup = RedisLookup(link, keyspace, spec.name, settle_seconds=settle_seconds)
        self._index = RedisIndex(link, keyspace, spec.name)

    async def create(self, record: R) -> None:
        """Write a new record; see `Table`."""
        await self._write(self._spec.key(record), None, record)

    async def get(self, key: str) -> R | None:
        """Return the record, or None."""
        held = await self._read(key)
        return held.record if held else None

    async def find(self, lookup: str, value: str) -> R | None:
        """Return the record with `value` under the unique look-up `lookup`, or None."""
        key = await self._lookup.owner(lookup, value)
        record = None if key is None else await self.get(key)
        return record if record is not None and value in self._spec.lookups[lookup](record) else None

    async def update(self, key: str, change: Callable[[R], R]) -> R:
        """Replace the record by `change(record)`, atomically; see `Table`."""
        for attempt in range(UPDATE_ATTEMPTS):
            held = await self._read(key)
            if held is None:
                raise GatewayError(Kind.NOT_FOUND, "There is no such record.")
            changed = change(held.record)
            if changed == held.record:
                return held.record
            if self._spec.key(changed) != key:
                raise ValueError("a change may not rename its record")
            if await self._write(key, held, changed):
                return changed
            # Waiting a random while spreads out writers that would beat each other again and again.
            await asyncio.sleep(random.uniform(0, UPDATE_PAUSE_SECONDS) * min(attempt, 4))  # noqa: S311 - no secret
        raise unavailable("This record is too busy.", log=f"table {self._spec.name}")

    async def delete(self, key: str) -> bool:
        """Remove the record and what leads to it; tell whether there was one."""
        document, revisions = await self._link.run(_DELETE, [self._record_key(key)])
        if document is None:
            return False
        record = self._codec.decode(key, document)
        await self._forget(key, Held(record, _newest(revisions)), None)
        return True

    async def page(
        self,
        index: str,
        partition: str = "",
        *,
        until: float | None = None,
        cursor: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page[R]:
        """Return records of one partition in the order of their scores; see `Table`."""
        if index not in self._spec.indexes:
            raise KeyError(index)
        walk = self._index.walk(index, partition, until=until, cursor=cursor, newest_first=newest_first)
        records: list[R] = []
        async with aclosing(walk):
            async for batch in walk:
                found = await self._read_many([entry.key for entry in batch])
                for entry, held in zip(batch, found, strict=True):
                    if held and (partition, entry.score) in self._spec.indexes[index](held.record):
                        records.append(held.record)
                    if len(records) == limit:
                        return Page(tuple(records), entry.cursor)
        return Page(tuple(records), None)

    async def count(self, index: str, partition: str = "") -> int:
        """Return how many records one partition lists; see `Table`."""
        if index not in self._spec.indexes:
            raise KeyError(index)
        return await self._index.count(index, partition)

    async def repair(self) -> int:
        """Remove dangling look-up and index entries and restore missing ones; return how many."""
        suspects = await self._dangling()
        if suspects:
            # What still dangles after a while has no writer at work who is about to write its record.
            await asyncio.sleep(self._settle_seconds)
            suspects &= await self._dangling()
        for key, member in suspects:
            await (self._index.remove(key, member) if member else self._lookup.remove(key))
        return len(suspects) + await self._restore()

    async def _write(self, key: str, held: Held[R] | None, record: R) -> bool:
        """Write `record` over `held` (None: where nothing is); tell whether nobody else was faster.

        Raises:
            GatewayError: `CONFLICT` if a look-up is taken, or on creation the key.
        """
        revision = secrets.token_hex(12)
        claims = self._lookups(record) - (self._lookups(held.record) if held else set())
        await self._claim(key, claims)
        await self._index.add(key, revision, self._entries(record))
        if not await self._compare_and_set(key, held.revision if held else "", revision, record):
            await self._index.drop(key, revision, self._entries(record))
            await self._release(key, claims)
            if held is None:
                raise _taken()
            return False
        await self._confirm(key, claims, Held(record, revision))
        if held:
            await self._forget(key, held, record)
        return True

    async def _compare_and_set(self, key: str, expected: str, revision: str, record: R) -> bool:
        expires_at = self._spec.expires_at(record)
        expiry = FOREVER if expires_at is None else max(1, int(expires_at * 1000))
        document = self._codec.encode(key, record)
        arguments = (expected, revision, document, expiry, REVISIONS_KEPT)
        return bool(await self._link.run(_WRITE, [self._record_key(key)], *arguments))

    async def _claim(self, key: str, lookups: set[tuple[str, str]]) -> None:
        claimed: set[tuple[str, str]] = set()
        for lookup, value in sorted(lookups):
            if not await self._lookup.claim(key, lookup, value, self._is_at):
                await self._release(key, claimed)
                raise _taken()
            claimed.add((lookup, value))

    async def _confirm(self, key: str, claims: set[tuple[str, str]], written: Held[R]) -> None:
        """Look at the claims again now that the record stands; give the record up if one was taken over."""
        try:
            await self._claim(key, claims)
        except GatewayError as error:
            if error.kind is Kind.CONFLICT:
                await self._link.run(_DELETE, [self._record_key(key)])
                await self._forget(key, written, None)
            raise

    async def _release(self, key: str, lookups: set[tuple[str, str]]) -> None:
        for lookup, value in lookups:
            await self._lookup.release(key, lookup, value, self._is_at)

    async def _forget(self, key: str, old: Held[R], new: R | None) -> None:
        """Remove what led to an old revision and does not lead to the new one."""
        await self._index.drop(key, old.revision, self._entries(old.record))
        await self._release(key, self._lookups(old.record) - (self._lookups(new) if new is not None else set()))

    async def _is_at(self, key: str, lookup: str, value: str) -> bool:
        """Tell whether the record `key` exists and has `value` under `lookup`."""
        held = await self._read(key)
        return held is not None and value in self._spec.lookups[lookup](held.record)

    async def _read(self, key: str) -> Held[R] | None:
        return (await self._read_many([key]))[0]

    async def _read_many(self, keys: list[str]) -> list[Held[R] | None]:
        commands = [("HMGET", self._record_key(key), "document", "revisions") for key in keys]
        answers = await self._link.many(commands)
        return [self._held(key, *answer) for key, answer in zip(keys, answers, strict=True)]

    def _held(self, key: str, document: bytes | None, revisions: bytes | None) -> Held[R] | None:
        if document is None or revisions is None:
            return None
        return Held(self._codec.decode(key, document), _newest(revisions))

    def _record_key(self, key: str) -> bytes:
        return self._keyspace.record(self._spec.name, key)

    def _lookups(self, record: R) -> set[tuple[str, str]]:
        return {(name, value) for name, values in self._spec.lookups.items() for value in values(record)}

    def _entries(self, record: R) -> list[tuple[str, str, float]]:
        return [
            (name, partition, score)
            for name, places in self._spec.indexes.items()
            for partition, score in places(record)
        ]

    async def _dangling(self) -> set[tuple[bytes, bytes]]:
        """Return look-up keys, and index keys with a member, that lead to no record."""
        dangling: set[tuple[bytes, bytes]] = set()
        async for key, owner in self._lookup.every():
            held = await self._read(owner)
            lookups = self._lookups(held.record) if held else ()
            if key.decode() not in {self._keyspace.lookup(self._spec.name, *pair) for pair in lookups}:
                dangling.add((key, b""))
        async for key, member, owner, revision in self._index.every():
            held = await self._read(owner)
            if held is None or held.revision != revision:
                dangling.add((key, member))
        return dangling

    async def _restore(self) -> int:
        """Write again what should lead to a record and does not (its writer had stopped between two steps)."""
        restored = 0
        start = self._keyspace.record(self._spec.name, "")
        async for found in self._link.scan(self._keyspace.table(self._spec.name, "r")):
            key = to_text(found.removeprefix(start))
            held = await self._read(key)
            if held is None:
                continue
            restored += await self._index.add(key, held.revision, self._entries(held.record))
            for lookup, value in self._lookups(held.record):
                restored += await self._lookup.restore(key, lookup, value)
        return restored


def _newest(revisions: bytes) -> str:
    return revisions.split(b" ", 1)[0].decode()


def _taken() -> GatewayError:
    return GatewayError(Kind.CONFLICT, "There is such a record already.")
