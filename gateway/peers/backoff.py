"""Patience: a peer that failed is left in peace, longer each time, until it works or writes to us (DISC-7).

`after_failure` and `after_success` are the rule. `Backoff.attempt` wraps one request: "not now" is raised before the
request, what came of it is booked in the peer's record on the way out. Failures that come in while the peer already
rests (a user pressing again, parallel requests) do not make the rest longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import ceil

from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.address import Host
from gateway.model.peer import Peer
from gateway.peers.records import PeerRecords

DOUBLINGS_MAX = 30
RETRY_AFTER_MAX_SECONDS = 86_400.0
REASON_MAX_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffRule:
    """How long a peer rests: `first_seconds`, doubled with each failure up to `most_seconds`.

    `spread` is the part of each rest that is left to chance, so that replicas and peers do not come back in step.
    """

    first_seconds: float = 600.0
    most_seconds: float = 86_400.0
    spread: float = 0.2

    def rest(self, failures: int, chance: float) -> float:
        """Return the rest after the given number of failures in a row; `chance` lies in [0, 1)."""
        doubled = self.first_seconds * 2.0 ** min(failures - 1, DOUBLINGS_MAX)
        return min(doubled * (1 - self.spread / 2 + self.spread * chance), self.most_seconds)


SHARES_RULE = BackoffRule()
HEALTH_RULE = BackoffRule(most_seconds=7 * 86_400.0)


def after_failure(peer: Peer, *, now: float, rule: BackoffRule, chance: float, at_least: float = 0.0) -> Peer:
    """Return the record of a peer that has failed at `now`; `at_least` are seconds that it asked for itself."""
    if peer.quiet_until > now:
        return peer
    failures = peer.failures + 1
    rest = max(rule.rest(failures, chance), min(at_least, RETRY_AFTER_MAX_SECONDS))
    return replace(peer, failures=failures, quiet_until=now + rest)


def after_success(peer: Peer) -> Peer:
    """Return the record of a peer that has shown to be alive."""
    return replace(peer, failures=0, quiet_until=0.0)


@dataclass(slots=True)
class Attempt:
    """One request under way. Without a word it counts as a success, if nothing is raised."""

    has_failed: bool = field(default=False, init=False)
    retry_after: float = field(default=0.0, init=False)
    reason: str = field(default="", init=False)

    def fail(self, retry_after: float | None = None, reason: str = "") -> None:
        """Say that the peer answered, but is not able to work now, and in which words it may be told."""
        self.has_failed = True
        self.retry_after = retry_after or 0.0
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Wraps requests to peers.

    Attributes:
        chance: returns numbers in [0, 1).
    """

    records: PeerRecords
    now: Callable[[], float]
    chance: Callable[[], float]
    rule: BackoffRule = SHARES_RULE

    @asynccontextmanager
    async def attempt(self, host: Host, *, interactive: bool = False) -> AsyncIterator[Attempt]:
        """Wrap one request to `host`.

        Args:
            interactive: a user waits for it: it is tried even while the peer rests.

        Raises:
            GatewayError: `UNAVAILABLE` with the seconds to wait, before anything is sent, while the peer rests.
        """
        if not interactive:
            await self._refuse_while_resting(host)
        attempt = Attempt()
        try:
            yield attempt
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                await self._book_failure(host, error.retry_after if attempt.has_failed else None, error.public)
            raise
        if attempt.has_failed:
            await self._book_failure(host, attempt.retry_after, attempt.reason)
        else:
            await self.records.change(host, after_success)

    async def _refuse_while_resting(self, host: Host) -> None:
        peer = await self.records.get(host)
        wait = ceil(peer.quiet_until - self.now()) if peer else 0
        if wait > 0:
            raise unavailable(f"{host} has failed before; we try again later.", retry_after=wait)

    async def _book_failure(self, host: Host, retry_after: float | None, reason: str) -> None:
        now, chance = self.now(), self.chance()

        def change(peer: Peer) -> Peer:
            failed = after_failure(peer, now=now, rule=self.rule, chance=chance, at_least=retry_after or 0.0)
            return replace(failed, failed_at=now, failure=reason[:REASON_MAX_CHARS])

        await self.records.change(host, change)
