"""How full a storage was a moment ago, so that it is not asked with each listing.

Programs that show free space name the quota in every PROPFIND, and ask twice (ANCHORS 2). What only tells people how
much room there is may be a few seconds old; whether an upload fits is asked anew each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from gateway.model.resource import Quota

# How long an answer is told again, in seconds.
REMEMBERED_SECONDS = 5.0
MEMORY_MAX_PLACES = 10_000


@dataclass(slots=True, kw_only=True)
class QuotaMemory:
    """What storages said, by whatever names a place in one of them as somebody sees it."""

    now: Callable[[], float]
    _told: OrderedDict[Hashable, tuple[float, Quota]] = field(default_factory=OrderedDict)

    async def ask(self, place: Hashable, question: Callable[[], Awaitable[Quota]]) -> Quota:
        """Return the quota at `place`: the one of a moment ago, or what `question` gets; its failures are raised."""
        until, quota = self._told.get(place, (0.0, Quota()))
        if self.now() < until:
            return quota
        quota = await question()
        self._told[place] = (self.now() + REMEMBERED_SECONDS, quota)
        self._told.move_to_end(place)
        while len(self._told) > MEMORY_MAX_PLACES:
            self._told.popitem(last=False)
        return quota
