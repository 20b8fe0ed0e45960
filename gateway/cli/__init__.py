"""The command `ocm-gateway`: for operators (serve, keys, storage, discover …) and users (share, received, account).

A command is a thin reader: what operators do goes through the same composition as the server, what users do goes
through the REST interface of a running gateway. Exit codes follow `exits.EXIT`, so that scripts can tell what happened.
"""

from __future__ import annotations

import sys

import click

from gateway import __version__
from gateway.cli.account import COMMANDS as FOR_ACCOUNTS
from gateway.cli.apppasswords import COMMANDS as FOR_PROGRAMS
from gateway.cli.demo import demo
from gateway.cli.directory import COMMANDS as FOR_FEDERATIONS
from gateway.cli.doctor import COMMANDS as FOR_DOCTORS
from gateway.cli.exits import INTERRUPTED, exit_code
from gateway.cli.operate import COMMANDS as FOR_OPERATORS
from gateway.cli.peers import COMMANDS as FOR_PEERS
from gateway.cli.people import COMMANDS as FOR_PEOPLE
from gateway.cli.sshkeys import COMMANDS as FOR_KEYS
from gateway.cli.transfer import COMMANDS as FOR_TRANSFERS
from gateway.cli.use import COMMANDS as FOR_USERS
from gateway.errors import GatewayError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ocm-gateway")
def cli() -> None:
    """Open Cloud Mesh federation for storage that already exists."""


_ALL = (
    *FOR_OPERATORS,
    *FOR_DOCTORS,
    *FOR_PEERS,
    *FOR_FEDERATIONS,
    *FOR_USERS,
    *FOR_PEOPLE,
    *FOR_TRANSFERS,
    *FOR_ACCOUNTS,
    *FOR_PROGRAMS,
    *FOR_KEYS,
    demo,
)
for command in _ALL:
    cli.add_command(command)


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
