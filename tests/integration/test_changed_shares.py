"""A share that stands is changed or shared on: what opens follows at once, and the other side hears of it."""

import asyncio
import json

import pytest

from support import cavagewire
from support.fakepeer import FakePeer
from support.pair import folder_storage, side

NOTES = "/ocm/notifications"


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


@pytest.fixture
async def far():
    """A peer that says nothing of its kind, signs nothing, and takes what it is told."""
    async with FakePeer.running() as peer:
        peer.discovery |= {"jwksUri": "", "capabilities": []}
        peer.jwks = {"keys": []}
        yield peer


def is_owncloud_10(peer):
    """Let a peer look like ownCloud 10."""
    peer.discovery["shareTypes"] = peer.discovery.pop("resourceTypes")


def is_ocis(peer):
    """Let a peer look like oCIS."""
    peer.discovery["resourceTypes"][0]["protocols"]["webdav"] = "/dav/ocm"


async def change(owner, share, **members):
    """Change a share; return the status and the document."""
    return await owner.rest("PATCH", f"shares/{share['id']}", json=members)


@pytest.mark.req("SHARE-9")
async def test_what_may_be_done_changes_on_both_sides(alice, bob):
    """The recipient's gateway hears of new permissions, note and end, and the share stays the one it was."""
    share = await alice.share("/Project", bob.address, write=False)
    received = await bob.accepted()
    status, changed = await change(
        alice, share, permissions=["read", "write"], description="go on", expires_at=4_000_000_000
    )
    assert (status, changed["permissions"]) == (200, ["read", "write"])
    (seen,) = await bob.received()
    assert (seen["id"], seen["state"]) == (received, "accepted")
    assert (seen["permissions"], seen["description"]) == (["read", "write"], "go on")
    assert seen["expires_at"] == 4_000_000_000
    assert (await bob.rest("PUT", f"received/{received}/files/new.txt", data=b"x"))[0] == 201


@pytest.mark.req("ACC-6")
async def test_taking_a_permission_away_takes_effect_at_once(alice, far):
    """The very next write is refused, with the same secret; reading goes on, and an end can be taken away again."""
    share = await alice.share("/Project", f"bob@{far.host}", expires_at=4_000_000_000)
    secret = await alice.secret_of(share["id"])
    assert (await alice.dav("PUT", secret, "a.txt", data=b"a"))[0] == 201
    assert (await change(alice, share, permissions=["read"], expires_at=None))[1]["expires_at"] is None
    assert (await alice.dav("PUT", secret, "a.txt", data=b"b"))[0] == 403
    assert await alice.dav("GET", secret, "a.txt") == (200, b"a")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"permissions": []},
        {"permissions": ["delete"]},
        {"expires_at": "soon"},
        {"expires_at": 1},
        {"recipient": "eve@elsewhere.example.org"},
        {"path": "/other"},
        {"description": 7},
    ],
)
async def test_a_change_that_is_none(alice, far, members):
    """What is no change of a share is refused, and the share stays as it is."""
    share = await alice.share("/Project", f"bob@{far.host}")
    assert (await change(alice, share, **members))[0] == 400
    assert await alice.sent(share["id"]) == share


async def test_nobody_changes_what_is_not_theirs_or_is_over(alice, far):
    """Another's share does not exist for a user; one that has ended cannot be changed."""
    share = await alice.share("/Project", f"bob@{far.host}")
    assert (await alice.rest("PATCH", "shares/other", json={"description": "x"}))[0] == 404
    await alice.rest("DELETE", f"shares/{share['id']}")
    assert (await change(alice, share, description="x"))[0] == 409


@pytest.mark.parametrize(
    ("disguise", "kind", "told"),
    [
        (is_owncloud_10, "RESHARE_CHANGE_PERMISSION", lambda content: content["permission"]),
        (is_ocis, "SHARE_CHANGE_PERMISSION", lambda content: content["protocol"]["webdav"]["permissions"]),
    ],
)
async def test_older_peers_are_told_in_their_words(alice, far, disguise, kind, told):
    """Who has a notice of its own for changes gets that, with the id, type, secret and grantee that it looks for."""
    disguise(far)
    share = await alice.share("/Project", f"bob@{far.host}")
    await change(alice, share, permissions=["read"])
    (received,) = far.at(NOTES)
    content = received.json["notification"]
    assert (received.json["notificationType"], received.json["providerId"]) == (kind, share["id"])
    assert told(content) == ["read"]
    assert content["sharedSecret"] == await alice.secret_of(share["id"])
    assert content["grantee"] == f"bob@{far.host}"


async def test_who_reads_the_storage_is_told_nothing(alice, far):
    """A peer of another kind learns new permissions from the storage; no message waits for it."""
    share = await alice.share("/Project", f"bob@{far.host}")
    _, changed = await change(alice, share, permissions=["read"])
    assert far.at(NOTES) == []
    assert changed["next_attempt_at"] is None


