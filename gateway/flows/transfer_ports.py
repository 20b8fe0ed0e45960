"""What the parts of a transfer share: the operator's rules, what is counted, and failures that know their side.

Half of what can go wrong in a copy is the sender's, the other half the user's own storage; who reads the reason has
to know which. So a failure is named after its side where it arises, and judged in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.errors import GatewayError, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRules:
    """What the operator set; times in seconds.

    Attributes:
        parallel_files: how many files of one transfer are copied at the same time.
        parallel_pieces: how many pieces of one large file are.
        large_bytes: from which size on a file is copied in pieces, where the storage can.
        checkers: how many names are looked up at the target at the same time.
        lost_seconds: a worker that was silent for so long counts as dead.
        checkpoint_seconds: how often progress is written down, and a cancellation noticed.
        tries: how often one file may fail while others go well.
        max_files: files and folders of one transfer.
        max_waiting: transfers of one user that are not over.
        kept_seconds: how long a finished transfer is remembered.
    """

    parallel_files: int = 4
    parallel_pieces: int = 4
    large_bytes: int = 256 * 1024 * 1024
    checkers: int = 8
    lost_seconds: float = 900.0
    checkpoint_seconds: float = 0.5
    tries: int = 10
    max_files: int = 1_000_000
    max_waiting: int = 100
    kept_seconds: float = 30 * 86_400.0


class TransferStats(Protocol):
    """What the operator counts."""

    def transfer_bytes(self, count: int) -> None:
        """Count bytes that came from a sender."""

    def transfer_fault(self, kind: str) -> None:
        """Count a file that was given up, by the kind of the error."""

    def transfer_running(self, change: int) -> None:
        """Count a transfer that begins (1) or stops (-1) to be carried out here."""


class Where(StrEnum):
    """On whose side something failed, in words that begin a sentence."""

    SENDER = "At the sender"
    OWN = "In your storage"


class Trouble(GatewayError):  # noqa: N818 - a failure that knows its side
    """A failure of one side of a transfer."""

    def __init__(self, where: Where, error: GatewayError) -> None:
        super().__init__(
            error.kind,
            f"{where.value}: {error.public}",
            code=error.code,
            log=error.log,
            retry_after=error.retry_after,
        )
        self.where = where


@contextmanager
def on(where: Where) -> Iterator[None]:
    """Name every failure inside after its side, unless a closer context did."""
    try:
        yield
    except (Trouble, SourceChanged):
        raise
    except GatewayError as error:
        raise Trouble(where, error) from error


class SourceChanged(GatewayError):  # noqa: N818 - what it tells
    """The file at the sender is not the one that the copy began with."""

    def __init__(self) -> None:
        super().__init__(Kind.CONFLICT, f"{Where.SENDER.value}: The file changed while it was copied.")


class Fate(StrEnum):
    """What a failure means for the transfer."""

    CHANGED = "changed"
    LATER = "later"
    FAULT = "fault"
    END = "end"


# What storage clients say when our credential is not taken: then the share has ended.
CREDENTIAL_REFUSED = frozenset({"credential-refused", "storage-login-refused"})
_LATER = frozenset({Kind.UNAVAILABLE, Kind.LIMITED})


def fate_of(error: GatewayError) -> Fate:
    """Return what a failed file means: this file's fault, a matter of time, or the end of the whole transfer."""
    if isinstance(error, SourceChanged):
        return Fate.CHANGED
    if error.kind is Kind.NO_SPACE or error.code in CREDENTIAL_REFUSED:
        return Fate.END
    return Fate.LATER if error.kind in _LATER else Fate.FAULT
