"""Digests of bodies (RFC 9530; SIG-2, SIG-4)."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.digest import DIGEST_MAX_CHARS, check_content_digest, content_digest
from gateway.crypto.refusal import Reason, SignatureError
from support.signatures import refused

BODY = b'{"hello": "world"}'
SHA256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
SHA512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"


@pytest.mark.req("SIG-2")
def test_what_we_write():
    """We write sha-256, as in RFC 9530."""
    assert content_digest(BODY) == SHA256


@pytest.mark.parametrize(
    "header", [SHA256, SHA512, f"{SHA512}, {SHA256}", f"md5=:AAAA:, {SHA256}", f"unixsum=30637, {SHA256};x=1;x=2"]
)
def test_accepted(header):
    """Either algorithm is enough, both are fine, and unknown ones beside them are ignored."""
    check_content_digest(header, BODY)


@pytest.mark.req("SIG-4")
@pytest.mark.parametrize(
    "header", [SHA256, SHA512, f"{SHA256}, sha-512=:AAAA:", f"sha-256=:AAAA:, {SHA512}", "sha-256=::"]
)
def test_mismatch(header):
    """Any recognised digest that is not the body's refuses the message."""
    with refused(Reason.DIGEST_MISMATCH):
        check_content_digest(header, BODY + b" " if header in (SHA256, SHA512) else BODY)


@pytest.mark.req("SIG-4")
@pytest.mark.parametrize("header", ["", "md5=:AAAA:", "sha=:AAAA:, sha-384=:AAAA:"])
def test_nothing_recognised(header):
    """A header without an algorithm of ours proves nothing."""
    with refused(Reason.DIGEST_UNKNOWN):
        check_content_digest(header, BODY)


@pytest.mark.parametrize(
    "header",
    [
        f"sha-256=:AAAA:, {SHA256}",
        "sha-256=abc",
        'sha-256="abc"',
        "sha-256",
        "sha-256=(:AAAA:)",
        "SHA-256=:AAAA:",
        "sha-256=:AAAA",
        "md5=:\u00e9:",
        SHA256 + "," + " " * DIGEST_MAX_CHARS + SHA512,
    ],
)
def test_malformed(header):
    """A header that is no dictionary of byte sequences, repeats a name, or is too long is refused."""
    with refused(Reason.DIGEST_MALFORMED):
        check_content_digest(header, BODY)


def test_the_longest_header():
    """The bound on the header is exact."""
    rest = f"{SHA256},"
    check_content_digest(rest + "x".rjust(DIGEST_MAX_CHARS - len(rest)), BODY)
    with refused(Reason.DIGEST_MALFORMED):
        check_content_digest(rest + "x".rjust(DIGEST_MAX_CHARS + 1 - len(rest)), BODY)


@given(header=st.text(max_size=80), body=st.binary(max_size=20))
def test_any_header(header, body):
    """Whatever the header, the only refusal is a `SignatureError`, and what passes names the body's digest."""
    try:
        check_content_digest(header, body)
    except SignatureError:
        return
    assert base64.b64encode(hashlib.sha256(body).digest()).decode() in header


@given(body=st.binary())
def test_round_trip(body):
    """What we write is what we accept."""
    check_content_digest(content_digest(body), body)
