"""How peers answer a signed message that changes nothing: news of a share that does not exist.

What says that the signature held is the answer about the share. Sources: live-captures.md 2, items 14 to 17 and 20
(Nextcloud: 400 `Invalid signature`, else 400 about the entry) and 21 (ownCloud 10: 400 or 403, and no look at
signatures); `dialects.md` 6 and 7 (OpenCloud and CERNBox: 201 to anything).
"""

from __future__ import annotations

import re
from enum import StrEnum

from gateway.model.dialect import Dialect

_SIGNATURE_WORDS = re.compile(r"signature|signed request|supposed to sign|unsigned|keyid|\bkey id\b", re.IGNORECASE)
_READS_NO_SIGNATURES = frozenset({"ownCloud 10", "Seafile", "OpenCloud", "CERNBox", "oCIS"})
_REFUSED = frozenset({401, 403})
_NO_DOOR = frozenset({404, 405, 501})


class Heard(StrEnum):
    """What became of the message."""

    UNDERSTOOD = "understood"
    UNCHECKED = "unchecked"
    NOT_PROVEN = "not-proven"
    REFUSED = "refused"
    NO_DOOR = "no-door"
    BROKEN = "broken"


def read_dry_run(dialect: Dialect, status: int, text: str) -> Heard:
    """Return what an answer of this status and text says about our message."""
    looks_at_signatures = dialect.name not in _READS_NO_SIGNATURES
    if 400 <= status < 500 and looks_at_signatures and _SIGNATURE_WORDS.search(text):  # noqa: PLR2004 - classes of HTTP
        return Heard.NOT_PROVEN
    if status in _REFUSED and looks_at_signatures:
        return Heard.REFUSED
    if status in _NO_DOOR:
        return Heard.NO_DOOR
    if status >= 500 or 300 <= status < 400:  # noqa: PLR2004 - as above
        return Heard.BROKEN
    return Heard.UNDERSTOOD if looks_at_signatures else Heard.UNCHECKED
