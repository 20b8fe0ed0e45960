"""Which signature a peer gets, and that it is one that peers of its kind take (SIG-9, KEYS-3)."""

import pytest

from gateway.model.peer import Scheme
from gateway.peers.signing import scheme_for
from support import cavagewire
from support.fakepeer import Reply
from support.peerrig import OUR_URL

SHARES = "/ocm/shares"
DOCUMENT = {"name": "a"}


@pytest.fixture
def older_peer(peer):
    """Return a peer that knows only the signatures before RFC 9421."""
    key = cavagewire.new_key()
    peer.discovery |= {
        "jwksUri": "",
        "capabilities": [],
        "publicKey": {"keyId": f"{peer.url}/ocm#signature", "publicKeyPem": cavagewire.pem(key)},
    }
    peer.jwks = {"keys": []}
    return peer


def refusal(rig, peer, received, **changes):
    """Return why a strict server of this kind refuses what we sent, "" if it takes it."""
    ours = rig.ring.cavage_key(rig.clock())
    shown = {"keyId": ours.key_id, "publicKeyPem": ours.public_pem()} | changes
    return cavagewire.check(
        received.headers, received.method, received.target, received.body, own_host=peer.host, shown=shown
    )


@pytest.mark.req("SIG-9")
@pytest.mark.req("KEYS-3")
async def test_older_peer_gets_a_signature_that_it_takes(rig, older_peer):
    """A peer that shows an RSA key and no key set gets the older signature, over its own host with its port."""
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    (received,) = older_peer.at(SHARES)
    assert refusal(rig, older_peer, received) == ""
    assert refusal(rig, older_peer, received, keyId=f"{OUR_URL}/ocm#other") == "key id"
    assert "Signature-Input" not in received.headers
    assert rig.table.records[older_peer.host].scheme is Scheme.CAVAGE


@pytest.mark.req("SIG-9")
async def test_key_set_goes_before_the_older_key(rig, older_peer):
    """A peer that has both kinds of keys gets the newer signature."""
    older_peer.jwks = {"keys": [older_peer.jwk()]}
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    assert older_peer.at(SHARES)[0].signature is not None


@pytest.mark.req("SIG-9")
async def test_peer_that_hides_its_key_is_signed_to_as_before(rig, older_peer):
    """Once signed, always signed: also when the peer shows no key any more, in the way that it took before."""
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    older_peer.discovery["publicKey"] = None
    rig.clock.pass_by(2 * 3600)
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    first, second = older_peer.at(SHARES)
    assert "Signature" in second.headers
    assert first.headers["Signature"].split(",")[:3] == second.headers["Signature"].split(",")[:3]


async def test_peer_that_grows_up_gets_the_newer_signature(rig, older_peer):
    """A peer that publishes a key set one day is signed to by RFC 9421 from then on."""
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    older_peer.jwks = {"keys": [older_peer.jwk()]}
    older_peer.discovery["jwksUri"] = f"{older_peer.url}/jwks"
    rig.clock.pass_by(2 * 3600)
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    assert older_peer.at(SHARES)[1].signature is not None
    assert rig.table.records[older_peer.host].scheme is Scheme.RFC9421


async def test_keys_that_cannot_be_asked_for_do_not_stop_a_known_peer(rig, older_peer):
    """A peer that once took the older signature gets it while its key set cannot be asked for."""
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    rig.clock.pass_by(2 * 3600)
    older_peer.replies["/.well-known/jwks.json"] = Reply(503)
    answer = await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    assert answer.status == 201
    assert "Signature" in older_peer.at(SHARES)[1].headers


@pytest.mark.parametrize("key", ["", "no key", {"keyId": "k"}, None])
async def test_key_that_is_none_means_unsigned(rig, older_peer, key):
    """A peer whose key cannot be used never checks anything, so it gets no signature."""
    older_peer.discovery["publicKey"] = key
    await rig.client.post_json(older_peer.host, "shares", DOCUMENT)
    assert "Signature" not in older_peer.at(SHARES)[0].headers
    assert scheme_for(rig.table.records[older_peer.host]) is None


async def test_rotated_key_is_shown_and_used_at_the_same_moment(rig, older_peer):
    """A new RSA key lies in the file for a day; then it signs, and discovery shows its name from then on."""
    first = rig.ring.cavage_key(rig.clock())
    rig.ring = rig.ring.rotate(rig.clock())
    assert rig.ring.cavage_key(rig.clock()) == first
    rig.clock.pass_by(24 * 3600 + 1)
    second = rig.ring.cavage_key(rig.clock())
    assert second.key_id != first.key_id
    assert rig.ring.advance(rig.clock()).cavage_key(rig.clock()) == second
