"""Public keys by which a local user opens at the SSH door what she has received."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """One public key of a user.

    Attributes:
        key_id: names it in lists and when it is removed.
        user: local identifier of whose it is.
        name: what the user calls the program or device.
        key: the key as `type base64`.
        created_at, used_at: seconds since the epoch; `used_at` is None before the first use.
    """

    key_id: str
    user: str
    name: str
    key: str
    created_at: float
    used_at: float | None = None
