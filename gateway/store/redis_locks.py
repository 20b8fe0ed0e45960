"""WebDAV locks in Redis: four keys per space in one hash slot, so that one script sees them all.

    docs    hash: token -> flags (deep, exclusive), path, NUL, the rest of the lock as JSON
    paths   sorted set, all scores 0: path NUL token, so that a range by bytes is a subtree
    expiry  sorted set: token -> when the lock ends
    holders hash: holder -> how many locks it has

A path is written `/a/b/`. Every script first removes what has expired, by the server's own clock: an expired lock
does not exist (RFC 4918, 6.6). The keys themselves expire with their last lock.
"""

from __future__ import annotations

import json

from gateway.errors import GatewayError, Kind
from gateway.model.lock import DavLock
from gateway.model.resource import ResourcePath
from gateway.store.keyspace import Keyspace, to_bytes, to_text
from gateway.store.link import Argument, Link, Script

# KEYS docs, paths, expiry, holders. Stands before every script.
_HEAD = r"""
local docs, paths, expiry, holders = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local clock = redis.call('TIME')
local now = string.format('%d.%06d', clock[1], clock[2])

local function path_of(doc) return string.sub(doc, 3, string.find(doc, '\0', 1, true) - 1) end

local function holder_of(doc) return cjson.decode(string.sub(doc, string.find(doc, '\0', 1, true) + 1)).holder end

local function remove(token)
  local doc = redis.call('HGET', docs, token)
  if not doc then return 0 end
  redis.call('ZREM', paths, path_of(doc) .. '\0' .. token)
  redis.call('HDEL', docs, token)
  redis.call('ZREM', expiry, token)
  local holder = holder_of(doc)
  if redis.call('HINCRBY', holders, holder, -1) <= 0 then redis.call('HDEL', holders, holder) end
  return 1
end

local function between(first, last)
  local found = {}
  for _, member in ipairs(redis.call('ZRANGE', paths, '[' .. first, '(' .. last, 'BYLEX')) do
    table.insert(found, string.sub(member, string.find(member, '\0', 1, true) + 1))
  end
  return found
end
local function at(path) return between(path .. '\0', path .. '\1') end
-- The byte behind the slash that ends a path is `0`.
local function within(path) return between(path, string.sub(path, 1, -2) .. '0') end

-- The locks that protect a path; ARGV from `first` on: the path, then the folders above it.
local function covering(first)
  local found = at(ARGV[first])
  for place = first + 1, #ARGV do
    for _, token in ipairs(at(ARGV[place])) do
      if string.sub(redis.call('HGET', docs, token), 1, 1) == 'D' then table.insert(found, token) end
    end
  end
  return found
end

local function keep()
  local last = redis.call('ZRANGE', expiry, -1, -1, 'WITHSCORES')[2]
  local end_ms = string.format('%.0f', (tonumber(last) + 1) * 1000)
  for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, end_ms) end
end

local function shown(found)
  local answer = {}
  for _, token in ipairs(found) do
    table.insert(answer, {token, redis.call('HGET', docs, token), redis.call('ZSCORE', expiry, token)})
  end
  return answer
end

for _, token in ipairs(redis.call('ZRANGE', expiry, '-inf', now, 'BYSCORE')) do remove(token) end
"""

# No more locks than this at a time in one space, and of these no more for one holder: who was given a folder cannot
# take all the locks that its owner and the others there have.
SPACE_MAX_LOCKS = 5_000
HOLDER_MAX_LOCKS = 1_000
_NO_ROOM = -1
_TOO_MANY = -2

# ARGV token, document, expiry, most locks, most of one holder, path, folders above it.
_ACQUIRE = Script(
    _HEAD
    + r"""
local token, doc = ARGV[1], ARGV[2]
if redis.call('HGET', docs, token) == doc then return 1 end
if redis.call('HLEN', docs) >= tonumber(ARGV[4]) then return -1 end
local holder = holder_of(doc)
if tonumber(redis.call('HGET', holders, holder) or '0') >= tonumber(ARGV[5]) then return -2 end
local is_deep, is_exclusive = string.sub(doc, 1, 1) == 'D', string.sub(doc, 2, 2) == 'X'
local others = covering(6)
if is_deep then
  for _, other in ipairs(within(ARGV[6])) do table.insert(others, other) end
end
for _, other in ipairs(others) do
  if is_exclusive or string.sub(redis.call('HGET', docs, other), 2, 2) == 'X' then return 0 end
end
redis.call('HSET', docs, token, doc)
redis.call('ZADD', paths, 0, ARGV[6] .. '\0' .. token)
redis.call('ZADD', expiry, ARGV[3], token)
redis.call('HINCRBY', holders, holder, 1)
keep()
return 1
"""
)

