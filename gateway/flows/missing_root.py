"""The owner is told when what she shared is not where it was (DESIGN 6, "a missing share root").

The recipient gets 404 and may drop the mount; the owner may only have renamed a folder behind our back. So the share
keeps the fact, and the owner sees it in her list. Each process writes it once, not at every request.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.log import get_logger
from gateway.model.share import SentShare
from gateway.store.base import Table

log = get_logger(__name__)

MISSING = "The recipient was told that it is not there any more. Was it moved, renamed or deleted?"
MEMORY_MAX_SHARES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRoot:
    """Notes in a share that its resource is missing."""

    shares: Table[SentShare]
    _noted: set[str] = field(default_factory=set)

    async def missed(self, provider_id: str) -> None:
        """Note that the shared resource was not found."""
        if provider_id in self._noted:
            return
        await self.shares.update(provider_id, lambda share: replace(share, problem=MISSING))
        log.warning("shared resource is missing", share=provider_id)
        if len(self._noted) < MEMORY_MAX_SHARES:
            self._noted.add(provider_id)
