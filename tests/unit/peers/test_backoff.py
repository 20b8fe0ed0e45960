from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.address import Host
from gateway.model.peer import Peer
from gateway.peers.backoff import HEALTH_RULE, SHARES_RULE, Backoff, after_failure

HOST = Host("peer.test")


@pytest.fixture
def backoff(rig):
    return Backoff(records=rig.records, now=rig.clock, chance=lambda: 0.5)


async def failing(backoff, **options):
    with pytest.raises(GatewayError):
        async with backoff.attempt(HOST, **options):
            raise unavailable("down")


@pytest.mark.parametrize(("failures", "rest"), [(1, 600), (2, 1200), (8, 76_800), (9, 86_400), (500, 86_400)])
def test_rests_double_up_to_the_cap(failures, rest):
    """The first rest is 10 minutes, each next twice as long, none longer than a day."""
    assert SHARES_RULE.rest(failures, 0.5) == pytest.approx(rest)


def test_health_rests_up_to_a_week():
    """For health the cap is seven days."""
    assert HEALTH_RULE.rest(500, 0.5) == 7 * 86_400


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_rests_are_spread_and_bounded(failures, chance):
    """Chance moves a rest by a tenth at most, and never over the cap."""
    rest, middle = SHARES_RULE.rest(failures, chance), SHARES_RULE.rest(failures, 0.5)
    assert 0.9 * middle - 1e-6 <= rest <= min(1.1 * middle, 86_400) + 1e-6 or middle == rest == 86_400


def test_failure_during_a_rest_does_not_count():
    """Failures that come in while the peer rests do not make the rest longer."""
    once = after_failure(Peer(host=HOST), now=100.0, rule=SHARES_RULE, chance=0.5)
    assert after_failure(once, now=101.0, rule=SHARES_RULE, chance=0.5) == once
    assert after_failure(once, now=once.quiet_until, rule=SHARES_RULE, chance=0.5).failures == 2


@pytest.mark.req("DISC-7")
async def test_failing_peer_is_left_in_peace(rig, backoff):
    """After a failure the next attempt is refused before anything is sent, with the seconds to wait."""
    await failing(backoff)
    rig.clock.pass_by(100)
    with pytest.raises(GatewayError) as caught:
        async with backoff.attempt(HOST):
            pytest.fail("the attempt began")
    assert (caught.value.kind, caught.value.retry_after) == (Kind.UNAVAILABLE, 500)


async def test_refusal_books_nothing(rig, backoff):
    """An attempt that was refused for a rest is no further failure."""
    await failing(backoff)
    before = rig.table.records[HOST]
    await failing(backoff)
    assert rig.table.records[HOST] == before


async def test_attempt_after_the_rest(rig, backoff):
    """When the rest is over an attempt is made, and success clears the record."""
    await failing(backoff)
    rig.clock.pass_by(600)
    async with backoff.attempt(HOST):
        pass
    assert (rig.table.records[HOST].failures, rig.table.records[HOST].quiet_until) == (0, 0.0)


async def test_user_is_not_kept_waiting(rig, backoff):
    """An interactive attempt goes ahead during a rest, and its failure does not lengthen it."""
    await failing(backoff)
    before = rig.table.records[HOST]
    await failing(backoff, interactive=True)
    assert rig.table.records[HOST] == before
    async with backoff.attempt(HOST, interactive=True):
        pass
    assert rig.table.records[HOST].failures == 0


async def test_told_failure_counts_with_its_wait(rig, backoff):
    """A peer that answers "later" has failed, and rests at least as long as it asked for, at most a day."""
    async with backoff.attempt(HOST) as attempt:
        attempt.fail(5000)
    assert rig.table.records[HOST].quiet_until == rig.clock() + 5000
    rig.clock.pass_by(5000)
    async with backoff.attempt(HOST) as attempt:
        attempt.fail(10**9)
    assert rig.table.records[HOST].quiet_until == rig.clock() + 86_400


async def test_refusal_of_the_peer_is_no_failure(rig, backoff):
    """A permanent error says nothing about the peer's health."""
    with pytest.raises(GatewayError):
        async with backoff.attempt(HOST):
            raise GatewayError(Kind.NOT_FOUND, "no OCM here")
    assert HOST not in rig.table.records


@pytest.mark.req("DISC-7")
async def test_valid_signature_ends_the_rest(rig, backoff):
    """A peer that has just signed to us is alive: its rest is over."""
    await failing(backoff)
    await rig.records.mark_signed(HOST)
    async with backoff.attempt(HOST):
        pass
    assert rig.table.records[HOST].has_signed_to_us


async def test_signatures_do_not_write_each_time(rig):
    """A second signature soon after the first writes nothing."""
    await rig.records.mark_signed(HOST)
    writes = rig.table.writes
    await rig.records.mark_signed(HOST)
    assert rig.table.writes == writes
    rig.clock.pass_by(3600)
    await rig.records.mark_signed(HOST)
    assert rig.table.records[HOST].last_seen == rig.clock()


async def test_forgotten_peer_is_new(rig):
    """Forgetting a peer drops everything, also that it has signed."""
    await rig.records.mark_signed(HOST)
    assert await rig.records.forget(HOST)
    assert await rig.records.get(HOST) is None
    assert not await rig.records.forget(HOST)


async def test_record_made_meanwhile_is_changed(rig):
    """Two replicas that meet a new peer at the same time both get their change in."""

    class Racing(type(rig.table)):
        async def create(self, record):
            self.records.setdefault(HOST, Peer(host=HOST, has_signed_to_us=True))
            await super().create(record)

    rig.table.__class__ = Racing
    await rig.records.change(HOST, lambda peer: replace(peer, we_signed_to=True))
    record = rig.table.records[HOST]
    assert (record.has_signed_to_us, record.we_signed_to) == (True, True)


async def test_the_last_failure_is_kept_in_words(rig, backoff):
    """When and how a peer failed last stays known after a success, for whoever looks for a fault; it is bounded."""
    await failing(backoff)
    rig.clock.pass_by(600)
    async with backoff.attempt(HOST) as attempt:
        attempt.fail(None, "peer.test cannot take this now (it answered 503).")
    at = rig.clock()
    rig.clock.pass_by(2000)
    async with backoff.attempt(HOST):
        pass
    record = rig.table.records[HOST]
    assert (record.failures, record.failed_at, record.failure) == (
        0,
        at,
        "peer.test cannot take this now (it answered 503).",
    )
    async with backoff.attempt(HOST) as attempt:
        attempt.fail(None, "x" * 1000)
    assert rig.table.records[HOST].failure == "x" * 300


async def test_a_failure_on_the_way_is_kept_in_words(rig, backoff):
    """What was raised for the user is what an administrator reads."""
    await failing(backoff)
    assert (rig.table.records[HOST].failed_at, rig.table.records[HOST].failure) == (rig.clock(), "down")
