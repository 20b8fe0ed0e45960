"""Commands for SSH keys, by which you open what you have received at the gateway's SSH door."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.rest import RestClient, path_in_url
from gateway.cli.use import as_user, json_option, printable


@click.group("ssh-keys")
def ssh_keys() -> None:
    """Register public keys for SFTP access to what you received."""


@ssh_keys.command("add")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", help="What to call it; by default the name of the file.")
@json_option
@as_user
def add(client: RestClient, *, file: Path, name: str | None, as_json: bool) -> None:
    """Register the public key in FILE (such as ~/.ssh/id_ed25519.pub)."""
    made = client.post("ssh-keys", {"name": name or file.name, "key": file.read_text("utf-8", "replace")})
    click.echo(json.dumps(made, indent=2) if as_json else printable(f"{made['id']}  {made['fingerprint']}"))


@ssh_keys.command("list")
@json_option
@as_user
def list_all(client: RestClient, *, as_json: bool) -> None:
    """List your keys."""
    found = client.get("ssh-keys")["ssh_keys"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        click.echo(printable(f"{one['id']}  {one['name']:<20}  {one['type']}  {one['fingerprint']}"))


@ssh_keys.command("remove")
@click.argument("key_id")
@as_user
def remove(client: RestClient, *, key_id: str) -> None:
    """Remove a key, at once."""
    client.call("DELETE", f"ssh-keys/{path_in_url(key_id).replace('/', '%2F')}")


COMMANDS = (ssh_keys,)
