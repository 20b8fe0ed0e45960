import asyncio

import pytest

from gateway.errors import GatewayError, Kind, unavailable
from gateway.peers import asking
from gateway.peers.asking import Asking, Urgency
from support.peerrig import Clock

pytestmark = pytest.mark.req("DISC-7")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ask(clock):
    return Asking(clock)


async def fail():
    raise unavailable("down")


async def succeed():
    return "fine"


async def test_failure_is_remembered(ask, clock):
    """What failed is not asked for again for a while; then it is."""
    with pytest.raises(GatewayError):
        await ask.ask("a", Urgency.by(None), fail)
    clock.pass_by(59)
    with pytest.raises(GatewayError, match="down") as caught:
        await ask.ask("a", Urgency.by(None), succeed)
    assert caught.value.retry_after == 1
    clock.pass_by(1)
    assert await ask.ask("a", Urgency.by(None), succeed) == "fine"


async def test_failures_are_kept_apart(ask):
    """The failure of one thing says nothing about another."""
    with pytest.raises(GatewayError):
        await ask.ask("a", Urgency.by(None), fail)
    assert await ask.ask("b", Urgency.by(None), succeed) == "fine"


async def test_user_may_ask_again(ask):
    """A user who waits is not held up by the memory, and success clears it."""
    with pytest.raises(GatewayError):
        await ask.ask("a", Urgency.by(None), fail)
    assert await ask.ask("a", Urgency.by(None, interactive=True), succeed) == "fine"
    assert await ask.ask("a", Urgency.by(None), succeed) == "fine"


async def test_memory_is_bounded(ask, monkeypatch):
    """However many names strangers invent, the memory stays small; the oldest are forgotten."""
    monkeypatch.setattr(asking, "REMEMBERED_MAX", 3)
    for name in "abcde":
        with pytest.raises(GatewayError):
            await ask.ask(name, Urgency.by(None), fail)
    assert list(ask._failures) == ["c", "d", "e"]


async def test_deadline_ends_the_asking(ask, monkeypatch):
    """What is not there at the deadline is unavailable, and remembered as failed."""
    monkeypatch.setattr(asking, "FAIR_SECONDS", 0.01)
    deadline = asyncio.get_running_loop().time() + 0.02
    with pytest.raises(GatewayError, match="in time") as caught:
        await ask.ask("a", Urgency(deadline), asyncio.Event().wait)
    assert caught.value.kind is Kind.UNAVAILABLE
    with pytest.raises(GatewayError, match="in time"):
        await ask.ask("a", Urgency.by(None), succeed)


async def test_too_short_a_time_is_no_failure(ask):
    """Who was asked when the deadline was all but over is unavailable now, and is asked again at once."""
    deadline = asyncio.get_running_loop().time() + asking.FAIR_SECONDS / 50
    with pytest.raises(GatewayError, match="in time"):
        await ask.ask("a", Urgency(deadline), asyncio.Event().wait)
    assert await ask.ask("a", Urgency.by(None), succeed) == "fine"


async def test_deadline_ends_the_waiting_for_a_turn(ask):
    """Whoever cannot get a turn by his deadline gives up, and that is nobody's failure."""
    async with ask.turn("a", Urgency.by(None)):
        with pytest.raises(GatewayError, match="in time"):
            async with ask.turn("a", Urgency(asyncio.get_running_loop().time())):
                pytest.fail("two had a turn")
    async with ask.turn("a", Urgency.by(None)):
        assert await ask.ask("a", Urgency.by(None), succeed) == "fine"


async def test_turn_is_given_back_on_cancellation(ask):
    """A cancelled caller leaves the turn to the next."""

    async def hold():
        async with ask.turn("a", Urgency.by(None)):
            started.set()
            await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.create_task(hold())
    await started.wait()
    task.cancel()
    async with asyncio.timeout(5), ask.turn("a", Urgency.by(None)):
        assert task.cancelled()


async def test_locks_are_not_kept(ask):
    """No trace is left of a thing that nobody asks for any more."""
    async with ask.turn("a", Urgency.by(None)):
        assert len(ask._locks) == 1
    assert len(ask._locks) == 0


async def test_verification_has_four_seconds():
    """One inbound verification has a budget of 4 s."""
    assert asking.verification_deadline() - asyncio.get_running_loop().time() == pytest.approx(4, abs=0.5)
