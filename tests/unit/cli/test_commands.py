"""Every command stands where the table says, and a user's command loads no server."""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway import cli

MODULES = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {"__init__"}
HEAVY = ("aiohttp", "asyncssh", "redis", "pydantic", "saq")


def test_table_is_complete():
    """The table names every command of every module, and no other."""
    found = {
        command.name: name
        for name in MODULES
        for command in getattr(importlib.import_module(f"gateway.cli.{name}"), "COMMANDS", ())
    }
    assert dict(cli.HOMES) == found


@pytest.mark.parametrize("name", cli.HOMES)
def test_every_command_tells_what_it_is_for(name):
    """Each command is found by its name and has a line of help."""
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command.name == name
    assert command.get_short_help_str()


@pytest.mark.parametrize("name", ["share", "received", "transfers", "account", "app-passwords", "ssh-keys"])
def test_commands_of_users_load_no_server(name):
    """What speaks to a running gateway starts without the libraries of one."""
    code = f"""
import sys, click
from gateway.cli import cli
cli.get_command(click.Context(cli), {name!r})
sys.exit(" ".join(sorted(set({HEAVY!r}) & sys.modules.keys())) or 0)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
