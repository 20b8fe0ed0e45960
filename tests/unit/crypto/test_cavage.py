"""Signatures of the draft before RFC 9421, held against recorded ones and against what may be wrong with one."""

import base64
import json
import time
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import cavage
from gateway.crypto.refusal import Reason, SignatureError
from support import cavagewire
from support.signatures import refused

RECORDED = json.loads((Path(__file__).parents[2] / "vectors/cavage.json").read_text("utf-8"))
KEY = cavagewire.new_key()
PEM = cavagewire.pem(KEY)
KEY_ID = "https://sender.example.org/ocm#signature"
HOST = "gateway.example.org:8443"
TARGET = "/ocm/shares?x=%2F"
BODY = b'{"name":"a"}'
NOW = 1_785_060_500.0
DATE = formatdate(NOW, usegmt=True)


def message(body=BODY, **faults):
    """Return the header fields of a message; `faults` as `cavagewire.sign` takes them."""
    fields = cavagewire.sign(KEY, KEY_ID, TARGET, HOST, body, **({"date": DATE} | faults))
    return [*fields.items(), ("Content-Length", str(len(body)))]


def verify(fields, *, body=BODY, method="POST", target=TARGET, host=HOST, pem=PEM, now=NOW):
    """Find and check the signature as the gateway does."""
    claimed = cavage.find_signature(fields)
    assert claimed is not None
    cavage.verify(claimed, cavage.SignedHead(method, target, host, fields), body, pem=pem, now=now)


@pytest.mark.req("KEYS-3")
@pytest.mark.parametrize("recorded", RECORDED["messages"], ids=lambda recorded: recorded["name"])
class TestRecorded:
    """What running servers signed."""

    def test_holds(self, recorded):
        """The recorded signature holds at its own time, with the key of the recorded document."""
        fields, document = recorded["headers"], json.loads(RECORDED["documents"][recorded["peer"]])
        shown = document["publicKey"]
        claimed = cavage.find_signature(fields)
        head = cavage.SignedHead(recorded["method"], recorded["target"], recorded["host"], fields)
        now = parsedate_to_datetime(dict(fields)["date"]).timestamp()

        assert claimed.unverified_key_id == shown["keyId"]
        cavage.verify(claimed, head, recorded["body"].encode(), pem=shown["publicKeyPem"], now=now)

    @pytest.mark.parametrize("part", ["body", "target", "host", "method"])
    def test_binds(self, recorded, part):
        """It holds for nothing else: not another body, target, host or method."""
        changed = dict(recorded)
        changed[part] = recorded[part].replace(recorded[part][-1], "x") if part != "method" else "PUT"
        fields, shown = recorded["headers"], json.loads(RECORDED["documents"][recorded["peer"]])["publicKey"]
        head = cavage.SignedHead(changed["method"], changed["target"], changed["host"], fields)
        now = parsedate_to_datetime(dict(fields)["date"]).timestamp()
        with pytest.raises(SignatureError):
            cavage.verify(
                cavage.find_signature(fields), head, changed["body"].encode(), pem=shown["publicKeyPem"], now=now
            )


@pytest.mark.req("KEYS-3")
def test_what_we_write_is_taken_by_a_strict_reader():
    """Our own signature has the one form that deployed servers take, and a query belongs to its target."""
    now = formatdate(usegmt=True)
    fields = dict(cavage.sign("POST", TARGET, HOST, BODY, key_id=KEY_ID, key=KEY, date=now))
    shown = {"keyId": KEY_ID, "publicKeyPem": PEM}
    assert cavagewire.check(fields, "POST", TARGET, BODY, own_host=HOST, shown=shown) == ""
    assert cavagewire.check(fields, "POST", TARGET, BODY + b" ", own_host=HOST, shown=shown) == "length"
    assert list(fields) == ["Content-Length", "Date", "Digest", "Signature"]
    covered = "(request-target) content-length date digest host"
    assert fields["Signature"].startswith(f'keyId="{KEY_ID}",algorithm="rsa-sha512",headers="{covered}",signature="')


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"algorithm": "rsa-sha256", "digest": "SHA-256"},
        {"order": ("host", "digest", "date", "content-length", "(request-target)")},
        {"separator": ", "},
    ],
)
def test_accepted(faults):
    """Both hashes hold, in any order of the fields, with a space behind a comma or none."""
    verify(message(**faults))


@pytest.mark.parametrize("missing", cavage.COVERED)
def test_all_that_matters_is_covered(missing):
    """A signature that leaves out any of the five is refused."""
    order = tuple(name for name in cavagewire.ORDER if name != missing)
    with refused(Reason.COMPONENT_MISSING):
        verify(message(order=order))


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-301, Reason.TOO_OLD), (61, Reason.CREATED_IN_FUTURE)],
)
def test_clock(seconds, reason):
    """A date outside the window refuses the message; at its edges it holds."""
    verify(message(date=formatdate(NOW + seconds + (1 if seconds < 0 else -1), usegmt=True)))
    with refused(reason):
        verify(message(date=formatdate(NOW + seconds, usegmt=True)))


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Nov 2026 16:09:53 GMT", "Mon, 23 Nov 99999 16:09:53 GMT"])
def test_date_that_is_none(date):
    """A date that cannot be read is no date."""
    with refused(Reason.CREATED_MISSING):
        verify(message(date=date))


