"""The memory of how full storages are."""

import pytest

from gateway.backends import quotamemory
from gateway.backends.quotamemory import REMEMBERED_SECONDS, QuotaMemory
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Quota


class Storage:
    """Gets one byte fuller with each question."""

    def __init__(self):
        self.now = 1000.0
        self.used = 0
        self.memory = QuotaMemory(now=lambda: self.now)

    async def asked(self):
        self.used += 1
        return Quota(used=self.used)

    async def told(self, place):
        return (await self.memory.ask(place, self.asked)).used


async def test_it_is_told_again_for_some_seconds():
    """A storage is asked once in a while, for each place of its own."""
    storage = Storage()
    assert [await storage.told("a"), await storage.told("a"), await storage.told("b")] == [1, 1, 2]
    storage.now += REMEMBERED_SECONDS - 0.1
    assert await storage.told("a") == 1
    storage.now += 0.1
    assert [await storage.told("a"), await storage.told("b")] == [3, 4]


async def test_a_failure_is_raised_and_not_remembered():
    """A storage that does not answer is asked again by the next who wants to know."""
    storage = Storage()

    async def out():
        raise GatewayError(Kind.UNAVAILABLE, "The storage is out.")

    with pytest.raises(GatewayError):
        await storage.memory.ask("a", out)
    assert await storage.told("a") == 1


async def test_it_is_bounded(monkeypatch):
    """Of more places than are remembered those asked for longest ago are asked for again."""
    monkeypatch.setattr(quotamemory, "MEMORY_MAX_PLACES", 2)
    storage = Storage()
    assert [await storage.told(place) for place in "abc"] == [1, 2, 3]
    assert [await storage.told(place) for place in "cba"] == [3, 2, 4]
