"""Whom the lock PEER takes for the sender of a message, and whom it does not (SIG-3 to SIG-7; DESIGN 8)."""

import time
from dataclasses import replace

import pytest

from gateway.errors import Kind
from gateway.model.peer import UnsignedPeer, VerifiedPeer
from support import cavagewire
from support.fakepeer import FakePeer, Reply
from support.gaterig import MAX_BYTES, gate_rig

NOBODY = "nobody.invalid"
WRONG = b"x" * 64


@pytest.fixture
async def rig(store_url):
    """A door with its lock, and a peer that signs."""
    async with gate_rig(store_url) as rig:
        yield rig


@pytest.fixture
def older(rig):
    """The RSA key that the peer shows, as it knows only the signatures before RFC 9421."""
    key = cavagewire.new_key()
    shown = {"keyId": rig.older_key_id, "publicKeyPem": cavagewire.pem(key)}
    rig.peer.discovery |= {"jwksUri": "", "capabilities": [], "publicKey": shown}
    rig.peer.jwks = {"keys": []}
    return key


@pytest.fixture
def silent_signer(rig):
    """The peer publishes no key and promises no signature."""
    rig.peer.discovery |= {"jwksUri": "", "capabilities": []}
    rig.peer.jwks = {"keys": []}
    return rig.peer


def told(error):
    """What a stranger is told of an error."""
    return error.kind, error.code, error.public


async def in_pieces(body, size=100):
    """Send a body without saying how long it is."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_body_of_the_largest_size_is_read_whole(rig):
    """A message may be as large as the limit, in however many pieces it comes."""
    body = bytes(range(250)) * (MAX_BYTES // 250)
    assert (await rig.post(rig.signed(body), body)).status == 201
    headers = rig.signed(body) | {"Content-Length": str(len(body))}
    assert (await rig.post(headers, in_pieces(body))).status == 201


@pytest.mark.parametrize("is_told", [True, False])
async def test_larger_body_is_refused(rig, is_told):
    """One byte more is refused, whether the length is told before or not, and nobody's key is asked for."""
    body = b"x" * (MAX_BYTES + 1)
    error = await rig.refusal(rig.signed(body), body if is_told else in_pieces(body))
    assert told(error) == (Kind.TOO_LARGE, "too-large", "This message exceeds 1000 bytes.")
    assert rig.peer.received == []
    assert rig.counted() == []


@pytest.mark.req("SIG-3")
async def test_valid_signature_proves_its_host(rig):
    """A valid signature proves the claimed host, which is noted: from now on it has to sign."""
    answered = await rig.post(rig.signed())
    assert (answered.status, answered.json) == (201, {"number": 1})
    assert rig.heard == [VerifiedPeer(rig.peer.host, rig.peer.key_id)]
    assert rig.asked_of == [rig.peer.key_id]
    assert rig.ours.table.records[rig.peer.host].has_signed_to_us


@pytest.mark.req("KEYS-3")
async def test_valid_older_signature_proves_its_host(rig, older):
    """So does a signature of the kind before RFC 9421, by the RSA key that the host's document shows."""
    assert (await rig.post(rig.signed_as_before(older))).status == 201
    assert rig.heard == [VerifiedPeer(rig.peer.host, rig.older_key_id)]
    assert rig.ours.table.records[rig.peer.host].has_signed_to_us


FAULTS = {
    "another address": (
        {"signed_url": "http://elsewhere.example/ocm/shares"},
        "signature-wrong",
        "The signature is not right.",
    ),
    "made up": ({"signature": WRONG}, "signature-wrong", "The signature is not right."),
    "another body": ({"signed_body": b"[]"}, "digest-mismatch", "The sha-256 digest is not that of the body."),
    "old": ({"created": -302}, "signature-too-old", "The signature is older than 300 seconds."),
    "of the future": ({"created": 65}, "created-in-future", "The signature was created in the future."),
    "too little": (
        {"components": ("@method", "@target-uri", "content-length")},
        "component-missing",
        "The signature does not cover content-digest.",
    ),
    "unknown key": ({"key_id": "#other"}, "key-unknown", "The key of this signature is not known."),
    "another's key": (
        {"key_id": "https://elsewhere.example/ocm#key1"},
        "key-unknown",
        "The key of this signature is not known.",
    ),
    "no key": ({"key_id": " "}, "key-unknown", "The key of this signature is not known."),
    "another algorithm": (
        {"alg": "rsa-v1_5-sha256"},
        "algorithm-mismatch",
        "The signature's algorithm is not that of the key.",
    ),
}


