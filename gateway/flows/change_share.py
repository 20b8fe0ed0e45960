"""The owner changes a share that stands: what the recipient may do, until when, or the note to them.

What opens it changes with the record. If it opens less than before, all replicas are told, so that nobody goes on
with the old grant and open streams are cut; and what was shared on under it is narrowed too. Then the recipient's
server hears of it, in the way that it understands (`flows.deliver`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.deliver import DeliverSent
from gateway.flows.outbox import FIRST_DELIVERY_SECONDS
from gateway.flows.ports import Clock, GrantEnded
from gateway.log import get_logger
from gateway.model.share import STANDING, Message, MessageKind, Permission, SentShare, SentState
from gateway.store.base import Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareChange:
    """What the owner wants to be different; None leaves it as it is.

    Attributes:
        expires_at: seconds since the epoch; 0 means that the share does not end by itself.
    """

    permissions: frozenset[Permission] | None = None
    expires_at: int | None = None
    description: str | None = None

    def of(self, share: SentShare) -> SentShare:
        """Return the share with this change."""
        permissions = share.permissions if self.permissions is None else self.permissions | {Permission.READ}
        return replace(
            share,
            permissions=permissions,
            expires_at=share.expires_at if self.expires_at is None else self.expires_at or None,
            description=share.description if self.description is None else self.description,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShare:
    """Changes shares of our users."""

    shares: Table[SentShare]
    tell_ended: GrantEnded
    release_locks: Callable[[SentShare], Awaitable[None]]
    deliver: DeliverSent
    now: Clock

    async def change(self, owner: str, provider_id: str, change: ShareChange) -> SentShare:
        """Change a share for its owner and tell the recipient's server.

        Raises:
            GatewayError: `NOT_FOUND` if the owner has no such share, `CONFLICT` if it has ended, `INVALID` if it
                would end before now.
        """
        share = await self.shares.get(provider_id)
        if share is None or share.owner != owner:
            raise GatewayError(Kind.NOT_FOUND, "You have no such share.")
        if change.expires_at and change.expires_at <= self.now():
            raise GatewayError(Kind.INVALID, "The share would end before now; revoke it instead.")
        changed = await self._change(provider_id, change.of)
        log.info("share changed", share=provider_id, owner=owner)
        return await self.deliver.run(provider_id, at_once=True) or changed

    async def _change(self, provider_id: str, change: Callable[[SentShare], SentShare]) -> SentShare:
        now = self.now()
        before: list[SentShare] = []

        def apply(share: SentShare) -> SentShare:
            if share.state not in STANDING:
                raise GatewayError(Kind.CONFLICT, f"This share is {share.state.value}; it cannot be changed any more.")
            before[:] = [share]
            changed = change(share)
            return share if changed == share else _with_notice(changed, now)

        after = await self.shares.update(provider_id, apply)
        if _opens_less(before[0], after):
            await self.tell_ended(provider_id)
            if Permission.WRITE not in after.permissions:
                await self.release_locks(after)
            await self._narrow_what_was_shared_on(after)
        return after

    async def _narrow_what_was_shared_on(self, share: SentShare) -> None:
        page = await self.shares.page("parent", share.provider_id)
        for child in page.records:
            if child.state in STANDING:
                await self._change(child.provider_id, lambda current: narrowed(current, share))


def narrowed(child: SentShare, parent: SentShare) -> SentShare:
    """Return a share that opens no more than the one that it was shared on from."""
    ends = [end for end in (child.expires_at, parent.expires_at) if end is not None]
    permissions = (child.permissions & parent.permissions) | {Permission.READ}
    return replace(child, permissions=permissions, expires_at=min(ends, default=None))


def _with_notice(share: SentShare, now: float) -> SentShare:
    # A share that was not told yet is told as it now is.
    if share.state is SentState.DELIVERING:
        return share
    notice = Message(kind=MessageKind.CHANGED, due=now + FIRST_DELIVERY_SECONDS, since=now)
    others = tuple(message for message in share.outbox if message.kind is not MessageKind.CHANGED)
    return replace(share, outbox=(*others, notice))


def _opens_less(before: SentShare, after: SentShare) -> bool:
    ends_sooner = after.expires_at is not None and (before.expires_at is None or after.expires_at < before.expires_at)
    return ends_sooner or not before.permissions <= after.permissions
