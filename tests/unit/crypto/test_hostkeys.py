"""The signed statement of SSH host keys."""

import json

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.crypto import hostkeys
from gateway.crypto.hostkeys import HostKeys
from gateway.crypto.keys import KeyRing
from gateway.errors import GatewayError, Kind

NOW = 1_800_000_000
URL = "https://gateway.test"
RING = KeyRing.generate(URL, NOW)
STATED = HostKeys(
    authority="gateway.test", address="gateway.test:2222", keys=tuple(key.public for key in RING.host_keys())
)


def signed(ring=RING, *, typ=hostkeys.TYPE, **changes):
    """Return a statement signed by `ring`, its payload changed."""
    payload = {
        "authority": "gateway.test",
        "address": "gateway.test:2222",
        "hostKeys": list(STATED.keys),
        "iat": NOW,
        "exp": NOW + 10,
    } | changes
    key = ring.signing_key()
    header = {"typ": typ, "alg": "Ed25519", "kid": key.kid}
    return jws.serialize_compact(header, json.dumps(payload), OKPKey.import_key(key.pem()), algorithms=["Ed25519"])


def test_a_statement_is_read_as_it_was_made():
    """Whoever has our JWK set reads the keys that we stated."""
    statement = hostkeys.issue(STATED, RING.signing_key(), NOW)
    assert hostkeys.verify(statement, RING.jwks(), authority="gateway.test", now=NOW) == STATED


def refusal(statement, jwk_set=None, *, now=NOW):
    with pytest.raises(GatewayError) as caught:
        hostkeys.verify(statement, RING.jwks() if jwk_set is None else jwk_set, authority="gateway.test", now=now)
    assert (caught.value.kind, caught.value.code) == (Kind.INVALID, "ssh-host-keys")
    return caught.value.public.removeprefix("The statement of SSH host keys ")


UNVERIFIED = "cannot be verified."
UNKNOWN_KEY = "is signed with an unknown key."
NOT_OURS = "is not about this provider."
NOT_NOW = "is not good now."
INCOMPLETE = "is not complete."


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("", UNVERIFIED),
        ("a.b.c", UNVERIFIED),
        ("x" * hostkeys.STATEMENT_MAX_CHARS, UNVERIFIED),
        ("x" * (hostkeys.STATEMENT_MAX_CHARS + 1), "is too long."),
        (signed(KeyRing.generate(URL, NOW)), UNKNOWN_KEY),
        (signed()[:-4] + "AAAA", UNVERIFIED),
        (signed(typ="at+jwt"), NOT_OURS),
        (signed(authority="other.test"), NOT_OURS),
        (signed(iat=NOW + hostkeys.LEEWAY_SECONDS + 1), NOT_NOW),
        (signed(iat="x"), NOT_NOW),
        (signed(exp=NOW), NOT_NOW),
        (signed(exp="x"), NOT_NOW),
        (signed(hostKeys=[]), "names no key."),
        (signed(hostKeys=["x", 5]), "names no key."),
        (signed(hostKeys=STATED.keys[0]), INCOMPLETE),
        (signed(hostKeys={STATED.keys[0]: 1}), INCOMPLETE),
        (signed(address=7), INCOMPLETE),
    ],
    # Keys are fresh, and names of tests have to be the same in all processes of a run.
    ids=range(17),
)
def test_what_is_not_proven_is_refused(statement, why):
    """A statement of another key, kind, provider or time is refused, and so is one without keys; each is told why."""
    assert refusal(statement) == why


@pytest.mark.parametrize("jwk_set", [{}, {"keys": "x"}, {"keys": None}, {"keys": []}, {"keys": ["x", None, {}]}])
def test_a_provider_without_keys_states_nothing(jwk_set):
    """Where the provider publishes no key that can be used, no statement is its own."""
    assert refusal(signed(), jwk_set) == UNKNOWN_KEY


def test_the_key_is_found_among_others():
    """What else stands in the provider's set, also under the same name, does not hide the key."""
    other = KeyRing.generate(URL, NOW).jwks()["keys"]
    alike = {"kty": "EC", "kid": RING.signing_key().kid}
    assert hostkeys.verify(
        signed(), {"keys": ["x", None, *other, alike, *RING.jwks()["keys"]]}, authority="gateway.test", now=NOW
    )


def test_clocks_may_differ_by_a_minute():
    """A statement from a provider whose clock is a minute ahead holds, up to the last second before its end."""
    ahead = signed(iat=NOW + hostkeys.LEEWAY_SECONDS)
    assert hostkeys.verify(ahead, RING.jwks(), authority="gateway.test", now=NOW)
    assert hostkeys.verify(ahead, RING.jwks(), authority="gateway.test", now=NOW + 9)
    assert refusal(ahead, now=NOW - 1) == NOT_NOW


def test_a_statement_ends_after_a_day():
    """A statement that somebody kept says nothing any more after a day."""
    statement = hostkeys.issue(STATED, RING.signing_key(), NOW)
    with pytest.raises(GatewayError):
        hostkeys.verify(statement, RING.jwks(), authority="gateway.test", now=NOW + hostkeys.LIFE_SECONDS)
