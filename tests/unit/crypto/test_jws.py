"""Signed documents of others: one good signature of a trusted key is enough, and nothing else is."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.crypto.jws import load_keys, load_private_key, new_private_key, public_pem, sign, verified_payload
from gateway.errors import GatewayError

PAYLOAD = {"federation": "Example", "servers": []}
BODY = json.dumps(PAYLOAD)


@pytest.fixture
def signer():
    """A key to sign with."""
    return new_private_key()


@pytest.fixture
def trusted(signer, tmp_path):
    """The public half of it, as an operator configures it."""
    path = tmp_path / "key.pem"
    path.write_text(public_pem(signer))
    return load_keys(path)


def opened(document, keys):
    """Check a document and return the object in it."""
    return json.loads(verified_payload(document, keys))


def compact(key, header, body=BODY, **options):
    """A compact JWS made by the library."""
    registry = jws.JWSRegistry(strict_check_header=False, algorithms=[header["alg"]])
    return jws.serialize_compact(header, body, key, registry=registry, **options)


def general(text, *others):
    """The signature of a compact JWS with further signatures beside it."""
    protected, payload, signature = text.split(".")
    return {"payload": payload, "signatures": [*others, {"protected": protected, "signature": signature}]}


def is_refused(document, keys):
    """Tell whether a document is refused."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(GatewayError) as refused:
        opened(body, keys)
    return refused.value.kind == "invalid"


@pytest.mark.req("DIR-1")
def test_all_three_serializations(signer, trusted):
    """Compact, flattened and general say the same."""
    key = ECKey.import_key(signer.pem())
    text = compact(key, {"alg": "ES256"})
    protected, payload, signature = text.split(".")
    flat = {"payload": payload, "protected": protected, "signature": signature}
    for document in (text, f" {text}\n", json.dumps(flat), json.dumps(general(text))):
        assert opened(document.encode(), trusted) == PAYLOAD


@pytest.mark.parametrize("count", [1, 2])
def test_what_we_sign(trusted, signer, count):
    """Our own documents verify, with one signer or several, and plain readers find the list beside the signature."""
    document = sign(PAYLOAD, [signer, *(new_private_key() for _ in range(count - 1))])
    assert opened(document.encode(), trusted) == PAYLOAD
    assert PAYLOAD.items() <= json.loads(document).items()
    assert ("signatures" in json.loads(document)) == (count > 1)


def test_the_members_beside_the_signature_count_for_nothing(trusted, signer):
    """Who changes the plain members of a signed document changes nothing for those who check it."""
    document = json.loads(sign(PAYLOAD, [signer])) | {"servers": [{"url": "https://evil.example"}]}
    assert opened(json.dumps(document).encode(), trusted) == PAYLOAD


OTHERS = [
    {"protected": "e30", "signature": "AAAA"},
    {"protected": 7, "signature": None},
    {"signature": "AAAA"},
    {"protected": "!!!", "signature": "!!!"},
    {"protected": base64.urlsafe_b64encode(b'{"alg":"ES512","kid":"x"}').decode().rstrip("="), "signature": "AAAA"},
    "not an object",
    {},
]


@pytest.mark.req("DIR-1")
@pytest.mark.parametrize("other", OTHERS)
def test_a_foreign_signature_takes_nothing_away(trusted, signer, other):
    """A signature of somebody else, however broken, leaves the good one good; alone it opens nothing."""
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256"})
    assert opened(json.dumps(general(text, other)).encode(), trusted) == PAYLOAD
    assert is_refused({"payload": text.split(".")[1], "signatures": [other]}, trusted)


