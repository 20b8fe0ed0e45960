"""AES-GCM as SSH uses it (RFC 5647, under the names of OpenSSH), in one step a packet and without copies around it.

asyncssh makes a new cipher for each packet and copies the packet several times around it. What is here works on
asyncssh's own key and nonce, so that both may take turns, packet by packet, and no nonce can be used by both.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - asyncssh has no other way to its ciphers; `KNOWN_VERSION` says what was read before.
import asyncssh
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.encryption import Encryption, GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LENGTH_BYTES, TAG_BYTES, BLOCK_BYTES = 4, 16, 16
# Of asyncssh, whose inner parts this module and those beside it use; every other version does all of its work itself.
KNOWN_VERSION = "2.24.1"


class Gcm:
    """The cipher of one direction, from one exchange of keys to the next."""

    def __init__(self, state: GCMCipher) -> None:
        self._state = state
        self._cipher = AESGCM(state._key)

    def seal(self, packet: memoryview) -> tuple[bytes, bytes]:
        """Return the two parts of a packet as it goes out: its length, and itself encrypted with the tag behind it."""
        length, nonce = len(packet).to_bytes(LENGTH_BYTES), self._state._iv
        # Before it is used: no nonce is used twice, whatever happens.
        self._state._update_iv()
        return length, self._cipher.encrypt(nonce, packet, length)

    def look(self, sealed: memoryview) -> bytes | None:
        """Return what is in a packet that has come in, or None if it is not genuine; `step` says that it was taken."""
        try:
            return self._cipher.decrypt(self._state._iv, sealed[LENGTH_BYTES:], sealed[:LENGTH_BYTES])
        except InvalidTag:
            return None

    def step(self) -> None:
        """Go on to the next packet that comes in."""
        self._state._update_iv()


class Current:
    """The cipher of one direction of a connection, whichever it is at the moment."""

    def __init__(self) -> None:
        self._of: Encryption | None = None
        self._gcm: Gcm | None = None

    def gcm(self, encryption: Encryption | None) -> Gcm | None:
        """Return AES-GCM if that is what `encryption` is, and if asyncssh is known well enough."""
        if encryption is not self._of:
            self._of = encryption
            self._gcm = Gcm(encryption._cipher) if isinstance(encryption, GCMEncryption) and is_known() else None
        return self._gcm


def is_known() -> bool:
    """Tell whether the inner parts of this asyncssh are known."""
    return asyncssh.__version__ == KNOWN_VERSION
