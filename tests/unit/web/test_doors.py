"""Every path that is ours is in the table of doors, with a lock on it."""

import ast
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import gateway
from gateway.web.doors import Door, Lock, Style

CODE = Path(gateway.__file__).parent
ADDS = {"add_route", "add_get", "add_post", "add_put", "add_view", "add_static", "add_routes", "add_subapp"}


def door(path):
    """Return a door at a path."""
    return Door(name="d", method="GET", path=path, lock=Lock.OPEN, style=Style.PAGE, about="a", handler=None)


def test_no_door_can_lack_a_lock():
    """A lock has no default: who makes a door has to say who may pass."""
    lock = next(field for field in fields(Door) if field.name == "lock")
    assert lock.default is MISSING
    assert lock.default_factory is MISSING


def test_routes_are_made_in_the_table_only():
    """Nobody adds a route past the table, but the operations port and the one for all that is not ours."""
    found = {}
    for path in sorted(CODE.rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        count = sum(isinstance(call, ast.Attribute) and call.attr in ADDS for call in calls)
        if count and path.name != "ops.py":
            found[str(path.relative_to(CODE))] = count
    assert found == {"app/doors.py": 1, "web/doors.py": 2}


@pytest.mark.parametrize(
    ("path", "target", "is_written"),
    [
        ("/ocm/token", "/ocm/token", True),
        ("/ocm/token", "/ocm/token?x=%2f", True),
        ("/ocm/token", "/%6fcm/token", False),
        ("/ocm/token", "/ocm/t%6Fken", False),
        ("/ocm/token", "/ocm/tokenx", False),
        ("/ocm/dav/{path:.*}", "/ocm/dav/%61%2fb", True),
        ("/ocm/dav/{path:.*}", "/ocm/d%61v/a", False),
        ("/ocm/dav/{path:.*}", "/ocm/dav%2fa", False),
    ],
)
def test_a_door_opens_to_its_own_spelling_only(path, target, is_written):
    """The fixed part of a door's path is compared as it was written; what follows it is the door's own matter."""
    assert door(path).is_written(target) == is_written
