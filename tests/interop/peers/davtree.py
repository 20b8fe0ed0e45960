"""A peer's storage as it serves it: a small folder in memory behind the methods that its product has.

What a peer decides for itself are its credentials and where a share's root is; `Tree` answers below that root.
`is_out` makes it fail as a server does whose disk is away.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from aiohttp import web

_HEAD = '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">'


@dataclass
class Tree:
    """The files of one share by path below its root; a folder is a path with `None`, and "" is the one file shared.

    Attributes:
        is_out: whether the storage behind it is away.
        seen: the methods that were asked for, in order.
    """

    files: dict[str, bytes | None]
    is_out: bool = False
    seen: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request, root: str) -> web.Response:
        """Answer a request whose share has its root at the URL path `root` (with a slash at its end)."""
        self.seen.append(request.method)
        if self.is_out:
            return web.Response(status=503)
        path = _below(request.raw_path, root)
        target = _below(urlsplit(request.headers.get("Destination", "")).path, root)
        body = await request.read()
        answers = {
            "PROPFIND": lambda: self._propfind(path, root, request.headers.get("Depth", "1")),
            "GET": lambda: self._get(path, request.headers.get("Range")),
            "PUT": lambda: self._put(path, body),
            "MKCOL": lambda: self._make(path),
            "MOVE": lambda: self._move(path, target),
            "DELETE": lambda: web.Response(status=204 if self._drop(path) else 404),
        }
        return answers.get(request.method, lambda: web.Response(status=405))()

    def _propfind(self, path: str, root: str, depth: str) -> web.Response:
        if path and path not in self.files:
            return web.Response(status=404)
        is_folder = self.files.get(path) is None
        below = f"{path}/" if path else ""
        members = [name for name in self.files if name.startswith(below) and "/" not in name[len(below) :]]
        shown = [path, *(members if depth != "0" and is_folder else ())]
        text = _HEAD + "".join(self._response(name, root) for name in shown) + "</d:multistatus>"
        return web.Response(status=207, text=text, content_type="application/xml")

    def _response(self, path: str, root: str) -> str:
        content = self.files.get(path)
        props = f"<d:getlastmodified>{formatdate(1_700_000_000, usegmt=True)}</d:getlastmodified>"
        props += f'<d:getetag>"{self._tag(path)}"</d:getetag>'
        if content is None:
            props += "<d:resourcetype><d:collection/></d:resourcetype>"
        else:
            props += f"<d:resourcetype/><d:getcontentlength>{len(content)}</d:getcontentlength>"
        href = escape(root + path + ("/" if path and content is None else ""))
        return (
            f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop>"
            "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        )

    def _tag(self, path: str) -> str:
        content = self.files.get(path) if path in self.files else repr(sorted(self.files.items())).encode()
        return hashlib.sha256(content or path.encode()).hexdigest()[:32]

    def _get(self, path: str, asked: str | None) -> web.Response:
        content = self.files.get(path)
        if content is None:
            return web.Response(status=404)
        headers = {"ETag": f'"{self._tag(path)}"'}
        if asked is None:
            return web.Response(body=content, headers=headers)
        first, last = asked.removeprefix("bytes=").split("-")
        end = min(int(last or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{end}/{len(content)}"
        return web.Response(status=206, body=content[int(first) : end + 1], headers=headers)

    def _put(self, path: str, content: bytes) -> web.Response:
        is_new = path not in self.files
        self.files[path] = content
        return web.Response(status=201 if is_new else 204)

    def _make(self, path: str) -> web.Response:
        if path in self.files:
            return web.Response(status=405)
        self.files[path] = None
        return web.Response(status=201)

    def _move(self, path: str, target: str) -> web.Response:
        if path not in self.files:
            return web.Response(status=404)
        self.files[target] = self.files.pop(path)
        return web.Response(status=201)

    def _drop(self, path: str) -> bool:
        names = [name for name in self.files if name == path or name.startswith(f"{path}/")]
        for name in names:
            del self.files[name]
        return bool(names)


def _below(target: str, root: str) -> str:
    path = unquote(target.partition("?")[0])
    return path.removeprefix(root.rstrip("/")).strip("/")
