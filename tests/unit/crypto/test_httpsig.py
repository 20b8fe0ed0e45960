"""What a signature has to hold, one test per refusal, and what we write ourselves (SIG-1 to SIG-4)."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from http_message_signatures import InvalidSignature, MappingKeyResolver
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crypto import httpsig
from gateway.crypto.httpsig import SignatureError, SignedHead, find_signature, sign, verify
from gateway.crypto.jwk import verifying_key
from gateway.crypto.keys import Algorithm, KeyRing, SigningKey
from gateway.crypto.refusal import Reason
from support.signatures import COMPONENTS, JWK, KEY_ID, NOW, TARGET, Draft, base64url, check, refused

VECTORS = Path(__file__).parents[2] / "vectors"
RFC9421 = json.loads((VECTORS / "rfc9421.json").read_text())
DRAFT_07 = json.loads((VECTORS / "ocm-draft-07-signature.json").read_text())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RING = KeyRing.generate("https://sender.example.org", NOW)


def _ec_jwk(private, algorithm, curve, size):
    numbers = private.public_key().public_numbers()
    members = {"x": base64url(numbers.x.to_bytes(size, "big")), "y": base64url(numbers.y.to_bytes(size, "big"))}
    return {"kty": "EC", "crv": curve, "alg": algorithm, "kid": KEY_ID, **members}


def _rsa_jwk(private, algorithm):
    numbers = private.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "alg": algorithm, "kid": KEY_ID, "n": base64url(modulus), "e": "AQAB"}


def _ec_signer(private, hash_algorithm, size):
    def run(base):
        r, s = decode_dss_signature(private.sign(base, ec.ECDSA(hash_algorithm)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return run


P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
KINDS = {
    "ES256": (_ec_jwk(P256, "ES256", "P-256", 32), _ec_signer(P256, hashes.SHA256(), 32), "ecdsa-p256-sha256"),
    "ES384": (_ec_jwk(P384, "ES384", "P-384", 48), _ec_signer(P384, hashes.SHA384(), 48), "ecdsa-p384-sha384"),
    "RS256": (_rsa_jwk(RSA, "RS256"), lambda b: RSA.sign(b, padding.PKCS1v15(), hashes.SHA256()), "rsa-v1_5-sha256"),
    "RS384": (_rsa_jwk(RSA, "RS384"), lambda b: RSA.sign(b, padding.PKCS1v15(), hashes.SHA384()), "rsa-v1_5-sha384"),
    "RS512": (_rsa_jwk(RSA, "RS512"), lambda b: RSA.sign(b, padding.PKCS1v15(), hashes.SHA512()), "rsa-v1_5-sha512"),
    "PS512": (_rsa_jwk(RSA, "PS512"), lambda b: RSA.sign(b, PSS, hashes.SHA512()), "rsa-pss-sha512"),
    "Ed25519": (JWK, Draft().signer, "ed25519"),
    "EdDSA": ({**JWK, "alg": "EdDSA"}, Draft().signer, "ed25519"),
}


class TestVectors:
    """Examples of others hold."""

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("case", RFC9421["cases"], ids=lambda case: case["section"])
    def test_rfc_9421_examples_verify_with_our_primitives(self, case):
        """The asymmetric examples of RFC 9421, B.2 verify, and fail when one bit of the signature changes."""
        _rfc_verify(case, case["signature"])
        label, _, text = case["signature"].partition("=:")
        changed = ("A" if text[9] != "A" else "B").join((text[:9], text[10:]))

        with pytest.raises(InvalidSignature):
            _rfc_verify(case, f"{label}=:{changed}")

    @pytest.mark.req("SIG-3")
    @pytest.mark.req("SIG-4")
    def test_the_example_of_draft_07_verifies(self):
        """The signed request in appendix B of draft -07 holds at the time it was made."""
        headers = list(DRAFT_07["headers"].items())
        claimed = find_signature(headers)

        head = SignedHead(DRAFT_07["method"], DRAFT_07["target_uri"], headers)
        verify(claimed, head, DRAFT_07["body"].encode(), jwk=DRAFT_07["jwks"]["keys"][0], now=1785060500.0)

        assert claimed.label == "sig1"
        assert not claimed.by_label_only


def _rfc_verify(case, signature):
    message = RFC9421[case["message"]]
    lines = [*message["headers"], ["Signature-Input", case["signature_input"]], ["Signature", signature]]
    view = SimpleNamespace(items=lambda: [tuple(line) for line in lines])
    found = {"headers": view}
    found |= (
        {"status_code": 200} if "status" in message else {"method": message["method"], "url": message["target_uri"]}
    )
    key = verifying_key(RFC9421["keys"][case["key"]])
    verifier = httpsig._ClocklessVerifier(
        signature_algorithm=httpsig._PRIMITIVES[key.algorithm],
        key_resolver=MappingKeyResolver(public_keys={case["key"]: key.public}, private_keys={}),
    )
    verifier.verify(SimpleNamespace(**found), max_age=None)


class TestAccepted:
    """What is let in."""

    @pytest.mark.req("SIG-3")
    @pytest.mark.req("SIG-4")
    def test_a_correct_message(self):
        """A message by the book is accepted."""
        check(Draft())

    @pytest.mark.req("KEYS-1")
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_algorithm_of_the_profile(self, kind):
        """Signatures of every accepted algorithm hold, with the `alg` parameter that agrees and without any."""
        jwk, signer, name = KINDS[kind]

        check(replace(Draft(), signer=signer), jwk=jwk)
        check(replace(Draft(), signer=signer).but(alg=f'"{name}"'), jwk=jwk)

    @pytest.mark.req("KEYS-1")
    @pytest.mark.parametrize("kind", KINDS)
    def test_no_algorithm_accepts_the_signature_of_another_message(self, kind):
        """A signature over something else is wrong under every algorithm."""
        jwk, signer, _ = KINDS[kind]

        with refused(Reason.SIGNATURE_WRONG):
            check(replace(Draft(), signer=lambda base: signer(base + b"!")), jwk=jwk)

    @pytest.mark.req("SIG-3")
    def test_date_is_not_demanded_of_a_tagged_signature(self):
        """With `tag="ocm"` the four components of -07 are enough."""
        check(replace(Draft(), components=COMPONENTS[:4], headers={"date": ""}))

    @pytest.mark.req("SIG-3")
    def test_a_signature_found_by_label(self):
        """A signature labelled `ocm` without any tag is accepted with `date` (-05)."""
        check(Draft().but(tag=None))

    @pytest.mark.req("SIG-3")
    def test_foreign_signatures_are_left_alone(self):
        """Other signatures beside ours, even malformed ones or ones without their value, change nothing."""
        for foreign in ('proxy=("@method");created=1;key=?2', "proxy=5", 'proxy=("@path");strange=1', "Proxy", 'p="'):
            lines = [*Draft().signed(), ("Signature-Input", foreign), ("signature", "proxy=:AAAA:")]
            check(Draft(), lines)

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("seconds", [-60, 0, 300])
    def test_the_edges_of_the_window(self, seconds):
        """A signature is accepted from 60 seconds before to 300 seconds after its creation."""
        check(Draft(), now=float(NOW + seconds))

    def test_expires_up_to_its_second(self):
        """A signature that expires now is still good."""
        check(Draft().but(expires=str(NOW)))

    def test_more_components_than_needed(self):
        """A signature may cover more, such as the content type."""
        draft = replace(Draft(), components=(*COMPONENTS, "content-type"), headers={"content-type": "application/json"})
        check(draft)

    def test_spaces_around_field_values(self):
        """Whitespace around field values, and the case of field names, do not count."""
        lines = [(name.upper(), f" {value}\t") for name, value in Draft().signed()]
        check(Draft(), lines)


class TestRefused:
    """What is kept out, and why."""

    @pytest.mark.req("SIG-3")
    def test_two_tagged_signatures(self):
        """Two signatures with `tag="ocm"` refuse the message."""
        other = replace(Draft(), label="other").signed()[-2:]
        with refused(Reason.AMBIGUOUS):
            find_signature([*Draft().signed(), *other])

    @pytest.mark.req("SIG-3")
    def test_two_signatures_under_one_label(self):
        """Two signatures labelled `ocm` refuse the message."""
        lines = Draft().but(tag=None).signed()
        with refused(Reason.AMBIGUOUS):
            find_signature([*lines, lines[-2]])
        with refused(Reason.AMBIGUOUS):
            find_signature([*lines, lines[-1]])

    @pytest.mark.req("SIG-3")
    def test_date_missing_from_a_signature_found_by_label(self):
        """A signature found by its label has to cover `date` (-05)."""
        with refused(Reason.COMPONENT_MISSING):
            check(replace(Draft(), components=COMPONENTS[:4]).but(tag=None))

    @pytest.mark.req("SIG-3")
    def test_date_missing_where_the_caller_demands_it(self):
        """The caller may demand `date` of a tagged signature too."""
        check(Draft(), require_date=True)
        with refused(Reason.COMPONENT_MISSING):
            check(replace(Draft(), components=COMPONENTS[:4]), require_date=True)

    @pytest.mark.req("SIG-2")
    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("missing", COMPONENTS[:4])
    def test_a_required_component_missing(self, missing):
        """Each of the four components of -07 has to be covered."""
        with refused(Reason.COMPONENT_MISSING):
            check(replace(Draft(), components=tuple(name for name in COMPONENTS if name != missing)))

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("weaker", ['"content-digest";key="sha-256"', '"content-length";bs', '"@method";req'])
    def test_a_required_component_with_a_parameter(self, weaker):
        """A component with a parameter is another component and does not count as covered."""
        name = weaker.split('"')[1]
        names = tuple(weaker if known == name else known for known in COMPONENTS)
        with refused(Reason.COMPONENT_MISSING):
            check(replace(Draft(), components=names))

    @pytest.mark.req("SIG-4")
    def test_created_missing(self):
        """A signature without `created` is refused."""
        with refused(Reason.CREATED_MISSING):
            check(Draft().but(created=None))

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("key_id", [None, '""'])
    def test_keyid_missing(self, key_id):
        """A signature without `keyid`, or with an empty one, is refused."""
        with refused(Reason.KEYID_MISSING):
            find_signature(Draft().but(keyid=key_id).signed())

    @pytest.mark.req("SIG-4")
    def test_created_in_the_future(self):
        """`created` may be at most 60 seconds ahead of our clock."""
        with refused(Reason.CREATED_IN_FUTURE):
            check(Draft(), now=NOW - 60.5)

    @pytest.mark.req("SIG-4")
    def test_created_too_long_ago(self):
        """A signature is good for 300 seconds."""
        with refused(Reason.TOO_OLD):
            check(Draft(), now=NOW + 300.5)

    @pytest.mark.req("SIG-4")
    def test_expired(self):
        """A signature past its own `expires` is refused."""
        with refused(Reason.EXPIRED):
            check(Draft().but(expires=str(NOW)), now=NOW + 0.5)

    @pytest.mark.req("SIG-4")
    def test_body_changed(self):
        """Another body of the same length does not match the digest."""
        draft = Draft()
        with refused(Reason.DIGEST_MISMATCH):
            check(draft, body=draft.body.replace(b"marie", b"mario"))

    @pytest.mark.req("SIG-4")
    def test_one_of_two_digests_wrong(self):
        """Every recognised digest has to match, not only one of them."""
        right = Draft().fields()["content-digest"]
        with refused(Reason.DIGEST_MISMATCH):
            check(replace(Draft(), headers={"content-digest": f"{right}, sha-512=:AAAA:"}))

    @pytest.mark.req("SIG-4")
    def test_digest_split_over_lines(self):
        """Digests in a second field line are checked like those in the first."""
        lines = [*Draft().signed(), ("Content-Digest", "sha-512=:AAAA:")]
        with refused(Reason.DIGEST_MISMATCH):
            check(Draft(), lines)

    @pytest.mark.req("SIG-4")
    def test_digest_absent(self):
        """A message without any digest is refused."""
        with refused(Reason.DIGEST_UNKNOWN):
            check(replace(Draft(), headers={"content-digest": ""}))

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("length", ["41", "43", "042", "+42", "42, 42", "X42", "42\x0b", "", "4" * 5000])
    def test_length_other_than_the_body(self, length):
        """Content-Length has to be the length of the body, in plain digits."""
        assert len(Draft().body) == 42
        with refused(Reason.LENGTH_MISMATCH):
            check(replace(Draft(), headers={"content-length": length}))

    @pytest.mark.req("SIG-4")
    def test_length_given_twice(self):
        """Two Content-Length lines are refused, even if they agree."""
        with refused(Reason.LENGTH_MISMATCH):
            check(Draft(), [*Draft().signed(), ("content-length", "42")])

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("kid", ["other.example.org#key1", None])
    def test_unknown_keyid(self, kid):
        """A key under another `kid`, or without one, is not used."""
        with refused(Reason.KEY_UNKNOWN):
            check(Draft(), jwk={**JWK, "kid": kid})

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("algorithm", [None, "none", "HS256", "RS1", "ES256K"])
    def test_jwk_without_a_usable_algorithm(self, algorithm):
        """A JWK without `alg`, with `none`, a MAC or an algorithm outside the profile is refused."""
        jwk = {name: value for name, value in {**JWK, "alg": algorithm}.items() if value}
        with refused(Reason.KEY_REFUSED):
            check(Draft(), jwk=jwk)

    @pytest.mark.req("SIG-4")
    @pytest.mark.parametrize("name", ["ecdsa-p256-sha256", "EdDSA", "Ed25519", "hmac-sha256", ""])
    def test_alg_parameter_that_disagrees(self, name):
        """An `alg` parameter that is not the RFC's name of the key's algorithm is refused."""
        with refused(Reason.ALGORITHM_MISMATCH):
            check(Draft().but(alg=f'"{name}"'))

    def test_unknown_parameter(self):
        """A parameter that RFC 9421 does not know may change the meaning, so it is refused."""
        with refused(Reason.UNKNOWN_PARAMETER):
            check(Draft().but(scope='"all"'))

    @pytest.mark.parametrize("again", [f';keyid="{KEY_ID}"', ";created=1", ';tag="ocm"', ';tag="other"'])
    def test_parameter_given_twice(self, again):
        """A repeated parameter is refused: readers differ on which one counts."""
        with refused(Reason.DUPLICATE_PARAMETER):
            find_signature(replace(Draft(), tail=again).signed())

    @pytest.mark.req("SIG-6")
    def test_another_target(self):
        """A signature for another address does not hold here."""
        lines = Draft().signed()
        with refused(Reason.SIGNATURE_WRONG):
            check(replace(Draft(), target="https://other.example.org/ocm/shares"), lines)

    def test_another_method(self):
        """A signature for another method does not hold here."""
        with refused(Reason.SIGNATURE_WRONG):
            check(replace(Draft(), method="PUT"), Draft().signed())

    def test_date_changed_on_the_way(self):
        """A covered field that was changed breaks the signature."""
        lines = [(name, "now" if name == "date" else value) for name, value in Draft().signed()]
        with refused(Reason.SIGNATURE_WRONG):
            check(Draft(), lines)

    def test_covered_field_absent(self):
        """A signature that covers a field which is not there cannot be checked."""
        with refused(Reason.COMPONENT_UNUSABLE):
            check(replace(Draft(), components=(*COMPONENTS, "content-type")))

    @pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
    def test_key_of_another_algorithm(self, algorithm):
        """The key decides the algorithm: a signature by another kind of key is wrong, whatever its length."""
        with pytest.raises(SignatureError) as caught:
            check(Draft(), jwk=KINDS[algorithm][0])
        assert caught.value.reason in {Reason.SIGNATURE_WRONG, Reason.COMPONENT_UNUSABLE}


class TestSign:
    """What we write ourselves."""

    @pytest.mark.req("SIG-1")
    @pytest.mark.req("SIG-2")
    def test_the_fields_we_write(self):
        """We write one signature: label and tag `ocm`, five components, `created`, `keyid`, `nonce`, and no `alg`."""
        fields = _our_fields()
        kid = RING.signing_key().kid

        assert fields["Signature-Input"] == (
            'ocm=("@method" "@target-uri" "content-digest" "content-length" "date")'
            f';created={NOW};keyid="{kid}";nonce="n1";tag="ocm"'
        )
        assert fields["Content-Digest"] == "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"
        assert fields["Content-Length"] == "2"
        assert fields["Date"] == "Sun, 26 Jul 2026 10:08:20 GMT"
        assert set(fields) == {"Content-Digest", "Content-Length", "Date", "Signature-Input", "Signature"}

    @pytest.mark.req("SIG-1")
    def test_our_own_check_accepts_it(self):
        """What we sign with the key that we publish passes our own check."""
        lines = list(_our_fields().items())
        claimed = find_signature(lines)

        verify(claimed, SignedHead("POST", TARGET, lines), b"{}", jwk=RING.signing_key().public_jwk(), now=NOW)

        assert claimed.nonce == "n1"
        assert claimed.created == NOW

    def test_without_date_for_an_exempt_peer(self):
        """For a peer behind something that rewrites `Date` the field is neither sent nor covered."""
        fields = _our_fields(date=None)

        assert "Date" not in fields
        assert '"date"' not in fields["Signature-Input"]

    def test_with_an_ecdsa_key(self):
        """The key's own algorithm signs."""
        key = SigningKey(KEY_ID, Algorithm.ES256, P256)
        lines = list(sign("POST", TARGET, b"{}", key=key, created=NOW, nonce="n", date=None).items())

        verify(find_signature(lines), SignedHead("POST", TARGET, lines), b"{}", jwk=KINDS["ES256"][0], now=NOW)


