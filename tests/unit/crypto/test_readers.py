"""One signature of ours for two generations of readers, each written here from its draft alone (SIG-1, SIG-2).

The readers share nothing with the gateway: they use a Structured Field parser and the primitive, and are as strict as
their draft allows.
"""

import base64
import hashlib

import http_sf
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.crypto.httpsig import sign
from gateway.crypto.keys import KeyRing

NOW = 1_785_060_500
TARGET = "https://receiver.example.org/ocm/shares"
BODY = b'{"shareWith":"marie@receiver.example.org"}'
RING = KeyRing.generate("https://sender.example.org", NOW)
FOUR = ["@method", "@target-uri", "content-digest", "content-length"]


def _fields():
    fields = sign(
        "POST", TARGET, BODY, key=RING.signing_key(), created=NOW, nonce="n", date="Sun, 26 Jul 2026 10:08:20 GMT"
    )
    return {name.lower(): value for name, value in fields.items()}


def _read(fields, choose, required):
    """Verify as a strict reader does; `choose` picks the label from the parsed `Signature-Input`."""
    inputs = http_sf.parse(fields["signature-input"].encode(), tltype="dictionary")
    signatures = http_sf.parse(fields["signature"].encode(), tltype="dictionary")
    label = choose(inputs)
    items, params = inputs[label]
    names = [name for name, options in items if not options]
    assert set(required) <= set(names)
    assert NOW - 300 <= params["created"] <= NOW + 60
    assert "alg" not in params
    assert base64.b64encode(hashlib.sha256(BODY).digest()).decode() in fields["content-digest"]
    assert int(fields["content-length"]) == len(BODY)
    known = {key["kid"]: key for key in RING.jwks()["keys"]}[params["keyid"]]
    assert (known["kty"], known["crv"], known["alg"]) == ("OKP", "Ed25519", "Ed25519")
    values = {"@method": "POST", "@target-uri": TARGET, **fields}
    lines = [f'"{name}": {values[name]}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {http_sf.ser([(items, params)])}']).encode()
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(known["x"] + "="))
    public.verify(signatures[label][0], base)


def _by_label(inputs):
    assert "ocm" in inputs
    return "ocm"


def _by_tag(inputs):
    [label] = [name for name, (_, params) in inputs.items() if params.get("tag") == "ocm"]
    return label


READERS = [
    pytest.param(_by_label, [*FOUR, "date"], id="draft-05"),
    pytest.param(_by_tag, FOUR, id="draft-07"),
]


@pytest.mark.req("SIG-1")
@pytest.mark.req("SIG-2")
@pytest.mark.parametrize(("choose", "required"), READERS)
def test_a_strict_reader_accepts_our_signature(choose, required):
    """The same message satisfies a reader of -05 (label, date covered) and one of -07 (tag)."""
    _read(_fields(), choose, required)


@pytest.mark.parametrize(("choose", "required"), READERS)
@pytest.mark.parametrize("name", ["date", "content-length"])
def test_a_strict_reader_refuses_a_changed_field(choose, required, name):
    """The readers of this test are real: a changed covered field fails them."""
    fields = _fields()
    fields[name] = f"0{fields[name]}"

    with pytest.raises(InvalidSignature):
        _read(fields, choose, required)
