"""Unique look-ups: one small key per value, which leads to the record that has it (see `redis_table`).

An entry is `<record key>` LF `<claim>`, with a claim new at every writing. So an entry can be removed exactly as it
was seen, and not what somebody else has just put there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

from gateway.store.keyspace import Keyspace, to_bytes, to_text
from gateway.store.link import Link, Script

IsAt = Callable[[str, str, str], Awaitable[bool]]

SETTLE_PAUSE_SECONDS = 0.02

# KEYS entry; ARGV owner with newline, the whole new entry, an entry that may be replaced. Returns what was there.
_CLAIM = Script("""
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[3] and string.sub(there, 1, #ARGV[1]) ~= ARGV[1] then return there end
redis.call('SET', KEYS[1], ARGV[2])
return false
""")

# KEYS entry; ARGV the entry as it was seen.
_REMOVE = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")


class RedisLookup:
    """The unique look-ups of one table."""

    def __init__(self, link: Link, keyspace: Keyspace, table: str, *, settle_seconds: float) -> None:
        self._link = link
        self._keyspace = keyspace
        self._table = table
        self._settle_seconds = settle_seconds

    async def owner(self, lookup: str, value: str) -> str | None:
        """Return the key of the record that the entry leads to, which need not exist."""
        entry = await self._link.call("GET", self._key(lookup, value))
        return None if entry is None else _owner(entry)

    async def claim(self, key: str, lookup: str, value: str, is_at: IsAt) -> bool:
        """Take the value for the record `key`; False if a live record has it."""
        there = await self._take(key, lookup, value)
        if there is None:
            return True
        # Its writer may be about to write the record.
        for _ in range(1 + int(self._settle_seconds / SETTLE_PAUSE_SECONDS)):
            if await is_at(_owner(there), lookup, value):
                return False
            await asyncio.sleep(SETTLE_PAUSE_SECONDS)
        return await self._take_over(key, lookup, value, there, is_at)

    async def release(self, key: str, lookup: str, value: str, is_at: IsAt) -> None:
        """Remove the entry if it leads to `key` and that record does not have the value."""
        entry = await self._link.call("GET", self._key(lookup, value))
        if entry is not None and _owner(entry) == key and not await is_at(key, lookup, value):
            await self._link.run(_REMOVE, [self._key(lookup, value)], entry)

    async def restore(self, key: str, lookup: str, value: str) -> bool:
        """Write the entry if there is none."""
        return bool(await self._link.call("SET", self._key(lookup, value), _entry(key), "NX"))

    async def every(self) -> AsyncIterator[tuple[bytes, str]]:
        """Yield every entry of the table: its own key, and the record key that it leads to."""
        async for key in self._link.scan(self._keyspace.table(self._table, "l")):
            entry = await self._link.call("GET", key)
            if entry is not None:
                yield key, _owner(entry)

    async def remove(self, key: bytes) -> None:
        """Remove the entry whose own key is `key`."""
        await self._link.call("DEL", key)

    async def _take(self, key: str, lookup: str, value: str, seen: bytes = b"") -> bytes | None:
        """Write the entry over nothing, over our own or over `seen`; return what stands in the way."""
        arguments = (to_bytes(f"{key}\n"), _entry(key), seen)
        there: bytes | None = await self._link.run(_CLAIM, [self._key(lookup, value)], *arguments)
        return there

    async def _take_over(self, key: str, lookup: str, value: str, seen: bytes, is_at: IsAt) -> bool:
        if await self._take(key, lookup, value, seen) is not None:
            return False
        if not await is_at(_owner(seen), lookup, value):
            return True
        # The other was slow, not dead, and has its record now: give the entry back.
        mine = await self._link.call("GET", self._key(lookup, value))
        if mine is not None and _owner(mine) == key:
            await self._take(_owner(seen), lookup, value, mine)
        return False

    def _key(self, lookup: str, value: str) -> str:
        return self._keyspace.lookup(self._table, lookup, value)


def _entry(key: str) -> bytes:
    return to_bytes(f"{key}\n{secrets.token_hex(8)}")


def _owner(entry: bytes) -> str:
    return to_text(entry.rpartition(b"\n")[0])
