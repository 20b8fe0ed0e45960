"""One user invites, another accepts, and both know each other: between two gateways, and with peers of every family."""

import pytest

from support.pair import folder_storage, side

ACCEPTED = "/ocm/invite-accepted"


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice's project behind it."""
    async with side(tmp_path, "alpha", "alice", folder_storage(tmp_path / "a", "alice")) as running:
        yield running


@pytest.fixture
async def bob(tmp_path):
    """A gateway with Bob."""
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as running:
        yield running


async def invite(inviter, description=""):
    """Make an invitation and return it."""
    status, made = await inviter.rest("POST", "invites", json={"description": description})
    assert status == 201, made
    return made


async def accept(guest, text):
    """Accept an invitation; return the status and the document."""
    return await guest.rest("POST", "invites/accept", json={"invite": text})


async def contacts(user):
    """Return the addresses in a user's address book."""
    return [contact["address"] for contact in (await user.rest("GET", "contacts"))[1]["contacts"]]


@pytest.mark.req("INV-2", "INV-4")
async def test_both_sides_know_each_other_afterwards(alice, bob):
    """An invitation that Bob accepts puts each into the other's address book, under the address that shares bear."""
    made = await invite(alice, "for Bob")
    status, contact = await accept(bob, made["invite"])
    assert (status, contact["address"], contact["display_name"]) == (201, alice.address, "Alice")
    assert await contacts(alice) == [bob.address]
    assert await contacts(bob) == [alice.address]
    (listed,) = (await alice.rest("GET", "invites"))[1]["invites"]
    assert (listed["state"], listed["accepted_by"], listed["description"]) == ("accepted", bob.address, "for Bob")
    assert listed["plain"] is None
