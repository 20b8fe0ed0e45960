"""Who administers the gateway: whom the operator names, and nobody else."""

import pytest

from gateway.model.admins import NOBODY, Admins
from gateway.model.user import LocalUser


def user(identifier="alice", *groups):
    return LocalUser(identifier=identifier, display_name="Admin", login="root", groups=groups)


@pytest.mark.parametrize(
    ("admins", "who"),
    [
        ({"users": {"alice"}}, user()),
        ({"users": {"bob", "alice"}, "groups": {"staff"}}, user()),
        ({"groups": {"staff", "operators"}}, user("alice", "pilots", "operators")),
    ],
)
def test_who_is_named_is_an_administrator(admins, who):
    """A user is one by her name or by any of her groups."""
    assert Admins(**{name: frozenset(names) for name, names in admins.items()}).include(who) is True


@pytest.mark.parametrize(
    ("admins", "who"),
    [
        ({}, user("alice", "staff")),
        ({"users": {"bob"}, "groups": {"operators"}}, user("alice", "staff")),
        ({"users": {"Alice", "alice@host", "*", "root", "Admin"}}, user()),
        ({"users": {"staff"}, "groups": {"alice"}}, user("alice", "staff")),
    ],
)
def test_nobody_else_is(admins, who):
    """Names hold letter by letter, and neither a log-in, a display name nor a pattern counts."""
    assert Admins(**{name: frozenset(names) for name, names in admins.items()}).include(who) is False


def test_by_default_there_is_none():
    """Nobody is named in what stands where nothing is configured."""
    assert Admins() == NOBODY
    assert (NOBODY.users, NOBODY.groups) == (frozenset(), frozenset())
