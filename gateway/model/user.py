"""Local users: as an identity provider proved them, and as the rest of the world may name them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.placement import ONLY_STORAGE
from gateway.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUser:
    """Somebody who logged in here.

    Attributes:
        identifier: the local part of the OCM address, `[A-Za-z0-9_.-]+` (DESIGN 7).
        login: the name used with the storage, where it differs.
        password: the storage's own pass word where the log-in was tried against it; browsing then runs as the user.
        proven_at: the storage at which that was; no other one ever gets to see the pass word.
        groups: the groups that the provider tells, at the time of the log-in.
    """

    identifier: str
    display_name: str
    email: str = ""
    login: str = ""
    password: Secret | None = None
    proven_at: str = ONLY_STORAGE
    groups: tuple[str, ...] = ()
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownUser:
    """A local user whom shares may be addressed to; kept in the store for those who have logged in once.

    Attributes:
        seen_at: seconds since the epoch of the last log-in, 0 for users known from a file.
    """

    identifier: str
    display_name: str
    email: str = ""
    seen_at: float = 0.0
