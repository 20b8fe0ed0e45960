"""What a user may mount: her accepted shares, each under a name of its own that stays.

The list is read from the store and kept for a second, since a mount asks for it with every request. What a share is
(file or folder, how large) is learned whenever somebody looks into it and kept in its record: listing the shares asks
no sender. A share that nobody has looked into yet is looked into in the background, a few at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.use_remote import UseRemote
from gateway.log import get_logger
from gateway.model.mountname import folded, mount_name
from gateway.model.resource import Entry, EntryKind, ResourcePath
from gateway.model.share import ReceivedShare, SeenRoot
from gateway.store.base import Table

log = get_logger(__name__)

# How long a list is believed, in seconds: as long as a revocation may take to arrive everywhere.
LIST_SECONDS = 1.0
# What is known of a shared file is looked up again in the background after this long, in seconds.
LOOK_AGAIN_SECONDS = 60.0
# How long one look may take, in seconds, and how many run at a time.
LOOK_SECONDS = 20.0
LOOKS_AT_ONCE = 4
MEMORY_MAX_USERS = 10_000
PAGE_SIZE = 100
# More shares of one user than this are not listed; the oldest stay.
SHARES_MAX = 5_000

Shelf = Mapping[str, ReceivedShare]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedShelf:
    """Names the accepted shares of each user."""

    shares: Table[ReceivedShare]
    use_remote: UseRemote
    now: Clock
    _lists: OrderedDict[str, tuple[float, Shelf]] = field(default_factory=OrderedDict)
    _looked_at: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _looks: set[asyncio.Task[None]] = field(default_factory=set)

    async def of(self, user: str) -> Shelf:
        """Return the user's shares by their names in the mount."""
        known = self._lists.get(user)
        if known is not None and 0 <= self.now() - known[0] < LIST_SECONDS:
            return known[1]
        now = self.now()
        shelf = await self._named(await self._accepted(user))
        self._lists[user] = (now, shelf)
        self._lists.move_to_end(user)
        _cut(self._lists)
        return shelf

    async def learn(self, share: ReceivedShare, root: Entry) -> None:
        """Keep what the root of a share was seen to be."""
        _remember(self._looked_at, share.share_id, self.now())
        seen = SeenRoot(kind=root.kind)
        if not root.is_folder:
            seen = SeenRoot(kind=root.kind, size=root.size, modified=root.modified)
        if share.seen == seen:
            return
        self._lists.pop(share.recipient, None)
        try:
            await self.shares.update(share.share_id, lambda current: replace(current, seen=seen))
        except GatewayError as error:
            # Nobody waits for it: the next look learns it again.
            log.debug("what was seen is not kept", share=share.share_id, reason=str(error))

    def look_soon(self, shelf: Shelf) -> None:
        """Look in the background into shares of which nothing, or nothing fresh, is known."""
        for share in shelf.values():
            if len(self._looks) >= LOOKS_AT_ONCE:
                return
            since = self.now() - self._looked_at.get(share.share_id, float("-inf"))
            is_settled = share.seen is not None and share.seen.kind is EntryKind.FOLDER
            if not is_settled and since > LOOK_AGAIN_SECONDS:
                _remember(self._looked_at, share.share_id, self.now())
                look = asyncio.create_task(self._look(share))
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)

    async def close(self) -> None:
        """End what runs in the background."""
        looks = tuple(self._looks)
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def _look(self, share: ReceivedShare) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                remote = await self.use_remote.connect(share)
                await self.learn(share, await remote.stat(ResourcePath()))
        except (GatewayError, TimeoutError) as error:
            log.debug("share could not be looked into", share=share.share_id, reason=str(error))

    async def _accepted(self, user: str) -> list[ReceivedShare]:
        found: list[ReceivedShare] = []
        cursor: str | None = None
        while len(found) < SHARES_MAX:
            page = await self.shares.page("mounted", user, cursor=cursor, limit=PAGE_SIZE)
            found += page.records
            cursor = page.cursor
            if cursor is None:
                break
        now = self.now()
        return [share for share in found if share.expires_at is None or now < share.expires_at]

    async def _named(self, shares: list[ReceivedShare]) -> Shelf:
        shelf: dict[str, ReceivedShare] = {}
        taken: set[str] = set()
        # Names that were given come first; the others have to take what is left.
        for share in sorted(shares, key=lambda one: not one.mount_name):
            name = share.mount_name
            if not name or folded(name) in taken:
                name = await self._name(share, taken)
            taken.add(folded(name))
            shelf[name] = share
        return shelf

    async def _name(self, share: ReceivedShare, taken: set[str]) -> str:
        name = mount_name(share, taken)
        if share.mount_name:
            # Two replicas gave one name at once: this share has another as long as both are there.
            return name
        kept = share
        with suppress(GatewayError):
            # Another replica may have named it meanwhile.
            kept = await self.shares.update(share.share_id, lambda now: now if now.mount_name else _given(now, name))
        return kept.mount_name if kept.mount_name and folded(kept.mount_name) not in taken else name


def _given(share: ReceivedShare, name: str) -> ReceivedShare:
    return replace(share, mount_name=name)


def unknown_share() -> GatewayError:
    """Return the refusal of a name under which nothing was received."""
    return GatewayError(Kind.NOT_FOUND, "You have received nothing of this name.")


def _remember(memory: OrderedDict[str, float], key: str, value: float) -> None:
    memory[key] = value
    memory.move_to_end(key)
    _cut(memory)


def _cut(memory: OrderedDict[str, float] | OrderedDict[str, tuple[float, Shelf]]) -> None:
    while len(memory) > MEMORY_MAX_USERS:
        memory.popitem(last=False)
