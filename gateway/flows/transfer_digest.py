"""Checks that what came is what the sender has: counts bytes, and sums where the sender tells a checksum (ACC-5).

adler32 is what research storages have, md5 and SHA-1 what clouds have; they find damage, they prove nothing against a
sender who lies, who could as well send other bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_ports import Where


class _Sum(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Adler32:
    def __init__(self) -> None:
        self._value = 1

    def update(self, data: bytes, /) -> None:
        self._value = zlib.adler32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


_SUMS: Mapping[str, Callable[[], _Sum]] = {
    "sha-512": hashlib.sha512,
    "sha-256": hashlib.sha256,
    "sha-1": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "adler32": _Adler32,
}


class Check:
    """Sums bytes up, to be compared with what the sender said of the whole file.

    Args:
        digests: algorithm to sum in lower-case hex; the strongest of those that we know is compared.
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._name = next((name for name in _SUMS if name in digests), "")
        self._expected = digests.get(self._name, "")
        self._sum = _SUMS[self._name]() if self._name else None

    @property
    def is_needed(self) -> bool:
        """Whether the sender told a checksum that we can compute."""
        return self._sum is not None

    def update(self, data: bytes) -> None:
        """Add the next bytes."""
        if self._sum is not None:
            self._sum.update(data)

    def finish(self) -> None:
        """Do nothing if the sum is the sender's.

        Raises:
            GatewayError: `UNAVAILABLE` if it is not: the file is fetched again.
        """
        if self._sum is not None and self._sum.hexdigest() != self._expected:
            raise GatewayError(
                Kind.UNAVAILABLE,
                f"{Where.SENDER.value}: the checksum does not fit what was sent ({self._name}).",
                code="checksum-differs",
            )
