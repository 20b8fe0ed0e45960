"""The pages for people (DESIGN 4, flow 8): log in and out, one's own address, and the table of all pages.

Thin readers of the flows, like the REST interface: no rule lives here. Files are in `uifiles`, what was shared by and
with the user in `uishares`, the frame in `pages`.
"""

from __future__ import annotations

from importlib import resources

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret
from gateway.web.api import ApiDoors
from gateway.web.doors import Door, Handler, Lock
from gateway.web.pages import Pages, install, read_form
from gateway.web.status import http_status
from gateway.web.uifiles import FilePages
from gateway.web.uishares import SharePages

STATIC_TYPES = {
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "file.svg": "image/svg+xml",
    "folder.svg": "image/svg+xml",
}
STATIC_MAX_AGE_SECONDS = 3600


class UiDoors:
    """All pages, over the flows that the REST interface reads."""

    def __init__(self, *, api: ApiDoors, provider_name: str) -> None:
        self._authority = api.authority
        self._provider_name = provider_name
        self._pages = pages = Pages(gate=api.parts.gate, prefix=api.parts.prefix)
        self._files = FilePages(
            pages=pages, storages=api.storages, answer_share=api.answer_share, use_remote=api.use_remote
        )
        self._shares = SharePages(
            pages=pages,
            storages=api.storages,
            send_share=api.send_share,
            end_share=api.end_share,
            answer_share=api.answer_share,
            sent=api.sent,
            received=api.received,
            now=api.parts.gate.now,
        )

    @property
    def pages(self) -> Pages:
        """The frame of all pages."""
        return self._pages

    def set_up(self, app: web.Application) -> None:
        """Let `app` render pages."""
        install(app, prefix=self._pages.prefix, authority=self._authority, provider_name=self._provider_name)

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        own, received = "/files", "/received/{share}"
        return (
            self._open("GET", "", "to the user's files", self.start),
            self._open("GET", "/", "to the user's files", self.start),
            self._open("GET", "/static/{name}", "style and icons", self.static),
            self._open("GET", "/log-in", "page for logging in", self.log_in_page),
            self._open("POST", "/log-in", "log in", self.log_in),
            self._user("POST", "/log-out", "log out", self.log_out),
            self._user("GET", "/address", "the address to share with", self.address),
            *(door for base in (own, received) for door in self._file_doors(base)),
            self._user("GET", "/files/share/{path:.*}", "form for a share", self._shares.form_page),
            self._user("POST", "/files/share/{path:.*}", "share a file or folder", self._shares.send),
            self._user("GET", "/shared-by-me", "the user's own shares", self._shares.sent_page),
            self._user("GET", "/shared-by-me/{share}/revoke", "question before a revocation", self._shares.ask_revoke),
            self._user("POST", "/shared-by-me/{share}/revoke", "revoke a share", self._shares.revoke),
            self._user("GET", "/shared-with-me", "what the user has received", self._shares.received_page),
            self._user("POST", "/received/{share}/accept", "accept a share", self._shares.accept),
            self._user("GET", "/received/{share}/decline", "question before declining", self._shares.ask_decline),
            self._user("POST", "/received/{share}/decline", "decline or give back a share", self._shares.decline),
        )

    def _file_doors(self, base: str) -> tuple[Door, ...]:
        pages = self._files
        return (
            self._user("GET", f"{base}/browse/{{path:.*}}", "list a folder, download a file", pages.browse),
            self._user("POST", f"{base}/upload/{{path:.*}}", "upload files", pages.upload),
            self._user("POST", f"{base}/new-folder/{{path:.*}}", "make a folder", pages.make_folder),
            self._user("GET", f"{base}/delete/{{path:.*}}", "question before deleting", pages.ask_delete),
            self._user("POST", f"{base}/delete/{{path:.*}}", "delete a file or folder", pages.delete),
        )

    def _open(self, method: str, path: str, about: str, handler: Handler) -> Door:
        return self._pages.door(method, path, about, handler, Lock.OPEN)

    def _user(self, method: str, path: str, about: str, handler: Handler) -> Door:
        return self._pages.door(method, path, about, handler)

    async def start(self, _request: web.Request) -> web.Response:
        """Lead to the user's files."""
        return self._pages.go("/files/browse/")

    async def static(self, request: web.Request) -> web.Response:
        """Return the style sheet or an icon."""
        name = request.match_info["name"]
        if name not in STATIC_TYPES:
            raise GatewayError(Kind.NOT_FOUND, "There is nothing at this path.")
        content = resources.files("gateway.web").joinpath("static", name).read_bytes()
        response = web.Response(body=content, content_type=STATIC_TYPES[name], charset="utf-8")
        response.headers["Cache-Control"] = f"public, max-age={STATIC_MAX_AGE_SECONDS}"
        return response

    async def log_in_page(self, request: web.Request) -> web.Response:
        """Show the form for logging in."""
        if await self._pages.gate.session(request) is not None:
            return self._pages.go("/files/browse/")
        return self._log_in_form(request, place=request.query.get("next", ""))

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Log a user in and lead her to where she wanted to go."""
        self._pages.gate.check_origin(request)
        fields = await read_form(request)
        place = fields.get("next", "")
        target = place if self._is_ours(place) else f"{self._pages.root}/files/browse/"
        response = self._pages.go(target.removeprefix(self._pages.root))
        login = fields.get("user", "").strip()
        try:
            await self._pages.gate.log_in(request, login, Secret(fields.get("password", "")), response)
        except GatewayError as error:
            if error.kind not in (Kind.UNAUTHENTICATED, Kind.LIMITED, Kind.UNAVAILABLE):
                raise
            return self._log_in_form(request, place=place, login=login, error=error)
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        await self._pages.form(request)
        response = self._pages.go("/log-in", notice="logged-out")
        await self._pages.gate.log_out(request, response)
        return response

    async def address(self, request: web.Request) -> web.Response:
        """Show the address that others share with."""
        visitor = await self._pages.visitor(request)
        address = f"{visitor.user.identifier}@{self._authority}"
        return self._pages.show(request, "address.html", visitor, tab="address", address=address)

    def _log_in_form(
        self, request: web.Request, *, place: str, login: str = "", error: GatewayError | None = None
    ) -> web.Response:
        status = 200 if error is None else http_status(error)
        context = {"next": place if self._is_ours(place) else "", "login": login, "error": error}
        response = self._pages.show(request, "log-in.html", None, status=status, **context)
        if error is not None and error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _is_ours(self, place: str) -> bool:
        # Anything else would let a link to our log-in lead to somebody else's page.
        return (
            place.startswith(f"{self._pages.root}/") and place.isascii() and place.isprintable() and "\\" not in place
        )
