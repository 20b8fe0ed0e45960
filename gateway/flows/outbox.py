"""What waits in the outbox of a share is said to the peer, at least once, until it is heard (SHARE-7, NOTE-1).

A message is claimed by moving its due time a lease ahead, in one compare-and-set: two replicas never send it at the
same time, and after a crash it is simply due again. Then it is said, and the outcome is written: heard and gone,
refused for good, or due later with back-off. `flows.deliver` tells what is said and what each outcome means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.share import Message, ReceivedShare, SentShare
from gateway.peers.client import Answer
from gateway.store.base import Queue, Table

log = get_logger(__name__)

# How long one attempt may take before another replica may try, in seconds; above the client's total time-out.
LEASE_SECONDS = 90.0
# The flow that makes a message tries it at once, while the user waits; a worker may take over after so many seconds.
FIRST_DELIVERY_SECONDS = LEASE_SECONDS

S = TypeVar("S", SentShare, ReceivedShare)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """When to try again: `first_seconds` after the first failure, doubled each time up to `most_seconds`.

    After `give_up_seconds` of trying the message counts as refused.
    """

    first_seconds: float = 60.0
    most_seconds: float = 86_400.0
    give_up_seconds: float = 7 * 86_400.0

    def delay(self, attempts: int, chance: float) -> float:
        """Return the seconds to wait after `attempts` failures; `chance` in [0, 1) spreads them by a fifth."""
        doubled = self.first_seconds * 2.0 ** min(attempts - 1, 30)
        return min(doubled, self.most_seconds) * (0.9 + 0.2 * chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes(Generic[S]):
    """What one kind of share makes of a message: how to say it, and the record after it was heard or refused."""

    say: Callable[[S, Message], Awaitable[Answer]]
    heard: Callable[[S, Message, Answer], S]
    refused: Callable[[S, Message, str], S]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox(Generic[S]):
    """Delivers the waiting messages of the shares of one table; `task` is the worker's name for trying again."""

    shares: Table[S]
    task: str
    queue: Queue
    retry: RetryRule
    now: Clock
    chance: Callable[[], float]

    async def deliver(self, key: str, outcomes: Outcomes[S], *, at_once: bool = False) -> S | None:
        """Deliver the first message that is due (or any, if `at_once`); return the share, or None if there was none.

        Raises:
            GatewayError: `NOT_FOUND` if there is no such share, `UNAVAILABLE` if the store is away.
        """
        claimed = await self._claim(key, at_once=at_once)
        if claimed is None:
            return None
        share, message = claimed
        try:
            answer = await outcomes.say(share, message)
            if not answer.is_success:
                raise answer.error()
        except GatewayError as error:
            return await self._failed(key, message, error, outcomes)
        log.info("delivered", share=key, message=message.kind.value, attempts=message.attempts)
        return await self._book(key, message, lambda current: outcomes.heard(current, message, answer))

    async def _claim(self, key: str, *, at_once: bool) -> tuple[S, Message] | None:
        claimed: list[Message] = []
        now = self.now()

        def change(share: S) -> S:
            claimed.clear()
            due = [message for message in share.outbox if at_once or message.due <= now]
            if not due:
                return share
            message = replace(due[0], due=now + LEASE_SECONDS, attempts=due[0].attempts + 1)
            claimed.append(message)
            return with_message(share, message)

        share = await self.shares.update(key, change)
        return (share, claimed[0]) if claimed else None

    async def _failed(self, key: str, message: Message, error: GatewayError, outcomes: Outcomes[S]) -> S:
        now = self.now()
        is_temporary = error.kind in (Kind.UNAVAILABLE, Kind.LIMITED)
        if not is_temporary or now - message.since > self.retry.give_up_seconds:
            log.warning("refused by peer", share=key, message=message.kind.value, reason=str(error))
            return await self._book(key, message, lambda current: outcomes.refused(current, message, error.public))
        due = now + max(self.retry.delay(message.attempts, self.chance()), error.retry_after or 0)
        log.warning(
            "not delivered yet", share=key, message=message.kind.value, reason=str(error), due_in=int(due - now)
        )
        later = replace(message, due=due, last_error=error.public)
        share = await self._book(key, message, lambda current: with_message(current, later))
        await self.queue.wake(self.task, key, at=due)
        return share

    async def _book(self, key: str, message: Message, result: Callable[[S], S]) -> S:
        # The record may have moved on meanwhile (revoked, answered): then it no longer waits for this message.
        def change(share: S) -> S:
            return result(share) if any(waiting.kind is message.kind for waiting in share.outbox) else share

        return await self.shares.update(key, change)


def with_message(share: S, message: Message) -> S:
    """Return the share with its waiting message of the same kind replaced by `message`."""
    return replace(share, outbox=tuple(message if m.kind is message.kind else m for m in share.outbox))


def without_message(share: S, message: Message) -> S:
    """Return the share without its waiting message of that kind."""
    return replace(share, outbox=tuple(m for m in share.outbox if m.kind is not message.kind))
