"""Commands of users: share a path, list and end shares, and see, answer and use what was received.

They speak to a running gateway with the user's own log-in, given by `--user` and asked for, or taken from
`OCM_GATEWAY_USER` and `OCM_GATEWAY_PASSWORD`. A pass word on the command line could be read by everybody on the
machine, so there is no option for it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click

from gateway.cli.rest import RestClient, path_in_url
from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret

Command = Callable[..., None]

_LIFE = re.compile(r"(\d{1,5})([hdw])", re.ASCII)
_UNIT_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def as_user(command: Command) -> Command:
    """Add the options that name the gateway and the user, and hand the command a client made of them."""

    def with_client(url: str, user: str, **rest: Any) -> None:
        password = os.environ.get("OCM_GATEWAY_PASSWORD")
        if password is None:
            password = click.prompt("Password", hide_input=True, err=True)
        command(RestClient(url=url.rstrip("/"), user=user, password=Secret(password)), **rest)

    with_client.__doc__ = command.__doc__
    # Options that the command was given before stay in their order.
    with_client.__dict__.update(command.__dict__)
    for option in (
        click.option(
            "--user",
            envvar="OCM_GATEWAY_USER",
            required=True,
            help="Log-in name (OCM_GATEWAY_USER); the password is asked for, or taken from OCM_GATEWAY_PASSWORD.",
        ),
        click.option(
            "--url",
            envvar="OCM_GATEWAY_URL",
            default="http://127.0.0.1:8080/ocm",
            show_default=True,
            help="The gateway, with its prefix (OCM_GATEWAY_URL).",
        ),
    ):
        option(with_client)
    return with_client


json_option = click.option("--json", "as_json", is_flag=True, help="Print the gateway's own JSON.")


_END_HELP = "End of the share: 2027-01-31, or 12h, 30d, 4w from now."


class End(click.ParamType[int]):
    """The end of a share: a day, or a time from now."""

    name = "end"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds since the epoch; a share ends with the day that is named."""
        life = _LIFE.fullmatch(value)
        if life:
            return int(time.time()) + int(life[1]) * _UNIT_SECONDS[life[2]]
        try:
            return int(datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) + 86_399
        except ValueError:
            self.fail("write it like 2027-01-31, or 12h, 30d, 4w from now", param, ctx)


@click.group()
def share() -> None:
    """Share files and folders with people at other providers."""


@share.command("create")
@click.argument("path")
@click.option("--with", "recipient", required=True, metavar="USER@HOST", help="Whom to share with.")
@click.option("--write", is_flag=True, help="Allow changes too.")
@click.option("--share-on", is_flag=True, help="Allow to share it on to others.")
@click.option("--expires", type=End(), metavar="END", help=_END_HELP)
@click.option("--description", default="", help="A note to the recipient.")
@click.option(
    "--access",
    "access_types",
    multiple=True,
    type=click.Choice(["remote", "datatx"]),
    help="remote: to be used in place (the default); datatx: to be copied. May be given twice.",
)
@click.option(
    "--over",
    "protocols",
    multiple=True,
    type=click.Choice(["webdav", "ssh"]),
    help="Ways that have to be offered; by default all that both sides have.",
)
@json_option
@as_user
def create(
    client: RestClient,
    *,
    path: str,
    recipient: str,
    write: bool,
    share_on: bool,
    expires: int | None,
    description: str,
    access_types: tuple[str, ...],
    protocols: tuple[str, ...],
    as_json: bool,
) -> None:
    """Share PATH of your storage."""
    document = {
        "path": path,
        "recipient": recipient,
        "permissions": _permissions(write=write, share_on=share_on),
        "expires_at": expires,
        "description": description,
        "access_types": list(access_types) or None,
        "protocols": list(protocols) or None,
    }
    made = client.post("shares", document)
    show_records(made, _sent_line, as_json=as_json)
    if made["state"] == "refused":
        raise GatewayError(Kind.FORBIDDEN, f"The other provider refused the share: {made['problem']}")


@share.command("list")
@json_option
@as_user
def list_sent(client: RestClient, *, as_json: bool) -> None:
    """List what you have shared."""
    show_records(client.shares("shares"), _sent_line, as_json=as_json)


@share.command("show")
@click.argument("share_id")
@json_option
@as_user
def show(client: RestClient, *, share_id: str, as_json: bool) -> None:
    """Show all that is known of a share of yours."""
    show_records(client.get(f"shares/{segment(share_id)}"), _details, as_json=as_json)


