"""What we announce as criteria is what is enforced, at each door; what is not announced is not demanded (DISC-5)."""

import pytest

from support.fakepeer import FakePeer
from support.pair import folder_storage, side

SECRET = "Sekret0123456789abcd"


def alice_with(folder, **criteria):
    """Return Alice's gateway with criteria."""
    return side(folder, "alpha", "alice", folder_storage(folder / "a", "alice"), criteria=criteria)


@pytest.fixture
async def far():
    """A peer that can sign."""
    async with FakePeer.running() as running:
        yield running


@pytest.fixture
async def mute():
    """A peer that cannot sign."""
    async with FakePeer.running() as running:
        running.discovery |= {"jwksUri": "", "capabilities": ["exchange-token"]}
        running.jwks = {"keys": []}
        yield running


async def criteria_of(alice):
    """Return what a gateway announces, to a reader of each kind."""
    told = set()
    for agent in ("anybody", "Nextcloud Server Crawler", "Go-http-client/2.0"):
        async with alice.session.get(f"{alice.local}/.well-known/ocm", headers={"User-Agent": agent}) as answer:
            told.add(tuple((await answer.json())["criteria"]))
    (criteria,) = told
    return set(criteria)


def offer(alice, peer, protocol):
    """Return a share of a peer's user with Alice."""
    return {
        "shareWith": alice.address,
        "name": "Data",
        "providerId": "17",
        "owner": f"marie@{peer.host}",
        "sender": f"marie@{peer.host}",
        "shareType": "user",
        "resourceType": "file",
        "protocol": protocol,
    }


def webdav(peer, *requirements):
    """Return the draft's form of an offer."""
    entry = {"uri": f"{peer.url}/dav/17", "sharedSecret": SECRET, "permissions": ["read"]}
    return {"name": "multi", "webdav": entry | ({"requirements": list(requirements)} if requirements else {})}


async def send(alice, peer, path, document, *, is_signed):
    """Post a document to one of Alice's doors; return the answer."""
    url = alice.config.public_url + path
    if is_signed:
        return await peer.post_signed(alice.local + path, document, signed_url=url)
    return await peer.post(alice.local + path, document)


OPTIONS = {"name": "webdav", "options": {"sharedSecret": SECRET}}


@pytest.mark.req("DISC-5", "SIG-3")
@pytest.mark.parametrize("is_demanded", [True, False])
async def test_must_use_http_sig(tmp_path, far, mute, is_demanded):
    """Where signatures are demanded an unsigned message is refused at every door, also from who cannot sign."""
    async with alice_with(tmp_path, must_use_http_sig=is_demanded) as alice:
        assert ("must-use-http-sig" in await criteria_of(alice)) is is_demanded
        invite = (await alice.rest("POST", "invites", json={}))[1]["plain"].partition("@")[0]
        mine = await alice.share("/Project", f"marie@{mute.host}")
        secret = mute.at("/ocm/shares")[-1].json["protocol"]
        secret = (secret.get("webdav") or secret.get("options"))["sharedSecret"]
        said = {"recipientProvider": mute.host, "token": invite, "userID": "marie", "email": "m@x", "name": "M"}
        accepted = {
            "notificationType": "SHARE_ACCEPTED",
            "resourceType": "file",
            "providerId": mine["id"],
            "notification": {"sharedSecret": secret},
        }
        grant = {"grant_type": "authorization_code", "client_id": mute.host, "code": secret}
        answers = {
            path: (await send(alice, mute, f"/ocm/{path}", document, is_signed=False)).status
            for path, document in (
                ("shares", offer(alice, mute, OPTIONS)),
                ("notifications", accepted),
                ("invite-accepted", said),
                ("token", grant),
            )
        }
        taken = {"shares": 201, "notifications": 201, "invite-accepted": 200, "token": 200}
        refused = {"shares": 401, "notifications": 401, "invite-accepted": 401, "token": 400}
        assert answers == (refused if is_demanded else taken)
        state = (await alice.sent(mine["id"]))["state"]
        assert state == ("delivered" if is_demanded else "accepted")
        signed = offer(alice, far, webdav(far))
        assert (await send(alice, far, "/ocm/shares", signed, is_signed=True)).status == 201
        assert len(await alice.received()) == (1 if is_demanded else 2)


@pytest.mark.req("DISC-5", "SHARE-6")
@pytest.mark.parametrize("is_demanded", [True, False])
async def test_must_exchange_token(tmp_path, far, is_demanded):
    """Where exchanged tokens are demanded a share that opens without is refused, one that demands them is not."""
    async with alice_with(tmp_path, must_exchange_token=is_demanded) as alice:
        assert ("must-exchange-token" in await criteria_of(alice)) is is_demanded
        for protocol in (OPTIONS, webdav(far), webdav(far, "must-use-mfa")):
            answer = await send(alice, far, "/ocm/shares", offer(alice, far, protocol), is_signed=True)
            assert answer.status == (400 if is_demanded else 201), protocol
            assert ("must-exchange-token" in answer.text) is is_demanded
            if is_demanded:
                assert await alice.received() == []
        strict = offer(alice, far, webdav(far, "must-exchange-token"))
        assert (await send(alice, far, "/ocm/shares", strict, is_signed=True)).status == 201
        assert len(await alice.received()) == 1


@pytest.mark.req("DISC-5", "DISC-8")
async def test_lists(tmp_path, far, mute):
    """Whom the operator allows or denies is announced as that there are such lists, and held to."""
    storage = folder_storage(tmp_path / "a", "alice")
    peers = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"], "allow": [far.host]}
    denied = peers | {"deny": [mute.host]}
    async with side(tmp_path, "alpha", "alice", storage, peers=denied) as alice:
        assert await criteria_of(alice) == {"allowlist", "denylist"}
        unsigned = offer(alice, mute, OPTIONS)
        assert (await send(alice, mute, "/ocm/shares", unsigned, is_signed=False)).status == 403
        assert mute.received == []
        signed = offer(alice, far, webdav(far))
        assert (await send(alice, far, "/ocm/shares", signed, is_signed=True)).status == 201
