"""One user invites, another accepts, and both know each other: between two gateways, and with peers of every family."""

import asyncio

import pytest

from support.fakepeer import FakePeer, Reply
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


async def test_an_invitation_is_good_once_and_for_a_while(alice, bob, tmp_path):
    """The second guest is told nothing but that it is over; so is one who comes after its end, or after withdrawal."""
    made = await invite(alice)
    assert (await accept(bob, made["plain"]))[0] == 201
    async with side(tmp_path, "gamma", "carol", folder_storage(tmp_path / "c", "carol")) as carol:
        assert (await accept(carol, made["plain"]))[0] == 409
        late = await invite(alice)
        alice.clock.ahead = carol.clock.ahead = 7 * 86_400 + 1
        assert (await accept(carol, late["plain"]))[0] == 400
        alice.clock.ahead = carol.clock.ahead = 0
        assert (await alice.rest("DELETE", f"invites/{late['id']}"))[1]["state"] == "withdrawn"
        assert (await accept(carol, late["plain"]))[0] == 400
        assert await contacts(carol) == []
    assert await contacts(alice) == [bob.address]


async def test_a_contact_can_be_had_again_by_who_accepted(alice, bob):
    """Whose answer was lost asks again and is told again; either side may remove the other without a word."""
    made = await invite(alice)
    _, contact = await accept(bob, made["plain"])
    assert (await bob.rest("DELETE", f"contacts/{contact['id']}"))[0] == 204
    assert await contacts(bob) == []
    (hers,) = (await alice.rest("GET", "contacts"))[1]["contacts"]
    assert (await alice.rest("DELETE", f"contacts/{hers['id']}"))[0] == 204
    status, again = await accept(bob, made["plain"])
    assert (status, again["address"]) == (201, alice.address)
    assert await contacts(alice) == []


async def test_a_user_does_not_invite_herself_or_write_too_much(alice):
    """An invitation from the same server is refused, and so is a description of more than 50 characters."""
    made = await invite(alice, "x" * 50)
    assert (await accept(alice, made["plain"]))[0] == 400
    assert (await alice.rest("POST", "invites", json={"description": "x" * 51}))[0] == 400


@pytest.mark.req("INV-2")
async def test_what_is_said_to_a_peer(bob):
    """The acceptance is signed, says who accepts in both spellings, and nothing in it is empty."""
    async with FakePeer.running() as far:
        async with bob.session.get(f"{bob.local}/ocm/jwks") as answer:
            far.trust(await answer.json())
        far.replies[ACCEPTED] = Reply(body={"userID": "marie", "email": "m@x.example", "name": "Marie Curie"})
        status, contact = await accept(bob, f"tok-1@{far.host}")
        (heard,) = far.at(ACCEPTED)
    assert (status, contact["address"], contact["email"]) == (201, f"marie@{far.host}", "m@x.example")
    assert heard.signature.refusal == ""
    assert heard.json == {
        "recipientProvider": bob.config.authority,
        "token": "tok-1",
        "userID": "bob",
        "userId": "bob",
        "email": "noreply@beta.localhost",
        "name": "Bob",
    }


INVITERS = [
    ({"userId": "marie"}, "marie"),
    ({"userID": "marie@{host}"}, "marie"),
    ({"userID": "marie@https://{host}", "userId": None}, "marie"),
    ({"userID": "4c510ada@idp.example"}, "4c510ada@idp.example"),
]


async def test_who_invites_in_every_dialect(bob):
    """Identifiers come bare, with host, or with scheme and host; a foreign identity provider stays part of the name."""
    async with FakePeer.running() as far:
        for told, identifier in INVITERS:
            body = {name: value and value.format(host=far.host) for name, value in told.items()}
            far.replies[ACCEPTED] = Reply(status=201, body=body, headers={"Content-Type": "text/plain"})
            status, contact = await accept(bob, f"tok@{far.host}")
            assert (status, contact["address"]) == (201, f"{identifier}@{far.host}")
            assert (await bob.rest("DELETE", f"contacts/{contact['id']}"))[0] == 204


ANSWERS = [
    (Reply(400), 400),
    (Reply(403), 400),
    (Reply(404, b"<html>"), 400),
    (Reply(409, {"message": "Invite already accepted", "error": True}), 409),
    (Reply(200, {}), 400),
    (Reply(200, b"ok"), 400),
    (Reply(200, {"userID": 7}), 400),
    (Reply(200, {"userID": "a\nb"}), 400),
    (Reply(503), 503),
    (Reply(302, headers={"Location": "/elsewhere"}), 503),
]


