"""Directories are read, checked and kept: they feed the policy and the list of servers to choose from (DIR-1, DIR-2).

Each is fetched now and then, by one of the replicas, through the guard. Only what a key given by the operator has
signed replaces the last good copy; that one goes on serving while the directory is away or broken, for a bounded time.
What counts is the union of all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from gateway.crypto.jws import TrustedKey, verified_payload
from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.directory import DirectoryCopy
from gateway.ocm import directory as directory_text
from gateway.store.base import Table

log = get_logger(__name__)

# After a failure a directory is asked again this soon, in seconds.
RETRY_SECONDS = 60.0
# Whoever asks has this long; then another replica may.
ASKING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySource:
    """A directory that the operator configured, and the keys that it has to be signed with."""

    url: str
    keys: tuple[TrustedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """Keeps copies of the configured directories.

    Attributes:
        fetch: returns the bytes at a URL, guarded and bounded.
        refresh_seconds: how old a copy gets before it is asked for again.
        keep_seconds: how long a copy serves when it cannot be renewed.
    """

    sources: Sequence[DirectorySource]
    copies: Table[DirectoryCopy]
    fetch: Callable[[str], Awaitable[bytes]]
    refresh_seconds: float
    keep_seconds: float
    now: Clock

    async def all(self) -> list[DirectoryCopy]:
        """Return the state of each configured directory, in the order of the configuration."""
        return [await self.copies.get(source.url) or DirectoryCopy(url=source.url) for source in self.sources]

    async def usable(self) -> list[DirectoryCopy]:
        """Return those of which there is a good copy that is not too old."""
        oldest = self.now() - self.keep_seconds
        return [copy for copy in await self.all() if copy.directory is not None and copy.fetched_at >= oldest]

    async def members(self) -> frozenset[Host] | None:
        """Return the hosts that any directory lists, or None if there is no copy to tell."""
        copies = await self.usable()
        if not copies:
            return None
        return frozenset(server.host for copy in copies if copy.directory for server in copy.directory.servers)

    async def refresh(self) -> bool:
        """Ask for every directory that is due; tell whether any copy changed. Failures are noted, not raised."""
        return any([await self._refresh(source) for source in self.sources])

    async def _refresh(self, source: DirectorySource) -> bool:
        if not await self._claim(source.url):
            return False
        try:
            payload = verified_payload(await self.fetch(source.url), source.keys)
            found = directory_text.read(payload)
        except GatewayError as error:
            log.warning("directory cannot be used, its last good copy serves on", url=source.url, reason=str(error))
            problem = error.public
            await self.copies.update(source.url, lambda copy: replace(copy, problem=problem))
            return False
        now = self.now()
        before = await self.copies.get(source.url)
        await self.copies.update(source.url, lambda copy: replace(copy, directory=found, fetched_at=now, problem=""))
        return before is None or before.directory != found

    async def _claim(self, url: str) -> bool:
        """Tell whether it is due, and this replica's turn to ask."""
        now, turn = self.now(), False

        def claimed(copy: DirectoryCopy) -> DirectoryCopy:
            nonlocal turn
            wait = RETRY_SECONDS if copy.problem or copy.fetched_at < copy.asked_at else self.refresh_seconds
            # A time to come was written by a clock that was wrong.
            turn = not 0 <= now - copy.asked_at < min(wait, self.refresh_seconds)
            return replace(copy, asked_at=now) if turn else copy

        try:
            await self.copies.create(DirectoryCopy(url=url))
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
        await self.copies.update(url, claimed)
        return turn
