"""Checks that what came is what the sender has: counts bytes, and sums where the sender tells a checksum (ACC-5).

adler32 is what research storages have, md5 and SHA-1 what clouds have; they find damage, they prove nothing against a
sender who lies, who could as well send other bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import GatewayError, Kind
from gateway.flows.transfer_ports import Where
from gateway.model.sums import SUMS


class Check:
    """Sums bytes up, to be compared with what the sender said of the whole file.

    Args:
        digests: algorithm to sum in lower-case hex; the strongest of those that we know is compared.
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._name = next((name for name in SUMS if name in digests), "")
        self._expected = digests.get(self._name, "")
        self._sum = SUMS[self._name]() if self._name else None

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
