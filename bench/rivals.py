"""Servers that give the same folder away in their own manner: wsgidav, `rclone serve webdav`, OpenSSH's sshd.

They run where the gateway does, on the core for what is measured, each as its package has it but for the folder.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from bench.place import Place
from bench.process import Ports, Server, program, running


@contextlib.contextmanager
def wsgidav(place: Place) -> Iterator[Server]:
    """Run wsgidav, with cheroot, over the shared folder."""
    config = place.root / "wsgidav.yaml"
    config.write_text("simple_dc: {user_mapping: {'*': true}}\nlogging: {enable: false}\nverbose: 1\n")

    def command(ports: Ports) -> list[str]:
        served = ["--root", str(place.shared), "--host", "127.0.0.1", "--port", str(ports["http"])]
        return [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(config), *served]

    with running("wsgidav", command, core=place.cores.measured, folder=place.root) as server:
        yield server


@contextlib.contextmanager
def rclone_webdav(place: Place) -> Iterator[Server]:
    """Run `rclone serve webdav` over the shared folder."""

    def command(ports: Ports) -> list[str]:
        address = f"127.0.0.1:{ports['http']}"
        return [program("rclone"), "--config", "/dev/null", "serve", "webdav", str(place.shared), "--addr", address]

    with running("rclone", command, core=place.cores.measured, folder=place.root) as server:
        yield server