# ARGV token, expiry.
_REFRESH = Script(
    _HEAD
    + r"""
if redis.call('HEXISTS', docs, ARGV[1]) == 0 then return {} end
redis.call('ZADD', expiry, ARGV[2], ARGV[1])
keep()
return shown({ARGV[1]})
"""
)

_RELEASE = Script(_HEAD + "return remove(ARGV[1])")
_COVERING = Script(_HEAD + "return shown(covering(1))")
_BELOW = Script(_HEAD + "return shown(within(ARGV[1]))")

# ARGV holder.
_RELEASE_HOLDER = Script(
    _HEAD
    + r"""
local all = redis.call('HGETALL', docs)
for place = 1, #all, 2 do
  if holder_of(all[place + 1]) == ARGV[1] then remove(all[place]) end
end
return 1
"""
)

Shown = list[bytes]
"""A lock as the scripts show it: token, document, expiry."""


class RedisLocks:
    """Implements `LockTable`; expiry follows the clock of the Redis server."""

    def __init__(
        self,
        link: Link,
        keyspace: Keyspace,
        *,
        most: int = SPACE_MAX_LOCKS,
        most_of_holder: int = HOLDER_MAX_LOCKS,
    ) -> None:
        self._link = link
        self._keyspace = keyspace
        self._bounds = (most, most_of_holder)

    async def acquire(self, space: str, lock: DavLock) -> None:
        """Take a lock; see `LockTable`."""
        facts: list[Argument] = [lock.token, _document(lock), repr(lock.expires_at), *self._bounds]
        arguments = [*facts, *_lineage(lock.root)]
        taken = await self._link.run(_ACQUIRE, self._keyspace.locks(space), *arguments)
        if taken == _NO_ROOM:
            raise GatewayError(Kind.NO_SPACE, "There are too many locks here; give some up or wait until they end.")
        if taken == _TOO_MANY:
            raise GatewayError(Kind.NO_SPACE, "You hold too many locks here; give some up or wait until they end.")
        if not taken:
            raise GatewayError(Kind.LOCKED, "This resource is locked.")

    async def refresh(self, space: str, token: str, *, expires_at: float) -> DavLock | None:
        """Prolong a lock and return it, or None if it is gone."""
        shown = await self._link.run(_REFRESH, self._keyspace.locks(space), token, repr(expires_at))
        return next(iter(_locks(shown)), None)

    async def release(self, space: str, token: str) -> bool:
        """Give a lock up; tell whether it was there."""
        return bool(await self._link.run(_RELEASE, self._keyspace.locks(space), token))

    async def covering(self, space: str, path: ResourcePath) -> tuple[DavLock, ...]:
        """Return the locks that protect `path`: on it, or deep above it."""
        return _locks(await self._link.run(_COVERING, self._keyspace.locks(space), *_lineage(path)))

    async def below(self, space: str, path: ResourcePath) -> tuple[DavLock, ...]:
        """Return the locks rooted at or below `path`."""
        return _locks(await self._link.run(_BELOW, self._keyspace.locks(space), _path(path)))

    async def release_holder(self, space: str, holder: str) -> None:
        """Give up every lock of one grant."""
        await self._link.run(_RELEASE_HOLDER, self._keyspace.locks(space), holder)


def _path(path: ResourcePath) -> bytes:
    return to_bytes("".join(f"/{part}" for part in path.parts) + "/")


def _lineage(path: ResourcePath) -> list[bytes]:
    """Return the path and then the folders above it, up to the root."""
    return [_path(ResourcePath(path.parts[:depth])) for depth in range(len(path.parts), -1, -1)]


def _document(lock: DavLock) -> bytes:
    flags = ("D" if lock.is_deep else "-") + ("X" if lock.is_exclusive else "-")
    rest = json.dumps({"holder": lock.holder, "owner_xml": lock.owner_xml})
    return flags.encode() + _path(lock.root) + b"\0" + rest.encode()


def _locks(shown: list[Shown]) -> tuple[DavLock, ...]:
    return tuple(_lock(*one) for one in shown)


def _lock(token: bytes, document: bytes, expiry: bytes) -> DavLock:
    head, _, rest = document.partition(b"\0")
    more = json.loads(rest)
    return DavLock(
        token=token.decode(),
        root=ResourcePath.parse(to_text(head[2:])),
        is_deep=head[:1] == b"D",
        is_exclusive=head[1:2] == b"X",
        holder=more["holder"],
        owner_xml=more["owner_xml"],
        expires_at=float(expiry),
    )
