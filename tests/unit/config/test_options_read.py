"""Every option that can be set has an effect: some code reads it, in the name of its section."""

import ast
from pathlib import Path

import pytest

from gateway.config.options import options

GATEWAY = Path(__file__).parents[3] / "gateway"
# The declarations themselves and the rules between options prove nothing.
DECLARATIONS = {
    "options.py",
    "passsection.py",
    "reference.py",
    "load.py",
    "sections.py",
    "sshsection.py",
    "storagesections.py",
    "values.py",
}
NO_READERS = {"checks.py", "checkstorages.py", *DECLARATIONS}


def names_read():
    """Return all attributes that are read somewhere, and those read through methods of the declarations."""
    files = [path for path in GATEWAY.rglob("*.py") if not (path.parent.name == "config" and path.name in NO_READERS)]
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    return {
        f"{ast.unparse(node.value).rpartition('.')[2]}.{node.attr}"
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }


READ = names_read()
# How the code calls a section where it has taken it out of the configuration, and what decides in an option's name.
ALSO = {
    "peers": ("options",),
    "ssh": ("config",),
    "storage": ("options",),
    "public_address": ("address",),
    "view": ("local_view",),
    "storages": ("all_storages",),
    "storage_rules": ("placement",),
}


@pytest.mark.parametrize("path", options())
def test_every_option_is_read(path):
    """No option is declared that nothing reads."""
    section, _, name = path.rpartition(".")
    section = section.rpartition(".")[2]
    owners = (section or "config", *ALSO.get(section, ()))
    assert any(f"{owner}.{read}" in READ for owner in owners for read in (name, *ALSO.get(name, ())))
