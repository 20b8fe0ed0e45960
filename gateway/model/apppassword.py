"""App passwords: what a user gives to one program, so that it gets to what she has received and to nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPassword:
    """One app password, as it is kept: it opens nothing.

    Attributes:
        password_id: names it in lists and when it is withdrawn.
        user: local identifier of whose it is.
        name: what the user calls the program or device.
        verifier: the SHA-256 of the app password; that is long and random, so a slow hash would add nothing.
        created_at, used_at: seconds since the epoch; `used_at` is None before the first use and at most a minute old.
        used_from: network address of the last use.
    """

    password_id: str
    user: str
    name: str
    verifier: Secret
    created_at: float
    used_at: float | None = None
    used_from: str = ""
