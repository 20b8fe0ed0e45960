"""Marks of change: what makes a shared folder's tag new when something below it was written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteMark:
    """How often something was written in one owner's storage; `key` names storage and owner."""

    key: str
    count: int