async def test_what_a_peer_may_answer(bob):
    """Refusals of every kind are told as what they mean, and what says nothing of the inviter makes no contact."""
    async with FakePeer.running() as far:
        far.discovery["capabilities"].append("/invite-accepted")
        for reply, status in ANSWERS:
            far.replies[ACCEPTED] = reply
            assert (await accept(bob, f"tok@{far.host}"))[0] == status, reply
        assert await contacts(bob) == []
        far.replies[ACCEPTED] = Reply(409, {"userID": "marie", "name": "Marie"})
        assert (await accept(bob, f"tok@{far.host}"))[0] == 201


async def test_a_server_without_invitations(bob):
    """Where the end point is missing and no invitations are announced, that is what the user is told."""
    async with FakePeer.running() as far:
        status, problem = await accept(bob, f"tok@{far.host}")
    assert (status, problem["detail"]) == (501, f"{far.host} knows no invitations.")


def message(far, made, **members):
    """What the guest's server posts, in the words of the draft."""
    token = made["plain"].partition("@")[0]
    told = {"recipientProvider": far.host, "token": token, "userID": "marie", "email": "m@x.example", "name": "Marie"}
    return {name: value for name, value in (told | members).items() if value is not None}


async def tell(far, gateway, document, path=ACCEPTED):
    """Post a document to a gateway, signed by a peer."""
    return await far.post_signed(gateway.local + path, document, signed_url=gateway.config.public_url + path)


GUESTS = [
    ("invite-accepted", lambda said: said),
    ("invite-accepted", lambda said: {**said, "userID": None, "userId": said["userID"]}),
    ("invite-accepted", lambda said: said | {"userID": f"marie@https://{said['recipientProvider']}"}),
    ("invite-accepted", lambda said: said | {"recipientProvider": f"http://{said['recipientProvider']}/"}),
    ("invite-accepted", lambda said: said | {"recipientProvider": "localhost"}),
    ("invite-accepted", lambda said: said | {"email": "", "name": None}),
    ("invites/accept", lambda said: {"invite": said}),
]


@pytest.mark.req("INV-2")
async def test_guests_of_every_dialect(alice):
    """Each way in which deployed servers accept is understood; the answer is whole in both spellings."""
    person = {"userID": "alice", "userId": "alice", "email": "noreply@alpha.localhost", "name": "Alice"}
    async with FakePeer.running() as far:
        for path, reshape in GUESTS:
            said = reshape(message(far, await invite(alice)))
            answer = await tell(far, alice, said, path=f"/ocm/{path}")
            assert (answer.status, answer.json) == (200, person), said
            (contact,) = (await alice.rest("GET", "contacts"))[1]["contacts"]
            assert contact["address"] == f"marie@{far.host}"
            assert (await alice.rest("DELETE", f"contacts/{contact['id']}"))[0] == 204


async def test_a_guest_whose_server_signs_nothing(alice):
    """The token is proof enough where the guest's server cannot sign, and only there."""
    made, other = await invite(alice), await invite(alice)
    url = f"{alice.local}{ACCEPTED}"
    async with FakePeer.running() as far:
        assert (await far.post(url, message(far, made))).status == 401
        far.discovery |= {"jwksUri": "", "capabilities": []}
        far.jwks = {"keys": []}
    async with FakePeer.running() as far:
        far.discovery |= {"jwksUri": "", "capabilities": []}
        far.jwks = {"keys": []}
        assert (await far.post(url, message(far, other))).status == 200
        assert (await far.post(url, message(far, other))).status == 409


HOSTILE = [
    {"token": None},
    {"token": "0" * 33},
    {"token": 7},
    {"token": ["x"]},
    {"userID": None},
    {"userID": ""},
    {"userID": "x" * 2000},
    {"userID": "a\u0000b"},
    {"recipientProvider": None},
    {"recipientProvider": "not a host"},
    {"name": {"first": "Marie"}},
]


async def test_hostile_acceptances(alice):
    """What is incomplete, too long, of another type or a guess is a plain 400, and the invitation stays open."""
    made = await invite(alice)
    async with FakePeer.running() as far:
        for members in HOSTILE:
            answer = await tell(far, alice, message(far, made, **members))
            assert answer.status == 400, members
            assert made["plain"].partition("@")[0] not in answer.text
    assert [invite["state"] for invite in (await alice.rest("GET", "invites"))[1]["invites"]] == ["open"]


