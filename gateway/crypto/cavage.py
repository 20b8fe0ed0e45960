"""Signatures of the draft before RFC 9421 (draft-cavage-http-signatures-12), in the one form that OCM peers exchange.

Nextcloud 31 to 34 sign and accept only this: RSA PKCS#1 v1.5 over `(request-target) content-length date digest host`,
in that order, every value quoted, a comma and no space between parameters (live-captures.md 2, items 14 to 16). What
we write is exactly that. What we read has to cover at least the same, in any order; a parameter that we do not know,
or one that comes twice, refuses the message. The host is the one that we know ourselves by, never the one that the
client names (SIG-6). What is found here is claimed, not proven, until `verify` has returned.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.crypto.httpsig import SKEW_SECONDS, WINDOW_SECONDS
from gateway.crypto.jwk import RSA_MAX_BITS, RSA_MIN_BITS
from gateway.crypto.refusal import Reason, SignatureError

FIELD_MAX_CHARS = 8192
PEM_MAX_CHARS = 8192
REQUEST_TARGET = "(request-target)"
COVERED = (REQUEST_TARGET, "content-length", "date", "digest", "host")

_SIGNED_ALGORITHM = "rsa-sha512"
_ALGORITHMS: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "rsa-sha256": hashes.SHA256,
    "rsa-sha512": hashes.SHA512,
}
_DIGESTS: dict[str, Callable[[bytes], hashlib._Hash]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_PARAMETER = re.compile(r'\s*([A-Za-z]{1,32})="([^"]*)"\s*(,|\Z)')
_PARAMETERS = frozenset({"keyId", "algorithm", "headers", "signature"})

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedSignature:
    """A signature of this kind before anything about it is proven.

    Attributes:
        unverified_key_id: who is said to have signed; fit only for finding the key.
        covered: the names of the signed fields, in the order of the signing string.
    """

    unverified_key_id: str
    algorithm: str
    covered: tuple[str, ...]
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The head of a request as its signature sees it.

    Attributes:
        raw_target: path and query exactly as they stand in the request line.
        host: the authority that the request was made to, as its server knows itself.
    """

    method: str
    raw_target: str
    host: str
    headers: Fields


def find_signature(headers: Fields) -> ClaimedSignature | None:
    """Return the signature of this kind among `headers`, or None if there is none.

    A `Signature` beside a `Signature-Input` is one of RFC 9421, and not ours to read.

    Raises:
        SignatureError: `TOO_LARGE`, `AMBIGUOUS` for two, `DUPLICATE_PARAMETER`, `UNKNOWN_PARAMETER`, `KEYID_MISSING`,
            and `MALFORMED` if what is there cannot be read.
    """
    if _values(headers, "signature-input"):
        return None
    found = [value for value in _values(headers, "signature") if "keyid=" in value.lower()]
    if not found:
        return None
    if len(found) > 1:
        raise SignatureError(Reason.AMBIGUOUS, "The message has two signatures.")
    if len(found[0]) > FIELD_MAX_CHARS:
        raise SignatureError(Reason.TOO_LARGE, "The signature is too long.")
    return _claimed(dict(_parameters(found[0])))


def sign(method: str, raw_target: str, host: str, body: bytes, *, key_id: str, key: RSAPrivateKey, date: str) -> Fields:
    """Return the header fields that sign a request, to be sent exactly so.

    Args:
        host: the authority of the request's URL, with its port unless that is the scheme's own.
        date: the value of `Date`.
    """
    fields = {
        "Content-Length": str(len(body)),
        "Date": date,
        "Digest": f"SHA-512={base64.b64encode(hashlib.sha512(body).digest()).decode()}",
    }
    text = _signing_string(COVERED, SignedHead(method, raw_target, host, tuple(fields.items())))
    made = base64.b64encode(key.sign(text, PKCS1v15(), hashes.SHA512())).decode()
    parameters = {"keyId": key_id, "algorithm": _SIGNED_ALGORITHM, "headers": " ".join(COVERED), "signature": made}
    return (*fields.items(), ("Signature", ",".join(f'{name}="{value}"' for name, value in parameters.items())))


def verify(claimed: ClaimedSignature, head: SignedHead, body: bytes, *, pem: str, now: float) -> None:
    """Check that the holder of the key in `pem` signed this head and body just now.

    Raises:
        SignatureError: with the first reason that applies.
    """
    missing = [name for name in COVERED if name not in claimed.covered]
    if missing:
        raise SignatureError(Reason.COMPONENT_MISSING, f"The signature does not cover {missing[0]}.")
    _check_date(head, now)
    if _values(head.headers, "content-length") != [str(len(body))]:
        raise SignatureError(Reason.LENGTH_MISMATCH, "Content-Length is not the length of the body.")
    _check_digest(head, body)
    if claimed.algorithm not in _ALGORITHMS:
        raise SignatureError(Reason.ALGORITHM_MISMATCH, "The signature's algorithm is not taken here.")
    text = _signing_string(claimed.covered, head)
    try:
        public_key(pem).verify(claimed.signature, text, PKCS1v15(), _ALGORITHMS[claimed.algorithm]())
    except InvalidSignature as error:
        raise SignatureError(Reason.SIGNATURE_WRONG, "The signature is not right.") from error


