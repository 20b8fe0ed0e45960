"""`ocm-gateway demo`: two gateways, two storages and one share, played before your eyes.

*alpha* stands before a real WebDAV server, a process of its own; *beta* before a local folder. Both gateways are
processes of their own too, started with the command that everybody uses, and they speak over real sockets. The demo
acts as Alice and Bob through the REST interface, and prints what went over the wire from the gateways' own logs. How
the parts are started is in `demoparts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from gateway.app import discover_peer
from gateway.cli.demoparts import HELLO, Side, Stage, start, until
from gateway.cli.exits import FAILED, INTERRUPTED
from gateway.config import load
from gateway.errors import GatewayError, Kind

ANSWER = "Hello back from Bob.\n"
LOG_SECONDS = 0.05
LOOK_SECONDS = 0.5


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Leave when the story is told, instead of waiting for Ctrl-C.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Where to keep everything; else it is temporary."
)
@click.option("--free-ports", is_flag=True, help="Take any free ports, so that several demos can run side by side.")
def demo(*, leave: bool, folder: Path | None, free_ports: bool) -> None:
    """Play a share from one gateway to another on this machine."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    with contextlib.ExitStack() as stack:
        place = (folder or Path(stack.enter_context(_temporary_folder()))).absolute()
        place.mkdir(parents=True, exist_ok=True)
        status = _played(stack, place, leave=leave, free_ports=free_ports)
        # Nobody may interrupt the stopping: parts would be left over.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


def _played(stack: contextlib.ExitStack, place: Path, *, leave: bool, free_ports: bool) -> int:
    """Start, tell the story, and wait where that is wished; return the exit status."""
    status = INTERRUPTED
    try:
        stage = start(stack, place, free_ports=free_ports)
        if not Story(stage).tell():
            return FAILED
        status = 0
        if not leave:
            _wait(stage)
    except GatewayError as error:
        click.secho(f"\nFAILED: {error}", fg="red")
        return FAILED
    except KeyboardInterrupt:
        click.echo("\nStopping.")
    return status


