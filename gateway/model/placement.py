"""Which storage a user's files are on: an ordered list of rules, of which the first that fits decides.

A user has exactly one storage at a time. What was shared from another one before keeps its storage, which stands in
the share: so a user can be moved by changing a rule, and her shares follow when her files have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

STORAGE_NAME = re.compile(r"[a-z0-9-]{1,32}")
# The name of the storage where only one is configured.
ONLY_STORAGE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: users and members of groups whose files are on a storage; without any it fits everybody."""

    storage: str
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def is_for_all(self) -> bool:
        """Whether the rule fits everybody."""
        return not self.users and not self.groups

    def fits(self, user: str, groups: Collection[str]) -> bool:
        """Tell whether the rule is about this user."""
        return self.is_for_all or user in self.users or not self.groups.isdisjoint(groups)


def storage_of(rules: Sequence[Rule], user: str, groups: Collection[str]) -> str:
    """Return the name of the user's storage; the last rule fits everybody (`config.checks`)."""
    return next(rule.storage for rule in rules if rule.fits(user, groups))
