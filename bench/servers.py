"""The foreign servers of a run: Apache and nginx over one folder, and nginx as a proxy before them.

All of them listen on loopback, keep everything in a folder of their own, and are ended by process id. The proxy writes
its access log, as it would in an installation.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench.place import WEB_USER, Place
from bench.process import Server, program, running

_MODULES = ("mpm_event", "authn_core", "authz_core", "dav", "dav_fs", "dir", "mime")
_MODULE_FOLDER = Path("/usr/lib/apache2/modules")


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
