"""Why a signature, digest or key is refused: one exception and one closed list of reasons (SIG-3, SIG-4).

The reasons are stable words for answers, logs and metrics. None of them holds anything that the sender wrote.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message is not taken as signed by whom it says."""

    TOO_LARGE = "signature-too-large"
    MALFORMED = "signature-malformed"
    AMBIGUOUS = "several-ocm-signatures"
    DUPLICATE_PARAMETER = "duplicate-parameter"
    UNKNOWN_PARAMETER = "unknown-parameter"
    KEYID_MISSING = "keyid-missing"
    CREATED_MISSING = "created-missing"
    CREATED_IN_FUTURE = "created-in-future"
    TOO_OLD = "signature-too-old"
    EXPIRED = "signature-expired"
    COMPONENT_MISSING = "component-missing"
    COMPONENT_UNUSABLE = "component-unusable"
    DIGEST_MALFORMED = "digest-malformed"
    DIGEST_UNKNOWN = "digest-unknown"
    DIGEST_MISMATCH = "digest-mismatch"
    LENGTH_MISMATCH = "length-mismatch"
    KEY_UNKNOWN = "key-unknown"
    KEY_REFUSED = "key-refused"
    ALGORITHM_MISMATCH = "algorithm-mismatch"
    SIGNATURE_WRONG = "signature-wrong"


class SignatureError(Exception):
    """A claimed signature, digest or key does not hold.

    Args:
        reason: the stable word.
        sentence: the same for people; it may be shown to a stranger.
    """

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