@pytest.mark.req("SIG-4")
@pytest.mark.parametrize(("fault", "code", "words"), FAULTS.values(), ids=FAULTS.keys())
async def test_signature_that_does_not_hold_is_refused(rig, fault, code, words):
    """Each fault of a signature is told in its own words, and does not count as a signature of the host."""
    if "created" in fault:
        fault = {"created": int(time.time()) + fault["created"]}
    assert told(await rig.refusal(rig.signed(**fault))) == (Kind.UNAUTHENTICATED, code, words)
    record = rig.ours.table.records.get(rig.peer.host)
    assert record is None or not record.has_signed_to_us


OLDER_FAULTS = {
    "made up": ({"signature": b"x" * 256}, "signature-wrong", "The signature is not right."),
    "another body": ({"signed_body": b"[]"}, "digest-mismatch", "The sha-512 digest is not that of the body."),
    "old": (
        {"date": "Sun, 26 Jul 2026 10:08:20 GMT"},
        "signature-too-old",
        "The signature is older than 300 seconds.",
    ),
    "too little": (
        {"order": ("(request-target)", "date", "digest", "host")},
        "component-missing",
        "The signature does not cover content-length.",
    ),
    "another method": ({"method": "put"}, "signature-wrong", "The signature is not right."),
}


@pytest.mark.req("KEYS-3")
@pytest.mark.parametrize(("fault", "code", "words"), OLDER_FAULTS.values(), ids=OLDER_FAULTS.keys())
async def test_older_signature_that_does_not_hold_is_refused(rig, older, fault, code, words):
    """Faults of the older signature are told in the same words."""
    assert told(await rig.refusal(rig.signed_as_before(older, **fault))) == (Kind.UNAUTHENTICATED, code, words)
    assert not rig.ours.table.records[rig.peer.host].has_signed_to_us


@pytest.mark.parametrize(
    ("headers", "code", "words"),
    [
        ({"Signature-Input": "ocm=(", "Signature": "ocm=:eA==:"}, "signature-malformed", "The signature is malformed."),
        ({"Signature": 'keyId="k",algorithm="a"'}, "signature-malformed", "The signature is malformed."),
        ({"Signature": 'keyId=""'}, "keyid-missing", "The signature does not name its key."),
    ],
)
async def test_signature_that_cannot_be_read_is_refused_at_once(rig, headers, code, words):
    """What cannot be read claims nothing: nobody is asked, and nothing is counted."""
    assert told(await rig.refusal(headers)) == (Kind.UNAUTHENTICATED, code, words)
    assert rig.asked_of == []
    assert rig.counted() == []
    assert rig.peer.received == []


@pytest.mark.req("SIG-6")
async def test_signature_is_held_against_our_own_address(rig):
    """What a client names in `Host` does not count: a message to us is signed for the address that we know."""
    url = "http://elsewhere.example/ocm/shares?page=1"
    assert (await rig.post(rig.signed() | {"Host": "elsewhere.example"})).status == 201
    error = await rig.refusal(rig.signed(signed_url=url) | {"Host": "elsewhere.example"})
    assert error.code == "signature-wrong"


@pytest.mark.req("SIG-5")
async def test_every_claimed_host_may_have_signed(rig):
    """A message that may come from several hosts is proven to come from the one whose key fits."""
    async with FakePeer.running() as other:
        rig.claims = (other.host, rig.peer.host)
        assert (await rig.post(rig.signed(key_id="shared-name"))).status == 400
        rig.peer.jwks = {"keys": [rig.peer.jwk(kid="shared-name")]}
        rig.ours.clock.pass_by(61)
        headers = rig.signed(key_id="shared-name", created=int(rig.ours.clock()))
        assert (await rig.post(headers)).status == 201
    assert rig.heard == [VerifiedPeer(rig.peer.host, "shared-name")]
    assert not rig.ours.table.records[other.host].has_signed_to_us


async def test_telling_refusal_goes_before_an_unknown_key(rig):
    """If one claimed host has the key and its signature is wrong, that is told, not that another has no such key."""
    async with FakePeer.running() as other:
        for claims in ((rig.peer.host, other.host), (other.host, rig.peer.host)):
            rig.claims = claims
            assert (await rig.refusal(rig.signed(signature=WRONG))).code == "signature-wrong"


async def test_signature_of_nobody_is_refused(rig):
    """A key id that leads to no host proves nothing."""
    rig.claims = ()
    error = await rig.refusal(rig.signed())
    assert told(error) == (Kind.UNAUTHENTICATED, "key-unknown", "The key of this signature is not known.")
    assert rig.peer.received == []


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("is_signed", [True, False])
async def test_denied_host_is_refused_before_it_is_asked(rig, is_signed):
    """A host that the lists exclude is refused, signed or not, and nothing is fetched from it."""
    headers = rig.signed() if is_signed else {}
    rig.demand(deny=(rig.peer.host,))
    words = f"{rig.peer.host} is not allowed here."
    assert told(await rig.refusal(headers)) == (Kind.FORBIDDEN, "peer-denied", words)
    rig.demand(allow=("friend.example",))
    words = f"{rig.peer.host} is not among the servers allowed here."
    assert told(await rig.refusal(headers)) == (Kind.FORBIDDEN, "peer-not-allowed", words)
    assert rig.peer.received == []


