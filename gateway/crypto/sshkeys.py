"""SSH keys as text: our own host keys, and the public keys that recipients answer a share with (SHARE-4).

A public key is kept and compared in one form only: `type base64`, without options and comment, made by `public_line`
from whatever line a peer wrote. What the key proves is checked by the SSH door itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)

from gateway.errors import GatewayError, Kind

LINE_MAX_CHARS = 8192
RSA_MIN_BITS = 2048
RSA_MAX_BITS = 8192
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A private Ed25519 key by which the SSH door is known."""

    private: ed25519.Ed25519PrivateKey = field(repr=False, compare=False)
    public: str

    @classmethod
    def generate(cls) -> HostKey:
        """Return a fresh key."""
        return cls._of(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, text: str) -> HostKey:
        """Return the key in PKCS#8 text.

        Raises:
            ValueError: if it is none of ours.
            TypeError: if it is of another kind.
        """
        private = load_pem_private_key(text.encode(), password=None)
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise TypeError("An SSH host key is Ed25519.")
        return cls._of(private)

    @classmethod
    def _of(cls, private: ed25519.Ed25519PrivateKey) -> HostKey:
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        return cls(private, public)

    def pem(self) -> str:
        """Return the private key in PKCS#8, for the key file."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def openssh(self) -> str:
        """Return the private key in the form of OpenSSH, for the door."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_line(line: str) -> str:
    """Return the public key in an OpenSSH line as `type base64`, without what stands before and behind it.

    Raises:
        GatewayError: `INVALID` if it holds no key, or one that is not taken here: of another type, too weak, or too
            large to be anything but a burden.
    """
    if len(line) > LINE_MAX_CHARS:
        raise _refused("is too long")
    words = line.split()
    for kind, text in pairwise(words):
        if kind in KEY_TYPES:
            return _checked(f"{kind} {text}")
    raise _refused("is not of a type that is taken here")


def public_lines(lines: Iterable[str], *, most: int) -> tuple[str, ...]:
    """Return those of the lines that hold a key taken here, each key once, at most `most` of them."""
    found: dict[str, None] = {}
    for line in lines:
        if len(found) >= most:
            break
        try:
            found[public_line(line)] = None
        except GatewayError:
            continue
    return tuple(found)


def _checked(line: str) -> str:
    try:
        # Refuses a key that is of another type than its line says, too.
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused("cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        raise _refused(f"has to have {RSA_MIN_BITS} to {RSA_MAX_BITS} bits")
    # Written anew, so that equal keys are equal text.
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _refused(why: str) -> GatewayError:
    return GatewayError(Kind.INVALID, f"This SSH key {why}.", code="ssh-key")
