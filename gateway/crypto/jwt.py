"""Access tokens of our own: RFC 9068 JWTs, signed with ES256 (TOK-2, TOK-4, IP-1; DESIGN 10).

ES256, because older libraries cannot match the names `Ed25519` and `EdDSA`. The algorithm is fixed, `typ` has to be
`at+jwt`, so no other JWT that the same key may sign can pass for an access token. Keys are prepared once and checked
tokens are remembered by the caller, so a check costs one ECDSA verification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from gateway.crypto.ring import SigningKey
from gateway.model.secret import Secret
from gateway.model.token import TokenClaims

TOKEN_MAX_CHARS = 4096
LEEWAY_SECONDS = 5
ALGORITHM = "ES256"
TYPE = "at+jwt"

_TYPES = frozenset({TYPE, f"application/{TYPE}"})


class TokenFault(StrEnum):
    """Why a token opens nothing: `expired` ones were good once."""

    EXPIRED = "expired"
    INVALID = "invalid"


class TokenInvalid(Exception):  # noqa: N818 - a name that reads as the fact it states
    """A token is not one of ours, or not any more."""

    def __init__(self, reason: TokenFault) -> None:
        super().__init__(f"The access token is {reason.value}.")
        self.reason = reason


def issue(claims: TokenClaims, key: SigningKey) -> Secret:
    """Return an access token with `claims`."""
    header = {"typ": TYPE, "alg": ALGORITHM, "kid": key.kid}
    payload = {
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "client_id": claims.client_id,
        "jti": claims.token_id,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
    }
    return Secret(jwt.encode(header, payload, ECKey.import_key(key.pem())))


def verification_keys(keys: Iterable[SigningKey]) -> Mapping[str, ECKey]:
    """Return `keys` in the form that `verify` takes; make it once and keep it."""
    return {key.kid: ECKey.import_key({**key.public_jwk()}) for key in keys}


def verify(token: str, keys: Mapping[str, ECKey], *, issuer: str, now: float) -> TokenClaims:
    """Return the claims of a valid access token of ours.

    A token is good until the second in which it expires; clocks of replicas may differ only at its beginning.

    Raises:
        TokenInvalid: `EXPIRED`, or `INVALID` for everything else.
    """
    if len(token) > TOKEN_MAX_CHARS:
        raise TokenInvalid(TokenFault.INVALID)
    try:
        decoded = jwt.decode(token, lambda found: _key(found.headers(), keys), algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenInvalid(TokenFault.INVALID) from error
    if str(decoded.header.get("typ")).lower() not in _TYPES:
        raise TokenInvalid(TokenFault.INVALID)
    claims = _claims(decoded.claims)
    if claims.issuer != issuer or claims.issued_at > now + LEEWAY_SECONDS:
        raise TokenInvalid(TokenFault.INVALID)
    if claims.expires_at <= now:
        raise TokenInvalid(TokenFault.EXPIRED)
    return claims


def _key(header: Mapping[str, object], keys: Mapping[str, ECKey]) -> ECKey:
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise TokenInvalid(TokenFault.INVALID)
    return key


def _claims(payload: Mapping[str, object]) -> TokenClaims:
    return TokenClaims(
        issuer=_text(payload, "iss"),
        subject=_text(payload, "sub"),
        audience=_text(payload, "aud"),
        client_id=_text(payload, "client_id"),
        token_id=_text(payload, "jti"),
        issued_at=_seconds(payload, "iat"),
        expires_at=_seconds(payload, "exp"),
    )


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise TokenInvalid(TokenFault.INVALID)
    return value


def _seconds(payload: Mapping[str, object], name: str) -> int:
    value = payload.get(name)
    if type(value) is not int:
        raise TokenInvalid(TokenFault.INVALID)
    return value
