"""The commands by which users meet people at other servers, against two running gateways."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE

import pytest

from support.pair import PASSWORD, folder_storage, side


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice."""
    async with side(tmp_path, "alpha", "alice", folder_storage(tmp_path / "a", "alice")) as running:
        yield running


@pytest.fixture
async def bob(tmp_path):
    """A gateway with Bob."""
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as running:
        yield running


async def run(user, *words, given=""):
    """Run a command as a user; return its exit status and what it said."""
    settings = {
        "OCM_GATEWAY_URL": f"{user.local}/ocm",
        "OCM_GATEWAY_USER": user.user,
        "OCM_GATEWAY_PASSWORD": PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, env=os.environ | settings, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    said, complaint = await process.communicate(given.encode())
    assert bool(process.returncode) is bool(complaint), complaint
    return process.returncode, said.decode()


@pytest.mark.req("INV-2", "EXT-1")
async def test_people_meet_and_keep_cards(alice, bob):
    """An invitation is made, accepted and listed; contacts are trusted, named, written as cards and entered."""
    made = json.loads((await run(alice, "invite", "create", "--description", "for Bob", "--json"))[1])
    assert (await run(bob, "invite", "accept", made["invite"]))[0] == 0
    assert bob.address in (await run(alice, "contacts", "list"))[1]
    assert "accepted" in (await run(alice, "invite", "list"))[1]

    (contact,) = json.loads((await run(alice, "contacts", "list", "--json"))[1])
    trusted = json.loads((await run(alice, "contacts", "trust", contact["id"], "--json"))[1])
    assert trusted["trusted"] is True
    assert "Bobby" in (await run(alice, "contacts", "name", contact["id"], "Bobby"))[1]

    status, cards = await run(alice, "contacts", "export")
    assert status == 0
    assert bob.address in cards
    assert (await run(alice, "contacts", "remove", contact["id"]))[0] == 0
    assert (await run(alice, "contacts", "list"))[1].strip() == ""
    status, said = await run(alice, "contacts", "import", "-", given=cards)
    assert status == 0
    assert bob.address in said
    (entered,) = json.loads((await run(alice, "contacts", "list", "--json"))[1])
    assert entered["trusted"] is False


async def test_a_file_that_holds_no_cards(alice):
    """What is no JSON, or no card, is told in a sentence, and nothing is entered."""
    assert (await run(alice, "contacts", "import", "-", given="BEGIN:VCARD"))[0] == 2
    assert (await run(alice, "contacts", "import", "-", given="[7]"))[0] == 2
    assert (await run(alice, "contacts", "list"))[1].strip() == ""


@pytest.mark.req("REQ-1")
async def test_a_share_is_asked_for_and_granted(alice, bob):
    """Bob asks for Alice's project; she sees it, shares it, and he receives it; another request is dismissed."""
    for what in ("Project", "other"):
        assert (await run(bob, "request-share", "ask", alice.address, what))[0] == 0
    requests = json.loads((await run(alice, "request-share", "list", "--json"))[1])
    by_share = {request["share"]: request["id"] for request in requests}
    assert (await run(alice, "request-share", "grant", by_share["Project"], "/Project"))[0] == 0
    assert (await run(alice, "request-share", "dismiss", by_share["other"]))[0] == 0
    assert [share["name"] for share in await bob.received()] == ["Project"]
