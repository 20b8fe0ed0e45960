"""How often a log-in may fail, counted in the store so that all replicas count together.

A token is taken before the pass word is looked at and put back if the log-in did not fail: so many guesses at once
cannot all slip in before the first is counted, and whoever knows her pass word is never counted. Failures count for
the client's network and for the name; a name has more of them, since strangers could else lock its owner out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil

from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.store.base import Counter

log = get_logger(__name__)

# Many networks together may fail for one name this many times as often as one network may.
NAME_FACTOR = 4
# A household or a rented machine has at least that much of IPv6 for itself.
IPV6_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Limits failed log-ins.

    Attributes:
        failures: how many may fail from one address within `window_seconds`.
    """

    counter: Counter
    failures: int = 15
    window_seconds: float = 1800.0

    @asynccontextmanager
    async def attempt(self, login: str, address: str) -> AsyncIterator[None]:
        """Surround one attempt; an `UNAUTHENTICATED` that comes out of it is the failure that counts.

        Raises:
            GatewayError: `LIMITED` if too many have failed; then nothing may be tried.
        """
        taken: list[tuple[str, float]] = []
        try:
            for key, burst in self._buckets(login, address):
                per_second = burst / self.window_seconds
                wait = await self.counter.take(key, per_second=per_second, burst=burst)
                if wait > 0:
                    raise _too_many(wait)
                taken.append((key, per_second))
            yield
        except GatewayError as error:
            if error.kind is not Kind.UNAUTHENTICATED:
                await self._put_back(taken)
            raise
        else:
            await self._put_back(taken)

    async def _put_back(self, taken: list[tuple[str, float]]) -> None:
        try:
            for key, per_second in taken:
                await self.counter.put_back(key, per_second=per_second)
        except GatewayError as error:
            # Losing a count must not lose the log-in.
            log.warning("log-in counted although it did not fail", reason=str(error))

    def _buckets(self, login: str, address: str) -> tuple[tuple[str, int], ...]:
        return (
            (f"log-in-from:{network_of(address)}", self.failures),
            (f"log-in-as:{login.casefold()}", self.failures * NAME_FACTOR),
        )


def network_of(address: str) -> str:
    """Return whose address this is, as far as limits tell people apart: all of IPv4, the first half of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the version's own number
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))


def _too_many(wait: float) -> GatewayError:
    return GatewayError(
        Kind.LIMITED, "Too many log-ins failed. Wait a little and try again.", code="log-ins", retry_after=ceil(wait)
    )
