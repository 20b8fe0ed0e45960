"""Secrets at rest and secrets made (DESIGN 9): sealing, fingerprints, and fresh random names.

A sealed text says which key of the ring opens it, so the ring can be rotated: the first key seals, all of them open.
Its context (table and record) is authenticated with it, so a sealed text moved to another record does not open there.
Records are found by fingerprint, which without the pepper tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import GatewayError, unavailable
from gateway.model.secret import Secret

SEALING_KEY_BYTES = 32
NONCE_BYTES = 12
SECRET_CHARS = 32
ID_BYTES = 16

_FORMAT = "1"
_ALPHABET = string.ascii_letters + string.digits


class Sealer:
    """Encrypts and decrypts with a ring of AES-256-GCM keys, of which the first one seals."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != SEALING_KEY_BYTES for key in keys):
            raise ValueError(f"An encryption ring has one or more keys of {SEALING_KEY_BYTES} bytes.")
        self._newest = _key_name(keys[0])
        self._ciphers = {_key_name(key): AESGCM(key) for key in keys}

    def seal(self, secret: Secret | bytes, *, context: str) -> str:
        """Return `secret` encrypted, as ASCII text; only `open` with the same `context` reads it."""
        plain = secret.reveal().encode() if isinstance(secret, Secret) else secret
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._ciphers[self._newest].encrypt(nonce, plain, context.encode())
        return f"{_FORMAT}.{self._newest}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, context: str) -> bytes:
        """Return what was sealed under `context`.

        Raises:
            GatewayError: `UNAVAILABLE` if no key opens it: the wrong key file is an outage, not a lost share.
        """
        form, _, rest = sealed.partition(".")
        name, _, text = rest.partition(".")
        if form != _FORMAT or name not in self._ciphers:
            raise _unreadable("its key is not in the ring")
        try:
            octets = base64.b64decode(text, b"-_", validate=True)
            return self._ciphers[name].decrypt(octets[:NONCE_BYTES], octets[NONCE_BYTES:], context.encode())
        except (ValueError, InvalidTag) as error:
            raise _unreadable("it was changed, or belongs elsewhere") from error


def fingerprint(pepper: bytes, text: str) -> str:
    """Return the name under which a secret is looked up: its HMAC-SHA256 under the pepper, in hex."""
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()


def new_secret(choose: Callable[[str], str] = secrets.choice) -> Secret:
    """Return a fresh shared secret of about 190 bits, in letters and digits that no URL or header has to escape."""
    return Secret("".join(choose(_ALPHABET) for _ in range(SECRET_CHARS)))


def new_id(token_hex: Callable[[int], str] = secrets.token_hex) -> str:
    """Return a fresh name that is unique everywhere, in lower-case hex."""
    return token_hex(ID_BYTES)


def _key_name(key: bytes) -> str:
    # Derived, so that a ring is only a list of keys; one-way, so that it tells nothing about the key.
    return hashlib.sha256(b"ocm-gateway sealing key" + key).hexdigest()[:8]


def _unreadable(why: str) -> GatewayError:
    return unavailable("The gateway cannot read one of its own records.", log=f"sealed text does not open: {why}")
