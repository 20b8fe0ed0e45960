"""The one line to Redis: every command of this package goes through a `Link`.

Here foreign errors become `GatewayError(UNAVAILABLE)`, every call is bounded in time, and scripts are sent by their
hash. The client tries again by itself while a server restarts, so a command may run twice: whoever writes through a
link makes the write idempotent. Answers have the shapes of RESP2, which is asked for by name (see `redis_client`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from gateway.errors import unavailable

# How long a caller waits for the store, all tries together, before it hears UNAVAILABLE.
ANSWER_SECONDS = 2.0

Argument = str | bytes | int | float


class Script:
    """A Lua script whose keys all lie in one hash slot."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """A bounded way to one Redis server, or to a set of servers behind one client."""

    def __init__(self, client: Redis, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._client = client
        self._answer_seconds = answer_seconds

    async def call(self, *command: Argument) -> Any:
        """Run one command and return its answer as it came.

        Raises:
            GatewayError: `UNAVAILABLE` if the store is away, too slow or refuses.
        """
        async with reaching_store(self._answer_seconds):
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py does not type it

    async def many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run independent commands in one round trip; they may land in any order on several servers."""
        if not commands:
            return []
        async with reaching_store(self._answer_seconds), self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())

    async def run(self, script: Script, keys: Sequence[Argument], *arguments: Argument) -> Any:
        """Run a script; a server that restarted has forgotten it and is told it again."""
        try:
            async with reaching_store(self._answer_seconds, passing=NoScriptError):
                return await self._evaluate("EVALSHA", script.sha, keys, arguments)
        except NoScriptError:
            async with reaching_store(self._answer_seconds):
                return await self._evaluate("EVAL", script.text, keys, arguments)

    async def scan(self, pattern: str) -> AsyncIterator[bytes]:
        """Yield the keys that match `pattern`, some perhaps twice."""
        keys = self._client.scan_iter(match=pattern, count=500)
        while True:
            async with reaching_store(self._answer_seconds):
                key = await anext(keys, None)
            if key is None:
                return
            yield key

    async def _evaluate(self, verb: str, script: str, keys: Sequence[Argument], arguments: Sequence[Argument]) -> Any:
        return await self._client.execute_command(  # type: ignore[no-untyped-call] # redis-py does not type it
            verb, script, len(keys), *keys, *arguments
        )


@asynccontextmanager
async def reaching_store(seconds: float, *, passing: type[RedisError] | tuple[()] = ()) -> AsyncIterator[None]:
    """Bound what happens inside to `seconds` and map the client's errors, except those `passing` through."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except passing:
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise unavailable("The store does not answer.", log=f"{type(error).__name__}: {error}") from error
