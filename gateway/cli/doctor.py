"""The command `ocm-gateway doctor`: what is wrong with this gateway, and how to mend it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from gateway import log as logging
from gateway.app.doctor import examine, parse_place
from gateway.cli.operate import config_option, loaded


@click.command()
@click.argument("peer", default="")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--strict", is_flag=True, help="Exit with 7 if there are warnings.")
@click.option("--user", default="", help="Whose part of the storages to try, where each user has one.")
@click.option("--write", "may_write", is_flag=True, help="Also try the storages out in scratch folders.")
@click.option("--via", default="", metavar="ADDRESS:PORT", help="Dial this instead of what the public name leads to.")
def doctor(
    peer: str, config_path: Path | None, *, as_json: bool, strict: bool, user: str, may_write: bool, via: str
) -> int:
    """Look for what breaks federations: names, certificates, proxies, clocks, keys, store and storages.

    With PEER it also looks at how the two get along: nothing changes there, but it is told of a share that does not
    exist.

    The gateway has to run. It is asked by its public URL, as a stranger's server would, and nothing is changed. The
    exit status is 0 if nothing failed, 1 if something did, and with --strict 7 if there are warnings.
    """
    config = loaded(config_path)
    # What is found is printed here; the parts that are tried need not log it too.
    logging.configure("error", config.log.format)
    place = parse_place(via) if via else None
    report = asyncio.run(examine(config, peer=peer, user=user, may_write=may_write, via=place))
    click.echo(json.dumps(report.document, indent=2) if as_json else report.text())
    return report.status(strict=strict)


COMMANDS = (doctor,)
