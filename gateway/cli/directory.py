"""Commands of whoever runs a federation: keep a directory of its servers in a file, sign and look at it (DIR-3).

Nothing of this needs a gateway or a configuration. The list is plain JSON that may also be edited by hand; the signed
file is what members read, from any web server or from a gateway (`peers.published_directory`).
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.use import printable
from gateway.crypto.jws import load_keys, load_private_key, new_private_key, public_pem, sign, verified_payload
from gateway.crypto.keys import replace_file
from gateway.errors import GatewayError, Kind
from gateway.model.address import host_of_url, without_port
from gateway.model.directory import Directory, Listed
from gateway.ocm import directory as directory_text
from gateway.ocm.jsontext import parse_object

FILE_MAX_BYTES = 8 * 1024 * 1024

file_option = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    default=Path("directory.json"),
    show_default=True,
    help="The list, in plain JSON.",
)


@click.group()
def directory() -> None:
    """Publish a signed directory of a federation's servers."""


@directory.command("init")
@click.argument("federation")
@file_option
@click.option("--key", type=click.Path(path_type=Path), default=Path("directory.key"), show_default=True)
def init(federation: str, path: Path, *, key: Path) -> None:
    """Begin a directory for FEDERATION: an empty list, and a key to sign it with."""
    for there in (path, key):
        if there.exists():
            raise GatewayError(Kind.CONFLICT, f"{there} exists already.")
    private = new_private_key()
    replace_file(key, private.pem())
    public = key.with_name(f"{key.name}.pub")
    public.write_text(public_pem(private))
    _write(path, Directory(federation=federation, servers=()))
    click.echo(f"Wrote {path} and the key {key}. Give {public} to all members, on a way that they trust.")


@directory.command("add")
@click.argument("url")
@click.option("--name", default="", help="Name for people; by default the host.")
@file_option
def add(url: str, *, name: str, path: Path) -> None:
    """Add the server at URL, or give it another name."""
    entry = directory_text.listed(url if "://" in url else f"https://{url}", name)
    old = _read(path)
    rest = tuple(server for server in old.servers if server.host != entry.host)
    _write(path, Directory(federation=old.federation, servers=(*rest, entry)))
    click.echo(f"Listed {entry.url}. Sign the directory again: ocm-gateway directory sign")
    if entry.host != without_port(entry.host):
        # OpenCloud reduces an entry to its host name before it asks there.
        click.echo("Warning: some servers leave the port out and will not find it. Port 443 is safe.", err=True)
    if entry.url.startswith("http:"):
        click.echo("Warning: servers speak https with each other; this one will be found by few.", err=True)


@directory.command("remove")
@click.argument("url")
@file_option
def remove(url: str, *, path: Path) -> None:
    """Take the server at URL off the list."""
    old, host = _read(path), host_of_url(url if "://" in url else f"https://{url}")
    rest = tuple(server for server in old.servers if server.host != host)
    if len(rest) == len(old.servers):
        raise GatewayError(Kind.NOT_FOUND, f"{host} is not in {path}.")
    _write(path, Directory(federation=old.federation, servers=rest))
    click.echo(f"Removed {host}. Sign the directory again: ocm-gateway directory sign")


@directory.command("sign")
@file_option
@click.option(
    "--key",
    "keys",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    default=(Path("directory.key"),),
    show_default=True,
    help="Private key; several sign side by side, so that keys can be changed without a gap.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("directory.jws"), show_default=True)
def sign_it(path: Path, *, keys: tuple[Path, ...], out: Path) -> None:
    """Sign the list, for publication."""
    listed = _read(path)
    signed = sign(directory_text.render(listed), [load_private_key(key) for key in keys])
    replace_file(out, signed.encode())
    # It is to be read by web servers.
    out.chmod(0o644)
    click.echo(f"Wrote {out} with {len(listed.servers)} servers, signed by {len(keys)}.")


@directory.command("show")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=Path("directory.jws"))
@click.option(
    "--keys",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path("directory.key.pub"),
    show_default=True,
    help="Public keys to check it with.",
)
def show(path: Path, *, keys: Path) -> None:
    """Check the signed directory in a file and show what it lists."""
    found = directory_text.read(verified_payload(path.read_bytes(), load_keys(keys)))
    click.echo(printable(f"{found.federation}: {len(found.servers)} servers, signed as it should be"))
    for server in found.servers:
        click.echo(printable(f"  {server.url:<40} {server.display_name}"))


def _read(path: Path) -> Directory:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise GatewayError(
            Kind.NOT_FOUND, f"{path} cannot be read. Begin a directory with `ocm-gateway directory init`."
        ) from error
    document = parse_object(body, max_bytes=FILE_MAX_BYTES)
    found = directory_text.parse(document)
    _check_all_read(document, found.servers)
    return found


def _check_all_read(document: dict[str, object], servers: tuple[Listed, ...]) -> None:
    # A member leaves out what it cannot read; whoever signs has to hear of it.
    listed = document["servers"]
    assert isinstance(listed, list)
    if len(listed) != len(servers):
        raise GatewayError(Kind.INVALID, "An entry of the list cannot be used or comes twice: see that each has a url.")


def _write(path: Path, listed: Directory) -> None:
    replace_file(path, json.dumps(directory_text.render(listed), indent=2, ensure_ascii=False).encode())


COMMANDS = (directory,)
