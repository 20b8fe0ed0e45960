"""HTTP Message Signatures as OCM uses them (RFC 9421; SIG-1 to SIG-4): how we sign, and what we demand of others.

One signature serves both generations of readers: label `ocm` and parameter `tag="ocm"`, over the four components of
-07 and `date` for -05, with no `alg` (the JWK decides). The library builds the signature base and runs the primitive;
everything that it leaves open or decides otherwise is checked here, before it: clock, digest, length, coverage,
parameters, and that the key is the one named. It sees the chosen member only, never other people's signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
    algorithms,
)

from gateway.crypto.digest import check_content_digest, content_digest
from gateway.crypto.jwk import Algorithm, verifying_key
from gateway.crypto.refusal import Reason, SignatureError
from gateway.crypto.ring import SigningKey
from gateway.crypto.sigfield import INPUT, OCM, SIGNATURE, ClaimedSignature, find_signature, replay_key

__all__ = [
    "ClaimedSignature",
    "Reason",
    "SignatureError",
    "SignedHead",
    "find_signature",
    "replay_key",
    "sign",
    "verify",
]

WINDOW_SECONDS = 300
SKEW_SECONDS = 60
REQUIRED = ("@method", "@target-uri", "content-digest", "content-length")
DATE = "date"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The head of a request as its signature sees it.

    Attributes:
        target_uri: built from our public URL and the raw request target, never from what the client says (SIG-6).
        headers: all field lines in their order.
    """

    method: str
    target_uri: str
    headers: Sequence[tuple[str, str]]


def sign(
    method: str, target_uri: str, body: bytes, *, key: SigningKey, created: int, nonce: str, date: str | None
) -> dict[str, str]:
    """Return the header fields that sign a request: to be sent exactly so, with `target_uri` untouched.

    Args:
        date: the value of `Date`; None for a peer that is exempt from it, because something on the way rewrites it.
    """
    fields = {"Content-Digest": content_digest(body), "Content-Length": str(len(body))}
    if date is not None:
        fields["Date"] = date
    signer = HTTPMessageSigner(
        signature_algorithm=_PRIMITIVES[key.algorithm],
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key.kid: key.private}),
    )
    signer.sign(
        _Message(method, target_uri, fields),
        key_id=key.kid,
        created=datetime.fromtimestamp(created, tz=UTC),
        nonce=nonce,
        tag=OCM,
        label=OCM,
        include_alg=False,
        use_existing_digest=True,
        covered_component_ids=REQUIRED if date is None else (*REQUIRED, DATE),
    )
    return fields


def verify(
    claimed: ClaimedSignature,
    head: SignedHead,
    body: bytes,
    *,
    jwk: Mapping[str, object],
    now: float,
    require_date: bool = False,
) -> None:
    """Check that the holder of `jwk` signed this head and body just now.

    Args:
        require_date: demand that `date` is covered; for a signature found by its label it always is demanded.

    Raises:
        SignatureError: with the first reason that applies (SIG-4).
    """
    _check_parameters(claimed)
    _check_clock(claimed, now)
    _check_coverage(claimed, (*REQUIRED, DATE) if require_date or claimed.by_label_only else REQUIRED)
    _check_body(head, body)
    algorithm = _check_key(claimed, jwk)
    _check_signature(claimed, head, algorithm, jwk)


def _check_parameters(claimed: ClaimedSignature) -> None:
    if claimed.strange_parameters:
        raise SignatureError(Reason.UNKNOWN_PARAMETER, "The signature has a parameter that RFC 9421 does not know.")


def _check_clock(claimed: ClaimedSignature, now: float) -> None:
    if claimed.created is None:
        raise SignatureError(Reason.CREATED_MISSING, "The signature does not say when it was created.")
    if claimed.created > now + SKEW_SECONDS:
        raise SignatureError(Reason.CREATED_IN_FUTURE, "The signature was created in the future.")
    if claimed.created < now - WINDOW_SECONDS:
        raise SignatureError(Reason.TOO_OLD, f"The signature is older than {WINDOW_SECONDS} seconds.")
    if claimed.expires is not None and claimed.expires < now:
        raise SignatureError(Reason.EXPIRED, "The signature has expired.")


