"""The parts of the demo: a WebDAV server and two gateways as processes, their configuration, and what they log."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli.rest import RestClient
from gateway.errors import GatewayError, Kind
from gateway.identity.file import hash_password
from gateway.model.secret import Secret

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
LINE_MAX = 300
# Ports that are easy to remember, if they are free.
WISHED_PORTS = {"alpha": 8180, "beta": 8280}
HELLO = "Hello from Alice's storage.\n"
# Events of a gateway's log that tell of a request between the two.
_WIRE_EVENTS = frozenset({"told peer", "asked peer", "target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One half of the demo: a gateway, its user, its configuration file, and what it said on the wire."""

    name: str
    url: str
    user: str
    password: str
    config: Path
    wire: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The user's OCM address."""
        return f"{self.user}@{self.url.partition('://')[2]}"

    @property
    def rest(self) -> RestClient:
        """The REST interface, as the user."""
        # Not every system knows that names below `localhost` are this machine (RFC 6761, 6.3).
        local = f"http://127.0.0.1:{self.url.rpartition(':')[2]}/ocm"
        return RestClient(url=local, user=self.user, password=Secret(self.password))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process of the demo."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """See that it still runs.

        Raises:
            GatewayError: `INTERNAL` with the last thing it said, if it has ended.
        """
        code = self.process.poll()
        if code is None:
            return
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        said = f' It said last: "{lines[-1][:LINE_MAX]}"' if lines else ""
        raise GatewayError(Kind.INTERNAL, f"{self.name} has stopped by itself ({_ended(code)}).{said}")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs: both gateways, and all the processes behind them."""

    alpha: Side
    beta: Side
    parts: tuple[Part, ...]

    def check(self) -> None:
        """See that all parts still run; raises as `Part.check`."""
        for part in self.parts:
            part.check()


def start(stack: contextlib.ExitStack, folder: Path, *, free_ports: bool = False) -> Stage:
    """Start everything in `folder`, to run until `stack` closes.

    Raises:
        GatewayError: if a part does not start.
    """
    ports = {name: _port(0 if free_ports else wish) for name, wish in WISHED_PORTS.items()}
    service_password = secrets.token_urlsafe(18)
    alpha, beta = _side(folder, "alpha", ports["alpha"], "alice"), _side(folder, "beta", ports["beta"], "bob")
    webdav_port = _port(0)
    click.echo("Starting a WebDAV server and two gateways …")
    webdav = stack.enter_context(_webdav(folder / "alpha-storage", webdav_port, alpha, service_password))
    (folder / "beta-storage" / "bob").mkdir(parents=True, exist_ok=True)
    users = {"users": {"bob": {"password": hash_password(Secret(beta.password)), "display_name": "Bob"}}}
    (folder / "beta-users.yaml").write_text(yaml.safe_dump(users), encoding="utf-8")
    alpha_storage = {
        "url": f"webdav+http://127.0.0.1:{webdav_port}/{{user}}",
        "credentials": f"gateway:{service_password}",
        "view": "user",
    }
    first = stack.enter_context(_gateway(folder, alpha, ports["alpha"], {"storage": alpha_storage}))
    beta_parts: dict[str, Any] = {
        "storage": {"url": f"file://{folder / 'beta-storage'}/{{user}}"},
        "identity": {"providers": ["file"], "users_file": str(folder / "beta-users.yaml")},
    }
    second = stack.enter_context(_gateway(folder, beta, ports["beta"], beta_parts))
    return Stage(alpha, beta, (webdav, first, second))


def _side(folder: Path, name: str, port: int, user: str) -> Side:
    return Side(
        name=name,
        url=f"http://{name}.localhost:{port}",
        user=user,
        password=secrets.token_urlsafe(9),
        config=folder / f"{name}.yaml",
    )


@contextlib.contextmanager
def _webdav(root: Path, port: int, alpha: Side, service_password: str) -> Iterator[Part]:
    project = root / "alice" / "Project"
    project.mkdir(parents=True, exist_ok=True)
    (project / "hello.txt").write_text(HELLO, encoding="utf-8")
    accounts = {alpha.user: {"password": alpha.password}, "gateway": {"password": service_password}}
    config = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(root)},
        "simple_dc": {"user_mapping": {"*": accounts}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "lock_storage": True,
        "property_manager": True,
        "logging": {"enable": False},
        "verbose": 1,
    }
    path = root.parent / "alpha-webdav.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(path)]
    with _running("The WebDAV server", command, root.parent / "alpha-webdav.log") as part:
        until(lambda: _listens(port), "the WebDAV server", part)
        yield part


@contextlib.contextmanager
def _gateway(folder: Path, side: Side, port: int, parts: dict[str, Any]) -> Iterator[Part]:
    ops_port = _port(0)
    config = {
        "public_url": side.url,
        "provider_name": side.name,
        "data_dir": str(folder / f"{side.name}-data"),
        "http": {"host": "127.0.0.1", "port": port},
        "ops": {"host": "127.0.0.1", "port": ops_port},
        # Both gateways are on this machine, without TLS: never do that outside a demo.
        "peers": {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]},
        "log": {"format": "json", "level": "debug"},
        **parts,
    }
    side.config.touch(mode=0o600)
    side.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "serve", "-c", str(side.config)]
    with _running(f"The gateway {side.name}", command, folder / f"{side.name}.log", side.wire) as part:
        until(lambda: _answers(f"http://127.0.0.1:{ops_port}/readyz"), f"the gateway {side.name}", part)
        yield part


@contextlib.contextmanager
def _running(name: str, command: list[str], log: Path, wire: list[dict[str, Any]] | None = None) -> Iterator[Part]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCM_GATEWAY_")}
    # A session of its own: Ctrl-C comes to the demo, which then stops the parts in order.
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    reader = threading.Thread(target=_keep_log, args=(process, log, wire), daemon=True)
    reader.start()
    try:
        yield Part(name=name, process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(STOP_SECONDS)


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _keep_log(process: subprocess.Popen[bytes], log: Path, wire: list[dict[str, Any]] | None) -> None:
    assert process.stdout is not None
    with log.open("ab") as file:
        for line in process.stdout:
            file.write(line)
            file.flush()
            if wire is not None:
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if event.get("event") in _WIRE_EVENTS:
                        wire.append(event)


def _port(wish: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wish))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own URL
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def until(is_so: Callable[[], bool], what: str, part: Part | None = None) -> None:
    """Wait until it is so, as long as the part that it depends on runs.

    Raises:
        GatewayError: `UNAVAILABLE` after `START_SECONDS`, or `INTERNAL` as soon as the part has ended.
    """
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if part is not None:
            part.check()
        if time.monotonic() > deadline:
            raise GatewayError(Kind.UNAVAILABLE, f"Waited {START_SECONDS:.0f} seconds for {what}.")
        time.sleep(POLL_SECONDS)