class Story:
    """The steps, in order; each says OK or what went wrong."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.alpha = stage.alpha
        self.beta = stage.beta
        self.sent = ""
        self.received = ""

    def tell(self) -> bool:
        """Play every step until one fails; tell whether all went well."""
        alice, bob = self.alpha, self.beta
        steps: list[tuple[str, Callable[[], str]]] = [
            ("alpha asks beta who it is", lambda: self._discover(alice, bob)),
            ("beta asks alpha who it is", lambda: self._discover(bob, alice)),
            (f"Alice shares the folder 'Project' with {bob.address}", self._share),
            ("Bob sees the share", self._see),
            ("Bob accepts it, and Alice learns of it", self._accept),
            ("Bob lists the folder (an access token is fetched first)", self._list),
            ("Bob downloads Alice's file", self._download),
            ("Bob uploads a file of his own", self._upload),
            ("Alice revokes the share", self._revoke),
            ("Bob is refused", self._refused),
        ]
        return all(self._play(number, title, step) for number, (title, step) in enumerate(steps, 1))

    def _play(self, number: int, title: str, step: Callable[[], str]) -> bool:
        click.echo(f"\n{number:>2}. {title}")
        for side in (self.alpha, self.beta):
            side.wire.clear()
        try:
            outcome = step()
            self.stage.check()
        except (GatewayError, LookupError, TypeError, ValueError, OSError) as error:
            self._show_wire()
            click.secho(f"    FAILED: {error}", fg="red")
            self._show_stopped()
            return False
        self._show_wire()
        click.secho("    OK", fg="green", nl=False)
        click.echo(f"  {outcome}")
        return True

    def _discover(self, asking: Side, asked: Side) -> str:
        host = asked.url.partition("://")[2]
        report = asyncio.run(discover_peer(load(asking.config), host))
        click.echo(f"    {asking.name} → GET {asked.url}/.well-known/ocm")
        capabilities = ", ".join(sorted(report.discovery.capabilities))
        return f"version {report.discovery.api_version}, can: {capabilities}"

    def _share(self) -> str:
        document = {"path": "/Project", "recipient": self.beta.address, "permissions": ["read", "write"]}
        share = self.alpha.rest.post("shares", document)
        self.sent = share["id"]
        _expect(share["state"] == "delivered", f"the share is {share['state']}: {share['problem']}")
        return "signed, and taken by beta"

    def _see(self) -> str:
        shares = self.beta.rest.get("received")["shares"]
        _expect(len(shares) == 1, "there should be exactly one share")
        self.received = shares[0]["id"]
        _expect(shares[0]["is_signed"], "the share should have come with a signature")
        return f"'{shares[0]['name']}' from {shares[0]['owner']}; the signature was checked"

    def _accept(self) -> str:
        self.beta.rest.post(f"received/{self.received}/accept")
        until(lambda: self.alpha.rest.get(f"shares/{self.sent}")["state"] == "accepted", "Alice to learn of it")
        return "Alice's list says: accepted"

    def _list(self) -> str:
        entries = self.beta.rest.get(f"received/{self.received}/files/")["entries"]
        return ", ".join(entry["path"] for entry in entries)

    def _download(self) -> str:
        content = self.beta.rest.call("GET", f"received/{self.received}/files/hello.txt")
        _expect(content == HELLO.encode(), "the bytes differ")
        return f"{len(content)} bytes, as Alice wrote them"

    def _upload(self) -> str:
        self.beta.rest.call("PUT", f"received/{self.received}/files/answer.txt", ANSWER.encode(), "text/plain")
        seen = self.alpha.rest.call("GET", "files/Project/answer.txt")
        _expect(seen == ANSWER.encode(), "Alice does not see Bob's bytes")
        return "Alice finds it in her own storage"

    def _revoke(self) -> str:
        share = self.alpha.rest.call("DELETE", f"shares/{self.sent}")
        return f"the share is {json.loads(share)['state']}"

    def _refused(self) -> str:
        try:
            self.beta.rest.call("GET", f"received/{self.received}/files/hello.txt")
        except GatewayError as error:
            _expect(error.kind in (Kind.CONFLICT, Kind.FORBIDDEN, Kind.NOT_FOUND), str(error))
            return f"beta says: {error.public}"
        raise GatewayError(Kind.INTERNAL, "Bob could still read the file.")

    def _show_stopped(self) -> None:
        try:
            self.stage.check()
        except GatewayError as error:
            click.secho(f"    {error}", fg="red")

    def _show_wire(self) -> None:
        # The gateways log a request when its last byte is out, which may be after we have read it.
        time.sleep(LOG_SECONDS)
        told = [(event, side.name) for side in (self.alpha, self.beta) for event in side.wire]
        for event, name in sorted(told, key=lambda pair: str(pair[0].get("timestamp"))):
            if event.get("event") in ("told peer", "asked peer"):
                signed = ", signed" if event.get("is_signed") else ""
                click.echo(f"    {name} → {event['method']} {event['url']}  {event['status']}{signed}")
            elif event.get("door") == "dav" and event.get("path"):
                click.echo(f"    {name} ← {event['method']} {event['path']}  {event['status']}")


def _wait(stage: Stage) -> None:
    click.echo("\nBoth gateways go on running. Look at them:")
    for side in (stage.alpha, stage.beta):
        click.echo(f"  {side.url}/ocm/ui/   log in as {side.user} with password {side.password}")
    click.echo("Ctrl-C stops everything.")
    while True:
        time.sleep(LOOK_SECONDS)
        stage.check()


def _interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="ocm-demo-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _expect(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise GatewayError(Kind.INTERNAL, f"Not as expected: {otherwise}.")


COMMANDS = (demo,)
