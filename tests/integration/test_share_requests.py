"""Somebody elsewhere asks for a share: the owner sees it, and answers with a share or not at all."""

import pytest

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
