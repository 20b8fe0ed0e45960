"""The command `ocm-gateway`: for operators (serve, keys, storage, discover …) and users (share, received, account).

A command is a thin reader: what operators do goes through the same composition as the server, what users do goes
through the REST interface of a running gateway. Exit codes follow `exits.EXIT`, so that scripts can tell what happened.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from gateway import __version__
from gateway.cli.exits import INTERRUPTED, exit_code
from gateway.errors import GatewayError

# In which module of this package each command stands; `--help` lists them in this order.
HOMES: Mapping[str, str] = {
    "serve": "operate",
    "check-config": "operate",
    "keys": "operate",
    "store": "operate",
    "storage": "operate",
    "discover": "operate",
    "hash-password": "operate",
    "doctor": "doctor",
    "peers": "peers",
    "peer-snippet": "peers",
    "directory": "directory",
    "share": "use",
    "received": "transfer",
    "invite": "people",
    "contacts": "people",
    "request-share": "people",
    "transfers": "transfer",
    "account": "account",
    "app-passwords": "apppasswords",
    "ssh-keys": "sshkeys",
    "demo": "demo",
}


class Commands(click.Group):
    """All commands, each loaded only when it is asked for: a user's command needs no server's libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the library's signature
        """Return the names of all commands."""
        return list(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return the command of this name, or None."""
        home = HOMES.get(cmd_name)
        if home is None:
            return None
        module = importlib.import_module(f"gateway.cli.{home}")
        commands: tuple[click.Command, ...] = module.COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ocm-gateway")
def cli() -> None:
    """Open Cloud Mesh federation for storage that already exists."""


def main() -> None:
    """Run the command line; an expected failure is one sentence on standard error and an exit code."""
    try:
        # The library hands an exit code back instead of leaving with it.
        code = cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GatewayError as error:
        click.echo(f"ocm-gateway: {error}", err=True)
        for fault in error.faults:
            click.echo(f"  {fault.name}: {fault.message}", err=True)
        sys.exit(exit_code(error))
    if isinstance(code, int):
        sys.exit(code)
