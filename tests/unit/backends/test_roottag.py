"""The tag of a shared folder changes with anything below, and else stays."""

from __future__ import annotations

import pytest

from gateway.backends.roottag import UNNOTICED_MAX_SECONDS, root_tag

NOW = 1_000_020.0


def test_it_stays_while_nothing_happens():
    """Without a write and within one minute the tag is the same, quoted and short."""
    tag = root_tag('"own"', writes=3, now=NOW)
    assert tag == root_tag('"own"', writes=3, now=NOW + UNNOTICED_MAX_SECONDS - 1)
    assert tag[0] == tag[-1] == '"'
    assert len(tag) <= 40


@pytest.mark.parametrize(
    "changed",
    [{"own": '"new"'}, {"writes": 4}, {"now": NOW + UNNOTICED_MAX_SECONDS}],
    ids=["own", "writes", "time"],
)
def test_it_changes(changed):
    """A change of the folder itself, a write through us, and the passing of a minute each change it."""
    facts = {"own": '"own"', "writes": 3, "now": NOW}
    own, rest = changed.get("own", facts["own"]), {**facts, **changed}
    assert root_tag(own, writes=rest["writes"], now=rest["now"]) != root_tag('"own"', writes=3, now=NOW)
