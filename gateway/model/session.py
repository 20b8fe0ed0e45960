"""Browser sessions of local users (DESIGN 7).

The cookie holds the session's secret; the record is kept under a hash of it, so that whoever reads the store cannot
take over a session.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.placement import ONLY_STORAGE
from gateway.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody's log-in in one browser.

    Attributes:
        session_id: hash of what the cookie holds.
        user: local identifier.
        login: the name used with the storage, where it differs.
        password: the storage's own pass word, where the log-in was tried against it.
        proven_at: the storage at which that was.
        groups: the groups that the provider told.
        csrf: what every changing form has to send back.
        created_at, seen_at, expires_at: seconds since the epoch; `seen_at` is the last use, to about a minute.
    """

    session_id: str
    user: str
    display_name: str
    email: str = ""
    login: str = ""
    password: Secret | None = None
    csrf: Secret
    created_at: float
    seen_at: float
    expires_at: float
    has_second_factor: bool = False
    proven_at: str = ONLY_STORAGE
    groups: tuple[str, ...] = ()
