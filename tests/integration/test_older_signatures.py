"""A peer of the kind before RFC 9421 shares with a running gateway: what its signature proves, and what it does not."""

import json
import time
from email.utils import formatdate

import pytest

from support import cavagewire
from support.fakepeer import FakePeer
from support.pair import folder_storage, side

PATH = "/ocm/shares"
NOTES = "/ocm/notifications"


class OlderPeer:
    """A strict fake peer with an RSA key, whose messages may go wrong in one way each."""

    def __init__(self, fake, gateway):
        self.fake = fake
        self.gateway = gateway
        self.key = cavagewire.new_key()
        self.key_id = f"{fake.url}/ocm#signature"
        fake.discovery |= {"jwksUri": "", "capabilities": []}
        fake.jwks = {"keys": []}
        self.show()

    def show(self, **changes):
        """Show the key in discovery."""
        shown = {"keyId": self.key_id, "publicKeyPem": cavagewire.pem(self.key)}
        self.fake.discovery["publicKey"] = shown | changes

    def share(self, provider_id="3", **changes):
        """Return a share as these peers write it."""
        alice = f"alice@{self.fake.host}"
        protocol = {"name": "webdav", "options": {"sharedSecret": f"secret{provider_id}", "permissions": "{x}y"}}
        return {
            "shareWith": f"bob@{self.gateway.config.public_url}",
            "shareType": "user",
            "name": "nc.txt",
            "resourceType": "file",
            "description": "",
            "providerId": int(provider_id),
            "owner": alice,
            "ownerDisplayName": "alice",
            "sharedBy": alice,
            "sharedByDisplayName": "alice",
            "protocol": protocol,
        } | changes

    async def post(self, document, path=PATH, *, is_signed=True, fields=None, **faults):
        """Post a document; return the answer."""
        body = json.dumps(document).encode()
        host = self.gateway.config.authority
        made = cavagewire.sign(self.key, faults.pop("key_id", self.key_id), path, host, body, **faults)
        fields = fields or (made if is_signed else {})
        return await self.fake.post(self.gateway.local + path, body, headers=fields)


@pytest.fixture
async def gateway(tmp_path):
    """A gateway with Bob on it."""
    async with side(tmp_path, "here", "bob", folder_storage(tmp_path, "bob")) as running:
        yield running


@pytest.fixture
async def older(gateway):
    """A peer of the older kind."""
    async with FakePeer.running() as fake:
        yield OlderPeer(fake, gateway)


@pytest.mark.req("KEYS-3")
@pytest.mark.req("SIG-3")
async def test_signed_share_is_taken_and_nothing_unsigned_afterwards(gateway, older):
    """A signed share arrives as signed; from then on an unsigned one of that peer is refused."""
    answer = await older.post(older.share())
    assert (answer.status, answer.json) == (201, {"recipientDisplayName": "Bob"})
    (received,) = await gateway.received()
    assert (received["name"], received["is_signed"]) == ("nc.txt", True)

    refused = await older.post(older.share("4"), is_signed=False)
    assert (refused.status, "signed before" in refused.json["message"]) == (401, True)
    assert len(await gateway.received()) == 1


async def test_key_alone_does_not_demand_a_signature(gateway, older):
    """A peer that shows an RSA key but has never signed may go unsigned."""
    assert (await older.post(older.share(), is_signed=False)).status == 201
    assert (await gateway.received())[0]["is_signed"] is False


@pytest.mark.req("SIG-4")
@pytest.mark.parametrize(
    "faults",
    [
        {"date": formatdate(time.time() - 400, usegmt=True)},
        {"order": ("(request-target)", "content-length", "date", "digest")},
        {"signed_body": b"{}"},
        {"algorithm": "hs2019"},
        {"signature": b"\0" * 256},
        {"extra": ",created=1"},
        {"key_id": "http://elsewhere.example.org/ocm#signature"},
        {"method": "put"},
    ],
)
async def test_signature_that_does_not_hold(gateway, older, faults):
    """Whatever is wrong with the signature: 401, and nothing is kept; the peer is not taken for one that signs."""
    assert (await older.post(older.share(), **faults)).status == 401
    assert await gateway.received() == []
    assert (await older.post(older.share(), is_signed=False)).status == 201


@pytest.mark.req("SIG-5")
async def test_key_under_another_name(gateway, older):
    """A key id that the peer's document does not show proves nothing."""
    assert (await older.post(older.share(), key_id=f"{older.fake.url}/ocm#other")).status == 401


async def test_key_without_a_usable_name(gateway, older):
    """A document that shows its key under another name than the messages use proves nothing either."""
    older.show(keyId="key")
    assert (await older.post(older.share())).status == 401
    assert await gateway.received() == []


@pytest.mark.req("SIG-7")
async def test_signer_shares_for_itself_only(gateway, older):
    """A peer cannot share for an owner at another server."""
    async with FakePeer.running() as victim:
        alice = f"alice@{victim.host}"
        answer = await older.post(older.share(owner=alice, sharedBy=alice))
    assert answer.status == 401
    assert await gateway.received() == []


@pytest.mark.req("KEYS-2")
async def test_exchanged_key_is_found(gateway, older):
    """A peer that was set up anew shows another key under the old name; its document is read again once."""
    assert (await older.post(older.share())).status == 201
    gateway.clock.ahead = 120
    older.key = cavagewire.new_key()
    older.show()
    date = formatdate(gateway.clock(), usegmt=True)
    assert (await older.post(older.share("4"), date=date)).status == 201
    assert len(await gateway.received()) == 2


@pytest.mark.req("SIG-8")
async def test_repeated_message_has_one_effect(gateway, older):
    """The very same message, sent again, is answered alike and changes nothing, also after the share was declined."""
    body = json.dumps(older.share()).encode()
    fields = cavagewire.sign(older.key, older.key_id, PATH, gateway.config.authority, body)
    assert (await older.post(older.share(), fields=fields)).status == 201
    share_id = (await gateway.received())[0]["id"]
    assert (await gateway.rest("POST", f"received/{share_id}/decline"))[0] == 200
    assert (await older.post(older.share(), fields=fields)).status == 201
    assert [share["state"] for share in await gateway.received()] == ["declined"]


async def test_signed_end_of_a_share(gateway, older):
    """A signed notification ends the share, for its signer's own share only."""
    await older.post(older.share())
    note = {
        "notificationType": "SHARE_UNSHARED",
        "resourceType": "file",
        "providerId": "3",
        "notification": {"sharedSecret": "secret3", "message": "file is no longer shared with you"},
    }
    assert (await older.post(note, NOTES)).status == 201
    assert (await gateway.received())[0]["state"] == "unshared"


@pytest.mark.req("KEYS-3")
@pytest.mark.parametrize("path", ["/.well-known/ocm", "/ocm-provider/"])
async def test_our_own_key_is_shown(gateway, path):
    """Discovery shows our RSA key as the object that older peers demand, its id a URL on our own host."""
    async with gateway.session.get(gateway.local + path) as answer:
        shown = (await answer.json())["publicKey"]
    assert set(shown) == {"keyId", "publicKeyPem"}
    assert shown["keyId"].startswith(f"{gateway.config.public_url}/ocm#")
    assert shown["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----\n")
