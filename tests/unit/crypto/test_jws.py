"""Signed documents of others: one good signature of a trusted key is enough, and nothing else is."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.crypto.jws import (
    JWS_MAX_BYTES,
    SIGNATURES_MAX,
    load_keys,
    load_private_key,
    new_private_key,
    public_pem,
    sign,
    verified_payload,
)
from gateway.errors import GatewayError, Kind

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


NOT_TRUSTED = "bears no signature of a key that is trusted for it"


def why_refused(document, keys):
    """Return the reason for which a document is refused."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(GatewayError) as refused:
        verified_payload(body, keys)
    assert (refused.value.kind, refused.value.code) == (Kind.INVALID, "jws-refused")
    return refused.value.public.removeprefix("The signed document ").removesuffix(".")


def is_refused(document, keys):
    """Tell whether a document is refused for want of a good signature."""
    return why_refused(document, keys) == NOT_TRUSTED


def encoded(octets):
    """Return octets in base64url without padding, as a JWS has them."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def signed_by_hand(signer, protected, payload):
    """Return a compact JWS of two texts as they are, which no library would sign for us."""
    parts = decode_dss_signature(signer.private.sign(f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
    return f"{protected}.{payload}.{encoded(b''.join(part.to_bytes(32) for part in parts))}"


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
    {"protected": "W10", "signature": "AAAA"},
    {"protected": "e", "signature": "AAAA"},
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
        "..",
    ):
        assert is_refused(text.encode(), trusted), text
    assert is_refused({"payload": payload}, trusted)
    assert is_refused(b"\xff\xff.\xff.\xff", trusted)


NO_JWS = ["", "a.b", "a.b.c.d", "[]", BODY, '{"payload": 1, "signatures": []}', '{"payload": "e30", "signatures": 1}']


@pytest.mark.parametrize(
    ("text", "why"),
    [*((text, "is no JWS") for text in NO_JWS), ("{", "is malformed"), ('{"a":' * 100_000, "is malformed")],
    ids=range(len(NO_JWS) + 2),
)
def test_what_is_no_signed_document(trusted, text, why):
    """What has none of the three forms is told apart from what is signed by others."""
    assert why_refused(text.encode(), trusted) == why


@pytest.mark.req("DIR-1")
@pytest.mark.parametrize("payload", ["e30!", "e30 ", "e3\u00fc0", "e"])
def test_content_that_is_not_base64(trusted, signer, payload):
    """Content that is written otherwise than RFC 7515 has it is not guessed at, even if a trusted key signed it."""
    text = signed_by_hand(signer, encoded(b'{"alg":"ES256"}'), payload)
    protected, _, signature = text.split(".")
    document = {"payload": payload, "protected": protected, "signature": signature}
    assert is_refused(document, trusted)
    assert is_refused(text.encode(), trusted)


def test_the_url_safe_alphabet(trusted, signer):
    """Content whose base64 holds `-` and `_` is read."""
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256"}, body='"???>>>~~~"')
    assert {"-", "_"} <= set(text.split(".")[1])
    assert verified_payload(text.encode(), trusted) == b'"???>>>~~~"'


@pytest.mark.req("DIR-1")
@pytest.mark.parametrize("critical", [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"crit": ["alg"]}])
def test_extensions_that_must_be_understood(trusted, signer, critical):
    """A header that demands an extension is refused, whichever it is (RFC 7515, 4.1.11)."""
    protected = encoded(json.dumps({"alg": "ES256", **critical}).encode())
    assert is_refused(signed_by_hand(signer, protected, encoded(BODY.encode())).encode(), trusted)


def test_headers_that_demand_nothing(trusted, signer):
    """A header that is not known here is ignored (RFC 7515, 4)."""
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256", "x-note": "hello", "typ": "JOSE"})
    assert opened(text.encode(), trusted) == PAYLOAD


@pytest.mark.parametrize(("chars", "is_taken"), [(8192, True), (8194, False)])
def test_the_longest_header(trusted, signer, chars, is_taken):
    """A protected header of up to 8192 characters is read."""
    octets = chars * 3 // 4
    protected = encoded(b'{"alg":"ES256"}'.ljust(octets))
    assert len(protected) == chars
    document = signed_by_hand(signer, protected, encoded(BODY.encode())).encode()
    assert opened(document, trusted) == PAYLOAD if is_taken else is_refused(document, trusted)


@pytest.mark.req("DIR-1")
def test_the_largest_document(trusted, signer):
    """A document of 4 MiB is read, content and all; a larger one is not looked at."""
    protected = encoded(b'{"alg":"ES256"}')
    body = json.dumps(PAYLOAD | {"note": "x" * (3_000_000)}).encode()
    document = signed_by_hand(signer, protected, encoded(body)).encode().ljust(JWS_MAX_BYTES)
    assert verified_payload(document, trusted) == body
    assert why_refused(document + b" ", trusted) == "is too large"


def test_the_most_signatures(trusted, signer):
    """Sixteen signatures are looked at; a document with one more is refused as a whole."""
    text = compact(ECKey.import_key(signer.pem()), {"alg": "ES256"})
    others = [OTHERS[0]] * (SIGNATURES_MAX - 1)
    assert opened(json.dumps(general(text, *others)).encode(), trusted) == PAYLOAD
    assert why_refused(general(text, OTHERS[0], *others), trusted) == "bears too many signatures"


def test_a_named_key_and_a_header_without_a_name(tmp_path, signer):
    """A key that has a name checks signatures that name it, and those that name none."""
    path = tmp_path / "keys"
    path.write_text(json.dumps(signer.public_jwk()))
    key = ECKey.import_key(signer.pem())
    for header in ({"alg": "ES256"}, {"alg": "ES256", "kid": signer.kid}):
        assert opened(compact(key, header).encode(), load_keys(path)) == PAYLOAD
    assert is_refused(compact(key, {"alg": "ES256", "kid": "another"}).encode(), load_keys(path))


def large_rsa_key():
    """Return an RSA key of 7640 bits, of two primes that everybody knows: to find or to prove new ones takes long."""
    p, q, e = 2**4423 - 1, 2**3217 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def test_a_long_signature(tmp_path):
    """An RSA key that is taken for its length makes signatures that are taken too."""
    private = large_rsa_key()
    path = tmp_path / "keys"
    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    signed = encoded(b'{"alg":"RS256"}') + "." + encoded(BODY.encode())
    made = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert opened(f"{signed}.{encoded(made)}".encode(), load_keys(path)) == PAYLOAD


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


def refused_file(load, path):
    """Return what is said, and what is logged, of a file that cannot be used."""
    with pytest.raises(GatewayError) as refused:
        load(path)
    assert refused.value.kind is Kind.CONFIGURATION
    return refused.value.public, refused.value.log


@pytest.mark.parametrize(
    ("content", "log"),
    [
        ("{}", "The key names no algorithm that we accept."),
        ("[]", "not a JWK"),
        ('{"keys": 1}', "not a JWK"),
        ('{"keys": [1]}', "not a JWK"),
        ('{"kty": "oct", "k": "AAAA"}', "The key names no algorithm that we accept."),
        (
            x25519.X25519PrivateKey.generate()
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "a key of another type",
        ),
    ],
    ids=["empty", "list", "number", "numbers", "password", "X25519"],
)
def test_files_of_other_keys(tmp_path, content, log):
    """A file that holds no public key that we use is a fault of the configuration, and the log says why."""
    path = tmp_path / "keys"
    path.write_text(content)
    assert refused_file(load_keys, path) == (f"{path} cannot be used as the keys of a directory.", log)


@pytest.mark.parametrize("content", [b"", b"\xff", b"-----BEGIN X"])
def test_files_that_cannot_be_read(tmp_path, content):
    """A file of something else, or none at all, is a fault of the configuration too."""
    path = tmp_path / "keys"
    path.write_bytes(content)
    for there in (path, tmp_path / "missing"):
        assert refused_file(load_keys, there)[0] == f"{there} cannot be used as the keys of a directory."
        assert refused_file(load_private_key, there)[0] == f"{there} holds no private key that can be used."


def test_an_empty_key_set(tmp_path):
    """A set without keys is not taken for one that trusts nobody."""
    path = tmp_path / "keys"
    path.write_text('{"keys": []}')
    assert refused_file(load_keys, path)[0] == f"{path} holds no key."


def test_a_private_key_survives_its_file(tmp_path, signer):
    """The key that was written is the one that is read, under the name that RFC 7638 gives it."""
    path = tmp_path / "key"
    path.write_bytes(signer.pem())
    read = load_private_key(path)
    assert (read.kid, read.algorithm, public_pem(read)) == (signer.kid, signer.algorithm, public_pem(signer))
    assert read.kid == ECKey.import_key(public_pem(signer)).thumbprint()
    assert opened(sign(PAYLOAD, [read]).encode(), load_keys_of(tmp_path, signer)) == PAYLOAD


@pytest.mark.parametrize(
    "private", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()], ids=["P-384", "Ed25519"]
)
def test_a_private_key_of_another_kind(tmp_path, private):
    """Directories are signed with a key of P-256 and nothing else."""
    path = tmp_path / "key"
    path.write_bytes(_pem(private))
    assert refused_file(load_private_key, path)[0] == f"The key in {path} is not of the curve P-256."


def load_keys_of(folder, signer):
    """Load the public half of a key."""
    (folder / "public").write_text(public_pem(signer))
    return load_keys(folder / "public")


def test_a_signed_document_is_for_people_too(signer):
    """A document that we sign has a member a line."""
    document = sign({"federation": "B\u00fcro"}, [signer])
    assert document == json.dumps(json.loads(document), indent=1)
    assert document.startswith('{\n "federation": ')
