"""Shares go along when what they show is moved through us (DESIGN 6: "a MOVE through us carries them along").

A share is bound to a path. When a file or folder is moved or renamed by its owner or by somebody to whom she shared
the folder above, every share rooted there or below shows it at its new place; its address, secret and name stay as
the recipient knows them. Every replica forgets the grant and cuts what it is serving under it: the next request opens
the new place. What is moved behind our back leaves a missing root, which the owner is told of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock, GrantEnded
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.model.share import SentShare
from gateway.store.base import Table

log = get_logger(__name__)

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowMoves:
    """Lets shares follow what they show."""

    shares: Table[SentShare]
    tell_moved: GrantEnded
    now: Clock

    async def moved(self, storage: str, owner: str, source: ResourcePath, target: ResourcePath) -> None:
        """Root every standing share that was at or below `source` at or below `target`."""
        cursor = None
        while True:
            # A share that moves stays in the list that is being read: that goes by owner and storage.
            page = await self.shares.page("root", f"{storage}\n{owner}", cursor=cursor, limit=PAGE_SIZE)
            for share in page.records:
                if _followed(share, storage, source, target) != share and share.stands(self.now()):
                    await self._carry(share, source, target)
            cursor = page.cursor
            if cursor is None:
                return

    async def _carry(self, share: SentShare, source: ResourcePath, target: ResourcePath) -> None:
        try:
            await self.shares.update(
                share.provider_id, lambda current: _followed(current, share.storage, source, target)
            )
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return
        await self.tell_moved(share.provider_id)
        log.info("share went along with a move", share=share.provider_id)


def _followed(share: SentShare, storage: str, source: ResourcePath, target: ResourcePath) -> SentShare:
    """Return the share as it is after the move; storage may know one path under several spellings."""
    root, moved = share.root.one_spelling, source.one_spelling
    if share.storage != storage or not root.is_within(moved):
        return share
    return replace(share, root=ResourcePath(target.parts + share.root.parts[len(moved.parts) :]))
