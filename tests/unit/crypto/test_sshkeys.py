"""SSH keys as text."""

import base64

import asyncssh
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.keys import KeyRing, dump_key_ring, parse_key_ring
from gateway.crypto.ring import Pace
from gateway.crypto.sshkeys import KEY_TYPES, LINE_MAX_CHARS, HostKey, public_line, public_lines
from gateway.errors import GatewayError, Kind
from support.outcome import outcome

PACE = Pace(publish_seconds=100, retire_seconds=1000)
NOW = 1_800_000_000


def line(kind, **options):
    """Return the public line of a fresh key, with a comment."""
    return asyncssh.generate_private_key(kind, comment="bob's key", **options).export_public_key().decode().strip()


ED25519 = line("ssh-ed25519")


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ssh-rsa"])
def test_a_key_is_kept_without_what_stands_around_it(kind):
    """Options and comments do not belong to a key; the rest is as asyncssh writes it."""
    text = line(kind)
    bare = " ".join(text.split()[:2])
    assert public_line(text) == bare
    assert public_line(f'command="rm -rf /",no-pty {text}') == bare


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not of a type that is taken here"),
        ("ssh-ed25519", "is not of a type that is taken here"),
        ("ssh-ed25519 ????", "cannot be read"),
        ("ssh-ed25519 AAAA", "cannot be read"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACB", "is not of a type that is taken here"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "cannot be read"),
        (line("ssh-rsa", key_size=1024), "has to have 2048 to 8192 bits"),
        (ED25519 + "x" * 10_000, "is too long"),
    ],
    # Keys are fresh, and names of tests have to be the same in all processes of a run.
    ids=["nothing", "only a type", "no base64", "too short", "dss", "another type", "weak", "too long"],
)
def test_a_key_that_is_none_is_refused(text, why):
    """What is no key, a weak one, or another than it says, is refused."""
    with pytest.raises(GatewayError) as caught:
        public_line(text)
    assert (caught.value.kind, caught.value.code) == (Kind.INVALID, "ssh-key")
    assert caught.value.public == f"This SSH key {why}."


def rsa_line(bits):
    """Return a line that reads as an RSA key of this length; nobody could sign with it."""
    public = rsa.RSAPublicNumbers(65537, 2**bits - 1).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize(("bits", "is_taken"), [(2047, False), (2048, True), (8192, True), (8193, False)])
def test_how_long_an_rsa_key_may_be(bits, is_taken):
    """RSA keys are taken from 2048 to 8192 bits."""
    assert public_lines([rsa_line(bits)], most=1) == ((rsa_line(bits),) if is_taken else ())


def test_the_longest_line():
    """A line of 8192 characters is read, whatever its comment; a longer one is not."""
    assert public_line(ED25519.ljust(LINE_MAX_CHARS, "x")) == " ".join(ED25519.split()[:2])
    assert public_lines([ED25519.ljust(LINE_MAX_CHARS + 1, "x")], most=1) == ()


@given(st.sampled_from(KEY_TYPES), st.text() | st.binary().map(lambda octets: base64.b64encode(octets).decode()))
def test_any_text_is_no_key_or_refused(kind, text):
    """Whatever stands behind a type that is taken here, there is a key or a refusal."""
    key = outcome(lambda: public_line(f"{kind} {text}"))
    assert isinstance(key, str) or key.kind is Kind.INVALID


@pytest.mark.req("SHARE-4")
def test_a_list_is_cut_and_cleaned():
    """Of a list of lines each usable key counts once, and at most so many."""
    keys = [line("ssh-ed25519") for _ in range(3)]
    bare = tuple(" ".join(text.split()[:2]) for text in keys)
    assert public_lines(["nonsense", keys[0], keys[0], *keys], most=10) == bare
    assert public_lines(keys, most=2) == bare[:2]


def test_a_host_key_survives_the_key_file():
    """The key file brings back the host key, which asyncssh reads as the one that is stated."""
    ring = KeyRing.generate("https://gateway.test", NOW)
    (key,) = parse_key_ring(dump_key_ring(ring)).host_keys()
    assert key.public == ring.host_keys()[0].public
    read = asyncssh.import_private_key(key.openssh())
    assert public_line(read.export_public_key().decode()) == key.public
    assert HostKey.from_pem(key.pem()).public == key.public


def test_a_host_key_is_announced_before_it_is_used():
    """A rotation announces the next key, then uses it beside the old one, then drops that."""
    ring = KeyRing.generate("https://gateway.test", NOW)
    (old,) = ring.host_keys()
    announced = ring.rotate_host(NOW)
    assert announced.rotate_host(NOW) == announced
    assert (announced.host_keys()[0], len(announced.host_keys())) == (old, 2)
    used = announced.advance(NOW + 100, PACE)
    assert (used.host_keys()[0] != old, used.host_keys()[1]) == (True, old)
    assert old not in used.advance(NOW + 1100, PACE).host_keys()


def test_an_old_key_file_gets_a_host_key():
    """A key file from before there was an SSH door is read, and gets a key that is used at once."""
    ring = KeyRing.generate("https://gateway.test", NOW)
    text = dump_key_ring(ring)
    start = text.index(',\n  "ssh_host"')
    old = parse_key_ring(text[:start] + "\n}")
    assert old.host_keys() == ()
    assert len(old.completed(NOW).host_keys()) == 1
