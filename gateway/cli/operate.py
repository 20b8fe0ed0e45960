"""Commands of operators: run the gateway, check its configuration, make and rotate keys, and look at peers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from gateway import log as logging
from gateway.app import discover_peer, mark_store, rebind_shares, serve_until_stopped
from gateway.app import probe_storage as probed
from gateway.config import Config, Storage, load
from gateway.crypto.keys import KeyRing, load_key_file, save_key_file
from gateway.errors import GatewayError, Kind
from gateway.identity.file import hash_password as hashed
from gateway.model.secret import Secret

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Configuration file; without one, only OCM_GATEWAY_… variables count.",
)


def loaded(config_path: Path | None) -> Config:
    """Return the configuration, or raise with every fault in it.

    Raises:
        GatewayError: `CONFIGURATION`.
    """
    return load(config_path, os.environ)


@click.command()
@config_option
def serve(config_path: Path | None) -> None:
    """Run the gateway until it is told to stop."""
    config = loaded(config_path)
    logging.configure(config.log.level, config.log.format)
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        runner.run(serve_until_stopped(config))


@click.command("check-config")
@config_option
def check_config(config_path: Path | None) -> None:
    """Check the configuration and say what it means, without starting anything."""
    config = loaded(config_path)
    click.echo(f"The configuration is good. Users are known as user@{config.authority}.")
    for name, storage in config.all_storages.items():
        click.echo(f"  storage   {name}: {storage.url} (users see it as: {storage.local_view.value})")
        click.echo(f"            peers reach it with {_service_of(storage)}")
    for rule in config.placement if config.storage_rules else ():
        whose = [*sorted(rule.users), *(f"group {group}" for group in sorted(rule.groups))]
        click.echo(f"  files     of {', '.join(whose) or 'all others'} are on {rule.storage}")
    click.echo(f"  store     {config.store.url}")
    click.echo(f"  log-in    {', '.join(provider.value for provider in config.identity.providers)}")
    click.echo(f"  listens   {config.http.host}:{config.http.port}, operations {config.ops.host}:{config.ops.port}")


@click.group()
def keys() -> None:
    """Make, show and rotate the gateway's keys."""


@keys.command("init")
@config_option
def init(config_path: Path | None) -> None:
    """Make the key file, or add what an older gateway's file lacks.

    Needed before the first start with an external store.
    """
    config = loaded(config_path)
    if config.keys_file.exists():
        _add_keys(config.keys_file)
        return
    config.keys_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    save_key_file(config.keys_file, KeyRing.generate(config.public_url, time.time()))
    click.echo(f"Wrote {config.keys_file}. Keep a copy where you keep passwords.")
    click.echo("Next, mark the store as this gateway's: ocm-gateway store init")


def _add_keys(path: Path) -> None:
    ring = load_key_file(path)
    if ring.is_complete:
        raise GatewayError(Kind.CONFLICT, f"{path} exists; without it nothing in the store can be read.")
    save_key_file(path, ring.completed(time.time()))
    click.echo(f"Added to {path} what this version needs. Give the same file to every replica, then start them anew.")


@keys.command("show")
@config_option
def show(config_path: Path | None) -> None:
    """Show the names and states of the keys, and nothing secret."""
    ring = load_key_file(loaded(config_path).keys_file)
    for slot in (*ring.signing, *ring.token):
        since = time.strftime("%Y-%m-%d", time.gmtime(slot.since))
        click.echo(f"{slot.state.value:<9} since {since}  {slot.key.algorithm.value:<8} {slot.key.kid}")
    for host in ring.ssh_host:
        since = time.strftime("%Y-%m-%d", time.gmtime(host.since))
        click.echo(f"{host.state.value:<9} since {since}  SSH door {host.key.public}")


@keys.command("rotate")
@config_option
@click.option("--now", "is_asked", is_flag=True, help="Begin a rotation, however young the keys are.")
@click.option("--ssh", is_flag=True, help="Begin a rotation of the SSH door's host key instead.")
def rotate(config_path: Path | None, *, is_asked: bool, ssh: bool) -> None:
    """Take the step of a rotation that is due: publish new keys, later use them, later drop the old ones.

    A rotation begins when the keys are 90 days old, or when it is asked for; what is not due yet is left for later, so
    this can run every day. Running gateways read the file again.
    """
    path = loaded(config_path).keys_file
    ring = load_key_file(path)
    stepped = _stepped(ring, time.time(), is_asked=is_asked, ssh=ssh)
    if stepped == ring:
        click.echo("Nothing is due yet.")
        return
    save_key_file(path, stepped)
    for slot in (*stepped.signing, *stepped.token):
        click.echo(f"{slot.state.value:<9} {slot.key.kid}")
    for host in stepped.ssh_host:
        click.echo(f"{host.state.value:<9} {host.key.public}")


