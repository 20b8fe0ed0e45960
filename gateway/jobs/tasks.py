"""The tasks of the worker: each does what is due for one record, and does nothing if nothing is (DESIGN 9).

A wake-up may come twice, late, or never; the due time in the record decides. `sweep` is what finds work whose
wake-up was lost: it pages through what is due and does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.flows.check_received import CheckReceived
from gateway.flows.deliver import DeliverReceived, DeliverSent
from gateway.flows.end_share import EndShare
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.share import RECEIVED_STEPS, ReceivedShare, ReceivedState, SentShare, next_due
from gateway.store.base import Table

log = get_logger(__name__)

Task = Callable[[str], Awaitable[None]]

# How many due records one sweep takes on of each table.
SWEEP_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What can be done later, by name."""

    sent: Table[SentShare]
    received: Table[ReceivedShare]
    deliver_sent: DeliverSent
    deliver_received: DeliverReceived
    end_share: EndShare
    check_received: CheckReceived
    now: Clock

    def by_name(self) -> Mapping[str, Task]:
        """Return the tasks under the names by which the queue knows them."""
        return {
            "deliver_sent": self.do_sent,
            "deliver_received": self.do_received,
            "check_received": self.check_received.check,
        }

    async def do_sent(self, provider_id: str) -> None:
        """Say what one sent share has to say now, and end it if its time has come."""
        share = await self.sent.get(provider_id)
        if share is None:
            return
        if share.expires_at is not None and share.expires_at <= self.now():
            await self.end_share.expire(provider_id)
        while _is_due(await self.sent.get(provider_id), self.now()):
            await self.deliver_sent.run(provider_id)

    async def do_received(self, share_id: str) -> None:
        """Say what one received share has to say now, and close it if its time has come."""
        share = await self.received.get(share_id)
        if share is None:
            return
        if share.expires_at is not None and share.expires_at <= self.now():
            await self.received.update(share_id, _expired)
        if share.state is ReceivedState.ACCEPTED:
            await self.check_received.look(share_id)
        while _is_due(await self.received.get(share_id), self.now()):
            await self.deliver_received.run(share_id)

    async def sweep(self) -> int:
        """Do everything that is due and return how many records that were; one failure does not stop the rest."""
        done = 0
        now = self.now()
        sent = await self.sent.page("due", until=now, limit=SWEEP_LIMIT)
        received = await self.received.page("due", until=now, limit=SWEEP_LIMIT)
        work: list[tuple[Task, str]] = [(self.do_sent, share.provider_id) for share in sent.records]
        work += [(self.do_received, share.share_id) for share in received.records]
        for task, key in work:
            try:
                await task(key)
                done += 1
            except GatewayError as error:
                log.warning("task failed, the next sweep tries again", key=key, reason=str(error))
            except Exception:
                # One bad record must not keep the others waiting for ever.
                log.exception("task failed", key=key)
        return done

    async def repair(self) -> int:
        """Remove look-up and index entries that lead nowhere; return how many."""
        return await self.sent.repair() + await self.received.repair()


def _is_due(share: SentShare | ReceivedShare | None, now: float) -> bool:
    due = next_due(share.outbox) if share is not None else None
    return due is not None and due <= now


def _expired(share: ReceivedShare) -> ReceivedShare:
    if ReceivedState.EXPIRED not in RECEIVED_STEPS[share.state]:
        return share
    return share.step(ReceivedState.EXPIRED)
