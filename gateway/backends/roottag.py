"""The entity tag of a shared folder: it changes whenever anything below changes (DESIGN 6, ETags).

Peers look at the root's tag to learn whether they have to look at anything else. Where the storage's own tag does not
travel upwards, ours is made from a counter of the writes that went through us, and from the time for the others.
"""

from __future__ import annotations

import hashlib

# How long, in seconds, a change that was made behind our back may stay unnoticed.
UNNOTICED_MAX_SECONDS = 60


def root_tag(own: str, *, writes: int, now: float) -> str:
    """Return the tag of a folder whose storage does not pass changes upwards.

    Args:
        own: the storage's tag of the folder, empty if it has none.
        writes: how many writes below it went through us.
        now: seconds since the epoch.
    """
    facts = f"{own}\n{writes}\n{int(now // UNNOTICED_MAX_SECONDS)}"
    return f'"{hashlib.blake2b(facts.encode(), digest_size=12).hexdigest()}"'
