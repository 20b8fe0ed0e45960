"""Commands for app passwords: make one for a program that mounts what you have received, list and withdraw them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cli.rest import RestClient, path_in_url
from gateway.cli.use import as_user, json_option, printable


@click.group("app-passwords")
def app_passwords() -> None:
    """Give programs a password that opens what you received, and nothing else."""


@app_passwords.command("create")
@click.argument("name")
@json_option
@as_user
def create(client: RestClient, *, name: str, as_json: bool) -> None:
    """Make an app password for NAME (a program or device) and print it, the only time."""
    made = client.post("app-passwords", {"name": name})
    click.echo(json.dumps(made, indent=2) if as_json else made["password"])


@app_passwords.command("list")
@json_option
@as_user
def list_all(client: RestClient, *, as_json: bool) -> None:
    """List your app passwords."""
    found = client.get("app-passwords")["app_passwords"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        click.echo(printable(f"{one['id']}  {one['name']:<20}  {_use(one)}"))


@app_passwords.command("delete")
@click.argument("password_id")
@as_user
def delete(client: RestClient, *, password_id: str) -> None:
    """Withdraw an app password, at once."""
    client.call("DELETE", f"app-passwords/{path_in_url(password_id).replace('/', '%2F')}")


def _use(one: dict[str, Any]) -> str:
    if one["used_at"] is None:
        return "never used"
    return f"last used {datetime.fromtimestamp(one['used_at'], UTC):%Y-%m-%d %H:%M} UTC from {one['used_from']}"


COMMANDS = (app_passwords,)
