"""What all pages have in common: templates, the visitor, forms, notices, and the headers that keep pages safe.

Pages are rendered here and need no JavaScript. A page that changes something answers a form with a redirect, which
carries a notice as a short code; the words for it are in the template. Errors are pages too, with the request's
number, by which the operator finds them in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import aiohttp_jinja2
import jinja2
from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.session import Session
from gateway.model.user import LocalUser
from gateway.web import pagewords
from gateway.web.aio import admit_later, body_of
from gateway.web.doors import Door, Handler, Lock, Style
from gateway.web.head import read_body
from gateway.web.status import http_status, unsupported_body
from gateway.web.usergate import UserGate

FORM_MAX_BYTES = 64 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"
CSRF_FIELD = "csrf"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms too.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who looks at a page: a proven user, and the session that her forms belong to."""

    session: Session
    user: LocalUser
    is_admin: bool = False

    @property
    def csrf(self) -> str:
        """What every form of hers has to send back."""
        return self.session.csrf.reveal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The frame of every page.

    Attributes:
        prefix: the path below which everything is ours.
    """

    gate: UserGate
    prefix: str

    @property
    def root(self) -> str:
        """The path below which all pages are, without a final slash."""
        return f"{self.prefix}/ui"

    def door(self, method: str, path: str, about: str, handler: Handler, lock: Lock = Lock.USER) -> Door:
        """Return the row of a page in the table of doors; `path` is the page's below the root of all pages."""
        return Door(
            name="ui",
            method=method,
            path=f"{self.root}{path}",
            lock=lock,
            style=Style.PAGE,
            about=about,
            handler=handler,
            expect_handler=admit_later,
        )

    async def visitor(self, request: web.Request) -> Visitor:
        """Return who looks at the page; whoever is not logged in is led to the log-in and back.

        Raises:
            web.HTTPSeeOther: to the page for logging in.
        """
        found = await self.gate.session(request)
        if found is None:
            # A form that was sent too late cannot be sent again from there: back to the start then.
            is_page = request.method in ("GET", "HEAD")
            query = {"next": request.rel_url.raw_path} if is_page else {"notice": "session-over"}
            raise web.HTTPSeeOther(self.url("/log-in", **query), headers={"Cache-Control": "no-store"})
        session, user = found
        return Visitor(session=session, user=user, is_admin=self.gate.admins.include(user))

    async def admin(self, request: web.Request) -> Visitor:
        """Return which administrator looks at the page. Raises as `visitor`, and `FORBIDDEN` for everybody else."""
        visitor = await self.visitor(request)
        self.gate.check_admin(visitor.user)
        return visitor

    async def form(self, request: web.Request) -> tuple[Visitor, Mapping[str, str]]:
        """Return who sent a form, and its fields, once it is sure that it came from her own page.

        Raises:
            GatewayError: `FORBIDDEN` if it did not, `INVALID` or `TOO_LARGE` if it is no form of ours.
        """
        visitor = await self.visitor(request)
        fields = await read_form(request)
        self.gate.check_form(request, visitor.session, fields.get(CSRF_FIELD, ""))
        return visitor, fields

    async def admin_form(self, request: web.Request) -> tuple[Visitor, Mapping[str, str]]:
        """Return which administrator sent a form, and its fields. Raises as `form` and `admin`."""
        visitor, fields = await self.form(request)
        self.gate.check_admin(visitor.user)
        return visitor, fields

    def show(
        self, request: web.Request, template: str, visitor: Visitor | None, *, status: int = 200, **context: object
    ) -> web.Response:
        """Return a page."""
        notice = pagewords.NOTICES.get(request.query.get("notice", ""))
        context |= {"visitor": visitor, "notice": notice}
        return _rendered(request, template, context, status)

    def go(self, place: str, **query: str) -> web.Response:
        """Return the answer that leads the browser to another page, after a form or instead of this one."""
        headers = {"Location": self.url(place, **query), "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
        return web.Response(status=303, headers=headers)

    def url(self, place: str, **query: str) -> str:
        """Return the path of a page."""
        return f"{self.root}{place}{'?' if query else ''}{urlencode(query)}"


def install(app: web.Application, *, prefix: str, authority: Host, provider_name: str) -> None:
    """Let pages be rendered in `app`."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("gateway.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
        filters=pagewords.FILTERS,
    )
    environment.globals |= {"root": f"{prefix}/ui", "authority": authority, "provider_name": provider_name}


def error_page(request: web.Request, error: GatewayError, request_id: str) -> web.Response:
    """Return the page that tells `error`; all that a stranger may know of it."""
    if aiohttp_jinja2.APP_KEY not in request.config_dict:
        return web.Response(text=f"{error.public}\nRequest {request_id}\n", status=http_status(error))
    context = {
        "visitor": None,
        "notice": None,
        "heading": pagewords.heading_of(error.kind),
        "error": error,
        "hint": pagewords.next_step(error.kind),
        "request_id": request_id,
    }
    return _rendered(request, "error.html", context, http_status(error))


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a small form.

    Raises:
        GatewayError: 415, `TOO_LARGE`, or `INVALID` if it is not UTF-8 or a field comes twice.
    """
    if request.content_type != FORM_TYPE:
        raise unsupported_body("This is not a form of this page.")
    body = await read_body(body_of(request), max_bytes=FORM_MAX_BYTES)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError as error:
        raise GatewayError(Kind.INVALID, "This form is malformed.") from error
    if len(dict(fields)) != len(fields):
        raise GatewayError(Kind.INVALID, "This form has a field twice.")
    return dict(fields)


def _rendered(request: web.Request, template: str, context: Mapping[str, object], status: int) -> web.Response:
    response = aiohttp_jinja2.render_template(template, request, context, status=status)
    response.headers.update(HEADERS)
    return response