def request(share, secret, recipient, kind="REQUEST_RESHARE"):
    """Return the message by which a recipient's server asks for a share to be shared on."""
    content = {"sharedSecret": secret, "shareWith": recipient, "senderId": "7", "shareType": "user"}
    return {"notificationType": kind, "resourceType": "file", "providerId": share["id"], "notification": content}


@pytest.mark.req("NOTE-4")
async def test_sharing_on_needs_the_permission(alice, far):
    """Without `share` nobody is given anything, however often the recipient asks."""
    share = await alice.share("/Project", f"bob@{far.host}")
    secret = await alice.secret_of(share["id"])
    answer = await far.post(alice.local + NOTES, request(share, secret, "carol@elsewhere.example.org"))
    assert answer.status == 403
    assert len((await alice.rest("GET", "shares"))[1]["shares"]) == 1


@pytest.mark.req("NOTE-4")
async def test_what_was_shared_on_opens_no_more_and_no_longer_than_the_first(alice, far):
    """The new secret opens the folder; it loses what the first share loses, and ends with it."""
    is_owncloud_10(far)
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "write", "share"])
    secret = await alice.secret_of(share["id"])
    message = request(share, secret, "carol@elsewhere.example.org")
    answer = await far.post(alice.local + NOTES, message)
    assert answer.status == 201
    child = answer.json["sharedSecret"]
    assert answer.json["token"] == child != secret
    assert (await far.post(alice.local + NOTES, message)).json == answer.json
    shown = await alice.sent(answer.json["providerId"])
    assert (shown["shared_on_by"], shown["state"]) == (f"bob@{far.host}", "delivered")
    assert (await alice.dav("PUT", child, "c.txt", data=b"c"))[0] == 201

    await change(alice, share, permissions=["read", "share"])
    assert (await alice.dav("PUT", child, "c.txt", data=b"d"))[0] == 403
    assert (await alice.dav("GET", child, "c.txt"))[0] == 200
    await alice.rest("DELETE", f"shares/{share['id']}")
    assert (await alice.dav("GET", child, "c.txt"))[0] == 401
    assert (await alice.sent(answer.json["providerId"]))["state"] == "revoked"


@pytest.mark.req("NOTE-4")
async def test_sharing_on_in_the_same_moment_is_one_share(alice, far):
    """However many requests for one recipient come at once, one share is made, and all get its secret."""
    is_owncloud_10(far)
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    secret = await alice.secret_of(share["id"])

    async def ask(recipient="carol@elsewhere.example.org"):
        answer = await far.post(alice.local + NOTES, request(share, secret, recipient))
        assert answer.status == 201
        return answer.json["providerId"], answer.json["token"]

    asked = await asyncio.gather(*(ask() for _ in range(6)), ask("dora@elsewhere.example.org"))
    assert len(set(asked[:6])) == 1
    assert len((await alice.rest("GET", "shares"))[1]["shares"]) == 3
    await alice.rest("DELETE", f"shares/{asked[0][0]}")
    again = await ask()
    assert again not in asked
    assert (await alice.dav("GET", again[1], "hello.txt"))[0] == 200
    assert (await alice.dav("GET", asked[0][1], "hello.txt"))[0] == 401


@pytest.mark.req("NOTE-4")
async def test_we_tell_the_new_recipient_where_nobody_else_does(alice, bob, far):
    """What is shared on to somebody at another gateway arrives there as any other share of its owner."""
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    secret = await alice.secret_of(share["id"])
    answer = await far.post(alice.local + NOTES, request(share, secret, bob.address))
    assert answer.status == 201
    while not await bob.received():
        await alice.gateway.tasks.sweep()
    (arrived,) = await bob.received()
    assert (arrived["owner"], arrived["permissions"]) == (alice.address, ["read", "share"])


@pytest.mark.parametrize("recipient", ["", "carol", "carol@alpha", "carol@", "@x", "carol@bad host"])
async def test_sharing_on_to_nobody(alice, far, recipient):
    """A new recipient who is none, or lives at the owner's own server, is refused."""
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    recipient = recipient.replace("alpha", alice.config.authority)
    message = request(share, await alice.secret_of(share["id"]), recipient)
    assert (await far.post(alice.local + NOTES, message)).status == 400


@pytest.mark.req("NOTE-2")
async def test_sharing_on_is_for_the_recipient_only(alice, far):
    """Without the share's secret nothing is granted, and an id that does not exist is told so."""
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    assert (await far.post(alice.local + NOTES, request(share, "wrong", "c@elsewhere.example.org"))).status == 403
    assert (await far.post(alice.local + NOTES, request({"id": "x"}, "wrong", "c@e.example.org"))).status == 400


