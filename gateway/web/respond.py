"""Answers of a door as values, and how they are written to a sink: small ones whole, errors in WebDAV's own words.

An error tells the stranger its public sentence only. 401 always offers both ways to present a secret (ACC-2); 503
and 429 say when to come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from xml.sax.saxutils import escape

from gateway.backends.base import ResponseSink
from gateway.errors import RETRY_SOON_SECONDS, GatewayError, Kind
from gateway.ocm.dialects.davwords import ERROR_NAMESPACE
from gateway.web.status import dav_status

XML_TYPE = "application/xml; charset=utf-8"
REALM = "ocm"
# Precondition and postcondition codes that stand as an element of their own in an error body (RFC 4918, 16).
DAV_CONDITIONS = frozenset(
    {
        "propfind-finite-depth",
        "lock-token-matches-request-uri",
        "lock-token-submitted",
        "no-conflicting-lock",
        "cannot-modify-protected-property",
        "no-external-entities",
    }
)
_NEEDS_HREF = frozenset({"lock-token-submitted", "no-conflicting-lock"})

HeaderList = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole small answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


async def send(reply: Reply, sink: ResponseSink, *, is_head: bool = False) -> None:
    """Write `reply`, without its body for HEAD."""
    headers = list(reply.headers)
    if reply.status not in (204, 304):
        headers.append(("Content-Length", str(len(reply.body))))
    await sink.start(reply.status, headers)
    if reply.body and not is_head:
        await sink.write(reply.body)


def error_reply(error: GatewayError, *, href: str = "/") -> Reply:
    """Return the answer that tells `error` to a WebDAV client about the resource at `href`."""
    status = dav_status(error)
    headers: HeaderList = [("Content-Type", XML_TYPE), ("X-Content-Type-Options", "nosniff")]
    if error.kind is Kind.UNAUTHENTICATED:
        headers += challenges(error)
    if error.kind in (Kind.UNAVAILABLE, Kind.LIMITED):
        headers.append(("Retry-After", str(error.retry_after or RETRY_SOON_SECONDS)))
    return Reply(status, tuple(headers), error_xml(error, href).encode())


def challenges(error: GatewayError) -> HeaderList:
    """Return the two ways in which a secret may be presented; a secret that did not hold is told to be replaced."""
    bearer = f'Bearer realm="{REALM}"'
    if error.code != "no-credential":
        bearer += ', error="invalid_token"'
    return [("WWW-Authenticate", bearer), ("WWW-Authenticate", f'Basic realm="{REALM}", charset="UTF-8"')]


def error_xml(error: GatewayError, href: str) -> str:
    """Return the body of an error (RFC 4918, 14.5 and 16), with the words that peers show to their users."""
    condition = ""
    if error.code in DAV_CONDITIONS:
        inner = f"<d:href>{escape(href)}</d:href>" if error.code in _NEEDS_HREF else ""
        condition = f"<d:{error.code}>{inner}</d:{error.code}>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<d:error xmlns:d="DAV:" xmlns:s="{ERROR_NAMESPACE}">{condition}'
        f"<s:exception>{escape(error.code)}</s:exception><s:message>{escape(error.public)}</s:message></d:error>\n"
    )


def http_date(seconds: float) -> str:
    """Return a time as HTTP writes it."""
    return formatdate(max(0.0, seconds), usegmt=True)


STATUS_WORDS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    423: "Locked",
    424: "Failed Dependency",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


def status_line(status: int) -> str:
    """Return a status as it stands inside a multistatus."""
    return f"HTTP/1.1 {status} {STATUS_WORDS.get(status, 'Error')}"