@pytest.mark.parametrize("path", ["/.well-known/ocm", "/jwks"])
async def test_keys_that_cannot_be_had_are_an_outage(rig, path):
    """A signature whose key cannot be fetched now is not refused: the sender is to try again."""
    rig.peer.replies |= {path: Reply(503), "/ocm-provider/": Reply(503)}
    error = await rig.refusal(rig.signed())
    assert error.kind is Kind.UNAVAILABLE
    assert error.retry_after > 0


@pytest.mark.parametrize("is_signed", [True, False])
async def test_slow_host_does_not_hold_us_for_long(rig, is_signed):
    """What is asked for the sake of one message, signed or not, ends after the seconds that it may take."""
    rig.gate = replace(rig.gate, verification_seconds=0.2)
    rig.peer.replies["/.well-known/ocm"] = Reply(is_silent=True)
    started = time.monotonic()
    error = await rig.refusal(rig.signed() if is_signed else {})
    assert told(error) == (Kind.UNAVAILABLE, "unavailable", "The other provider did not answer in time.")
    assert time.monotonic() - started < 3


@pytest.mark.req("SIG-3")
async def test_unsigned_message_of_a_host_without_keys_is_heard(rig, silent_signer):
    """A host that publishes no keys need not sign; it is known as one that only claims to be itself."""
    for _ in range(2):
        assert (await rig.post({})).status == 201
    assert rig.heard == [UnsignedPeer(silent_signer.host)] * 2
    assert rig.asked_of == [None, None]
    assert rig.kept() == {}


async def test_unsigned_message_is_of_the_likeliest_host(rig, silent_signer):
    """Of several hosts that an unsigned message may come from, the first is taken, and the others are not asked."""
    rig.claims = (silent_signer.host, NOBODY)
    assert (await rig.post({})).status == 201
    assert rig.heard == [UnsignedPeer(silent_signer.host)]


@pytest.mark.req("SIG-3")
async def test_host_with_keys_has_to_sign(rig):
    """A host that publishes keys for signatures is not believed without one."""
    words = f"{rig.peer.host} publishes keys for signatures, so its messages have to be signed."
    assert told(await rig.refusal({})) == (Kind.UNAUTHENTICATED, "signature-missing", words)


@pytest.mark.req("SIG-3")
async def test_who_signed_once_has_to_sign_again(rig):
    """A host that signed before has to sign, also when it shows no keys any more."""
    await rig.post(rig.signed())
    rig.peer.discovery |= {"jwksUri": "", "capabilities": []}
    rig.peer.jwks = {"keys": []}
    rig.ours.clock.pass_by(2 * 3600)
    words = f"{rig.peer.host} has signed before, so its messages have to be signed."
    assert told(await rig.refusal({})) == (Kind.UNAUTHENTICATED, "signature-missing", words)


async def test_unsigned_message_of_nobody_is_heard(rig):
    """A message that names no host is let through as nobody's; whether it counts is for the flow to say."""
    rig.claims = ()
    assert (await rig.post({})).status == 201
    assert rig.heard == [UnsignedPeer(None)]


@pytest.mark.req("SIG-3")
@pytest.mark.parametrize("names_host", [True, False])
async def test_unsigned_messages_are_refused_where_all_have_to_sign(rig, silent_signer, names_host):
    """Where the operator demands signatures, no message goes without, and for its sake nobody is asked anything."""
    rig.demand(must_sign=True)
    rig.claims = (silent_signer.host,) if names_host else ()
    words = "Messages have to be signed here."
    assert told(await rig.refusal({})) == (Kind.UNAUTHENTICATED, "signature-missing", words)
    assert silent_signer.received == []


async def test_unsigned_message_waits_while_its_host_is_away(rig):
    """Whether a host has to sign is not known while it cannot be asked, so its message has to wait."""
    rig.peer.replies |= {"/.well-known/ocm": Reply(503), "/ocm-provider/": Reply(503)}
    error = await rig.refusal({})
    assert error.kind is Kind.UNAVAILABLE
    assert error.retry_after > 0


async def test_unsigned_message_of_a_host_without_ocm_is_heard(rig):
    """A host that serves no discovery document publishes no keys either."""
    rig.peer.replies |= {"/.well-known/ocm": Reply(404), "/ocm-provider/": Reply(404)}
    assert (await rig.post({})).status == 201
    assert rig.heard == [UnsignedPeer(rig.peer.host)]
