"""Access tokens: what they hold, and every way in which one is refused (TOK-2, TOK-4, IP-1)."""

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as jose
from joserfc.jwk import ECKey, OctKey

from gateway.crypto import jwt
from gateway.crypto.jwt import TOKEN_MAX_CHARS, TokenFault, TokenInvalid, issue, verification_keys, verify
from gateway.crypto.keys import Algorithm, KeyRing, Pace, SigningKey
from gateway.model.token import TokenClaims

NOW = 1_785_060_500
ISSUER = "https://sender.example.org"
RING = KeyRing.generate(ISSUER, NOW)
KEYS = verification_keys(RING.token_keys())
CLAIMS = TokenClaims(
    issuer=ISSUER,
    subject="einstein",
    audience="marie@receiver.example.org",
    client_id="7c084226",
    token_id="t1",
    issued_at=NOW,
    expires_at=NOW + 600,
)
PAYLOAD = {
    "iss": ISSUER,
    "sub": "einstein",
    "aud": "marie@receiver.example.org",
    "client_id": "7c084226",
    "jti": "t1",
    "iat": NOW,
    "exp": NOW + 600,
}
HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": RING.token_key().kid}


def _check(token, now=NOW, keys=KEYS, issuer=ISSUER):
    return verify(token, keys, issuer=issuer, now=now)


def _refused(token, fault=TokenFault.INVALID, **options):
    with pytest.raises(TokenInvalid) as caught:
        _check(token, **options)
    assert caught.value.reason is fault
    assert str(caught.value) == f"The access token is {fault.value}."


def _token(header=HEADER, payload=PAYLOAD, key=None):
    key = key or ECKey.import_key(RING.token_key().pem())
    return jose.encode(header, payload, key, algorithms=["ES256", "HS256"], default_type=None)


def _decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.req("IP-1")
def test_what_a_token_holds():
    """A token is an `at+jwt` under ES256 with our key's name and the claims of RFC 9068."""
    header, payload, _ = issue(CLAIMS, RING.token_key()).reveal().split(".")

    assert _decoded(header) == HEADER
    assert _decoded(payload) == PAYLOAD


@pytest.mark.req("IP-1")
def test_round_trip():
    """What we issue is what we accept."""
    assert _check(issue(CLAIMS, RING.token_key()).reveal()) == CLAIMS


@pytest.mark.req("TOK-4")
def test_a_token_is_not_shown():
    """An issued token is a secret."""
    assert repr(issue(CLAIMS, RING.token_key())) == "Secret(***)"


@pytest.mark.req("KEYS-2")
def test_tokens_survive_the_rotation_of_their_key():
    """A token signed with the key that has retired since is still accepted."""
    token = issue(CLAIMS, RING.token_key()).reveal()
    rotated = RING.rotate(NOW).advance(NOW + 10, Pace(publish_seconds=10, retire_seconds=1000))

    assert rotated.token_key().kid != RING.token_key().kid
    assert _check(token, keys=verification_keys(rotated.token_keys())) == CLAIMS


@pytest.mark.parametrize("kind", ["application/at+jwt", "AT+JWT"])
def test_other_spellings_of_the_type(kind):
    """The media type may be written in full and in any case (RFC 7515, 4.1.9)."""
    assert _check(_token({**HEADER, "typ": kind})) == CLAIMS


@pytest.mark.parametrize("header", [{**HEADER, "typ": "JWT"}, {"alg": "ES256", "kid": HEADER["kid"]}])
def test_another_type(header):
    """A JWT of another type, or of none, is no access token."""
    _refused(_token(header))


def test_the_second_of_expiry():
    """A token is good before the second in which it expires, not in it."""
    token = _token()

    assert _check(token, now=NOW + 599.9) == CLAIMS
    _refused(token, TokenFault.EXPIRED, now=NOW + 600)


def test_a_token_from_the_future():
    """The clock of the replica that issued may be five seconds ahead."""
    token = _token()

    assert _check(token, now=NOW - 5) == CLAIMS
    _refused(token, now=NOW - 5.1)


def test_another_issuer():
    """A token of another issuer is not ours, even under our key."""
    _refused(_token(), issuer="https://sender.example.org:8443")


def test_an_expired_token_of_another_issuer_is_invalid():
    """Only our own tokens are told to be expired."""
    _refused(_token(), issuer="https://x.example", now=NOW + 900)


@pytest.mark.parametrize("name", PAYLOAD)
@pytest.mark.parametrize("value", [None, True, 1.5, ["x"], "absent"])
def test_claims_of_another_kind(name, value):
    """Each claim has to be there and of its kind."""
    payload = {**PAYLOAD, name: value}
    if value == "absent":
        del payload[name]
    _refused(_token(payload=payload))


def test_an_unknown_key():
    """A token under a key that we do not have is refused, also if it names none."""
    other = SigningKey("https://sender.example.org/ocm#x", Algorithm.ES256, ec.generate_private_key(ec.SECP256R1()))

    _refused(issue(CLAIMS, other).reveal())
    _refused(_token({"typ": "at+jwt", "alg": "ES256"}))


def test_another_key_under_our_name():
    """A token signed with another key under our key's name is refused."""
    forged = SigningKey(RING.token_key().kid, Algorithm.ES256, ec.generate_private_key(ec.SECP256R1()))

    _refused(issue(CLAIMS, forged).reveal())


def test_other_algorithms():
    """Neither `none` nor a MAC over our public key passes."""
    _, payload, signature = _token().split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({**HEADER, "alg": "none"}).encode()).decode().rstrip("=")

    _refused(f"{unsigned}.{payload}.")
    _refused(f"{unsigned}.{payload}.{signature}")
    _refused(_token({**HEADER, "alg": "HS256"}, key=OctKey.import_key("x" * 64)))


def test_changed_claims():
    """Claims that were changed after signing are refused."""
    header, _, signature = _token().split(".")
    _, changed, _ = issue(replace(CLAIMS, subject="marie"), RING.token_key()).reveal().split(".")

    _refused(f"{header}.{changed}.{signature}")


def test_a_very_long_token():
    """A token longer than any of ours is refused unread."""
    payload = {**PAYLOAD, "sub": "x" * TOKEN_MAX_CHARS}

    _refused(_token(payload=payload))


def test_the_longest_token(monkeypatch):
    """The bound on a token's length is exact."""
    token = _token()
    monkeypatch.setattr(jwt, "TOKEN_MAX_CHARS", len(token))
    assert _check(token) == CLAIMS
    monkeypatch.setattr(jwt, "TOKEN_MAX_CHARS", len(token) - 1)
    _refused(token)


@given(st.one_of(st.text(), st.lists(st.sampled_from([".", *_token().split("."), "e30", "W10", "é"])).map("".join)))
def test_any_text(text):
    """Whatever comes as a token, the only refusal is `TokenInvalid`."""
    try:
        claims = _check(text)
    except TokenInvalid:
        return
    assert claims == CLAIMS
