"""A private nginx as a proxy before a gateway, set up as `docs/operate.md` shows or in another way."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import program, running

PAGE = Path(__file__).parents[2] / "docs" / "operate.md"
_HTTP = """daemon off;
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  {server}
}}
"""


def documented() -> str:
    """Return the `server` block of the page for operators."""
    block = re.search(r"^```nginx\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


@contextmanager
def nginx_before(gateway_port: int, server: str) -> Iterator[int]:
    """Run an nginx with this `server` block, without TLS and with the gateway's true port; yield its port."""
    with tempfile.TemporaryDirectory(prefix="nginx") as name:
        place = Path(name)
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""

        def command(port: int) -> list[str]:
            block = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace(":8080", f":{gateway_port}")
            (place / "nginx.conf").write_text(_HTTP.format(place=place, user=user, server=block))
            return [program("nginx"), "-c", str(place / "nginx.conf"), "-p", name]

        with running(command, place / "output") as (_process, port):
            yield port
