"""Gateways of a run: each before one storage, with default settings but for what a run on loopback needs."""

from __future__ import annotations

import contextlib
import http.client
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from bench.openssh import Login
from bench.peer import Peer
from bench.place import PASSWORD, SHARED, USER, Place
from bench.process import Ports, Server, running
from gateway.cli.rest import RestClient
from gateway.identity.file import hash_password
from gateway.model.secret import Secret

DAV_PATH = "/ocm/dav/"

Settings = Mapping[str, object]


@contextlib.contextmanager
def gateway(place: Place, storage: Settings, name: str, *, has_ssh: bool = False) -> Iterator[Server]:
    """Run a gateway before a storage, whose section of the configuration is given; with an SSH door if asked."""
    run = place.root / name
    run.mkdir()
    users = run / "users.yaml"
    users.write_text(yaml.safe_dump({"users": {USER: {"password": hash_password(Secret(PASSWORD))}}}))

    def command(ports: Ports) -> list[str]:
        config = run / "gateway.yaml"
        config.write_text(yaml.safe_dump(_config(run, users, ports, storage) | _ssh(ports)))
        return [sys.executable, "-m", "gateway", "serve", "-c", str(config)]

    ports = ("http", "ops", "ssh") if has_ssh else ("http", "ops")
    with running(
        name, command, core=place.cores.measured, folder=place.root, port_names=ports, is_ready=_is_ready
    ) as server:
        yield server


def folder_storage(place: Place) -> Settings:
    """Return the section for the run's own folder."""
    return {"url": place.files.as_uri(), "view": "service"}


def webdav_storage(server: Server, *, relay: str = "always") -> Settings:
    """Return the section for a WebDAV server; nothing is probed, since nginx cannot lock."""
    return {"url": f"webdav+{server.url()}/", "credentials": "gateway:secret", "view": "service", "relay": relay}


def rest_client(server: Server) -> RestClient:
    """Return the REST interface of a gateway as its user has it."""
    return RestClient(url=f"{server.url()}/ocm", user=USER, password=Secret(PASSWORD))


def share_token(peer: Peer, server: Server) -> str:
    """Share the folder with somebody at the peer, and return the access token that the peer gets for it."""
    return peer.token(server, _share(peer, server))


def share_login(peer: Peer, server: Server) -> Login:
    """Share the folder with somebody at the peer, and return how he logs in at the SSH door."""
    return peer.login(_share(peer, server))


def _share(peer: Peer, server: Server) -> str:
    draft = {"path": f"/{SHARED}", "recipient": f"bob@{peer.host}", "permissions": ["read", "write"]}
    return str(rest_client(server).post("shares", draft)["id"])


def _ssh(ports: Ports) -> dict[str, object]:
    if "ssh" not in ports:
        return {}
    most = dict.fromkeys(("connections", "connections_per_address", "connections_per_share"), 10_000)
    return {"ssh": {"enabled": True, "port": ports["ssh"], "idle_seconds": "1h", **most}}


def _config(run: Path, users: Path, ports: Ports, storage: Settings) -> dict[str, object]:
    return {
        "public_url": f"http://localhost:{ports['http']}",
        "data_dir": str(run / "data"),
        "http": {"port": ports["http"], "drain_seconds": 1},
        "ops": {"port": ports["ops"]},
        "storage": dict(storage),
        "identity": {"providers": ["file"], "users_file": str(users)},
        "peers": {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]},
        # One token serves the whole run, and one peer sends more than a peer may.
        "token": {"lifetime_seconds": "1h"},
        "limits": {"messages_per_peer": 1_000_000},
    }


def _is_ready(ports: Ports) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", ports["ops"], timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
