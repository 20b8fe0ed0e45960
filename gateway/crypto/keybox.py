"""The keys of now: the key file, read again when it changes, so that a rotation needs no restart (KEYS-2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from joserfc.jwk import ECKey

from gateway.crypto import jwt
from gateway.crypto.keys import KeyRing, load_key_file
from gateway.crypto.secrets import Sealer
from gateway.errors import GatewayError
from gateway.log import get_logger
from gateway.model.secret import Secret
from gateway.model.token import TokenClaims

log = get_logger(__name__)


class KeyBox:
    """Holds the key ring and what is made from it.

    Args:
        path: the key file.

    Raises:
        GatewayError: `CONFIGURATION` if the file cannot be read now; later faults only keep the last good ring.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._set(load_key_file(path))

    def _set(self, ring: KeyRing) -> None:
        self.ring = ring
        self._sealer = Sealer(ring.sealing_keys())
        self._token_keys: Mapping[str, ECKey] = jwt.verification_keys(ring.token_keys())
        self._mark = _mark(self._path)

    def read_again(self) -> bool:
        """Take over a changed key file; tell whether there was one."""
        try:
            if _mark(self._path) == self._mark:
                return False
            ring = load_key_file(self._path)
        except (OSError, GatewayError) as error:
            log.warning("key file cannot be read, keeping the last good keys", reason=str(error))
            return False
        if ring.instance_id != self.ring.instance_id or ring.pepper != self.ring.pepper:
            log.error("key file is another instance's, keeping the last good keys")
            return False
        self._set(ring)
        log.info("keys read again")
        return True

    def current(self) -> KeyRing:
        """Return the ring of now."""
        return self.ring

    def seal(self, secret: Secret | bytes, *, context: str) -> str:
        """Seal with the newest key; see `Sealer`."""
        return self._sealer.seal(secret, context=context)

    def open(self, sealed: str, *, context: str) -> bytes:
        """Open with whichever key sealed; see `Sealer`."""
        return self._sealer.open(sealed, context=context)

    def issue(self, claims: TokenClaims) -> Secret:
        """Return an access token, signed with the active token key."""
        return jwt.issue(claims, self.ring.token_key())

    def verify(self, token: str, now: float) -> TokenClaims:
        """Return the claims of one of our own access tokens, or raise `jwt.TokenInvalid`."""
        return jwt.verify(token, self._token_keys, issuer=self.ring.public_url, now=now)


def _mark(path: Path) -> tuple[int, int, int]:
    """Return what tells one file from the next: two writes in the same tick of the clock have the same time."""
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size
