"""Sealing, fingerprints and fresh secrets (DESIGN 9)."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.secrets import Sealer, fingerprint, new_id, new_secret
from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret

OLD = bytes(range(32))
NEW = bytes(range(32, 64))
NOT_IN_RING = "sealed text does not open: its key is not in the ring"
CHANGED = "sealed text does not open: it was changed, or belongs elsewhere"


def _refused(sealer, sealed, context="table:1"):
    with pytest.raises(GatewayError) as caught:
        sealer.open(sealed, context=context)
    assert caught.value.kind is Kind.UNAVAILABLE
    assert caught.value.public == "The gateway cannot read one of its own records."
    return caught.value.log


@given(plain=st.binary(), context=st.text())
def test_round_trip(plain, context):
    """What was sealed under a context opens under it."""
    sealer = Sealer([OLD])

    assert sealer.open(sealer.seal(plain, context=context), context=context) == plain


def test_a_secret_is_sealed_as_its_text():
    """A `Secret` is sealed as UTF-8."""
    sealer = Sealer([OLD])

    assert sealer.open(sealer.seal(Secret("gehéim"), context="c"), context="c") == "gehéim".encode()


def test_nothing_shows():
    """Sealed text is ASCII, differs every time, and holds neither the plain text nor the key."""
    sealer = Sealer([OLD])
    first, second = (sealer.seal(b"plain text", context="c") for _ in range(2))

    assert first != second
    assert first.isascii()
    assert b"plain" not in base64.urlsafe_b64decode(first.rpartition(".")[2])
    assert first.startswith("1.")
    assert first.split(".")[1] == second.split(".")[1] != Sealer([NEW]).seal(b"", context="c").split(".")[1]


def test_rotation():
    """The first key of the ring seals, every key opens, and a key that left the ring does not."""
    before = Sealer([OLD]).seal(b"x", context="table:1")
    ring = Sealer([NEW, OLD])
    after = ring.seal(b"y", context="table:1")

    assert ring.open(before, context="table:1") == b"x"
    assert Sealer([NEW]).open(after, context="table:1") == b"y"
    assert _refused(Sealer([NEW]), before) == NOT_IN_RING
    assert _refused(Sealer([OLD]), after) == NOT_IN_RING


def test_another_context():
    """A sealed text that was moved to another record does not open there."""
    sealer = Sealer([OLD])

    assert _refused(sealer, sealer.seal(b"x", context="table:1"), "table:2") == CHANGED


@pytest.mark.parametrize("change", ["!", "", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAA", "é", "!{rest}", "{rest}.{rest}"])
def test_a_changed_text(change):
    """Sealed text that was changed, if only by characters that are none of base64url, does not open."""
    sealer = Sealer([OLD])
    head, _, rest = sealer.seal(b"x", context="table:1").rpartition(".")

    assert _refused(sealer, f"{head}.{change.format(rest=rest)}") == CHANGED


@pytest.mark.parametrize("text", ["", "1", "1.", "2.{name}.{rest}", "1.x.{rest}", "{name}.{rest}"])
def test_another_form(text):
    """Text that is not sealed, or in another format, does not open."""
    sealer = Sealer([OLD])
    _, name, rest = sealer.seal(b"x", context="table:1").split(".")

    assert _refused(sealer, text.format(name=name, rest=rest)) == NOT_IN_RING


def test_the_name_of_a_key_stays():
    """A key has the same name in every version, since records outlive an upgrade."""
    name = hashlib.sha256(b"ocm-gateway sealing key" + OLD).hexdigest()[:8]

    assert Sealer([OLD]).seal(b"x", context="c").startswith(f"1.{name}.")


@pytest.mark.parametrize("keys", [[], [b"short"], [OLD, OLD + b"x"]])
def test_a_ring_of_no_use(keys):
    """A ring without keys, or with keys of another length, is refused at once."""
    with pytest.raises(ValueError, match=r"An encryption ring has one or more keys of 32 bytes\."):
        Sealer(keys)


def test_fingerprint():
    """A fingerprint is the HMAC-SHA256 of the text under the pepper."""
    assert fingerprint(b"pepper", "sécret") == hmac.new(b"pepper", "sécret".encode(), hashlib.sha256).hexdigest()
    assert fingerprint(b"other", "sécret") != fingerprint(b"pepper", "sécret")


def test_new_secret():
    """A shared secret has 32 letters and digits, each chosen from all of them."""
    seen = []

    def choose(alphabet):
        seen.append(alphabet)
        return alphabet[len(seen)]

    secret = new_secret(choose)

    assert secret.reveal() == "bcdefghijklmnopqrstuvwxyzABCDEFG"
    assert set(seen) == {"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
    assert new_secret() != new_secret()


def test_new_id():
    """A name has 128 random bits in hex."""
    assert new_id(lambda count: f"<{count}>") == "<16>"
    assert len(new_id()) == 32
    assert new_id() != new_id()
