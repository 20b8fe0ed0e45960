"""Acts that happen once, and token buckets, each in one key of its own with an expiry."""

from __future__ import annotations

import math
import secrets

from gateway.store.base import Begun, Busy, Recorded
from gateway.store.codec import Sealer
from gateway.store.keyspace import Keyspace
from gateway.store.link import Link, Script

# A claim is `?` and a word of its own, by which a `begin` that ran twice (`link`) knows its own claim; an outcome
# is `=` and the sealed outcome.
_BEGIN = Script("""
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] then return there end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
""")

_ABANDON = Script("""
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, 1) == '?' then redis.call('DEL', KEYS[1]) end
return 1
""")

# The bucket is kept as the time at which it will be full again (the generic cell rate algorithm): one number.
# Times are the server's, so replicas need not agree. ARGV seconds per token, burst.
_TAKE = Script("""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local step, depth = tonumber(ARGV[1]), tonumber(ARGV[1]) * tonumber(ARGV[2])
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0')) + step
local wait = full_at - now - depth
if wait > 0.000001 then return string.format('%.6f', wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000))
return '0'
""")

# A bucket never gets fuller than full. ARGV seconds per token.
_PUT_BACK = Script("""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0') - tonumber(ARGV[1])
if full_at <= now then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000))
return 1
""")


class RedisOnce:
    """Implements `Once`."""

    def __init__(self, link: Link, keyspace: Keyspace, sealer: Sealer) -> None:
        self._link = link
        self._keyspace = keyspace
        self._sealer = sealer

    async def begin(self, key: str, *, hold_seconds: float) -> Begun | Busy | Recorded:
        """Claim the act for `hold_seconds`; see `Once`."""
        place, claim = self._keyspace.once(key), f"?{secrets.token_hex(8)}"
        there = await self._link.run(_BEGIN, [place], claim, _milliseconds(hold_seconds))
        if there is None:
            return Begun()
        if there.startswith(b"?"):
            return Busy()
        return Recorded(self._sealer.open(there[1:].decode(), context=place))

    async def finish(self, key: str, outcome: bytes, *, keep_seconds: float) -> None:
        """Record the outcome (sealed: an answer may hold a secret) for `keep_seconds`."""
        place = self._keyspace.once(key)
        sealed = self._sealer.seal(outcome, context=place)
        await self._link.call("SET", place, f"={sealed}", "PX", _milliseconds(keep_seconds))

    async def abandon(self, key: str) -> None:
        """Give the claim up; an outcome that is there stays."""
        await self._link.run(_ABANDON, [self._keyspace.once(key)])


class RedisCounter:
    """Implements `Counter`."""

    def __init__(self, link: Link, keyspace: Keyspace) -> None:
        self._link = link
        self._keyspace = keyspace

    async def take(self, key: str, *, per_second: float, burst: int) -> float:
        """Take one token from the bucket `key`; return 0, or the seconds until there is one."""
        return float(await self._link.run(_TAKE, [self._keyspace.rate(key)], repr(1 / per_second), burst))

    async def put_back(self, key: str, *, per_second: float) -> None:
        """Put one token back into the bucket `key`."""
        await self._link.run(_PUT_BACK, [self._keyspace.rate(key)], repr(1 / per_second))


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