def _our_fields(date="Sun, 26 Jul 2026 10:08:20 GMT"):
    return sign("POST", TARGET, b"{}", key=RING.signing_key(), created=NOW, nonce="n1", date=date)


PARTS = [
    "ocm=(",
    '"@method"',
    '"date"',
    ")",
    ";created=1",
    ';keyid="k"',
    ';tag="ocm"',
    ";alg=a",
    ",",
    '"',
    "\\",
    " ",
    "=",
    "@1",
    "?1",
    ":QQ==:",
    "%",
    "\u00e9",
    "\udcff",
    "sig1=()",
    ";created=99999999999999999",
    "-",
    "1.5",
    "\n",
]


class TestAnyInput:
    """Nothing but a `SignatureError` ever leaves."""

    @given(
        inputs=st.lists(st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join)), max_size=3),
        signatures=st.lists(st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join)), max_size=3),
    )
    def test_finding_never_fails_otherwise(self, inputs, signatures):
        """Whatever stands in the two fields, the answer is a signature, none, or a `SignatureError`."""
        lines = [("signature-input", text) for text in inputs] + [("signature", text) for text in signatures]
        try:
            found = find_signature(lines)
        except SignatureError:
            return
        assert found is None or found.unverified_key_id

    @settings(deadline=None)
    @given(
        components=st.lists(
            st.sampled_from(
                [
                    '"date";sf',
                    '"x";bs',
                    '"@query-param";name="a"',
                    '"@status"',
                    '"";tr',
                    '"@x"',
                    '"X-Y"',
                    '"signature";key="ocm"',
                    '"content-digest";key="sha-256"',
                    '"host"',
                    '"@authority"',
                ]
            ),
            max_size=4,
            unique=True,
        ),
        method=st.sampled_from(["POST", "post", "P\n", ""]),
        target=st.sampled_from([TARGET, "", "x", "https://[::1", "https://h/\u00e9", "https://h/%zz"]),
        extra=st.lists(st.tuples(st.sampled_from(["x", "date", "host", "x-y"]), st.text(max_size=8)), max_size=3),
        jwk=st.dictionaries(st.sampled_from([*JWK, "use", "key_ops"]), st.one_of(st.none(), st.text(), st.integers())),
    )
    def test_checking_never_fails_otherwise(self, components, method, target, extra, jwk):
        """Whatever is covered, sent or published, the only refusal is a `SignatureError`."""
        draft = replace(Draft(), components=(*COMPONENTS, *components))
        lines = [*draft.signed(), *extra]
        for key in (JWK, {**JWK, **jwk}):
            try:
                claimed = find_signature(lines)
                verify(claimed, SignedHead(method, target, lines), draft.body, jwk=key, now=NOW)
            except SignatureError:
                continue
            assert method == "POST"
            assert target == TARGET
