"""Commands of operators about other servers: who they are to us, and what to write into their configuration."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from gateway import log as logging
from gateway.app import peer_admin
from gateway.cli.operate import config_option, loaded
from gateway.cli.use import printable
from gateway.flows.peer_admin import PeerAdmin
from gateway.model.peer import Peer, Trust
from gateway.ocm.dialects.snippets import KINDS, snippet

R = TypeVar("R")

# Who acts, in the log.
BY = "the command line"


@click.group()
def peers() -> None:
    """See and decide which servers this gateway deals with; works beside the running gateway."""


@peers.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_peers(config_path: Path | None, *, as_json: bool) -> None:
    """List every server that this gateway knows."""

    async def listed(admin: PeerAdmin) -> list[dict[str, object]]:
        return [_document(admin, peer) for peer in await admin.all()]

    found = _with(config_path, listed)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for peer in found:
        signed = "signs" if peer["has_signed"] else "no signature seen"
        trouble = f"  ({peer['not_spoken_with_because']})" if peer["not_spoken_with_because"] else ""
        click.echo(printable(f"{peer['host']:<40} {peer['trust']:<8} {signed}{trouble}"))


@peers.command("show")
@click.argument("host")
@config_option
def show(host: str, config_path: Path | None) -> None:
    """Show all that is known of HOST."""

    async def shown(admin: PeerAdmin) -> dict[str, object]:
        return _document(admin, await admin.get(host))

    for name, value in _with(config_path, shown).items():
        click.echo(printable(f"{name:<24} {value}"))


@peers.command("allow")
@click.argument("host")
@config_option
def allow(host: str, config_path: Path | None) -> None:
    """Deal with HOST, though no list or directory names it; a denial in the configuration goes before."""
    _decide(host, config_path, Trust.ALLOWED)


@peers.command("block")
@click.argument("host")
@config_option
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would change.")
def block(host: str, config_path: Path | None, *, dry_run: bool) -> None:
    """Have nothing to do with HOST, both ways; without a port, HOST on every port.

    Messages are refused, and nobody there opens what was shared with them: what they have open is cut off. Shares are
    not ended by it: they open again when the block is taken back. Revoke them, if they are to go.
    """
    if dry_run:
        _with(config_path, lambda admin: _would_block(admin, host))
        return
    _decide(host, config_path, Trust.DENIED)


@peers.command("undecide")
@click.argument("host")
@config_option
def undecide(host: str, config_path: Path | None) -> None:
    """Take back that HOST was allowed or blocked."""
    _decide(host, config_path, Trust.UNKNOWN)


@peers.command("forget")
@click.argument("host")
@config_option
def forget(host: str, config_path: Path | None) -> None:
    """Forget what HOST told: documents, keys, that it signs. What was decided about it stays."""
    _with(config_path, lambda admin: admin.forget(host, by=BY))
    click.echo("Forgotten. It is asked anew when it is next dealt with.")


@peers.command("retry")
@click.argument("host")
@config_option
def retry(host: str, config_path: Path | None) -> None:
    """Ask HOST at once again, though it failed."""
    _with(config_path, lambda admin: admin.retry(host, by=BY))
    click.echo("Its failures are forgotten; what waits for it is tried when it is next due.")


@click.command("peer-snippet")
@click.argument("kind", type=click.Choice(KINDS))
@config_option
def peer_snippet(kind: str, config_path: Path | None) -> None:
    """Print what the operator of a server of this KIND has to add to its configuration to know this gateway."""
    config = loaded(config_path)
    click.echo(snippet(kind, public_url=config.public_url, prefix=config.prefix, name=config.provider_name))


def _decide(host: str, config_path: Path | None, trust: Trust) -> None:
    async def decided(admin: PeerAdmin) -> str:
        peer = await admin.decide(host, trust, by=BY)
        why_not = admin.why_not(peer.host)
        return why_not or f"This gateway deals with {peer.host}."

    click.echo(_with(config_path, decided))


async def _would_block(admin: PeerAdmin, host: str) -> None:
    known = [peer for peer in await admin.all() if peer.host == host or peer.host.startswith(f"{host}:")]
    for peer in known:
        before = admin.why_not(peer.host)
        click.echo(before or f"{peer.host} would be blocked; it is dealt with now.")
    if not known:
        click.echo(f"{host} is not known here; its messages would be refused from now on.")


def _with(config_path: Path | None, act: Callable[[PeerAdmin], Awaitable[R]]) -> R:
    config = loaded(config_path)
    logging.configure("warning", config.log.format)

    async def run() -> R:
        async with peer_admin(config) as admin:
            return await act(admin)

    return asyncio.run(run())


def _document(admin: PeerAdmin, peer: Peer) -> dict[str, object]:
    discovery, report = peer.discovery, admin.report(peer)
    return {
        "host": peer.host,
        "trust": peer.trust.value,
        "not_spoken_with_because": admin.why_not(peer.host),
        "provider": discovery.provider if discovery else "",
        "api_version": discovery.api_version if discovery else "",
        "criteria": sorted(discovery.criteria) if discovery else [],
        "kind": report.dialect.name if report else "",
        "kind_because": report.dialect.why if report else "",
        "has_signed": peer.has_signed_to_us,
        "we_signed": peer.scheme.value if peer.scheme else "",
        "failures": peer.failures,
        "last_failure": f"{_when(peer.failed_at)}: {peer.failure}" if peer.failed_at else "",
        "quiet_until": _when(peer.quiet_until) if peer.quiet_until > time.time() else "",
        "first_seen": _when(peer.first_seen),
        "last_seen": _when(peer.last_seen),
    }


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds else ""


COMMANDS = (peers, peer_snippet)