async def test_nobody_accepts_in_anothers_name(alice):
    """A signature of one server does not accept for another, and a guest with a good token cannot be somebody here."""
    made = await invite(alice)
    async with FakePeer.running() as far, FakePeer.running() as victim:
        forged = await tell(far, alice, message(victim, made))
        assert forged.status == 401
        itself = await tell(far, alice, message(far, made, recipientProvider=alice.config.authority))
        assert itself.status in (400, 401, 403)
    assert await contacts(alice) == []


@pytest.mark.req("SHARE-8", "INV-4", "DISC-5")
async def test_shares_only_between_contacts(tmp_path, bob):
    """With `must-invite`, announced and enforced, strangers' shares are refused both ways until somebody accepted."""
    storage = folder_storage(tmp_path / "a", "alice")
    async with side(tmp_path, "alpha", "alice", storage, criteria={"must_invite": True}) as alice:
        async with alice.session.get(f"{alice.local}/.well-known/ocm") as answer:
            assert "must-invite" in (await answer.json())["criteria"]
        refused = await bob.share("/Project", alice.address)
        assert refused["state"] == "refused"
        document = {"path": "/Project", "recipient": bob.address}
        assert (await alice.rest("POST", "shares", json=document))[0] == 403
        assert (await accept(bob, (await invite(alice))["plain"]))[0] == 201
        assert (await bob.share("/Project", alice.address))["state"] == "delivered"
        assert (await alice.share("/Project", bob.address))["state"] == "delivered"


@pytest.mark.req("SHARE-10")
async def test_a_trusted_contact_need_not_be_accepted(alice, bob):
    """What a trusted contact shares is accepted at once; what others share waits."""
    _, contact = await accept(bob, (await invite(alice))["plain"])
    await alice.share("/Project", bob.address)
    change = {"trusted": True, "label": "Ally"}
    assert (await bob.rest("PATCH", f"contacts/{contact['id']}", json=change))[1]["label"] == "Ally"
    await alice.share("/Project/sub", bob.address)
    assert [share["state"] for share in await bob.received()] == ["accepted", "pending"]


async def test_contacts_are_each_users_own(alice, bob):
    """Nobody sees or changes another's contact, and a change says only what can be changed."""
    _, contact = await accept(bob, (await invite(alice))["plain"])
    path = f"contacts/{contact['id']}"
    assert (await alice.rest("GET", path))[0] == 404
    assert (await alice.rest("DELETE", path))[0] == 404
    for change in ({}, {"trusted": 1}, {"label": 2}, {"address": "eve@x.example"}, {"label": "x" * 101}):
        assert (await bob.rest("PATCH", path, json=change))[0] == 400, change


async def test_one_of_many_guests_at_once(alice):
    """When several accept one invitation at the same moment, exactly one becomes a contact."""
    made = await invite(alice)
    async with FakePeer.running() as far:
        said = [message(far, made, userID=f"guest{number}") for number in range(8)]
        answers = await asyncio.gather(*(tell(far, alice, document) for document in said))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert len(await contacts(alice)) == 1


@pytest.mark.req("EXT-1")
async def test_contacts_as_cards(alice, bob):
    """Contacts leave as JSContact cards and come back; what comes from a file is neither trusted nor agreed."""
    _, contact = await accept(bob, (await invite(alice))["plain"])
    await bob.rest("PATCH", f"contacts/{contact['id']}", json={"trusted": True, "label": "Ally"})
    (card,) = (await bob.rest("GET", "contacts/cards"))[1]["cards"]
    assert (card["@type"], card["version"], card["name"]["full"]) == ("Card", "1.0", "Ally")
    told = {"address": alice.address, "trusted": True, "source": "accepted", "label": "Ally"}
    assert list(card["ietf.org:ocmAddresses"].values()) == [told]
    await bob.rest("DELETE", f"contacts/{contact['id']}")
    broken = {"ietf.org:ocmAddresses": [{"address": "nobody"}, 7, {"address": bob.address}]}
    status, entered = await bob.rest("POST", "contacts/cards", json={"cards": [card, broken, {}]})
    assert status == 201
    (again,) = entered["contacts"]
    assert (again["address"], again["label"], again["trusted"], again["source"]) == (
        alice.address,
        "Ally",
        False,
        "imported",
    )
    assert (await bob.rest("POST", "contacts/cards", json={"cards": 7}))[0] == 400