def _stepped(ring: KeyRing, now: float, *, is_asked: bool, ssh: bool) -> KeyRing:
    if not ssh:
        return ring.rotate(now) if is_asked else ring.tend(now)
    advanced = ring.advance(now)
    return ring.rotate_host(now) if advanced == ring else advanced


@click.group()
def store() -> None:
    """Look after the store."""


@store.command("init")
@config_option
def init_store(config_path: Path | None) -> None:
    """Mark an empty store as this gateway's; needed once, after `keys init`, and when its data are lost for good.

    A store without the mark is taken for a lost one, and nothing is served from it: so an emptied or wrong store
    never makes peers delete their mounts.
    """
    asyncio.run(mark_store(loaded(config_path)))
    click.echo("The store is marked as this gateway's.")


@click.group()
def storage() -> None:
    """Look at the storages."""


@storage.command("probe")
@click.argument("name", required=False)
@config_option
@click.option("--user", default="", help="Whose part of the storage to probe, where each user has one.")
def probe(name: str | None, config_path: Path | None, user: str) -> None:
    """Find out in a scratch folder what the storage NAME really can do; NAME is not needed where there is one."""
    config = loaded(config_path)
    if name is None and len(config.all_storages) > 1:
        raise GatewayError(Kind.INVALID, f"Say which storage: {', '.join(config.all_storages)}.")
    for ability, has in asyncio.run(probed(config, name or next(iter(config.all_storages)), user)).items():
        click.echo(f"{'yes' if has else 'no ':<4} {ability}")


@storage.command("rebind")
@click.argument("old")
@click.argument("new")
@config_option
@click.option("--user", required=True, help="Whose shares; their files have to be in the new storage already.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say which shares could move.")
@click.option("--leave-missing", is_flag=True, help="Move the others, if some are not in the new storage.")
def rebind(config_path: Path | None, *, old: str, new: str, user: str, dry_run: bool, leave_missing: bool) -> None:
    """Let what USER has shared from the storage OLD be served from the storage NEW.

    Copy the files first. Every shared file or folder is looked up in NEW before anything is changed; peers keep their
    shares. It may be run again at any time. With the embedded store the gateway has to be stopped meanwhile.
    """
    config = loaded(config_path)
    # What happens is printed here; only what is odd is logged beside it.
    logging.configure("warning", config.log.format)
    moving = rebind_shares(config, user, old=old, new=new, is_dry=dry_run, leave_missing=leave_missing)
    found = asyncio.run(moving)
    for share in found.movable:
        click.echo(f"{'could move' if dry_run else 'moved':<10} {share.root} → {share.recipient}")
    for share in found.missing:
        click.echo(f"{'missing':<10} {share.root} → {share.recipient}")
    if not found.movable and not found.missing:
        click.echo(f"{user} shares nothing from {old}.")


@click.command()
@click.argument("host")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the document as the peer sent it.")
def discover(host: str, config_path: Path | None, *, as_json: bool) -> None:
    """Ask HOST who it is, and say what that means for us."""
    report = asyncio.run(discover_peer(loaded(config_path), host))
    click.echo(json.dumps(report.document, indent=2) if as_json else report.text())


@click.command("hash-password")
def hash_password() -> None:
    """Print the hash of a password, asked for or read from standard input, for the users file."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if not password:
        raise GatewayError(Kind.INVALID, "An empty password opens nothing.")
    click.echo(hashed(Secret(password)))


def _service_of(storage: Storage) -> str:
    """Say with whose rights grants are served."""
    if storage.is_local:
        return "the rights of the gateway's own process"
    if storage.bearer.sources:
        return "a bearer token"
    if storage.credentials is None and storage.private_key_file is None:
        return "the account that the owner stored" if storage.stored_accounts else "no log-in at all"
    return "the service account"


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop: uvloop's where it is installed (the extra `speed`), else Python's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra, which need not be there
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


COMMANDS = (serve, check_config, keys, store, storage, discover, hash_password)
