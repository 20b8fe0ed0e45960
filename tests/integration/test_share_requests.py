"""Somebody elsewhere asks for a share: the owner sees it, and answers with a share or not at all."""

import asyncio
from unittest.mock import patch

import pytest

from gateway.errors import unavailable
from gateway.flows.request_share import RequestShare
from support.fakepeer import FakePeer, Reply
from support.pair import folder_storage, side

PATH = "/ocm/request-share"


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice's project behind it."""
    async with side(tmp_path, "alpha", "alice", folder_storage(tmp_path / "a", "alice")) as running:
        yield running


async def requests(owner):
    """Return what a user was asked for."""
    return (await owner.rest("GET", "share-requests"))[1]["share_requests"]


@pytest.mark.req("REQ-1")
async def test_a_request_is_answered_with_a_share(alice, tmp_path):
    """Bob asks, Alice sees it once and chooses what to share; the share reaches Bob and the request is settled."""
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as bob:
        wish = {"owner": alice.address, "share": "https://data.example/project"}
        for _ in range(2):
            assert (await bob.rest("POST", "share-requests", json=wish))[0] == 201
        (seen,) = await requests(alice)
        assert (seen["requester"], seen["share"], seen["state"]) == (bob.address, wish["share"], "open")
        status, share = await alice.rest("POST", f"share-requests/{seen['id']}/grant", json={"path": "/Project"})
        assert (status, share["recipient"]) == (201, bob.address)
        assert [received["name"] for received in await bob.received()] == ["Project"]
        (settled,) = await requests(alice)
        assert (settled["state"], settled["granted_by"]) == ("granted", share["id"])
        assert (await alice.rest("POST", f"share-requests/{seen['id']}/grant", json={"path": "/Project"}))[0] == 404
        assert (await bob.rest("POST", f"share-requests/{seen['id']}/dismiss"))[0] == 404


async def wish_of(alice, peer, thing="thing"):
    """Let a peer's user ask for something; return the request as Alice sees it."""
    wish = {"owner": alice.address, "shareWith": f"marie@{peer.host}", "share": thing}
    url = alice.config.public_url + PATH
    assert (await peer.post_signed(alice.local + PATH, wish, signed_url=url)).status == 201
    return (await requests(alice))[0]


@pytest.mark.req("REQ-1")
async def test_a_request_is_granted_once(alice):
    """Of several grants in the same moment one makes a share, whatever they share, and the others are told so."""
    async with FakePeer.running() as far:
        path = f"share-requests/{(await wish_of(alice, far))['id']}/grant"
        drafts = [{"path": "/Project"}, {"path": "/Project/sub"}] * 4
        answers = await asyncio.gather(*(alice.rest("POST", path, json=draft) for draft in drafts))
        shares = (await alice.rest("GET", "shares"))[1]["shares"]
        (request,) = await requests(alice)
        assert len(far.at("/ocm/shares")) == 1
    (granted,) = [body for status, body in answers if status == 201]
    assert {status for status, _ in answers} <= {201, 404, 409}
    assert [share["id"] for share in shares] == [granted["id"]] == [request["granted_by"]]


async def test_a_grant_that_was_cut_off_is_not_made_twice(alice):
    """If we stop after the share was made and before that was noted, the next grant makes no other."""
    async with FakePeer.running() as far:
        request = await wish_of(alice, far)
        path = f"share-requests/{request['id']}/grant"
        with patch.object(RequestShare, "_granted", side_effect=unavailable("The store is away.")):
            assert (await alice.rest("POST", path, json={"path": "/Project"}))[0] == 503
        assert (await requests(alice))[0]["state"] == "open"
        (share,) = (await alice.rest("GET", "shares"))[1]["shares"]
        status, problem = await alice.rest("POST", path, json={"path": "/Project"})
        assert (status, problem["detail"]) == (409, "This request was granted already.")
        (settled,) = await requests(alice)
        assert (settled["state"], settled["granted_by"]) == ("granted", share["id"])
        assert len(far.at("/ocm/shares")) == 1


