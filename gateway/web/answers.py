"""How each door tells an error: one function for a style, each in the words of its protocol.

OCM doors answer `message` and `validationErrors` (SHARE-7), the token door OAuth 2.0 codes (TOK-3), the WebDAV door
XML (RFC 4918, 16), the REST interface RFC 9457 problems, pages a page. A stranger reads the public sentence only.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from gateway.errors import RETRY_SOON_SECONDS, GatewayError, Kind
from gateway.model.token import TokenError
from gateway.ocm import share as share_text
from gateway.web.doors import NotAllowed, Style
from gateway.web.pages import error_page
from gateway.web.respond import error_reply
from gateway.web.status import http_status

REQUEST_ID = web.RequestKey("request_id", str)


def answer_error(style: Style, request: web.Request, error: GatewayError) -> web.Response:
    """Return the answer that tells `error` in the door's own words."""
    response = _BY_STYLE[style](request, error)
    if error.kind in (Kind.UNAVAILABLE, Kind.LIMITED):
        response.headers.setdefault("Retry-After", str(error.retry_after or RETRY_SOON_SECONDS))
    if isinstance(error, NotAllowed):
        response.headers["Allow"] = ", ".join(error.methods)
    return response


def _ocm(_request: web.Request, error: GatewayError) -> web.Response:
    return web.json_response(share_text.render_error(error), status=http_status(error))


def _oauth(_request: web.Request, error: GatewayError) -> web.Response:
    # Every refusal of the token endpoint is 400 with a code; only an outage or a limit is not (TOK-3).
    if error.kind in (Kind.UNAVAILABLE, Kind.LIMITED, Kind.INTERNAL):
        return web.json_response({"error": "temporarily_unavailable"}, status=http_status(error))
    code = TokenError.INVALID_CLIENT if error.kind in _WHO else TokenError.INVALID_REQUEST
    return web.json_response({"error": code.value, "error_description": error.public}, status=400)


_WHO = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN)


def _dav(request: web.Request, error: GatewayError) -> web.Response:
    reply = error_reply(error, href=request.raw_path)
    response = web.Response(status=reply.status, body=reply.body)
    for name, value in reply.headers:
        response.headers.popall(name, None) if name == "Content-Type" else None
        response.headers.add(name, value)
    return response


def _problem(request: web.Request, error: GatewayError) -> web.Response:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": error.code,
        "status": http_status(error),
        "detail": error.public,
        "request_id": request[REQUEST_ID],
    }
    if error.faults:
        document["faults"] = [{"name": fault.name, "message": fault.message} for fault in error.faults]
    response = web.json_response(document, status=http_status(error), content_type="application/problem+json")
    if error.kind is Kind.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = 'Basic realm="OCM gateway", charset="UTF-8"'
    return response


def _page(request: web.Request, error: GatewayError) -> web.Response:
    return error_page(request, error, request[REQUEST_ID])


_BY_STYLE: dict[Style, Callable[[web.Request, GatewayError], web.Response]] = {
    Style.OCM: _ocm,
    Style.OAUTH: _oauth,
    Style.DAV: _dav,
    Style.PROBLEM: _problem,
    Style.PAGE: _page,
}
