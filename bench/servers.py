"""The processes of a run: the storage, nginx as a proxy before it, and gateways before it.

The storage is one folder with two servers on it: nginx for GET and PUT, which costs little and so hides little, and
Apache mod_dav for what nginx does not know (PROPFIND). All of them listen on loopback, keep everything in a folder of
their own, and are ended by process id. Both proxies write their access log, as they would in an installation.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.machine import Cores
from bench.process import Server, program, running
from gateway.identity.file import hash_password
from gateway.model.secret import Secret

USER, PASSWORD = "alice", "correct horse battery staple"
# Under root nginx and Apache give their rights up to this user of Debian's.
WEB_USER = "www-data"
_MODULES = ("mpm_event", "authn_core", "authz_core", "dav", "dav_fs", "dir", "mime")
_MODULE_FOLDER = Path("/usr/lib/apache2/modules")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run keeps its files; the folder `files` is the storage's."""

    root: Path
    cores: Cores

    @property
    def files(self) -> Path:
        """The storage's folder."""
        return self.root / "files"

    def for_web_user(self, path: Path) -> Path:
        """Make a folder, or give a file, to the user that web servers become."""
        if not path.exists():
            path.mkdir(parents=True)
        path.chmod(0o755 if path.is_dir() else 0o644)
        if os.geteuid() == 0:
            shutil.chown(path, WEB_USER, WEB_USER)
        return path


@contextlib.contextmanager
def apache(place: Place) -> Iterator[Server]:
    """Run Apache mod_dav over the storage's folder."""
    run = place.for_web_user(place.root / "apache")
    user = f"User {WEB_USER}\nGroup {WEB_USER}" if os.geteuid() == 0 else ""
    loads = "\n".join(f"LoadModule {name}_module {_MODULE_FOLDER}/mod_{name}.so" for name in _MODULES)

    def command(ports: dict[str, int]) -> list[str]:
        config = run / "apache.conf"
        config.write_text(
            f"""
ServerRoot {run}
ServerName localhost
Listen 127.0.0.1:{ports["http"]}
PidFile {run}/pid
DefaultRuntimeDir {run}
ErrorLog {run}/error.log
{user}
{loads}
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
KeepAlive On
MaxKeepAliveRequests 0
TypesConfig /dev/null
DavLockDB {run}/locks
DocumentRoot {place.files}
<Directory {place.files}>
  Dav On
  AllowOverride None
  Require all granted
</Directory>
"""
        )
        return [program("apache2"), "-f", str(config), "-DFOREGROUND"]

    with running("apache", command, core=place.cores.storage, folder=place.root) as server:
        yield server


@contextlib.contextmanager
def storage(place: Place, webdav: Server) -> Iterator[Server]:
    """Run nginx over the storage's folder; what is neither GET nor PUT it hands to Apache."""
    name = "storage"
    run = place.for_web_user(place.root / name)

    def command(ports: dict[str, int]) -> list[str]:
        servers = f"""
    server {{
        listen 127.0.0.1:{ports["http"]};
        root {place.files};
        location / {{
            dav_methods PUT;
            error_page 418 = @webdav;
            if ($request_method !~ ^(GET|HEAD|PUT)$) {{ return 418; }}
        }}
        location @webdav {{ proxy_pass {webdav.url()}; }}
    }}"""
        return _nginx_command(run, servers, log="off")

    with running(name, command, core=place.cores.storage, folder=place.root) as server:
        yield server


@contextlib.contextmanager
def nginx(place: Place, backend: Server, webdav: Server) -> Iterator[Server]:
    """Run nginx as the proxy to compare with: as it comes, with buffering off, and before Apache."""
    name = "nginx"
    run = place.for_web_user(place.root / name)

    def command(ports: dict[str, int]) -> list[str]:
        unbuffered = "proxy_buffering off; proxy_request_buffering off;"
        servers = "\n".join(
            [
                _upstream("storage", backend),
                _upstream("webdav", webdav),
                _proxy(ports["http"], "storage", ""),
                _proxy(ports["unbuffered"], "storage", unbuffered),
                _proxy(ports["webdav"], "webdav", ""),
            ]
        )
        return _nginx_command(run, servers, log=f"{run}/access.log")

    ports = ("http", "unbuffered", "webdav")
    with running(name, command, core=place.cores.measured, folder=place.root, port_names=ports) as server:
        yield server


@contextlib.contextmanager
def gateway(place: Place, backend: Server, name: str) -> Iterator[Server]:
    """Run a gateway before a storage, with its default settings but for what a run on loopback needs."""
    run = place.root / name
    run.mkdir()
    users = run / "users.yaml"
    users.write_text(yaml.safe_dump({"users": {USER: {"password": hash_password(Secret(PASSWORD))}}}))

    def command(ports: dict[str, int]) -> list[str]:
        config = run / "gateway.yaml"
        config.write_text(yaml.safe_dump(_gateway_config(run, users, ports, backend)))
        return [sys.executable, "-m", "gateway", "serve", "-c", str(config)]

    ports = ("http", "ops")
    with running(
        name, command, core=place.cores.measured, folder=place.root, port_names=ports, is_ready=_is_ready
    ) as server:
        yield server


def _gateway_config(run: Path, users: Path, ports: dict[str, int], backend: Server) -> dict[str, object]:
    return {
        "public_url": f"http://localhost:{ports['http']}",
        "data_dir": str(run / "data"),
        "http": {"port": ports["http"], "drain_seconds": 1},
        "ops": {"port": ports["ops"]},
        # nginx cannot lock, so nothing is probed: it is the relay that is measured.
        "storage": {
            "url": f"webdav+{backend.url()}/",
            "credentials": "gateway:secret",
            "view": "service",
            "relay": "always",
        },
        "identity": {"providers": ["file"], "users_file": str(users)},
        "peers": {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]},
        # One token serves the whole run, and one peer sends more than a peer may.
        "token": {"lifetime_seconds": "1h"},
        "limits": {"messages_per_peer": 1_000_000},
    }


def _upstream(name: str, server: Server) -> str:
    return f"""
    upstream {name} {{
        server 127.0.0.1:{server.ports["http"]};
        keepalive 64;
        keepalive_requests 1000000000;
    }}"""


def _proxy(port: int, upstream: str, more: str) -> str:
    return f"""
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {more}
        }}
    }}"""


def _nginx_command(run: Path, servers: str, *, log: str) -> list[str]:
    temporary = "\n".join(
        f"    {kind}_temp_path {run}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = run / "nginx.conf"
    config.write_text(
        f"""
daemon off;
worker_processes 1;
pid {run}/pid;
error_log {run}/error.log warn;
{f"user {WEB_USER};" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
    access_log {log};
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
{temporary}
{servers}
}}
"""
    )
    return [program("nginx"), "-p", str(run), "-e", str(run / "error.log"), "-c", str(config)]


def _is_ready(ports: dict[str, int]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", ports["ops"], timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
