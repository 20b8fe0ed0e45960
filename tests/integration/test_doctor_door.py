"""The door of the self-test is shut to everybody who has not got our keys, and tells little even to those who have."""

import asyncio
import io
import secrets
import time

import pytest

from gateway.crypto.keybox import KeyBox
from gateway.crypto.keys import KeyRing, save_key_file
from gateway.web.mirror import BODY_MAX_BYTES, MESSAGES_BURST, TICKET_SECONDS, new_ticket
from support.pair import folder_storage, side


@pytest.fixture
async def gateway(tmp_path):
    """Run a gateway before a folder."""
    async with side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice")) as running:
        yield running


@pytest.fixture
def ticket(gateway):
    """Make tickets as whoever has the key file."""
    keys = KeyBox(gateway.config.keys_file)
    return lambda made_at=None: new_ticket(keys, secrets.token_hex(8), made_at or time.time())


async def knock(gateway, body=b"", *, method="POST", path="/ocm/doctor", **headers):
    async with gateway.session.request(method, gateway.local + path, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_without_a_ticket_nothing_is_here(gateway, tmp_path):
    """No ticket, nonsense, another gateway's and an endless first line are all answered with the same 404."""
    path = tmp_path / "other.json"
    save_key_file(path, KeyRing.generate(gateway.config.public_url, time.time()))
    foreign = new_ticket(KeyBox(path), "name", time.time())
    bodies = (b"", b"\n", b"nonsense\n", b"\xff\xfe\n", foreign, b"x" * 5000)
    assert {await knock(gateway, body) for body in bodies} == {(404, await nothing(gateway))}
    assert {(await knock(gateway, method=method))[0] for method in ("GET", "PUT", "OPTIONS", "PROPFIND")} == {404}


async def nothing(gateway):
    return (await knock(gateway))[1]


async def test_a_ticket_opens_once(gateway, ticket):
    """A ticket that was used is worth nothing, also when both come at the same time."""
    one = ticket()
    statuses = [status for status, _ in await asyncio.gather(knock(gateway, one), knock(gateway, one))]
    assert sorted(statuses) == [200, 404]
    assert (await knock(gateway, one))[0] == 404


async def test_an_old_ticket_is_worth_nothing(gateway, ticket):
    """A ticket of yesterday, or of tomorrow, does not open."""
    now = time.time()
    for made_at in (now - TICKET_SECONDS - 60, now + TICKET_SECONDS + 60):
        assert (await knock(gateway, ticket(made_at)))[0] == 404


async def test_a_stranger_is_not_listened_to(gateway):
    """Whoever has no ticket is answered before more than a first line of the body was read."""

    async def endless():
        yield b"x" * 2048
        # Never more: the answer has to come without it.
        await asyncio.Event().wait()

    async with asyncio.timeout(20):
        async with gateway.session.post(f"{gateway.local}/ocm/doctor", data=endless()) as answer:
            assert answer.status == 404


async def test_a_body_has_a_bound(gateway, ticket):
    """Also with a ticket no more than a few megabytes are taken."""
    status, _ = await knock(gateway, io.BytesIO(ticket() + b"." * BODY_MAX_BYTES))
    assert status == 413


async def test_values_of_fields_are_not_told(gateway, ticket):
    """What a field holds is told as a digest only, since a proxy may have put a secret into it."""
    status, text = await knock(gateway, ticket(), Authorization="Bearer sesame-open")
    assert (status, "sesame" in text, '"authorization"' in text) == (200, False, True)


async def test_tries_are_counted(gateway, ticket):
    """Whoever has the keys cannot keep the gateway busy either."""
    tries = [knock(gateway, ticket()) for _ in range(MESSAGES_BURST + 60)]
    statuses = [status for status, _ in await asyncio.gather(*tries)]
    assert statuses.count(200) >= MESSAGES_BURST
    assert 429 in statuses