def _check_coverage(claimed: ClaimedSignature, required: Iterable[str]) -> None:
    # A parameter such as `key` or `req` makes another component of it, which would bind less.
    covered = {component.name for component in claimed.components if component.is_bare}
    missing = [name for name in required if name not in covered]
    if missing:
        raise SignatureError(Reason.COMPONENT_MISSING, f"The signature does not cover {missing[0]}.")


def _check_body(head: SignedHead, body: bytes) -> None:
    if _values(head, "content-length") != [str(len(body))]:
        raise SignatureError(Reason.LENGTH_MISMATCH, "Content-Length is not the length of the body.")
    check_content_digest(", ".join(_values(head, "content-digest")), body)


def _check_key(claimed: ClaimedSignature, jwk: Mapping[str, object]) -> Algorithm:
    if jwk.get("kid") != claimed.unverified_key_id:
        raise SignatureError(Reason.KEY_UNKNOWN, "The key is not the one that the signature names.")
    algorithm = verifying_key(jwk).algorithm
    if claimed.algorithm is not None and claimed.algorithm != _PRIMITIVES[algorithm].algorithm_id:
        raise SignatureError(Reason.ALGORITHM_MISMATCH, "The signature's algorithm is not that of the key.")
    return algorithm


def _check_signature(
    claimed: ClaimedSignature, head: SignedHead, algorithm: Algorithm, jwk: Mapping[str, object]
) -> None:
    keys = {claimed.unverified_key_id: verifying_key(jwk).public}
    verifier = _ClocklessVerifier(
        signature_algorithm=_PRIMITIVES[algorithm],
        key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
    )
    try:
        verifier.verify(_Message(head.method, head.target_uri, _OneSignature(head, claimed)))
    except HTTPMessageSignaturesException as error:
        if isinstance(error.__cause__, WrongSignature):
            raise SignatureError(Reason.SIGNATURE_WRONG, "The signature is not right.") from error
        raise SignatureError(Reason.COMPONENT_UNUSABLE, "The signature covers what cannot be checked.") from error


def _values(head: SignedHead, name: str) -> list[str]:
    return [value.strip(" \t") for key, value in head.headers if key.lower() == name]


@dataclass(frozen=True, slots=True)
class _Message:
    """A request in the shape that the library reads."""

    method: str
    url: str
    headers: dict[str, str] | _OneSignature


@dataclass(frozen=True, slots=True)
class _OneSignature:
    """A view of the header that shows one signature; it is all that the library needs of a mapping."""

    head: SignedHead
    claimed: ClaimedSignature

    def items(self) -> list[tuple[str, str]]:
        """Return the field lines with the chosen signature in place of all."""
        others = [(name, text) for name, text in self.head.headers if name.lower() not in (INPUT, SIGNATURE)]
        chosen = [(INPUT, self.claimed.input_member), (SIGNATURE, self.claimed.signature_member)]
        return others + chosen


class _ClocklessVerifier(HTTPMessageVerifier):
    """The library's verifier without its own clock: `created` and `expires` were held against ours."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Leave time to `_check_clock`."""


class _RsaPkcs1(HTTPSignatureAlgorithm):
    """RSA PKCS#1 v1.5 with a hash for which RFC 9421 has no primitive of its own; for reading only."""

    hash_algorithm: ClassVar[hashes.HashAlgorithm]

    def __init__(self, public_key: RSAPublicKey) -> None:
        self._public = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise the primitive's own exception if the signature is wrong."""
        self._public.verify(signature, message, PKCS1v15(), self.hash_algorithm)


class _RsaSha384(_RsaPkcs1):
    algorithm_id = "rsa-v1_5-sha384"
    hash_algorithm = hashes.SHA384()


class _RsaSha512(_RsaPkcs1):
    algorithm_id = "rsa-v1_5-sha512"
    hash_algorithm = hashes.SHA512()


_PRIMITIVES: dict[Algorithm, type[HTTPSignatureAlgorithm]] = {
    Algorithm.ED25519: algorithms.ED25519,
    Algorithm.ES256: algorithms.ECDSA_P256_SHA256,
    Algorithm.ES384: algorithms.ECDSA_P384_SHA384,
    Algorithm.RS256: algorithms.RSA_V1_5_SHA256,
    Algorithm.RS384: _RsaSha384,
    Algorithm.RS512: _RsaSha512,
    Algorithm.PS512: algorithms.RSA_PSS_SHA512,
}
