"""Directories of a federation: signed lists of the servers that belong to it (DIR-1, DIR-2)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.address import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One server in a directory; `url` is its origin."""

    host: Host
    url: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What a directory says: the name of the federation, and its servers."""

    federation: str
    servers: tuple[Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryCopy:
    """The last good copy of a directory, and how the last look at it went.

    Attributes:
        directory: what it said when it was last good, at `fetched_at`; None if it never was.
        asked_at: when somebody last began to ask for it; several replicas do not all ask.
        problem: why the last look failed, empty if it did not.
    """

    url: str
    directory: Directory | None = None
    fetched_at: float = 0.0
    asked_at: float = 0.0
    problem: str = ""
