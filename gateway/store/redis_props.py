"""What is kept with files and folders, in Redis: four keys per space in one hash slot, so that a move is one step.

    docs    hash: path -> JSON object of `{namespace}name` to XML
    paths   sorted set, all scores 0: path, so that a range by bytes is a subtree
    size    how many bytes are in `docs`
    ages    sorted set: path, by when it was last kept; only where the oldest gives way

Dead properties and checksums are two such families of keys, each with bounds of its own (`PropertyLimits`): a client's
properties are refused where there is no room, checksums push the oldest out. A path is written `/a/b/`. The bounds
also bound the work of every script. Which spaces there are is noted before anything is kept in one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.errors import GatewayError, Kind
from gateway.model.props import Changes, Properties, PropertyLimits
from gateway.model.resource import ResourcePath
from gateway.store.keyspace import Keyspace, to_bytes, to_text
from gateway.store.link import Argument, Link, Script

# KEYS docs, paths, size, ages; the last four ARGV are the limits and whether the oldest gives way (1 or 0).
# Stands before every script.
_HEAD = r"""
local docs, paths, size, ages = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local most_each, most, most_bytes = tonumber(ARGV[#ARGV - 3]), tonumber(ARGV[#ARGV - 2]), tonumber(ARGV[#ARGV - 1])
local makes_room = ARGV[#ARGV] == '1'

-- The byte behind the slash that ends a path is `0`.
local function within(path)
  return redis.call('ZRANGE', paths, '[' .. path, '(' .. string.sub(path, 1, -2) .. '0', 'BYLEX')
end

local function remove(path)
  redis.call('DECRBY', size, redis.call('HSTRLEN', docs, path))
  redis.call('HDEL', docs, path)
  redis.call('ZREM', paths, path)
  redis.call('ZREM', ages, path)
end

local function has_room(path, doc)
  local before = redis.call('HSTRLEN', docs, path)
  local total = tonumber(redis.call('GET', size) or '0') + #doc - before
  return total <= most_bytes and (before > 0 or redis.call('HLEN', docs) < most)
end

local function put(path, doc)
  if #doc > most_each then return 0 end
  while not has_room(path, doc) do
    local oldest = makes_room and redis.call('ZRANGE', ages, 0, 0)[1]
    if not oldest then return 0 end
    remove(oldest)
  end
  redis.call('INCRBY', size, #doc - redis.call('HSTRLEN', docs, path))
  redis.call('HSET', docs, path, doc)
  redis.call('ZADD', paths, 0, path)
  if makes_room then
    local clock = redis.call('TIME')
    redis.call('ZADD', ages, string.format('%d.%06d', clock[1], clock[2]), path)
  end
  return 1
end
"""

# ARGV path, whether with members.
_READ = Script(
    _HEAD
    + r"""
local answer = {}
local found = ARGV[2] == '1' and within(ARGV[1]) or {ARGV[1]}
for _, path in ipairs(found) do
  if not string.find(path, '/.', #ARGV[1] + 1) then
    local doc = redis.call('HGET', docs, path)
    if doc then table.insert(answer, {path, doc}) end
  end
end
return answer
"""
)

# ARGV path, then for each property its name, `+` or `-`, and the value.
_CHANGE = Script(
    _HEAD
    + r"""
local kept = cjson.decode(redis.call('HGET', docs, ARGV[1]) or '{}')
for place = 2, #ARGV - 4, 3 do
  if ARGV[place + 1] == '+' then kept[ARGV[place]] = ARGV[place + 2] else kept[ARGV[place]] = nil end
end
if next(kept) == nil then remove(ARGV[1]) return 1 end
return put(ARGV[1], cjson.encode(kept))
"""
)

# ARGV source, target, `move`, `tree` or `one`.
_TRANSFER = Script(
    _HEAD
    + r"""
local source, target, how = ARGV[1], ARGV[2], ARGV[3]
local found = {}
for _, path in ipairs(how == 'one' and {source} or within(source)) do
  local doc = redis.call('HGET', docs, path)
  if doc then table.insert(found, {path, doc}) end
  if how == 'move' then remove(path) end
end
for _, path in ipairs(within(target)) do remove(path) end
for _, one in ipairs(found) do put(target .. string.sub(one[1], #source + 1), one[2]) end
return 1
"""
)

# ARGV paths.
_DELETE = Script(
    _HEAD
    + r"""
for place = 1, #ARGV - 4 do
  for _, path in ipairs(within(ARGV[place])) do remove(path) end
end
return 1
"""
)


# ARGV how many.
_SOME = Script(
    _HEAD
    + r"""
local answer = {}
for _, path in ipairs(redis.call('ZRANDMEMBER', paths, ARGV[1])) do
  table.insert(answer, {path, redis.call('HGET', docs, path)})
end
return answer
"""
)

# ARGV path, document.
_FORGET = Script(
    _HEAD
    + r"""
local kept = cjson.decode(redis.call('HGET', docs, ARGV[1]) or '{}')
local seen = cjson.decode(ARGV[2])
for name, value in pairs(kept) do
  if seen[name] ~= value then return 0 end
  seen[name] = nil
end
if next(seen) ~= nil then return 0 end
remove(ARGV[1])
return 1
"""
)


class RedisProperties:
    """Implements `PropertyTable` and `KeptTable`.

    Args:
        family: which family of keys, `props` or `sums`.
        makes_room: whether the oldest gives way where there is no room, instead of the newest being refused.
    """

    def __init__(
        self,
        link: Link,
        keyspace: Keyspace,
        limits: PropertyLimits | None = None,
        *,
        family: str = "props",
        makes_room: bool = False,
    ) -> None:
        self._link = link
        self._keyspace = keyspace
        self._limits = limits or PropertyLimits()
        self._family = family
        self._spaces = keyspace.spaces(family)
        self._makes_room = makes_room

    async def read(
        self, space: str, path: ResourcePath, *, with_members: bool = False
    ) -> Mapping[ResourcePath, Properties]:
        """Return what is kept; see `PropertyTable`."""
        found = await self._run(_READ, space, _path(path), "1" if with_members else "0")
        return {ResourcePath.parse(to_text(place)): json.loads(document) for place, document in found}

    async def change(self, space: str, path: ResourcePath, changes: Changes) -> None:
        """Set and remove properties; see `PropertyTable`."""
        arguments: list[Argument] = [_path(path)]
        for name, value in changes.items():
            arguments += [to_bytes(name), "-" if value is None else "+", to_bytes(value or "")]
        await self._link.call("SADD", self._spaces, to_bytes(space))
        if not await self._run(_CHANGE, space, *arguments):
            raise GatewayError(Kind.NO_SPACE, "There is no room for these properties.")

    async def move(self, space: str, source: ResourcePath, target: ResourcePath) -> None:
        """Move what is kept; see `PropertyTable`."""
        await self._run(_TRANSFER, space, _path(source), _path(target), "move")

    async def copy(self, space: str, source: ResourcePath, target: ResourcePath, *, is_deep: bool) -> None:
        """Copy what is kept; see `PropertyTable`."""
        await self._run(_TRANSFER, space, _path(source), _path(target), "tree" if is_deep else "one")

    async def delete(self, space: str, *paths: ResourcePath) -> None:
        """Forget what is kept; see `PropertyTable`."""
        await self._run(_DELETE, space, *map(_path, paths))

    async def some_space(self) -> str | None:
        """Return a space by chance; see `KeptTable`."""
        space = await self._link.call("SRANDMEMBER", self._spaces)
        return None if space is None else to_text(space)

    async def some(self, space: str, count: int) -> Mapping[ResourcePath, Properties]:
        """Return some of what is kept; see `KeptTable`."""
        found = await self._run(_SOME, space, count)
        if not found:
            await self._leave_out(space)
        return {ResourcePath.parse(to_text(place)): json.loads(document) for place, document in found}

    async def forget(self, space: str, path: ResourcePath, seen: Properties) -> bool:
        """Forget what was seen; see `KeptTable`."""
        return bool(await self._run(_FORGET, space, _path(path), to_bytes(json.dumps(seen, ensure_ascii=False))))

    async def _leave_out(self, space: str) -> None:
        """Note that nothing is kept in a space, unless something has come into it in between."""
        await self._link.call("SREM", self._spaces, to_bytes(space))
        if await self._run(_SOME, space, 1):
            await self._link.call("SADD", self._spaces, to_bytes(space))

    async def _run(self, script: Script, space: str, *arguments: Argument) -> list[tuple[bytes, bytes]]:
        limits = self._limits
        bounds = (limits.resource_bytes, limits.resources, limits.space_bytes, int(self._makes_room))
        found: list[tuple[bytes, bytes]] = await self._link.run(
            script, self._keyspace.kept(self._family, space), *arguments, *bounds
        )
        return found


def _path(path: ResourcePath) -> bytes:
    return to_bytes("".join(f"/{part}" for part in path.parts) + "/")
