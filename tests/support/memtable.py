"""A `Table` in memory, for unit tests of what stands on the port; the port's own suite runs on the real store."""

from __future__ import annotations

import asyncio

from gateway.errors import GatewayError, Kind
from gateway.model.peer import Peer


class MemoryTable:
    """Peers by host. Every method lets other tasks run first, as a real store does."""

    def __init__(self):
        self.records = {}
        self.writes = 0

    async def get(self, key):
        await asyncio.sleep(0)
        return self.records.get(key)

    async def create(self, record: Peer):
        await asyncio.sleep(0)
        if record.host in self.records:
            raise GatewayError(Kind.CONFLICT, "There is such a record.")
        self.writes += 1
        self.records[record.host] = record

    async def update(self, key, change):
        await asyncio.sleep(0)
        if key not in self.records:
            raise GatewayError(Kind.NOT_FOUND, "There is no such record.")
        changed = change(self.records[key])
        self.writes += changed != self.records[key]
        self.records[key] = changed
        return changed

    async def delete(self, key):
        await asyncio.sleep(0)
        return self.records.pop(key, None) is not None
