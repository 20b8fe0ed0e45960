"""Peers' keys: which are taken and which are left out (KEYS-1, SIG-4, SIG-5)."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.jwk import (
    JWK_MEMBER_MAX_CHARS,
    JWKS_MAX_KEYS,
    RSA_MAX_BITS,
    Algorithm,
    import_jwk_set,
    key_id_host,
    verifying_key,
)
from gateway.crypto.refusal import Reason
from gateway.model.address import Host
from support.signatures import JWK, base64url, refused

HOST = Host("sender.example.org")


def _rsa(bits, algorithm="RS256", kid="r"):
    modulus = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key().public_numbers().n
    return {"kty": "RSA", "alg": algorithm, "kid": kid, "n": base64url(modulus.to_bytes(bits // 8, "big")), "e": "AQAB"}


def _ec(curve, name, algorithm, size):
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    x, y = (base64url(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": name, "alg": algorithm, "kid": "e", "x": x, "y": y}


P256 = _ec(ec.SECP256R1(), "P-256", "ES256", 32)
P384 = _ec(ec.SECP384R1(), "P-384", "ES384", 48)
RSA2048 = _rsa(2048)
RSA1024 = _rsa(1024)


def _set(*keys):
    return json.dumps({"keys": keys})


@pytest.mark.req("KEYS-1")
@pytest.mark.parametrize("jwk", [JWK, P256, P384, RSA2048, {**RSA2048, "alg": "RS384"}, {**RSA2048, "alg": "RS512"}])
def test_accepted_keys(jwk):
    """Ed25519, ES256, ES384 and RSA of 2048 bits are taken, with the algorithm that they name."""
    assert verifying_key(jwk).algorithm == jwk["alg"]
    assert verifying_key({**jwk, "use": "sig", "key_ops": ["verify"]}).algorithm == jwk["alg"]


def test_padded_members():
    """Members may be padded, as some senders write base64url."""
    assert verifying_key({**JWK, "x": JWK["x"] + "="}).public == verifying_key(JWK).public


@pytest.mark.req("KEYS-1")
def test_the_largest_rsa_key():
    """An RSA key has at most 8192 bits."""
    largest = {**RSA2048, "n": base64url((2**RSA_MAX_BITS - 1).to_bytes(RSA_MAX_BITS // 8, "big"))}
    larger = {**RSA2048, "n": base64url((2**RSA_MAX_BITS + 1).to_bytes(RSA_MAX_BITS // 8 + 1, "big"))}

    assert verifying_key(largest).public.key_size == RSA_MAX_BITS
    with refused(Reason.KEY_REFUSED):
        verifying_key(larger)


@pytest.mark.req("KEYS-1")
def test_the_older_name_of_ed25519():
    """`EdDSA` with the curve Ed25519 is the same key."""
    key = verifying_key({**JWK, "alg": "EdDSA"})

    assert key.algorithm is Algorithm.ED25519
    assert isinstance(key.public, Ed25519PublicKey)


@pytest.mark.req("KEYS-1")
@pytest.mark.req("SIG-4")
@pytest.mark.parametrize(
    ("jwk", "sentence"),
    [
        ({**JWK, "alg": None}, "names no algorithm"),
        ({**JWK, "alg": "none"}, "names no algorithm"),
        ({**JWK, "alg": "EdDSA", "crv": "Ed448"}, "names no algorithm"),
        ({"kty": "oct", "alg": "HS256", "k": "c2VjcmV0"}, "names no algorithm"),
        ({**JWK, "alg": "ES256"}, "does not fit"),
        ({**P256, "alg": "ES384"}, "does not fit"),
        ({**P256, "alg": "RS256"}, "does not fit"),
        ({**JWK, "kty": "EC"}, "does not fit"),
        ({**RSA2048, "crv": "P-256"}, "does not fit"),
        (RSA1024, "2048 to 8192 bits"),
        ({**JWK, "use": "enc"}, "not for signatures"),
        ({**JWK, "key_ops": ["sign"]}, "not for signatures"),
        ({**JWK, "key_ops": "verify"}, "not for signatures"),
        ({**JWK, "d": "AAAA"}, "private part"),
        ({**JWK, "x": None}, "missing or too long"),
        ({**JWK, "x": ""}, "missing or too long"),
        ({**JWK, "x": "A" * (JWK_MEMBER_MAX_CHARS + 1)}, "missing or too long"),
        ({**JWK, "x": "A" * JWK_MEMBER_MAX_CHARS}, "malformed"),
        ({**JWK, "x": "AAAA"}, "malformed"),
        ({**JWK, "x": "!" + JWK["x"]}, "malformed"),
        ({**JWK, "x": "A"}, "malformed"),
        ({**JWK, "x": JWK["x"] + "!!!!"}, "malformed"),
        ({**JWK, "x": "====" + JWK["x"]}, "malformed"),
        ({**P256, "y": P256["x"]}, "malformed"),
        ({**RSA2048, "e": "AA"}, "malformed"),
        ({**RSA2048, "n": base64url(bytes([1, *bytes(1024), 1]))}, "2048 to 8192 bits"),
    ],
)
def test_refused_keys(jwk, sentence):
    """Each kind of key that must not verify a signature is refused for its own reason."""
    with refused(Reason.KEY_REFUSED) as caught:
        verifying_key(jwk)
    assert sentence in str(caught.value)


@pytest.mark.req("KEYS-1")
def test_one_bad_key_costs_no_other():
    """A set is read key by key, and only the public members that we need are kept."""
    text = _set({**JWK, "alg": None, "kid": "a"}, 5, {**JWK, "kid": 5}, RSA1024, {**JWK, "x5c": ["x"], "nbf": 1}, P256)
    usable = import_jwk_set(text, HOST)

    assert list(usable) == [JWK["kid"], "e"]
    assert usable[JWK["kid"]] == {**JWK, "use": "sig"}
    assert usable["e"] == {**P256, "use": "sig"}


def test_the_older_name_is_replaced():
    """A key named `EdDSA` is kept under the fully specified name, RSA keys keep modulus and exponent."""
    usable = import_jwk_set(_set({**JWK, "alg": "EdDSA"}, RSA2048), HOST)

    assert usable[JWK["kid"]]["alg"] == "Ed25519"
    assert usable["r"] == {**RSA2048, "use": "sig"}


def test_the_first_of_two_keys_with_one_name():
    """Of two usable keys with one `kid` the first counts."""
    assert import_jwk_set(_set({**P256, "kid": "k"}, {**JWK, "kid": "k"}), HOST)["k"]["kty"] == "EC"


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize(
    "kid", ["https://other.example.org/ocm#k", "other.example.org#k", "sender.example.org:8443#k", ""]
)
def test_a_key_of_another_host(kid):
    """A key whose name puts it on another host, or that has no name, is left out of the set."""
    assert import_jwk_set(_set({**JWK, "kid": kid}), HOST) == {}


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize("kid", ["https://SENDER.example.org:443/ocm#k", "Sender.example.org#k", "key#1", "1"])
def test_a_key_of_this_host(kid):
    """A key named for its own host, or by an opaque name, is taken."""
    assert list(import_jwk_set(_set({**JWK, "kid": kid}), HOST)) == [kid]


@pytest.mark.parametrize("text", ["", "[]", "5", '{"keys": {}}', '{"keys": null}', "{", "[" * 100_000, '{"k":[]}'])
def test_no_set(text):
    """What is no JWK Set holds no usable key."""
    assert import_jwk_set(text, HOST) == {}


def test_many_keys():
    """Only the first keys of an endless set are looked at."""
    names = [str(index) for index in range(JWKS_MAX_KEYS + 1)]

    assert list(import_jwk_set(_set(*({**JWK, "kid": name} for name in names)), HOST)) == names[:-1]


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize(
    ("key_id", "host"),
    [
        ("https://cloud.example.org/ocm#signature", "cloud.example.org"),
        ("http://Cloud.example.org:8080/x", "cloud.example.org:8080"),
        ("https://cloud.example.org:443/ocm#s", "cloud.example.org"),
        ("cloud.example.org#key1", "cloud.example.org"),
        ("cloud:8443#key1", "cloud:8443"),
        ("[2001:db8::1]#key1", "[2001:db8::1]"),
        ("localhost#key1", "localhost"),
        ("key#1", None),
        ("key.1", None),
        ("a.b#", None),
        ("user@a.b#1", None),
        ("a.b/c#1", None),
        ("https://", None),
        ("https://[", None),
        ("https://u@a.b/#k", None),
        ("a..b#1", None),
        ("", None),
    ],
)
def test_the_host_of_a_key_id(key_id, host):
    """A key id in URL or `host#name` form names its host; any other is opaque."""
    assert key_id_host(key_id) == host


@given(st.text())
def test_the_host_of_any_key_id(key_id):
    """No text makes the question fail."""
    key_id_host(key_id)
    key_id_host(f"https://{key_id}")
    key_id_host(f"{key_id}.x#1")


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "alg", "kid", "x", "y", "n", "e", "use"]),
        st.one_of(
            st.none(), st.integers(), st.lists(st.text(max_size=2), max_size=2), st.text(max_size=20),
            st.sampled_from(["RSA", "EC", "OKP", "Ed25519", "P-256", "ES256", "RS256", "EdDSA", "AQAB", JWK["x"]]),
        ),
    )
)  # fmt: skip
def test_any_key(jwk):
    """No entry of a set makes the import fail."""
    import_jwk_set(_set(jwk, JWK), HOST)
