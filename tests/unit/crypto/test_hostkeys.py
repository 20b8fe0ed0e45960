"""The signed statement of SSH host keys."""

import json

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.crypto import hostkeys
from gateway.crypto.hostkeys import HostKeys
from gateway.crypto.keys import KeyRing
from gateway.errors import GatewayError

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


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "a.b.c",
        "x" * 20_000,
        signed(KeyRing.generate(URL, NOW)),
        signed(typ="at+jwt"),
        signed(authority="other.test"),
        signed(iat=NOW + 3600),
        signed(exp=NOW),
        signed(hostKeys=[]),
        signed(hostKeys="ssh-ed25519 AAAA"),
        signed(address=7),
        signed()[:-4] + "AAAA",
    ],
)
def test_what_is_not_proven_is_refused(statement):
    """A statement of another key, kind, provider or time is refused, and so is one without keys."""
    with pytest.raises(GatewayError):
        hostkeys.verify(statement, RING.jwks(), authority="gateway.test", now=NOW)


def test_a_statement_ends_after_a_day():
    """A statement that somebody kept says nothing any more after a day."""
    statement = hostkeys.issue(STATED, RING.signing_key(), NOW)
    with pytest.raises(GatewayError):
        hostkeys.verify(statement, RING.jwks(), authority="gateway.test", now=NOW + hostkeys.LIFE_SECONDS)
