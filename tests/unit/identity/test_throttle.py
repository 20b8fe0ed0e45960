import asyncio

import pytest

from gateway.errors import GatewayError, Kind, unavailable
from gateway.identity.throttle import NAME_FACTOR, Throttle, network_of


class Buckets:
    """A counter whose buckets never fill up by themselves; the real one has its own suite."""

    def __init__(self):
        self.taken = {}
        self.is_away = False

    async def take(self, key, *, per_second, burst):
        await asyncio.sleep(0)
        if self.taken.get(key, 0) >= burst:
            return 7.2
        self.taken[key] = self.taken.get(key, 0) + 1
        return 0.0

    async def put_back(self, key, *, per_second):
        await asyncio.sleep(0)
        if self.is_away:
            raise unavailable("The store is away.")
        self.taken[key] -= 1


@pytest.fixture
def buckets():
    return Buckets()


@pytest.fixture
def throttle(buckets):
    return Throttle(counter=buckets, failures=3, window_seconds=60)


async def fail(throttle, login="alice", address="192.0.2.1", kind=Kind.UNAUTHENTICATED):
    """Make one attempt that ends in an error; return the kind of error that came out."""
    with pytest.raises(GatewayError) as caught:
        async with throttle.attempt(login, address):
            raise GatewayError(kind, "No.")
    return caught.value.kind


async def test_failures_of_one_address_are_limited(throttle):
    """After so many failures nothing from this address is tried, whatever the name."""
    assert [await fail(throttle, login=f"n{n}") for n in range(5)] == [Kind.UNAUTHENTICATED] * 3 + [Kind.LIMITED] * 2


async def test_the_limit_says_when_to_come_again(throttle):
    """The refusal holds whole seconds, rounded up, and the attempt is not made."""
    for _ in range(3):
        await fail(throttle)
    with pytest.raises(GatewayError) as caught:
        async with throttle.attempt("alice", "192.0.2.1"):
            pytest.fail("tried all the same")
    assert (caught.value.kind, caught.value.retry_after) == (Kind.LIMITED, 8)


async def test_other_addresses_go_on(throttle):
    """One address that is shut out does not shut out another, for the same name."""
    for _ in range(4):
        await fail(throttle)
    assert await fail(throttle, address="192.0.2.2") is Kind.UNAUTHENTICATED


async def test_failures_for_one_name_are_limited_over_many_addresses(throttle):
    """Guessing at one name from everywhere ends too, in whichever case the name is written."""
    kinds = [await fail(throttle, login="aLiCe", address=f"192.0.2.{n}") for n in range(3 * NAME_FACTOR + 1)]
    assert kinds[-2:] == [Kind.UNAUTHENTICATED, Kind.LIMITED]
    assert await fail(throttle, login="alice", address="198.51.100.1") is Kind.LIMITED


async def test_success_does_not_count(throttle, buckets):
    """Whoever logs in well can do so as often as she likes."""
    for _ in range(10):
        async with throttle.attempt("alice", "192.0.2.1"):
            pass
    assert set(buckets.taken.values()) == {0}


async def test_an_outage_does_not_count(throttle, buckets):
    """A log-in that could not be checked is no failure."""
    for _ in range(10):
        assert await fail(throttle, kind=Kind.UNAVAILABLE) is Kind.UNAVAILABLE
    assert set(buckets.taken.values()) == {0}


async def test_guesses_at_once_do_not_slip_through(throttle):
    """Of many attempts at the same time no more than the limit are made."""
    made = 0

    async def guess():
        nonlocal made
        async with throttle.attempt("alice", "192.0.2.1"):
            made += 1
            await asyncio.sleep(0)
            raise GatewayError(Kind.UNAUTHENTICATED, "No.")

    await asyncio.gather(*(guess() for _ in range(20)), return_exceptions=True)
    assert made == 3


async def test_a_refusal_by_name_costs_the_address_nothing(throttle, buckets):
    """What was taken before the refusal is put back."""
    buckets.taken["log-in-as:alice"] = 1000
    assert await fail(throttle) is Kind.LIMITED
    assert buckets.taken["log-in-from:192.0.2.1"] == 0


async def test_a_count_that_cannot_be_put_back_loses_no_log_in(throttle, buckets):
    """A store that goes away behind a good log-in does not undo it."""
    buckets.is_away = True
    async with throttle.attempt("alice", "192.0.2.1"):
        pass


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_network_of_an_address(address, network):
    """IPv4 counts by address, IPv6 by the network that a single customer gets."""
    assert network_of(address) == network
