"""`Content-Digest` of a body (RFC 9530), the part of a signed message that binds its bytes (SIG-2, SIG-4).

We write `sha-256`. Of what we read, every algorithm that we recognise has to match; others are ignored, as RFC 9530
asks, but at least one has to be ours. The signature library would refuse a message for an algorithm that it does not
know, so digests are checked here and never there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import http_sf

from gateway.crypto.refusal import Reason, SignatureError

DIGEST_MAX_CHARS = 2048

_RECOGNISED = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes) -> str:
    """Return the value of `Content-Digest` for `body`."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def check_content_digest(header: str, body: bytes) -> None:
    """Check every recognised digest in `header` against `body`.

    Raises:
        SignatureError: `DIGEST_MALFORMED`, `DIGEST_UNKNOWN` (no algorithm is ours) or `DIGEST_MISMATCH`.
    """
    members = {name: value for name, value in _members(header).items() if name in _RECOGNISED}
    if not members:
        raise SignatureError(Reason.DIGEST_UNKNOWN, "Content-Digest needs sha-256 or sha-512.")
    for name, value in members.items():
        if not isinstance(value, bytes):
            raise _malformed()
        if not hmac.compare_digest(value, _RECOGNISED[name](body).digest()):
            raise SignatureError(Reason.DIGEST_MISMATCH, f"The {name} digest is not that of the body.")


def _members(header: str) -> dict[str, object]:
    if len(header) > DIGEST_MAX_CHARS:
        raise _malformed()
    try:
        parsed = http_sf.parse(header.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    except ValueError as error:
        raise _malformed() from error
    assert isinstance(parsed, dict)
    return {name: member[0] if isinstance(member, tuple) else member for name, member in parsed.items()}


def _refuse_duplicate(_key: str, context: str) -> None:
    # Of two digests under one name a Structured Field keeps the last; the other one would go unchecked.
    if context == "dictionary":
        raise _malformed()


def _malformed() -> SignatureError:
    return SignatureError(Reason.DIGEST_MALFORMED, "Content-Digest is malformed.")
