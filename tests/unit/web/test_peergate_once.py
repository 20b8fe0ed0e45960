"""A signed message has one effect, and nobody sends more of them than he may (SIG-8; DESIGN 8)."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web
from redis import Redis

from gateway.errors import GatewayError, Kind, unavailable
from gateway.web.peergate import REPLAY_HOLD_SECONDS, REPLAY_KEEP_SECONDS
from support.fakepeer import FakePeer
from support.gaterig import BURST, PER_SECOND, gate_rig

SECRET = "access-token-of-somebody"


@pytest.fixture
async def rig(store_url):
    """A door with its lock, and a peer that signs."""
    async with gate_rig(store_url) as rig:
        yield rig


@pytest.mark.req("SIG-8")
async def test_repeated_message_is_answered_from_memory(rig):
    """The same message again gets the same answer, also from elsewhere, and nothing happens twice."""
    rig.answers = lambda: web.json_response({"token": SECRET}, status=201)
    headers = rig.signed()
    first = await rig.post(headers)
    for source in ("127.0.0.1", "127.0.0.2"):
        again = await rig.post(headers, source=source)
        assert (again.status, again.text) == (first.status, first.text)
        assert again.headers["Content-Type"] == first.headers["Content-Type"] == "application/json; charset=utf-8"
        assert again.headers["Cache-Control"] == "no-store"
    assert len(rig.heard) == 1


async def test_answer_without_a_body_is_remembered_too(rig):
    """An answer of which there is only a status is repeated as such."""
    rig.answers = lambda: web.Response(status=202)
    headers = rig.signed()
    answers = [await rig.post(headers) for _ in range(2)]
    assert [(answered.status, answered.text) for answered in answers] == [(202, ""), (202, "")]
    assert len(rig.heard) == 1


@pytest.mark.req("SIG-8")
async def test_outcome_is_kept_until_its_signature_is_too_old(rig):
    """A signature of the future may come until it is too old, so its outcome is kept for longer than that."""
    await rig.post(rig.signed())
    (left,) = rig.kept().values()
    assert REPLAY_KEEP_SECONDS == 300 + 2 * 60
    assert REPLAY_KEEP_SECONDS - 30 < left <= REPLAY_KEEP_SECONDS


async def test_outcome_is_sealed_in_the_store(rig):
    """Who reads the store finds no token in an outcome."""
    rig.answers = lambda: web.json_response({"token": SECRET})
    await rig.post(rig.signed())
    (key,) = rig.kept()
    with Redis.from_url(rig.store_url) as client:
        assert SECRET.encode() not in client.get(key)


@pytest.mark.req("SIG-8")
async def test_repeated_signature_opens_nothing_for_another_message(rig):
    """A signature that was taken once is held against the message again: with another body, or later, it is refused."""
    headers = rig.signed()
    await rig.post(headers)
    assert (await rig.refusal(headers, b"[]")).code == "digest-mismatch"
    rig.ours.clock.pass_by(305)
    assert (await rig.refusal(headers)).code == "signature-too-old"


@pytest.mark.parametrize(
    "error", [GatewayError(Kind.CONFLICT, "There is such a share."), unavailable("The store is away."), OSError("disk")]
)
async def test_message_whose_handling_failed_may_come_again(rig, error):
    """What failed had no effect: nothing is remembered, and the same message is handled again."""

    def fail():
        raise error

    rig.answers = fail
    headers = rig.signed()
    assert (await rig.post(headers)).status >= 400
    assert rig.kept() == {}
    rig.answers = None
    assert (await rig.post(headers)).status == 201
    assert len(rig.heard) == 2


@pytest.mark.parametrize(("status", "is_kept"), [(200, True), (399, True), (400, False), (404, False), (503, False)])
async def test_only_what_was_taken_is_remembered(rig, status, is_kept):
    """An answer that refuses is no outcome: it is found anew for the same message."""
    rig.answers = lambda: web.Response(status=status)
    assert (await rig.post(rig.signed())).status == status
    assert bool(rig.kept()) is is_kept


@pytest.mark.req("SIG-8")
async def test_message_that_is_being_handled_has_to_wait(rig):
    """The same message at the same time is not handled twice; if its handler dies, it may be after half a minute."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def wait():
        begun.set()
        await may_end.wait()
        return web.Response(status=201)

    rig.answers = wait
    headers = rig.signed()
    first = asyncio.create_task(rig.post(headers))
    await begun.wait()
    async with asyncio.timeout(20):
        error = await rig.refusal(headers)
    assert (error.kind, error.public) == (Kind.UNAVAILABLE, "This very message is being handled now.")
    assert error.retry_after == 1
    (left,) = rig.kept().values()
    assert REPLAY_HOLD_SECONDS == 30
    assert 0 < left <= REPLAY_HOLD_SECONDS
    may_end.set()
    assert (await first).status == 201
    assert (await rig.post(headers)).status == 201
    assert len(rig.heard) == 1