async def test_taking_back_what_was_shared_on(alice, far):
    """`RESHARE_UNDO` ends the share that was shared on, with its own secret, and nothing else."""
    is_owncloud_10(far)
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    secret = await alice.secret_of(share["id"])
    child = (await far.post(alice.local + NOTES, request(share, secret, "c@elsewhere.example.org"))).json
    undo = {"id": child["providerId"]}
    assert (await far.post(alice.local + NOTES, request(undo, "wrong", "", "RESHARE_UNDO"))).status == 201
    assert (await alice.dav("GET", child["token"], "hello.txt"))[0] == 200
    assert (await far.post(alice.local + NOTES, request(share, secret, "", "RESHARE_UNDO"))).status == 201
    assert (await alice.dav("GET", secret, "hello.txt"))[0] == 200
    assert (await far.post(alice.local + NOTES, request(undo, child["token"], "", "RESHARE_UNDO"))).status == 201
    assert (await alice.dav("GET", child["token"], "hello.txt"))[0] == 401


async def received_from(peer, gateway):
    """Let an unsigned peer share something with Bob; return what he received."""
    owner = f"alice@{peer.host}"
    webdav = {"uri": f"{peer.url}/dav/17", "sharedSecret": "s17", "permissions": ["read", "write"]}
    document = {
        "shareWith": gateway.address,
        "name": "x",
        "providerId": "17",
        "owner": owner,
        "sender": owner,
        "shareType": "user",
        "resourceType": "file",
        "protocol": {"name": "multi", "webdav": webdav},
    }
    assert (await peer.post(gateway.local + "/ocm/shares", document)).status == 201
    return (await gateway.received())[0]


def changed_note(kind, **content):
    """Return a notice of changed permissions."""
    return {"notificationType": kind, "resourceType": "file", "providerId": "17", "notification": content}


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("RESHARE_CHANGE_PERMISSION", {"permission": ["read"]}),
        ("SHARE_CHANGE_PERMISSION", {"protocol": {"name": "multi", "webdav": {"permissions": ["read"]}}}),
    ],
)
async def test_a_sender_s_notice_of_a_change(bob, far, kind, content):
    """With the secret the notice counts; without any proof it changes nothing, yet is answered as heard."""
    await received_from(far, bob)
    note = changed_note(kind, **content, grantee=bob.address)
    assert (await far.post(bob.local + NOTES, note)).status == 201
    assert (await bob.received())[0]["permissions"] == ["read", "write"]
    assert (await far.post(bob.local + NOTES, changed_note(kind, **content, sharedSecret="s17"))).status == 201
    assert (await bob.received())[0]["permissions"] == ["read"]


async def test_a_notice_that_says_nothing(bob, far):
    """A change without permissions is no change."""
    await received_from(far, bob)
    note = changed_note("RESHARE_CHANGE_PERMISSION", sharedSecret="s17", permission=["fly"])
    assert (await far.post(bob.local + NOTES, note)).status == 400


@pytest.mark.req("NOTE-2")
async def test_a_listed_provider_is_believed_by_its_grantee(tmp_path, far):
    """A notice without a secret but with its grantee counts from a provider that the operator named, and only then."""
    storage = folder_storage(tmp_path / "b", "bob")
    peers = {"allow_http": True, "allow_cidr": ["127.0.0.0/8"], "allow": [far.host]}
    content = {"protocol": {"webdav": {"permissions": ["read"]}}}
    async with side(tmp_path, "beta", "bob", storage, peers=peers) as bob:
        await received_from(far, bob)
        stranger = changed_note("SHARE_CHANGE_PERMISSION", **content, grantee="eve@elsewhere.example.org")
        assert (await far.post(bob.local + NOTES, stranger)).status == 201
        assert (await bob.received())[0]["permissions"] == ["read", "write"]
        note = changed_note("SHARE_CHANGE_PERMISSION", **content, grantee=bob.address)
        assert (await far.post(bob.local + NOTES, note)).status == 201
        assert (await bob.received())[0]["permissions"] == ["read"]


async def test_a_peer_that_signs_has_to_sign_these_too(alice, far):
    """Once a peer has signed, its request to share on has to be signed, whatever secret it knows."""
    key = cavagewire.new_key()
    key_id = f"{far.url}/ocm#signature"
    far.discovery["publicKey"] = {"keyId": key_id, "publicKeyPem": cavagewire.pem(key)}
    share = await alice.share("/Project", f"bob@{far.host}", permissions=["read", "share"])
    secret = await alice.secret_of(share["id"])
    body = json.dumps(request(share, secret, "carol@elsewhere.example.org")).encode()
    fields = cavagewire.sign(key, key_id, NOTES, alice.config.authority, body)
    assert (await far.post(alice.local + NOTES, body, headers=fields)).status == 201
    assert (await far.post(alice.local + NOTES, body)).status == 401
