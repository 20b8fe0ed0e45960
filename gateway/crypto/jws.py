"""Signed documents of others: JWS in all three serializations (RFC 7515; DIR-1).

A document may bear several signatures, and it is enough that one of the keys that the operator gave made one of them.
So each signature is checked alone: whoever adds a signature of her own, good or bad, takes nothing away from another's.
The algorithm comes from the key; a header that says otherwise, or that demands extensions (`crit`), is refused.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, GuestProtocol, Key, OKPKey, RSAKey, import_key
from joserfc.jws import HeaderDict

from gateway.crypto.jwk import Algorithm, verifying_key
from gateway.crypto.refusal import SignatureError
from gateway.crypto.ring import PrivateKey, SigningKey
from gateway.errors import GatewayError, Kind

JWS_MAX_BYTES = 4 * 1024 * 1024
SIGNATURES_MAX = 16
_HEADER_MAX_CHARS = 8192
# RFC 9864 names the curve of a signature; `EdDSA` is the older word for it.
_USUAL = {
    ("OKP", "Ed25519"): Algorithm.ED25519.value,
    ("EC", "P-256"): Algorithm.ES256.value,
    ("EC", "P-384"): Algorithm.ES384.value,
    ("RSA", ""): Algorithm.RS256.value,
}
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_OLDER_NAMES = {"EdDSA": Algorithm.ED25519.value}


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that the operator gave, and its name where the operator gave one too."""

    algorithm: Algorithm
    key: Key
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class _Signature:
    protected: str
    signature: str


class _Registry(jws.JWSRegistry):
    """Leaves the limits to us: the library takes 128,000 characters of content, less than a large federation's list."""

    max_header_length = JWS_MAX_BYTES
    max_payload_length = JWS_MAX_BYTES
    max_signature_length = JWS_MAX_BYTES


def load_keys(path: Path) -> tuple[TrustedKey, ...]:
    """Return the public keys in a file: a JWK, a JWK set, or one or more in PEM.

    Raises:
        GatewayError: `CONFIGURATION` if the file cannot be read, or holds no key or one that we do not use.
    """
    try:
        text = path.read_bytes().decode()
        keys = _pem_keys(text) if "-----BEGIN" in text else _jwk_keys(text)
    except (OSError, ValueError, UnsupportedAlgorithm, SignatureError) as error:
        raise GatewayError(
            Kind.CONFIGURATION, f"{path} cannot be used as the keys of a directory.", log=str(error)
        ) from error
    if not keys:
        raise GatewayError(Kind.CONFIGURATION, f"{path} holds no key.")
    return keys


def verified_payload(document: bytes, keys: Sequence[TrustedKey]) -> bytes:
    """Return the content of a signed document of which one of `keys` made a signature.

    Raises:
        GatewayError: `INVALID` if there is no such signature.
    """
    if len(document) > JWS_MAX_BYTES:
        raise _refused("is too large")
    payload, signatures = _parsed(document)
    if len(signatures) > SIGNATURES_MAX:
        raise _refused("bears too many signatures")
    for signature, key in product(signatures, keys):
        content = _content(payload, signature, key)
        if content is not None:
            return content
    raise _refused("bears no signature of a key that is trusted for it")


def sign(payload: Mapping[str, object], keys: Sequence[SigningKey]) -> str:
    """Return a document signed by each of `keys`, all ES256: flattened for one, general for several (RFC 7515, 7.2)."""
    body = json.dumps(payload).encode()
    members: list[HeaderDict] = [{"protected": {"alg": key.algorithm.value, "kid": key.kid}} for key in keys]
    by_id = {key.kid: ECKey.import_key(key.pem()) for key in keys}

    def private(found: GuestProtocol) -> Key:
        return by_id[str(found.headers()["kid"])]

    if len(members) == 1:
        signed: Mapping[str, object] = {**jws.serialize_json(members[0], body, private)}
    else:
        signed = {**jws.serialize_json(members, body, private)}
    # Nextcloud's contacts and OpenCloud read the list from plain members and check nothing (`dialects.md` 3.10, 6).
    # RFC 7515, 7.2.1 lets further members stand beside the signature, and everybody else has to ignore them.
    return json.dumps({**payload, **signed}, indent=1)


def new_private_key() -> SigningKey:
    """Return a fresh key to sign directories with: ES256, which every JOSE library knows."""
    return _named(ec.generate_private_key(ec.SECP256R1()))


