"""A private nginx with its two WebDAV modules: own configuration, own port, one account, no locks."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import DavServer, needed, program, running

PASSWORD = "secret-of-gateway"
MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")


@contextmanager
def nginx() -> Iterator[DavServer]:
    """Run an nginx whose folder `files` is WebDAV below `/files/`, as `config/examples/webdav-nginx.yaml` says."""
    binary = program("nginx")
    if not MODULE.exists():
        needed("libnginx-mod-http-dav-ext is not installed")
    with tempfile.TemporaryDirectory(prefix="nginx") as name:
        place = Path(name)
        (place / "files").mkdir()
        (place / "tmp").mkdir()
        (place / "users").write_text(f"gateway:{{PLAIN}}{PASSWORD}\n")
        command = lambda port: [binary, "-c", str(_configure(place, port)), "-p", name]  # noqa: E731 - short
        with running(command, place / "output") as (process, port):
            yield DavServer(
                url=f"http://127.0.0.1:{port}/files/",
                files=place / "files",
                users={"gateway": PASSWORD},
                process=process,
                log=place / "error.log",
                own=lambda _path: None,
            )


def _configure(place: Path, port: int) -> Path:
    config = place / "nginx.conf"
    config.write_text(
        f"""
load_module {MODULE};
daemon off;
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
{f"user {getpass.getuser()};" if os.geteuid() == 0 else ""}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/tmp/body;
  proxy_temp_path {place}/tmp/proxy;
  fastcgi_temp_path {place}/tmp/fastcgi;
  uwsgi_temp_path {place}/tmp/uwsgi;
  scgi_temp_path {place}/tmp/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /files/ {{
      alias {place}/files/;
      auth_basic storage;
      auth_basic_user_file {place}/users;
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
      client_max_body_size 0;
    }}
  }}
}}
"""
    )
    return config
