"""The checksums that peers, clouds and research storages use for files (ANCHORS 1.2).

adler32 is what research storages have, md5 and SHA-1 what clouds have; they find damage and prove nothing.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol


class Sum(Protocol):
    """A sum over bytes that come piece by piece."""

    def update(self, data: bytes, /) -> None:
        """Add the next bytes."""

    def hexdigest(self) -> str:
        """Return the sum so far in lower-case hex."""


class Adler32:
    """The checksum of zlib (RFC 1950), always in 8 digits."""

    def __init__(self) -> None:
        self._value = 1

    def update(self, data: bytes, /) -> None:
        """Add the next bytes."""
        self._value = zlib.adler32(data, self._value)

    def hexdigest(self) -> str:
        """Return the sum so far in lower-case hex."""
        return f"{self._value:08x}"


SUMS: Mapping[str, Callable[[], Sum]] = {
    "sha-512": hashlib.sha512,
    "sha-256": hashlib.sha256,
    "sha-1": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "adler32": Adler32,
}
"""How each is computed, under the names of RFC 9530, the strongest first."""