def load_private_key(path: Path) -> SigningKey:
    """Return the key in a file that holds an unencrypted private key in PEM.

    Raises:
        GatewayError: `CONFIGURATION` if there is no usable key in it.
    """
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise GatewayError(Kind.CONFIGURATION, f"{path} holds no private key that can be used.") from error
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return _named(private)
    raise GatewayError(Kind.CONFIGURATION, f"The key in {path} is not of the curve P-256.")


def public_pem(key: SigningKey) -> str:
    """Return the public half, as members of a federation configure it."""
    return _public_pem(key.private)


def _named(private: ec.EllipticCurvePrivateKey) -> SigningKey:
    # RFC 7638: a name that follows from the key, so nobody has to choose one.
    return SigningKey(ECKey.import_key(_public_pem(private)).thumbprint(), Algorithm.ES256, private)


def _public_pem(private: PrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _parsed(document: bytes) -> tuple[str, list[_Signature]]:
    text = document.strip()
    if not text.startswith(b"{"):
        parts = text.decode(errors="replace").split(".")
        if len(parts) != 3:  # noqa: PLR2004 - header, payload and signature
            raise _refused("is no JWS")
        return parts[1], [_Signature(parts[0], parts[2])]
    members = _object(text)
    payload, listed = members.get("payload"), members.get("signatures", [members])
    if not isinstance(payload, str) or not isinstance(listed, list):
        raise _refused("is no JWS")
    return payload, list(_listed(listed))


def _listed(entries: list[object]) -> Iterator[_Signature]:
    for entry in entries:
        match entry:
            case {"protected": str(protected), "signature": str(signature)}:
                yield _Signature(protected, signature)
            # One that is not written as it should be is nobody's; others may stand beside it.


def _content(payload: str, signature: _Signature, trusted: TrustedKey) -> bytes | None:
    """Return what was signed; None if `trusted` did not make this signature."""
    header = _header(signature.protected)
    algorithm = trusted.algorithm.value
    named = str(header.get("alg"))
    if _OLDER_NAMES.get(named, named) != algorithm or "crit" in header:
        return None
    if trusted.key_id and header.get("kid", trusted.key_id) != trusted.key_id:
        return None
    compact = f"{signature.protected}.{payload}.{signature.signature}"
    # Headers that we do not know are to be ignored (RFC 7515, 4); the library refuses them unless told.
    registry = _Registry(strict_check_header=False, algorithms=[named])
    try:
        with warnings.catch_warnings():
            # The library warns of the older name `EdDSA`; documents bear it for years to come.
            warnings.simplefilter("ignore", SecurityWarning)
            return jws.deserialize_compact(compact, trusted.key, registry=registry).payload
    except (JoseError, ValueError, TypeError):
        return None


def _header(protected: str) -> dict[str, object]:
    if len(protected) > _HEADER_MAX_CHARS:
        return {}
    try:
        return _object(base64.urlsafe_b64decode(protected + "=="))
    except (ValueError, GatewayError):
        return {}


def _object(text: bytes) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused("is malformed") from error
    return found if isinstance(found, dict) else {}


def _pem_keys(text: str) -> tuple[TrustedKey, ...]:
    blocks = [f"-----BEGIN{block}" for block in text.split("-----BEGIN")[1:]]
    return tuple(_trusted(_jwk_of(load_pem_public_key(block.encode()), block)) for block in blocks)


def _jwk_of(public: object, pem: str) -> dict[str, object]:
    match public:
        case Ed25519PublicKey():
            return dict(OKPKey.import_key(pem).as_dict())
        case EllipticCurvePublicKey():
            return dict(ECKey.import_key(pem).as_dict())
        case RSAPublicKey():
            return dict(RSAKey.import_key(pem).as_dict())
    raise ValueError("a key of another type")


def _jwk_keys(text: str) -> tuple[TrustedKey, ...]:
    document = json.loads(text)
    entries = document["keys"] if isinstance(document, dict) and "keys" in document else [document]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("not a JWK")
    return tuple(_trusted(entry) for entry in entries)


def _trusted(jwk: Mapping[str, object]) -> TrustedKey:
    algorithm = verifying_key({"alg": _USUAL.get((str(jwk.get("kty")), str(jwk.get("crv", "")))), **jwk}).algorithm
    public: dict[str, str | list[str]] = {name: str(jwk[name]) for name in _PUBLIC_MEMBERS if name in jwk}
    return TrustedKey(algorithm, import_key(public), str(jwk.get("kid", "")))


def _refused(why: str) -> GatewayError:
    return GatewayError(Kind.INVALID, f"The signed document {why}.", code="jws-refused")
