"""Commands of users for people at other servers: invitations, contacts, and requests for shares."""

from __future__ import annotations

import json
import time
from typing import Any, BinaryIO

import click

from gateway.cli.rest import RestClient
from gateway.cli.use import as_user, json_option, printable, segment, show_records
from gateway.errors import GatewayError, Kind

# The REST interface takes bodies of this size by default.
IMPORT_MAX_BYTES = 64 * 1024


@click.group()
def invite() -> None:
    """Invite people at other servers, and accept their invitations."""


@invite.command("create")
@click.option("--description", default="", help="A note to yourself, up to 50 characters.")
@json_option
@as_user
def create(client: RestClient, *, description: str, as_json: bool) -> None:
    """Make an invitation, to be given to one person in any way you like."""
    made = client.post("invites", {"description": description})
    if as_json:
        click.echo(json.dumps(made, indent=2))
        return
    click.echo(f"Give one of these to the person you invite; it is good once, until {_day(made['expires_at'])}:")
    click.echo(f"  {made['plain']}")
    click.echo(f"  {made['invite']}")


@invite.command("accept")
@click.argument("text", metavar="INVITATION")
@json_option
@as_user
def accept(client: RestClient, *, text: str, as_json: bool) -> None:
    """Accept the INVITATION that somebody gave you: a link, token@host, or a long string of letters."""
    show_records(client.post("invites/accept", {"invite": text}), _contact_line, as_json=as_json)


@invite.command("list")
@json_option
@as_user
def list_invites(client: RestClient, *, as_json: bool) -> None:
    """List your invitations."""
    show_records(client.shares("invites", "invites"), _invite_line, as_json=as_json)


@invite.command("withdraw")
@click.argument("invite_id")
@json_option
@as_user
def withdraw(client: RestClient, *, invite_id: str, as_json: bool) -> None:
    """End an invitation that nobody has accepted."""
    ended = json.loads(client.call("DELETE", f"invites/{segment(invite_id)}"))
    show_records(ended, _invite_line, as_json=as_json)


@click.group()
def contacts() -> None:
    """See whom you know at other servers, and whom you trust."""


@contacts.command("list")
@json_option
@as_user
def list_contacts(client: RestClient, *, as_json: bool) -> None:
    """List your contacts."""
    show_records(client.shares("contacts", "contacts"), _contact_line, as_json=as_json)


@contacts.command("trust")
@click.argument("contact_id")
@click.option("--not", "is_off", is_flag=True, help="Ask about every share again.")
@json_option
@as_user
def trust(client: RestClient, *, contact_id: str, is_off: bool, as_json: bool) -> None:
    """Accept what this contact shares without being asked."""
    changed = client.patch(f"contacts/{segment(contact_id)}", {"trusted": not is_off})
    show_records(changed, _contact_line, as_json=as_json)


@contacts.command("name")
@click.argument("contact_id")
@click.argument("label")
@json_option
@as_user
def name(client: RestClient, *, contact_id: str, label: str, as_json: bool) -> None:
    """Give a contact a name of your own."""
    changed = client.patch(f"contacts/{segment(contact_id)}", {"label": label})
    show_records(changed, _contact_line, as_json=as_json)


@contacts.command("remove")
@click.argument("contact_id")
@as_user
def remove(client: RestClient, *, contact_id: str) -> None:
    """Remove a contact; the other side is not told."""
    client.call("DELETE", f"contacts/{segment(contact_id)}")


@contacts.command("export")
@as_user
def export(client: RestClient) -> None:
    """Write your contacts as JSContact cards (RFC 9553) to standard output."""
    click.echo(json.dumps(client.shares("contacts/cards", "cards"), indent=2))


@contacts.command("import")
@click.argument("file", type=click.File("rb"))
@json_option
@as_user
def enter(client: RestClient, *, file: BinaryIO, as_json: bool) -> None:
    """Enter the people in the JSContact cards of FILE (`-` for standard input); they are not trusted."""
    try:
        cards = json.loads(file.read(IMPORT_MAX_BYTES + 1))
    except ValueError as error:
        raise GatewayError(Kind.INVALID, "The file does not hold JSON, or more than fits into one request.") from error
    entered = client.post("contacts/cards", {"cards": cards if isinstance(cards, list) else [cards]})
    show_records(entered["contacts"], _contact_line, as_json=as_json)


@click.group("request-share")
def request_share() -> None:
    """Ask people at other servers for a share, and answer those who ask you."""


@request_share.command("ask")
@click.argument("owner", metavar="USER@HOST")
@click.argument("resource", metavar="WHAT")
@as_user
def ask(client: RestClient, *, owner: str, resource: str) -> None:
    """Ask USER@HOST to share WHAT with you: an id or a URL that means something there."""
    asked = client.post("share-requests", {"owner": owner, "share": resource})
    click.echo(printable(f"Asked {asked['owner']}. If the answer is yes, a share arrives: ocm-gateway received list"))


@request_share.command("list")
@json_option
@as_user
def list_requests(client: RestClient, *, as_json: bool) -> None:
    """List what others ask you to share."""
    show_records(client.shares("share-requests", "share_requests"), _request_line, as_json=as_json)


@request_share.command("grant")
@click.argument("request_id")
@click.argument("path")
@click.option("--write", is_flag=True, help="Allow changes too.")
@as_user
def grant(client: RestClient, *, request_id: str, path: str, write: bool) -> None:
    """Answer a request by sharing PATH with who asked."""
    permissions = ["read", *(["write"] if write else [])]
    made = client.post(f"share-requests/{segment(request_id)}/grant", {"path": path, "permissions": permissions})
    click.echo(printable(f"{made['id']}  {made['state']}  {made['path']} → {made['recipient']}"))


@request_share.command("dismiss")
@click.argument("request_id")
@as_user
def dismiss(client: RestClient, *, request_id: str) -> None:
    """Put a request away; nobody is told."""
    client.post(f"share-requests/{segment(request_id)}/dismiss")


def _request_line(record: dict[str, Any]) -> str:
    return printable(f"{record['id']}  {record['state']:<9} {record['requester']} asks for {record['share']}")


def _invite_line(record: dict[str, Any]) -> str:
    then = f"by {record['accepted_by']}" if record["accepted_by"] else f"until {_day(record['expires_at'])}"
    note = f"  ({record['description']})" if record["description"] else ""
    return printable(f"{record['id']}  {record['state']:<9} {then}{note}")


def _contact_line(record: dict[str, Any]) -> str:
    named = record["label"] or record["display_name"]
    trusted = "  (trusted)" if record["trusted"] else ""
    return printable(f"{record['id']}  {record['address']:<30} {named}{trusted}")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


COMMANDS = (invite, contacts, request_share)
