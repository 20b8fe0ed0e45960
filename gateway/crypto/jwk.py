"""Keys of peers: a JWK Set as it was fetched, and the public keys in it (KEYS-1, SIG-4, SIG-5; RFC 7517, RFC 7518).

A peer's set is read key by key: one key that we cannot use does not cost the others. What is left out: keys without
`kid` or `alg`, MAC and encryption keys, RSA below 2048 bits, keys that show their private part, and keys whose `kid`
names another host. The algorithm always comes from the key, never from the message.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from gateway.crypto.refusal import Reason, SignatureError
from gateway.errors import GatewayError
from gateway.model.address import Host, host_of_url, parse_host

JWKS_MAX_KEYS = 64
JWK_MEMBER_MAX_CHARS = 2048
RSA_MIN_BITS = 2048
RSA_MAX_BITS = 8192

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey


class Algorithm(StrEnum):
    """The signature algorithms that we accept, by their JOSE names (RFC 7518, RFC 9864)."""

    ED25519 = "Ed25519"
    ES256 = "ES256"
    ES384 = "ES384"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS512 = "PS512"


@dataclass(frozen=True, slots=True)
class _Shape:
    """The members that make up a key of one algorithm; `curve` is "" for RSA."""

    kty: str
    curve: str
    members: tuple[str, ...]


_RSA = _Shape("RSA", "", ("n", "e"))
_SHAPES = {
    Algorithm.ED25519: _Shape("OKP", "Ed25519", ("x",)),
    Algorithm.ES256: _Shape("EC", "P-256", ("x", "y")),
    Algorithm.ES384: _Shape("EC", "P-384", ("x", "y")),
    Algorithm.RS256: _RSA,
    Algorithm.RS384: _RSA,
    Algorithm.RS512: _RSA,
    Algorithm.PS512: _RSA,
}
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_NAMED_HOST = re.compile(r"([^#/@\s]*[.:][^#/@\s]*|localhost)#.+")


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A peer's public key and the one algorithm it is for."""

    algorithm: Algorithm
    public: PublicKey


def import_jwk_set(text: str, host: Host) -> dict[str, dict[str, str]]:
    """Return the usable keys of the JWK Set in `text`, fetched for `host`, by their `kid`; none if it is no set.

    Only the public members that we need are kept. Of two usable keys with one `kid` the first counts.
    """
    usable: dict[str, dict[str, str]] = {}
    for jwk in _entries(text):
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid or key_id_host(kid) not in (None, host):
            continue
        try:
            verifying_key(jwk)
        except SignatureError:
            continue
        usable.setdefault(kid, _public_members(jwk))
    return usable


def verifying_key(jwk: Mapping[str, object]) -> VerifyingKey:
    """Return the public key in `jwk`.

    Raises:
        SignatureError: `KEY_REFUSED` for every key that must not verify a signature (SIG-4).
    """
    algorithm = _algorithm(jwk)
    shape = _SHAPES[algorithm]
    if jwk.get("kty") != shape.kty or jwk.get("crv", "") != shape.curve:
        raise _refused("The key's type does not fit its algorithm.")
    if jwk.get("use", "sig") != "sig" or not _may_verify(jwk.get("key_ops", ["verify"])):
        raise _refused("The key is not for signatures.")
    if "d" in jwk:
        raise _refused("The key shows its private part.")
    public = _import(shape, jwk)
    if isinstance(public, RSAPublicKey) and not RSA_MIN_BITS <= public.key_size <= RSA_MAX_BITS:
        raise _refused(f"An RSA key has {RSA_MIN_BITS} to {RSA_MAX_BITS} bits.")
    return VerifyingKey(algorithm, public)


def key_id_host(key_id: str) -> Host | None:
    """Return the host that a key id in URL or `host#name` form belongs to; None if it is opaque (SIG-5).

    A single label before `#` is taken as opaque (`key#1`), except for `localhost`.
    """
    try:
        if key_id.startswith(("https://", "http://")):
            return host_of_url(key_id)
        named = _NAMED_HOST.fullmatch(key_id)
        return parse_host(named[1]) if named else None
    except (GatewayError, ValueError):
        return None


def _entries(text: str) -> Iterator[dict[str, object]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    keys = document.get("keys") if isinstance(document, dict) else None
    if isinstance(keys, list):
        yield from (jwk for jwk in keys[:JWKS_MAX_KEYS] if isinstance(jwk, dict))


def _algorithm(jwk: Mapping[str, object]) -> Algorithm:
    name = jwk.get("alg")
    # The older name of RFC 8037 says nothing about the curve; the key itself does.
    if name == "EdDSA" and jwk.get("crv") == "Ed25519":
        return Algorithm.ED25519
    try:
        return Algorithm(str(name))
    except ValueError as error:
        raise _refused("The key names no algorithm that we accept.") from error


def _may_verify(operations: object) -> bool:
    return isinstance(operations, list) and "verify" in operations


def _import(shape: _Shape, jwk: Mapping[str, object]) -> PublicKey:
    # Built straight from the numbers: the JOSE library warns about weak RSA keys instead of refusing them.
    octets = [_octets(jwk.get(name)) for name in shape.members]
    try:
        if shape.kty == "OKP":
            return Ed25519PublicKey.from_public_bytes(octets[0])
        first, second = (int.from_bytes(part) for part in octets)
        if shape.kty == "RSA":
            return RSAPublicNumbers(n=first, e=second).public_key()
        return EllipticCurvePublicNumbers(first, second, _CURVES[shape.curve]).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused("The key is malformed.") from error


def _octets(member: object) -> bytes:
    if not isinstance(member, str) or not 0 < len(member) <= JWK_MEMBER_MAX_CHARS:
        raise _refused("A member of the key is missing or too long.")
    try:
        return base64.b64decode(member + "=" * (-len(member) % 4), b"-_", validate=True)
    except ValueError as error:
        raise _refused("The key is malformed.") from error


def _public_members(jwk: Mapping[str, object]) -> dict[str, str]:
    algorithm = _algorithm(jwk)
    wanted = ("kid", "kty", *(("crv",) if _SHAPES[algorithm].curve else ()), *_SHAPES[algorithm].members)
    return {**{name: str(jwk[name]) for name in wanted}, "alg": algorithm.value, "use": "sig"}


def _refused(sentence: str) -> SignatureError:
    return SignatureError(Reason.KEY_REFUSED, sentence)