@pytest.fixture
def far_east(monkeypatch):
    """Let this machine's clock stand in another zone than the universal one."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EAST-14")
        time.tzset()
        yield
    time.tzset()


def test_date_without_a_zone_is_universal(far_east):
    """`-0000` says that the zone is not known; the time is read as universal all the same, not as our own."""
    verify(message(date=formatdate(NOW, localtime=False)))


def test_date_with_a_zone():
    """A date that names a zone is read in it."""
    verify(message(date=formatdate(NOW + 3600).replace("-0000", "+0100")))
    with refused(Reason.CREATED_IN_FUTURE):
        verify(message(date=formatdate(NOW).replace("-0000", "-0100")))


def test_two_dates():
    """A field that came twice is not what was signed."""
    with refused(Reason.CREATED_MISSING):
        verify([*message(), ("date", DATE)])


def test_body_is_bound_by_its_digest():
    """A body of the same length with another digest is refused."""
    with refused(Reason.DIGEST_MISMATCH):
        verify(message(signed_body=b'{"name":"b"}'))


def test_every_known_digest_counts():
    """Of two digests both have to be right; one that we do not know is ignored."""
    fields = dict(message())
    wrong = base64.b64encode(bytes(32)).decode()
    with refused(Reason.DIGEST_MISMATCH):
        verify([*fields.items(), ("Digest", f"SHA-256={wrong}")])
    with refused(Reason.DIGEST_UNKNOWN):
        verify([*((k, v) for k, v in fields.items() if k != "Digest"), ("Digest", "MD5=AAAA")])


def test_digests_in_one_field():
    """Several digests may stand in one field behind each other; each that we know counts."""
    right, wrong = (cavagewire.sign(KEY, KEY_ID, TARGET, HOST, body, digest="SHA-256") for body in (BODY, b""))
    for text, reason in [
        (f"MD5=AAAA,{right['Digest']}", Reason.SIGNATURE_WRONG),  # Signed was another text, but the body is right.
        (f"{right['Digest']},{wrong['Digest']}", Reason.DIGEST_MISMATCH),
        (f"{right['Digest']},SHA-512=\u20ac", Reason.DIGEST_MISMATCH),
    ]:
        with refused(reason):
            verify([(name, text if name == "Digest" else value) for name, value in message()])


def test_length_is_that_of_the_body():
    """A wrong content length is refused, though it was signed."""
    fields = [(k, v) for k, v in message() if k != "Content-Length"]
    with refused(Reason.LENGTH_MISMATCH):
        verify([*fields, ("Content-Length", "999")])


def test_space_around_a_value():
    """Blanks and tabs around a value are not part of it; whatever else looks like space is (RFC 9110, 5.5)."""
    rest = [(name, value) for name, value in message() if name != "Content-Length"]
    verify([*rest, ("Content-Length", f" \t{len(BODY)} ")])
    for more in ("\xa0", "\v", "X"):
        with refused(Reason.LENGTH_MISMATCH):
            verify([*rest, ("Content-Length", f"{len(BODY)}{more}")])


@pytest.mark.parametrize("algorithm", ["hs2019", "rsa-sha1", "hmac-sha256", "none", ""])
def test_other_algorithms(algorithm):
    """Only the two RSA algorithms are taken, whatever key there is."""
    with refused(Reason.ALGORITHM_MISMATCH):
        verify(message(algorithm=algorithm))


def test_wrong_signature():
    """Bytes that the key has not made are refused."""
    with refused(Reason.SIGNATURE_WRONG):
        verify(message(signature=b"\0" * 256))
    with refused(Reason.SIGNATURE_WRONG):
        verify(message(), pem=cavagewire.pem(cavagewire.new_key()))


@pytest.mark.req("SIG-6")
def test_host_is_ours_and_not_the_message_s():
    """The host in the signature has to be the one that we know ourselves by."""
    with refused(Reason.SIGNATURE_WRONG):
        verify([*message(), ("Host", HOST)], host="other.example.org")


def test_further_fields_may_be_covered():
    """A further signed field has to be there, once."""
    claimed = cavage.find_signature(message())
    head = cavage.SignedHead("POST", TARGET, HOST, message())
    with refused(Reason.COMPONENT_UNUSABLE):
        cavage.verify(replace(claimed, covered=(*claimed.covered, "x-more")), head, BODY, pem=PEM, now=NOW)


def test_a_field_that_could_not_be_signed():
    """A signed field with characters that no header carries is not right, rather than a fault of ours."""
    fields = [*message(), ("X-More", "\u20ac")]
    claimed = cavage.find_signature(fields)
    head = cavage.SignedHead("POST", TARGET, HOST, fields)
    with refused(Reason.SIGNATURE_WRONG):
        cavage.verify(replace(claimed, covered=(*claimed.covered, "x-more")), head, BODY, pem=PEM, now=NOW)


def test_names_are_parted_by_one_blank():
    """Two blanks between the names of signed fields have an empty name between them, which nothing can be signed by."""
    fields = [(name, value.replace(" host", "  host")) for name, value in message()]
    with refused(Reason.COMPONENT_UNUSABLE):
        verify(fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('keyId="k",algorithm="rsa-sha512",headers="date",signature="AAAA",created=1', Reason.MALFORMED),
        ('keyId="k",algorithm="rsa-sha512",headers="date",signature="AAAA",created="1"', Reason.UNKNOWN_PARAMETER),
        ('keyId="k",keyId="l",headers="date",signature="AAAA"', Reason.DUPLICATE_PARAMETER),
        ('keyId="",algorithm="a",headers="date",signature="AAAA"', Reason.KEYID_MISSING),
        ('algorithm="a",headers="date",signature="AAkeyid="', Reason.KEYID_MISSING),
        ('keyId="k",headers="date",signature="AAAA"', Reason.MALFORMED),
        ('keyId="k",algorithm="a",signature="AAAA"', Reason.MALFORMED),
        ('keyId="k",algorithm="a",headers="date"', Reason.MALFORMED),
        ('keyId="k",algorithm="a",headers="date",signature="AA AA"', Reason.MALFORMED),
        ('keyId="k",algorithm="a",headers="date date",signature="AAAA"', Reason.MALFORMED),
        ("keyId=k", Reason.MALFORMED),
        (f'keyId="{"k" * 9000}"', Reason.TOO_LARGE),
    ],
)
def test_malformed(text, reason):
    """What cannot be read as exactly one signature is refused, never taken as unsigned."""
    with refused(reason):
        cavage.find_signature([("Signature", text)])


def test_the_longest_signature():
    """A field of exactly the longest length is read."""
    text = 'keyId="k",algorithm="a",headers="date",signature=""'
    claimed = cavage.find_signature([("Signature", text.replace('"k"', f'"{"k" * (8193 - len(text))}"'))])
    assert len(claimed.unverified_key_id) == 8193 - len(text)


def test_two_signatures():
    """Two signatures of this kind are ambiguous."""
    with refused(Reason.AMBIGUOUS):
        cavage.find_signature([("Signature", 'keyId="a"'), ("signature", 'keyId="b"')])


@pytest.mark.parametrize(
    "fields",
    [[], [("Signature", "sig1=:AAAA:")], [("Signature-Input", "sig1=()"), ("Signature", 'keyId="k"')]],
)
def test_other_peoples_signatures(fields):
    """No signature, one of another kind, and one of RFC 9421 are none of this kind."""
    assert cavage.find_signature(fields) is None


def _pem_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "key",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
        _pem_of(ec.generate_private_key(ec.SECP256R1())),
        _pem_of(rsa.generate_private_key(65537, 1024)),
    ],
)
def test_keys_that_prove_nothing(pem):
    """Text that is no key, keys of another kind, and short RSA keys are refused."""
    with refused(Reason.KEY_REFUSED):
        cavage.public_key(pem)


def test_the_longest_key():
    """A key of 8192 bits is taken, and one with more is not (KEYS-1)."""
    # Nobody can sign with these numbers, but a reader sees two keys of these lengths.
    longest, longer = (rsa.RSAPublicNumbers(65537, 2**bits - 1).public_key() for bits in (8192, 8200))
    pems = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in (longest, longer)]
    assert cavage.public_key(pems[0]).key_size == 8192
    with refused(Reason.KEY_REFUSED):
        cavage.public_key(pems[1])


def test_older_spelling_of_a_key():
    """A key in the older PEM form (PKCS#1) is one too."""
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    assert cavage.public_key(pem).public_numbers() == KEY.public_key().public_numbers()


@pytest.mark.req("SIG-8")
def test_a_signature_is_remembered_by_itself_and_its_key():
    """Two signatures, or one under two key ids, are remembered apart; the same one is the same."""
    one = cavage.find_signature(message())
    other = cavage.find_signature(message(date=formatdate(NOW - 1, usegmt=True)))
    names = {cavage.replay_key(claimed) for claimed in (one, other, replace(one, unverified_key_id="x"))}
    assert len(names) == 3
    assert cavage.replay_key(one) == cavage.replay_key(cavage.find_signature(message()))


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """Whatever stands in the header is read, left alone, or refused with a reason."""
    try:
        claimed = cavage.find_signature([("Signature", f'keyId="k",{text}')])
    except SignatureError:
        return
    assert claimed is not None