@pytest.mark.req("DIR-1")
def test_what_is_not_signed_by_a_trusted_key(trusted, signer):
    """Other keys, other payloads, no signature, `none` and the public key as a password are all refused."""
    key = ECKey.import_key(signer.pem())
    protected, payload, signature = compact(key, {"alg": "ES256"}).split(".")
    evil = base64.urlsafe_b64encode(b'{"federation":"Evil","servers":[]}').decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    hmac = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
    stranger = compact(ECKey.import_key(new_private_key().pem()), {"alg": "ES256"})
    for text in (
        stranger,
        f"{protected}.{evil}.{signature}",
        f"{protected}.{payload}.",
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{hmac}.{payload}.{signature}",
        f"{protected}.{payload}",
        f"{protected}.{payload}.{signature}.x",
        "",
        "..",
        BODY,
    ):
        assert is_refused(text.encode(), trusted), text
    for document in ([], {"payload": payload}, {"payload": 1, "signatures": []}, {"payload": payload, "signatures": 1}):
        assert is_refused(document, trusted), document
    assert is_refused(b"\xff\xff.\xff.\xff", trusted)


@pytest.mark.parametrize(
    "header", [{"alg": "ES256", "crit": ["exp"], "exp": 1}, {"alg": "ES256", "crit": ["b64"], "b64": False}]
)
def test_extensions_that_must_be_understood(trusted, signer, header):
    """A header that demands an extension is refused (RFC 7515, 4.1.11); unknown ones that demand nothing are not."""
    protected = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    payload = base64.urlsafe_b64encode(BODY.encode()).decode().rstrip("=")
    parts = decode_dss_signature(signer.private.sign(f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
    made = b"".join(part.to_bytes(32) for part in parts)
    assert is_refused(f"{protected}.{payload}.{base64.urlsafe_b64encode(made).decode()}".encode(), trusted)
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256", "x-note": "hello", "typ": "JOSE"})
    assert opened(text.encode(), trusted) == PAYLOAD


def test_a_flood_of_signatures(trusted, signer):
    """Neither many signatures nor a huge document is worked through."""
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256"})
    assert is_refused(general(text, *([OTHERS[0]] * 20)), trusted)
    assert is_refused(b"x" * (4 * 1024 * 1024 + 1), trusted)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_keys_in_every_form(tmp_path):
    """PEM, several in one file, JWK and JWK sets are read, for each algorithm in use; a kid then has to fit."""
    pairs = [
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519", OKPKey),
        (ec.generate_private_key(ec.SECP384R1()), "ES384", ECKey),
        (rsa.generate_private_key(65537, 2048), "RS256", RSAKey),
    ]
    path, pems, jwks = tmp_path / "keys", [], []
    for private, _, kind in pairs:
        pems.append(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
        jwks.append(kind.import_key(pems[-1]).as_dict(private=False) | {"kid": "mine"})
    for content in ("\n".join(pems), json.dumps({"keys": jwks})):
        path.write_text(content)
        keys = load_keys(path)
        for private, algorithm, kind in pairs:
            text = compact(kind.import_key(_pem(private)), {"alg": algorithm, "kid": "mine"})
            assert opened(text.encode(), keys) == PAYLOAD
    other = compact(OKPKey.import_key(_pem(pairs[0][0])), {"alg": "EdDSA", "kid": "yours"})
    assert is_refused(other.encode(), keys)
    assert opened(other.encode(), load_keys_without_kid(path, jwks[0])) == PAYLOAD


def load_keys_without_kid(path, jwk):
    """Load a JWK that has no name: then any name in the header is fine."""
    path.write_text(json.dumps({name: value for name, value in jwk.items() if name != "kid"}))
    return load_keys(path)


def _pem(private):
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


NO_KEYS = ["", "{}", "[]", '{"keys": []}', '{"keys": 1}', '{"kty": "oct", "k": "AAAA"}', "-----BEGIN X"]


@pytest.mark.parametrize("content", NO_KEYS)
def test_files_without_a_usable_key(tmp_path, content):
    """A file that holds no public key that we use is a fault of the configuration."""
    path = tmp_path / "keys"
    path.write_text(content)
    for load in (load_keys, load_private_key):
        with pytest.raises(GatewayError) as refused:
            load(path)
        assert refused.value.kind == "configuration"