async def test_a_grant_that_fails_leaves_the_request_open(alice):
    """What cannot be shared is told, and the same request may be granted with something else."""
    async with FakePeer.running() as far:
        request = await wish_of(alice, far)
        path = f"share-requests/{request['id']}"
        assert (await alice.rest("POST", f"{path}/grant", json={"path": "/Nowhere"}))[0] == 404
        (waiting,) = await requests(alice)
        assert (waiting["state"], waiting["granted_by"]) == ("open", None)
        assert (await alice.rest("POST", f"{path}/grant", json={"path": "/Project"}))[0] == 201
        assert (await alice.rest("POST", f"{path}/dismiss"))[0] == 404


@pytest.mark.req("REQ-1")
async def test_a_request_that_comes_as_a_notification(alice):
    """The later spelling of a request is the same request: signed, for the signer's own users, and kept once."""
    path = "/ocm/notifications"
    async with FakePeer.running() as far:
        wish = {"owner": alice.address, "shareWith": f"marie@{far.host}", "share": "thing"}

        async def tell(**members):
            note = {"notificationType": "REQUEST_SHARE", "resourceType": "file", "notification": wish | members}
            url = alice.config.public_url + path
            return (await far.post_signed(alice.local + path, note, signed_url=url)).status

        unsigned = {"notificationType": "REQUEST_SHARE", "notification": wish}
        assert (await far.post(alice.local + path, unsigned)).status == 401
        assert await tell(shareWith="eve@localhost:1") in (401, 503)
        assert await tell(share=None) == 400
        assert await requests(alice) == []
        seen = await wish_of(alice, far)
        assert await tell() == 201
        assert await requests(alice) == [seen]


@pytest.mark.req("REQ-1")
async def test_who_may_ask_for_what(alice):
    """Only a signed request for a user of the signing server counts, about somebody here; a flood is cut off."""
    async with FakePeer.running() as far:
        wish = {"owner": alice.address, "shareWith": f"marie@{far.host}", "share": "thing"}

        async def ask(**members):
            document = {name: value for name, value in (wish | members).items() if value is not None}
            url = alice.config.public_url + PATH
            return (await far.post_signed(alice.local + PATH, document, signed_url=url)).status

        assert (await far.post(alice.local + PATH, wish)).status == 401
        assert await ask(shareWith="eve@localhost:1") in (401, 503)
        for wrong in ("nobody@" + alice.config.authority, f"alice@{far.host}", "alice", None, 7):
            assert await ask(owner=wrong) == 400, wrong
        for wrong in (None, "", "x" * 3000, ["x"]):
            assert await ask(share=wrong) == 400, wrong
        assert await requests(alice) == []
        assert [await ask(share=f"thing {number}") for number in range(51)] == [201] * 50 + [429]
        first = (await requests(alice))[0]
        assert (await alice.rest("POST", f"share-requests/{first['id']}/dismiss"))[1]["state"] == "dismissed"


async def test_a_server_that_signs_nothing_asks_in_vain(alice):
    """Where nobody can tell who asks, nothing is kept."""
    async with FakePeer.running() as far:
        far.discovery |= {"jwksUri": "", "capabilities": []}
        far.jwks = {"keys": []}
        wish = {"owner": alice.address, "shareWith": f"marie@{far.host}", "share": "thing"}
        assert (await far.post(alice.local + PATH, wish)).status == 401
    assert await requests(alice) == []


async def test_what_we_ask(alice):
    """Our request is signed and names owner, recipient and thing; a server without the end point is told as such."""
    async with FakePeer.running() as far:
        wish = {"owner": f"marie@{far.host}", "share": "thing"}
        assert (await alice.rest("POST", "share-requests", json=wish))[0] == 501
        far.replies[PATH] = Reply(201)
        assert (await alice.rest("POST", "share-requests", json=wish))[0] == 201
        heard = far.at(PATH)[-1]
        assert heard.json == {"owner": wish["owner"], "shareWith": alice.address, "share": "thing"}
        assert heard.signature.refusal == ""
        assert (await alice.rest("POST", "share-requests", json=wish | {"owner": alice.address}))[0] == 400
