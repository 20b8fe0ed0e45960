"""The folders above the mount, for Windows (ANCHORS 2).

Before its Mini-Redirector and its office programs look at a mount they ask each folder above it whether it speaks
WebDAV, up to `/`, and give up where one does not. They are told that each is a folder with the next one in it. Only
these programs get that answer: others would take the top for the mount, and where a service lives behind us it is
asked first and has its say, unless all it says is that it knows nothing of WebDAV.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from aiohttp import web

from gateway.web.respond import XML_TYPE

# What the agents of these programs begin with.
AGENTS = ("Microsoft-WebDAV-MiniRedir/", "Microsoft Office", "Microsoft Data Access Internet Publishing Provider")
# What a service answers that does not speak WebDAV, or not to strangers.
KNOWS_NOTHING = frozenset({401, 404, 405})
_FIELDS = {"DAV": "1, 2", "MS-Author-Via": "DAV", "Allow": "OPTIONS, PROPFIND"}


@dataclass(frozen=True, slots=True)
class Parents:
    """Answers for the folders above `mount`, a path without a final slash."""

    mount: str

    def answer(self, request: web.Request) -> web.Response | None:
        """Return the answer to OPTIONS or PROPFIND of such a program, or None for every other request."""
        folder = request.path.rstrip("/")
        is_above = self.mount.startswith(f"{folder}/")
        if not is_above or not request.headers.get("User-Agent", "").startswith(AGENTS):
            return None
        if request.method == "OPTIONS":
            return web.Response(headers=_FIELDS)
        return self._listing(request, folder) if request.method == "PROPFIND" else None

    def instead(self, request: web.Request, status: int) -> web.Response | None:
        """Return the answer to give instead of that of the service behind, or None if its own stands."""
        return self.answer(request) if status in KNOWS_NOTHING else None

    def _listing(self, request: web.Request, folder: str) -> web.Response:
        child = self.mount[len(folder) + 1 :].partition("/")[0]
        places = [f"{folder}/"] if request.headers.get("Depth") == "0" else [f"{folder}/", f"{folder}/{child}/"]
        responses = "".join(
            f"<d:response><d:href>{escape(place)}</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>"
            "</d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
            for place in places
        )
        text = f'<?xml version="1.0" encoding="utf-8"?>\n<d:multistatus xmlns:d="DAV:">{responses}</d:multistatus>\n'
        return web.Response(status=207, body=text.encode(), headers={**_FIELDS, "Content-Type": XML_TYPE})