@share.command("change")
@click.argument("share_id")
@click.option("--write/--read-only", default=None, help="Whether changes are allowed.")
@click.option("--share-on/--no-share-on", default=None, help="Whether it may be shared on to others.")
@click.option("--expires", type=End(), metavar="END", help=_END_HELP)
@click.option("--endless", is_flag=True, help="Take the end away.")
@click.option("--description", help="A new note to the recipient.")
@json_option
@as_user
def change(
    client: RestClient,
    *,
    share_id: str,
    write: bool | None,
    share_on: bool | None,
    expires: int | None,
    endless: bool,
    description: str | None,
    as_json: bool,
) -> None:
    """Change a share: what is not named stays as it is."""
    document: dict[str, object] = {"expires_at": expires, "description": description}
    document = {name: value for name, value in document.items() if value is not None}
    if endless:
        document["expires_at"] = None
    if write is not None or share_on is not None:
        old = client.get(f"shares/{segment(share_id)}")["permissions"]
        document["permissions"] = _permissions(
            write="write" in old if write is None else write, share_on="share" in old if share_on is None else share_on
        )
    show_records(client.patch(f"shares/{segment(share_id)}", document), _sent_line, as_json=as_json)


def _permissions(*, write: bool, share_on: bool) -> list[str]:
    return ["read", *(["write"] if write else []), *(["share"] if share_on else [])]


@share.command("revoke")
@click.argument("share_id")
@json_option
@as_user
def revoke(client: RestClient, *, share_id: str, as_json: bool) -> None:
    """End a share at once."""
    show_records(json.loads(client.call("DELETE", f"shares/{segment(share_id)}")), _sent_line, as_json=as_json)


@click.group()
def received() -> None:
    """See, answer and use what others share with you."""


@received.command("list")
@json_option
@as_user
def list_received(client: RestClient, *, as_json: bool) -> None:
    """List what you have received."""
    show_records(client.shares("received"), _received_line, as_json=as_json)


@received.command("accept")
@click.argument("share_id")
@json_option
@as_user
def accept(client: RestClient, *, share_id: str, as_json: bool) -> None:
    """Accept a share."""
    show_records(client.post(f"received/{segment(share_id)}/accept"), _received_line, as_json=as_json)


@received.command("decline")
@click.argument("share_id")
@json_option
@as_user
def decline(client: RestClient, *, share_id: str, as_json: bool) -> None:
    """Decline a share, or give back one that you accepted."""
    show_records(client.post(f"received/{segment(share_id)}/decline"), _received_line, as_json=as_json)


@received.command("ls")
@click.argument("share_id")
@click.argument("path", default="")
@json_option
@as_user
def ls(client: RestClient, *, share_id: str, path: str, as_json: bool) -> None:
    """List a folder of a received share."""
    listing = client.get(_file(share_id, path))
    show_records(listing["entries"], _entry_line, as_json=as_json)
    if listing["is_cut"]:
        click.echo("There are more entries than are shown.", err=True)


@received.command("get")
@click.argument("share_id")
@click.argument("path")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@as_user
def get(client: RestClient, *, share_id: str, path: str, target: Path | None) -> None:
    """Download a file of a received share to TARGET, or to standard output."""
    if target is None:
        client.download(_file(share_id, path), sys.stdout.buffer)
        return
    if target.is_dir():
        target /= Path(path).name
    # A file that is there stays until the new one is whole.
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name[:100]}.", delete=False) as part:
        try:
            client.download(_file(share_id, path), part.file)
            Path(part.name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(part.name).unlink()
            raise


@received.command("put")
@click.argument("share_id")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("path")
@as_user
def put(client: RestClient, *, share_id: str, source: Path, path: str) -> None:
    """Upload the file SOURCE to PATH of a received share."""
    with source.open("rb") as file:
        client.upload(_file(share_id, path), file, os.fstat(file.fileno()).st_size)


def _file(share_id: str, path: str) -> str:
    return f"received/{segment(share_id)}/files/{path_in_url(path)}"


def segment(share_id: str) -> str:
    """Return a name as one segment of a path."""
    return path_in_url(share_id).replace("/", "%2F")


def show_records(found: Any, line: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    """Print a record or several, as JSON or each by its `line`."""
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for record in found if isinstance(found, list) else [found]:
        click.echo(line(record))


def _sent_line(share: dict[str, Any]) -> str:
    trouble = f"  ({share['problem']})" if share.get("problem") else ""
    return printable(f"{share['id']}  {share['state']:<10} {share['path']} → {share['recipient']}{trouble}")


def _received_line(share: dict[str, Any]) -> str:
    signed = "" if share["is_signed"] else "  (not signed)"
    sender = f", sent by {share['sender']}" if share["sender"] != share["owner"] else ""
    return printable(f"{share['id']}  {share['state']:<9} {share['name']} from {share['owner']}{sender}{signed}")


def _entry_line(entry: dict[str, Any]) -> str:
    size = "folder" if entry["kind"] == "folder" else "" if entry["size"] is None else str(entry["size"])
    return printable(f"{size:>12}  {entry['path']}")


def _details(share: dict[str, Any]) -> str:
    return "\n".join(printable(f"{name:<24} {value}") for name, value in share.items() if value not in (None, "", []))


def printable(text: str) -> str:
    """Return `text` with what would steer a terminal made visible."""
    # Names come from strangers: what would steer the terminal is shown, not sent.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


COMMANDS = (share,)
