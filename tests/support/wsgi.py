"""A private wsgidav under cheroot: another real WebDAV server, written quite differently from mod_dav.

Run as a program it serves until it is ended: `python wsgi.py PORT FOLDER`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import USERS, DavServer, program, running


@contextmanager
def wsgidav() -> Iterator[DavServer]:
    """Run a wsgidav with locks and properties in memory."""
    python = program(sys.executable)
    with tempfile.TemporaryDirectory(prefix="dav") as name:
        files = Path(name) / "files"
        for folder in (files, files / "alice", files / "bob"):
            folder.mkdir()
        log = Path(name) / "output"
        with running(lambda port: [python, __file__, str(port), str(files)], log) as (process, port):
            yield DavServer(
                url=f"http://127.0.0.1:{port}/",
                files=files,
                users=USERS,
                process=process,
                log=log,
                own=lambda _path: None,
            )


def serve(port: int, folder: str, users: dict[str, str]) -> None:
    """Serve `folder` on `port` until the process is ended."""
    from cheroot import wsgi  # noqa: PLC0415 - only the child process needs these
    from wsgidav.wsgidav_app import WsgiDAVApp  # noqa: PLC0415 - as above

    application = WsgiDAVApp(
        {
            "provider_mapping": {"/": folder},
            "simple_dc": {"user_mapping": {"*": {name: {"password": word} for name, word in users.items()}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "property_manager": True,
            "lock_storage": True,
            "mutable_live_props": ["{DAV:}getlastmodified"],
            "verbose": 1,
            "logging": {"enable": False},
        }
    )
    server = wsgi.Server(("127.0.0.1", port), application, numthreads=8)
    server.safe_start()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], USERS)
