"""A private wsgidav under cheroot: another real WebDAV server, written quite differently from mod_dav.

It can be made to fake its locks, as some storages do: a LOCK is answered well and nothing is locked.
Run as a program it serves until it is ended: `python wsgi.py PORT FOLDER [fake-locks]`.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import USERS, DavServer, program, running


@contextmanager
def wsgidav(*, fakes_locks: bool = False) -> Iterator[DavServer]:
    """Run a wsgidav with locks and properties in memory."""
    python = program(sys.executable)
    with tempfile.TemporaryDirectory(prefix="dav") as name:
        files = Path(name) / "files"
        for folder in (files, files / "alice", files / "bob"):
            folder.mkdir()
        log = Path(name) / "output"
        more = ["fake-locks"] if fakes_locks else []
        with running(lambda port: [python, __file__, str(port), str(files), *more], log) as (process, port):
            yield DavServer(
                url=f"http://127.0.0.1:{port}/",
                files=files,
                users=USERS,
                process=process,
                log=log,
                own=lambda _path: None,
            )


def serve(port: int, folder: str, users: dict[str, str], *, fakes_locks: bool) -> None:
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
    served = _faking_locks(application) if fakes_locks else application
    server = wsgi.Server(("127.0.0.1", port), served, numthreads=8)
    server.safe_start()


def _faking_locks(application):
    """Answer LOCK and UNLOCK as if something had been done, and pass on the rest."""

    def serve_request(environ, start_response):
        method, token = environ["REQUEST_METHOD"], f"urn:uuid:{uuid.uuid4()}"
        if method == "LOCK":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = _LOCKED.format(token=token).encode()
            start_response("200 OK", [("Content-Type", "application/xml"), ("Lock-Token", f"<{token}>")])
            return [body]
        if method == "UNLOCK":
            start_response("204 No Content", [])
            return []
        return application(environ, start_response)

    return serve_request


_LOCKED = """<?xml version="1.0" encoding="utf-8"?>
<D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/>
</D:lockscope><D:depth>0</D:depth><D:timeout>Second-60</D:timeout><D:locktoken><D:href>{token}</D:href></D:locktoken>
</D:activelock></D:lockdiscovery></D:prop>"""


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], USERS, fakes_locks="fake-locks" in sys.argv[3:])
