"""Commands of users for transfers: copy what was received into one's own storage, look at it, wait for it, stop it.

The gateway does the copying, so a command may end, or be interrupted, without ending the transfer. Exit codes tell
scripts what came of it: 0 all copied, 6 some files failed, 1 failed or cancelled, 8 not over in time.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import click

from gateway.cli import exits
from gateway.cli.progress import Progress, amount, progress_words
from gateway.cli.rest import RestClient, path_in_url
from gateway.cli.use import as_user, json_option, received
from gateway.errors import GatewayError, Kind

POLL_SECONDS = 1.0
_TIME = re.compile(r"(\d{1,6})(s|m|h|d|)", re.ASCII)
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXITS = {"done": 0, "partly-done": exits.PARTLY}


class Time(click.ParamType[float]):
    """A length of time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        match = _TIME.fullmatch(str(value))
        if match is None:
            self.fail("write it like 90s, 10m or 2h", param, ctx)
        return float(match[1]) * _UNIT_SECONDS[match[2]]


timeout_option = click.option("--timeout", type=Time(), metavar="TIME", help="Wait no longer: 90s, 10m, 2h.")


@received.command("copy")
@click.argument("share_id")
@click.argument("path", default="")
@click.option("--to", default="", metavar="FOLDER", help="Folder of yours to copy into; by default the root.")
@click.option("--name", default="", help="What it is called there; by default as it is.")
@click.option(
    "--conflict",
    type=click.Choice(["skip", "overwrite", "rename"]),
    default="skip",
    show_default=True,
    help="What to do about files that are there.",
)
@click.option("--wait", is_flag=True, help="Wait until it is over, and show how far it is.")
@timeout_option
@json_option
@as_user
def copy(client: RestClient, *, share_id: str, wait: bool, timeout: float | None, as_json: bool, **asked: str) -> None:
    """Copy a received share, or PATH in it, into your own storage."""
    started = client.post("transfers", {"share": share_id, **asked})
    if wait:
        _wait(client, started["id"], timeout, as_json=as_json)
    else:
        _show(started, as_json=as_json)


@click.group()
def transfers() -> None:
    """See, await and stop the copying of received shares."""


@transfers.command("list")
@json_option
@as_user
def list_transfers(client: RestClient, *, as_json: bool) -> None:
    """List your transfers, newest first."""
    found = client.shares("transfers", "transfers")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for transfer in found:
        _show(transfer, as_json=False)


@transfers.command("show")
@click.argument("transfer_id")
@json_option
@as_user
def show(client: RestClient, *, transfer_id: str, as_json: bool) -> None:
    """Show a transfer, with the files that failed."""
    transfer = client.get(_path(transfer_id))
    faults = client.shares(f"{_path(transfer_id)}/faults", "faults") if transfer["faults"] else []
    if as_json:
        click.echo(json.dumps(transfer | {"failed": faults}, indent=2))
        return
    _show(transfer, as_json=False)
    for fault in faults:
        click.echo(_printable(f"  {fault['path']}: {fault['reason']}"))


@transfers.command("cancel")
@click.argument("transfer_id")
@json_option
@as_user
def cancel(client: RestClient, *, transfer_id: str, as_json: bool) -> None:
    """Stop a transfer; what was copied stays."""
    _show(client.post(f"{_path(transfer_id)}/cancel"), as_json=as_json)


@transfers.command("wait")
@click.argument("transfer_id")
@timeout_option
@json_option
@as_user
def wait(client: RestClient, *, transfer_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait until a transfer is over, and show how far it is."""
    _wait(client, transfer_id, timeout, as_json=as_json)


def _wait(client: RestClient, transfer_id: str, timeout: float | None, *, as_json: bool) -> None:
    """Show progress until the transfer is over, and end with the exit code that tells how."""
    deadline = None if timeout is None else time.monotonic() + timeout
    progress = Progress(is_quiet=as_json)
    try:
        transfer = _until_over(client, transfer_id, deadline, progress)
    finally:
        progress.finish()
    _show(transfer, as_json=as_json)
    if not transfer["ended_at"]:
        raise click.exceptions.Exit(exits.TIMED_OUT)
    raise click.exceptions.Exit(_EXITS.get(transfer["state"], exits.FAILED))


def _until_over(client: RestClient, transfer_id: str, deadline: float | None, progress: Progress) -> dict[str, Any]:
    while True:
        transfer: dict[str, Any] = _patiently(client, transfer_id, deadline)
        progress.show(transfer)
        if transfer["ended_at"] or (deadline is not None and time.monotonic() >= deadline):
            return transfer
        time.sleep(POLL_SECONDS)


def _patiently(client: RestClient, transfer_id: str, deadline: float | None) -> dict[str, Any]:
    """Return the transfer; a gateway that is being restarted is waited for, if there is an end to the waiting."""
    while True:
        try:
            found: dict[str, Any] = client.get(_path(transfer_id))
        except GatewayError as error:
            if error.kind is not Kind.UNAVAILABLE or deadline is None or time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return found


def _show(transfer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(transfer, indent=2))
        return
    state = transfer["problem"] or (
        f"{transfer['files_done']} files, {amount(transfer['bytes_done'])}"
        if transfer["is_over"]
        else progress_words(transfer)
    )
    where = f"{transfer['name']} from {transfer['peer']} → {transfer['target']}"
    click.echo(_printable(f"{transfer['id']}  {transfer['state']:<11} {where}  ({state})"))


def _path(transfer_id: str) -> str:
    return f"transfers/{path_in_url(transfer_id).replace('/', '%2F')}"


def _printable(text: str) -> str:
    # Names come from strangers: what would steer the terminal is shown, not sent.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


# `received copy` stands here, so the group comes with this module.
COMMANDS = (received, transfers)