def is_limited(error):
    """Tell whether this is the refusal of a message too many, with the time until the next may come."""
    assert (error.kind, error.code) == (Kind.LIMITED, "limited")
    assert error.public == "Too many messages. Wait and try again."
    return 0.9 / PER_SECOND < error.retry_after <= 1 / PER_SECOND + 1


@pytest.mark.parametrize("kind", ["signed", "unsigned", "made up"])
async def test_address_may_send_so_many_messages(rig, kind):
    """One address may send a burst of messages, of whatever kind; of the next nobody's key is asked for."""
    rig.claims = ()
    headers = {"signed": rig.signed(), "unsigned": {}, "made up": rig.signed(signature=b"x" * 64)}[kind]
    for _ in range(BURST):
        await rig.post(headers)
    rig.claims, rig.asked_of = (rig.peer.host,), []
    assert is_limited(await rig.refusal(headers))
    assert rig.asked_of == []
    assert rig.peer.received == []
    assert (await rig.post(rig.signed(), source="127.0.0.2")).status == 201


async def test_host_may_send_so_many_messages(rig):
    """One host may send a burst of signed messages from all its addresses together; another host is not in its way."""
    for number in range(BURST):
        assert (await rig.post(rig.signed(), source=f"127.0.0.{number + 2}")).status == 201
    assert is_limited(await rig.refusal(rig.signed(), source="127.0.0.9"))
    async with FakePeer.running() as other:
        rig.claims = (other.host,)
        headers = other.sign("POST", f"{rig.url}/ocm/shares?page=1", b"{}")
        assert (await rig.post(headers, source="127.0.0.9")).status == 201


async def test_nobody_uses_up_the_messages_of_another(rig):
    """Messages that a host did not sign are not counted as its own."""
    for number in range(BURST + 1):
        error = await rig.refusal(rig.signed(signature=b"x" * 64), source=f"127.0.0.{number + 2}")
        assert error.code == "signature-wrong"
    assert (await rig.post(rig.signed())).status == 201


@pytest.mark.parametrize(("wait", "retry_after"), [(0.2, 1), (1.0, 2), (6.5, 7)])
async def test_refusal_says_when_there_is_room_again(rig, wait, retry_after):
    """The seconds until the next message may come are told whole, and never too few."""

    class Full:
        async def take(self, *_place, **_options):
            return wait

    rig.gate = replace(rig.gate, counter=Full())
    assert (await rig.refusal(rig.signed())).retry_after == retry_after


@pytest.mark.parametrize("part", ["counter", "once"])
async def test_message_waits_while_the_store_is_away(rig, part):
    """Without the memory of signatures, or without a count of them, no message is let through."""

    class Away:
        async def take(self, *_place, **_options):
            raise unavailable("The store does not answer.")

        begin = take

    rig.gate = replace(rig.gate, **{part: Away()})
    assert (await rig.refusal(rig.signed())).kind is Kind.UNAVAILABLE
