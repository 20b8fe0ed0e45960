"""A strict stand-in for a dCache door and its pool, written from what such doors do and not from our client.

- The door wants a bearer token, in any case of the word, and looks at it for every request.
- GET goes to the pool by 302; PUT goes there by 307 only with `Expect: 100-continue`, before any byte of the body, and
  the door closes that connection; without Expect the door takes the body itself.
- A pool's URL holds an identifier that is good once. The pool is another host: a token that is shown there is a leak
  and is counted; so is an Expect, and a piece of a file is not stored as a whole.
- LOCK always succeeds and locks nothing. COPY is for third-party copies only. Dead properties are refused.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from aiohttp import web

FAKE_LOCK = "opaquelocktoken:00000000-0000-0000-0000-000000000000"


@dataclass
class Dcache:
    """A running door and pool.

    Attributes:
        token: what the door takes now.
        leaks: what was shown to the pool and should not have been.
        seen: methods that the door was asked for, in order.
    """

    files: Path
    token: str
    door: str = ""
    pool: str = ""
    leaks: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    movers: dict[str, tuple[str, Path]] = field(default_factory=dict)


@asynccontextmanager
async def dcache(files: Path, token: str) -> AsyncIterator[Dcache]:
    """Run a door and a pool over a folder."""
    site = Dcache(files, token)
    door, pool = await _served(_Door(site)), await _served(_Pool(site))
    try:
        site.door, site.pool = f"127.0.0.1:{door.addresses[0][1]}", f"127.0.0.1:{pool.addresses[0][1]}"
        yield site
    finally:
        await door.cleanup()
        await pool.cleanup()


async def _served(handler) -> web.AppRunner:
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", handler.answer, expect_handler=handler.expected)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


class _Door:
    def __init__(self, site):
        self._site = site

    async def expected(self, _request):
        """Say nothing yet: whether the body is wanted here is known only in the handler."""

    async def answer(self, request):
        self._site.seen.append(request.method)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token != self._site.token:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        handler = getattr(self, f"_{request.method.lower()}", None)
        if handler is None:
            return web.Response(status=405)
        return await handler(request, self._path(request.path_qs))

    def _path(self, raw):
        assert "?" not in raw, "query strings are commands to a door"
        steps = [unquote(step) for step in raw.split("/") if step]
        assert all(step not in (".", "..") and "/" not in step for step in steps)
        return self._site.files.joinpath(*steps)

    async def _options(self, _request, _path):
        return web.Response(headers={"DAV": "1,2", "Allow": "GET, PUT, PROPFIND, LOCK"})

    async def _head(self, _request, path):
        if not path.is_file():
            return web.Response(status=404)
        headers = {"ETag": _tag(path), "Content-Length": str(path.stat().st_size)}
        return web.Response(headers=headers)

    async def _get(self, _request, path):
        if path.is_dir():
            return web.Response(text="<html>a listing for people</html>", content_type="text/html")
        return self._sent_on(302, "GET", path) if path.is_file() else web.Response(status=404)

    async def _put(self, request, path):
        if path.is_dir() or not path.parent.is_dir():
            return web.Response(status=409)
        if "Content-Range" in request.headers:
            return web.Response(status=501)
        if request.headers.get("Expect", "").lower() == "100-continue":
            response = self._sent_on(307, "PUT", path)
            response.force_close()
            return response
        return await _store(request, path)

    def _sent_on(self, status, method, path):
        mover = secrets.token_hex(8)
        self._site.movers[mover] = (method, path)
        return web.Response(status=status, headers={"Location": f"http://{self._site.pool}/{quote(path.name)}-{mover}"})

    async def _mkcol(self, _request, path):
        if path.exists() or not path.parent.is_dir():
            return web.Response(status=405 if path.exists() else 409)
        path.mkdir()
        return web.Response(status=201)

    async def _delete(self, _request, path):
        if not path.exists():
            return web.Response(status=404)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return web.Response(status=204)

    async def _move(self, request, path):
        target = self._path(request.headers["Destination"].partition("://")[2].partition("/")[2])
        if not path.exists() or not target.parent.is_dir():
            return web.Response(status=404 if not path.exists() else 409)
        existed = target.exists()
        if existed and request.headers.get("Overwrite", "T") == "F":
            return web.Response(status=412)
        path.replace(target)
        return web.Response(status=204 if existed else 201)

    async def _copy(self, _request, _path):
        return web.Response(status=400, text="COPY is for third-party copies")

    async def _proppatch(self, _request, _path):
        return web.Response(status=403)

    async def _lock(self, request, path):
        await request.read()
        body = (
            '<?xml version="1.0"?><D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock><D:timeout>Second-0</D:timeout>'
            f"<D:locktoken><D:href>{FAKE_LOCK}</D:href></D:locktoken></D:activelock></D:lockdiscovery></D:prop>"
        )
        status = 200 if path.exists() else 201
        return web.Response(status=status, text=body, content_type="text/xml", headers={"Lock-Token": f"<{FAKE_LOCK}>"})

    async def _unlock(self, _request, _path):
        return web.Response(status=204)

    async def _propfind(self, request, path):
        await request.read()
        depth = request.headers.get("Depth", "infinity")
        if depth not in ("0", "1") or not path.exists():
            return web.Response(status=403 if path.exists() else 404)
        members = sorted(path.iterdir()) if depth == "1" and path.is_dir() else []
        found = "".join(self._response(each) for each in (path, *members))
        body = f'<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">{found}</D:multistatus>'
        return web.Response(status=207, text=body, content_type="application/xml")

    def _response(self, path):
        status = path.stat()
        href = quote("/" + str(path.relative_to(self._site.files)) + ("/" if path.is_dir() else ""))
        what = (
            "<D:resourcetype><D:collection/></D:resourcetype>"
            if path.is_dir()
            else f"<D:resourcetype/><D:getcontentlength>{status.st_size}</D:getcontentlength>"
        )
        return (
            f"<D:response><D:href>{escape(href)}</D:href><D:propstat><D:prop>{what}<D:getetag>{_tag(path)}</D:getetag>"
            f"<D:getlastmodified>{formatdate(status.st_mtime, usegmt=True)}</D:getlastmodified></D:prop>"
            "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )


class _Pool:
    def __init__(self, site):
        self._site = site

    async def expected(self, request):
        """Count what should have stayed at the door, and ask for the body all the same."""
        self._site.leaks.append("Expect")
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def answer(self, request):
        self._site.leaks += [name for name in ("Authorization", "Cookie") if name in request.headers]
        mover = request.path.rpartition("-")[2]
        method, path = self._site.movers.pop(mover, ("", None))
        if method != request.method:
            return web.Response(status=400)
        if method == "GET":
            return _read(request, path)
        if "Content-Range" in request.headers:
            return web.Response(status=501)
        return await _store(request, path)


def _read(request, path):
    """Answer with the file or one closed piece of it; the tags are the pool's own, and the door's mean nothing here."""
    tag, content = f'"pool-{path.stat().st_ino}"', path.read_bytes()
    if request.headers.get("If-Match", tag) not in (tag, "*"):
        return web.Response(status=412)
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    piece = request.http_range
    if piece.start is None and piece.stop is None:
        return web.Response(body=content, headers=headers)
    start, stop = piece.start or 0, len(content) if piece.stop is None else piece.stop
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return web.Response(status=206, body=content[start:stop], headers=headers)


async def _store(request, path):
    existed = path.exists()
    with path.open("wb") as file:
        try:
            async for chunk in request.content.iter_any():
                file.write(chunk)
        except ConnectionResetError:
            # What came stays, as on such a storage.
            return web.Response(status=400)
    return web.Response(status=204 if existed else 201, headers={"ETag": _tag(path)})


def _tag(path):
    status = path.stat()
    # A door knows a file by its number, and its content only to the second; a folder by its number alone.
    return f'"{status.st_ino}_{0 if path.is_dir() else int(status.st_mtime)}"'
