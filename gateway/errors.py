"""The one tree of errors that the gateway raises on purpose.

A `GatewayError` says what went wrong in two voices: `public` may be shown to a stranger, `log` never is.
`kind` is the meaning; each front end owns one table from `Kind` to its own code (HTTP status, SFTP status,
exit status). Foreign exceptions become a `GatewayError` at the line where they arise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an error means, whatever protocol it is told in."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    NOT_ALLOWED = "not-allowed"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition-failed"
    TOO_LARGE = "too-large"
    RANGE_INVALID = "range-invalid"
    LOCKED = "locked"
    LIMITED = "limited"
    NOT_IMPLEMENTED = "not-implemented"
    UNAVAILABLE = "unavailable"
    NO_SPACE = "no-space"
    CONFIGURATION = "configuration"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that was not as it should be: its dotted `name` and a `message` fit for strangers."""

    name: str
    message: str


class GatewayError(Exception):
    """An expected failure, told once for strangers and once for the operator.

    Args:
        kind: the meaning, from which each front end derives its code.
        public: a sentence that a stranger may read; it never holds a secret or an internal name.
        code: a short stable word for machines, by default the kind's own.
        log: what the operator needs to know in addition; never sent anywhere.
        retry_after: whole seconds after which trying again makes sense.
        faults: the fields at fault, where the error is about a message's content (SHARE-7).
    """

    def __init__(
        self,
        kind: Kind,
        public: str,
        *,
        code: str = "",
        log: str = "",
        retry_after: int | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(public)
        self.kind = kind
        self.public = public
        self.code = code or kind.value
        self.log = log
        self.retry_after = retry_after
        self.faults = faults

    def __str__(self) -> str:
        """Return the sentence for strangers, and behind it what only the log may hold."""
        return f"{self.public} [{self.log}]" if self.log else self.public


RETRY_SOON_SECONDS = 30
# The code of the one `NOT_FOUND` that is about a share as a whole: what was shared is not where it was.
ROOT_MISSING = "share-root-missing"
# The code of the `FORBIDDEN` that is about the name of a target: the storage would take a shorter one for it.
NAME_CUT = "name-would-be-cut"
# The codes by which callers know that a storage did not take our credential, or shows no folder where it should begin.
CREDENTIAL_REFUSED = "credential-refused"
STORAGE_MISSING = "storage-missing"


def unavailable(public: str, *, log: str = "", retry_after: int = RETRY_SOON_SECONDS) -> GatewayError:
    """Return the error for something that works again later: never a reason to drop a share or a mount."""
    return GatewayError(Kind.UNAVAILABLE, public, log=log, retry_after=retry_after)
