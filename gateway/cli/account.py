"""Commands of users for the account that they have at their storage, where their log-in here does not open it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.rest import RestClient
from gateway.cli.use import as_user, json_option


@click.group()
def account() -> None:
    """Store the account that you have at your storage, see or withdraw it."""


@account.command("show")
@json_option
@as_user
def show(client: RestClient, *, as_json: bool) -> None:
    """Show which account is stored, without its secret."""
    _told(client.get("storage-account"), as_json=as_json)


@account.command("store")
@click.argument("login")
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Private key for an SFTP storage, in OpenSSH form and without a passphrase, instead of a password.",
)
@json_option
@as_user
def store(client: RestClient, *, login: str, key: Path | None, as_json: bool) -> None:
    """Try the account LOGIN at your storage and keep it; its password is asked for or read from standard input."""
    if key is not None:
        secret = {"private_key": key.read_text("utf-8")}
    elif sys.stdin.isatty():
        secret = {"password": click.prompt("Password at the storage", hide_input=True, err=True)}
    else:
        secret = {"password": sys.stdin.readline().removesuffix("\n")}
    _told(client.put("storage-account", {"login": login, **secret}), as_json=as_json)


@account.command("withdraw")
@as_user
def withdraw(client: RestClient) -> None:
    """Let the gateway forget the account."""
    client.call("DELETE", "storage-account")
    click.echo("The gateway has forgotten your account.")


def _told(stored: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(stored, indent=2))
        return
    since = time.strftime("%Y-%m-%d", time.gmtime(stored["stored_at"]))
    click.echo(f"{stored['login']} at storage {stored['storage']}, by {stored['kind']}, since {since}")


COMMANDS = (account,)