def public_key(pem: str) -> RSAPublicKey:
    """Return the RSA key in a PEM text (either spelling of its head line).

    Raises:
        SignatureError: `KEY_REFUSED` for everything else, and for keys that are too short or too long (KEYS-1).
    """
    try:
        key = load_pem_public_key(pem[:PEM_MAX_CHARS].encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(Reason.KEY_REFUSED, "The key is malformed.") from error
    if not isinstance(key, RSAPublicKey) or not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        raise SignatureError(Reason.KEY_REFUSED, f"The key is no RSA key of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits.")
    return key


def replay_key(claimed: ClaimedSignature) -> str:
    """Return the name under which a signature is remembered, so that it has an effect only once (SIG-8)."""
    return hashlib.sha256(claimed.unverified_key_id.encode() + b"\0" + claimed.signature).hexdigest()


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    seen = set()
    place = 0
    while place < len(text):
        found = _PARAMETER.match(text, place)
        if found is None:
            raise _malformed()
        name = found[1]
        if name in seen:
            raise SignatureError(Reason.DUPLICATE_PARAMETER, "The signature has a parameter twice.")
        if name not in _PARAMETERS:
            raise SignatureError(Reason.UNKNOWN_PARAMETER, "The signature has a parameter that is not taken here.")
        seen.add(name)
        yield name, found[2]
        place = found.end()


def _claimed(parameters: dict[str, str]) -> ClaimedSignature:
    if not parameters.get("keyId"):
        raise SignatureError(Reason.KEYID_MISSING, "The signature does not name its key.")
    # The draft has defaults for the others; peers write all four, and so nothing is left to be guessed.
    if len(parameters) != len(_PARAMETERS):
        raise _malformed()
    covered = tuple(parameters["headers"].lower().split(" "))
    if len(set(covered)) != len(covered):
        raise _malformed()
    try:
        signature = base64.b64decode(parameters["signature"], validate=True)
    except ValueError as error:
        raise _malformed() from error
    return ClaimedSignature(
        unverified_key_id=parameters["keyId"],
        algorithm=parameters["algorithm"].lower(),
        covered=covered,
        signature=signature,
    )


def _signing_string(covered: Sequence[str], head: SignedHead) -> bytes:
    return "\n".join(f"{name}: {_signed_value(name, head)}" for name in covered).encode("latin-1", "replace")


def _signed_value(name: str, head: SignedHead) -> str:
    if name == REQUEST_TARGET:
        return f"{head.method.lower()} {head.raw_target}"
    if name == "host":
        return head.host
    values = _values(head.headers, name)
    if len(values) != 1:
        raise SignatureError(Reason.COMPONENT_UNUSABLE, "The signature covers what cannot be checked.")
    return values[0]


def _check_date(head: SignedHead, now: float) -> None:
    try:
        (text,) = _values(head.headers, "date")
        named = parsedate_to_datetime(text)
        signed_at = (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise SignatureError(Reason.CREATED_MISSING, "The message does not say when it was signed.") from error
    if signed_at > now + SKEW_SECONDS:
        raise SignatureError(Reason.CREATED_IN_FUTURE, "The signature was created in the future.")
    if signed_at < now - WINDOW_SECONDS:
        raise SignatureError(Reason.TOO_OLD, f"The signature is older than {WINDOW_SECONDS} seconds.")


def _check_digest(head: SignedHead, body: bytes) -> None:
    """Hold every digest that we know against the body; at least one has to be there (RFC 3230)."""
    members = [
        member.strip().partition("=") for value in _values(head.headers, "digest") for member in value.split(",")
    ]
    known = [(name.lower(), text) for name, _, text in members if name.lower() in _DIGESTS]
    if not known:
        raise SignatureError(Reason.DIGEST_UNKNOWN, "Digest needs SHA-256 or SHA-512.")
    for name, text in known:
        expected = base64.b64encode(_DIGESTS[name](body).digest())
        if not hmac.compare_digest(text.encode("latin-1", "replace"), expected):
            raise SignatureError(Reason.DIGEST_MISMATCH, f"The {name} digest is not that of the body.")


def _values(headers: Fields, name: str) -> list[str]:
    return [value.strip(" \t") for key, value in headers if key.lower() == name]


def _malformed() -> SignatureError:
    return SignatureError(Reason.MALFORMED, "The signature is malformed.")
