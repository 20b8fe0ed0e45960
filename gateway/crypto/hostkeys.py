"""The statement by which a gateway tells the keys of its SSH door, so that nobody has to trust on first use.

Our own extension: discovery's `sshHostKeys` is the URL of a compact JWS (RFC 7515), signed with a key of the same
JWK set that signs our requests. Its payload names the authority that speaks, the door's `host:port`, the host keys as
one-line OpenSSH keys, and an end, so that an old statement cannot bring back a lost key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.crypto.ring import SigningKey
from gateway.crypto.sshkeys import public_lines
from gateway.errors import GatewayError, Kind

TYPE = "ssh-host-keys+jwt"
CONTENT_TYPE = f"application/{TYPE}"
LIFE_SECONDS = 24 * 3600
LEEWAY_SECONDS = 60
STATEMENT_MAX_CHARS = 16 * 1024
KEYS_MAX = 10
# RFC 9864 names the curve; `EdDSA` is the older word for it.
ALGORITHMS = ("Ed25519", "EdDSA")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeys:
    """What a gateway says of its SSH door.

    Attributes:
        authority: whose door it is.
        address: `host:port` of the door.
        keys: `type base64`; the one in use first.
    """

    authority: str
    address: str
    keys: tuple[str, ...]


def issue(stated: HostKeys, key: SigningKey, now: float) -> str:
    """Return the signed statement, good for a day."""
    header = {"typ": TYPE, "alg": ALGORITHMS[0], "kid": key.kid}
    payload = {
        "authority": stated.authority,
        "address": stated.address,
        "hostKeys": list(stated.keys),
        "iat": int(now),
        "exp": int(now) + LIFE_SECONDS,
    }
    private = OKPKey.import_key(key.pem())
    return jws.serialize_compact(header, json.dumps(payload), private, algorithms=list(ALGORITHMS))


def verify(statement: str, jwk_set: Mapping[str, object], *, authority: str, now: float) -> HostKeys:
    """Return what the provider with this authority and JWK set says of its SSH door.

    Raises:
        GatewayError: `INVALID` if it is not signed by one of these keys, is another provider's, or is not good now.
    """
    try:
        if len(statement) > STATEMENT_MAX_CHARS:
            raise _refused("is too long")
        decoded = jws.deserialize_compact(
            statement, lambda found: _key(found.headers(), jwk_set), algorithms=list(ALGORITHMS)
        )
        payload = json.loads(decoded.payload)
        return _checked(payload, str(decoded.headers().get("typ")), authority=authority, now=now)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refused("cannot be verified") from error


def _checked(payload: Mapping[str, object], kind: str, *, authority: str, now: float) -> HostKeys:
    begins, ends, lines = payload["iat"], payload["exp"], payload["hostKeys"]
    if kind != TYPE or payload["authority"] != authority:
        raise _refused("is not about this provider")
    if not isinstance(begins, int) or not isinstance(ends, int) or not begins - LEEWAY_SECONDS <= now < ends:
        raise _refused("is not good now")
    address = payload["address"]
    if not isinstance(address, str) or not isinstance(lines, list):
        raise _refused("is not complete")
    keys = public_lines((line for line in lines if isinstance(line, str)), most=KEYS_MAX)
    if not keys:
        raise _refused("names no key")
    return HostKeys(authority=authority, address=address, keys=keys)


def _key(header: Mapping[str, object], jwk_set: Mapping[str, object]) -> OKPKey:
    found = jwk_set.get("keys")
    for entry in found if isinstance(found, list) else []:
        if isinstance(entry, dict) and entry.get("kid") == header["kid"] and entry.get("kty") == "OKP":
            # Only what is the key itself; what else the peer says of it must not change how it is used.
            return OKPKey.import_key({name: entry[name] for name in ("kty", "crv", "x")})
    raise _refused("is signed with an unknown key")


def _refused(why: str) -> GatewayError:
    return GatewayError(Kind.INVALID, f"The statement of SSH host keys {why}.", code="ssh-host-keys")
