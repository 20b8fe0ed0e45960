"""The one table from what an error means to its HTTP status (DESIGN 6, status discipline)."""

from __future__ import annotations

from gateway.errors import GatewayError, Kind

_OF_KIND = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.NOT_ALLOWED: 405,
    Kind.CONFLICT: 409,
    Kind.PRECONDITION_FAILED: 412,
    Kind.TOO_LARGE: 413,
    Kind.RANGE_INVALID: 416,
    Kind.LOCKED: 423,
    Kind.LIMITED: 429,
    Kind.NOT_IMPLEMENTED: 501,
    Kind.UNAVAILABLE: 503,
    Kind.NO_SPACE: 507,
    Kind.CONFIGURATION: 500,
    Kind.INTERNAL: 500,
}
UNSUPPORTED_BODY = "unsupported-body"
# The service behind the gateway failed, or was too slow (RFC 9110, 15.6.3 and 15.6.5).
BAD_GATEWAY = "bad-gateway"
GATEWAY_TIMEOUT = "gateway-timeout"
# Nobody can tell for certain where the request ends: its connection is not used on.
AMBIGUOUS = "ambiguous-request"
# Meanings that only HTTP tells apart from their kind.
_OF_CODE = {UNSUPPORTED_BODY: 415, BAD_GATEWAY: 502, GATEWAY_TIMEOUT: 504}


def http_status(error: GatewayError) -> int:
    """Return the HTTP status by which `error` is told."""
    return _OF_CODE.get(error.code) or _OF_KIND[error.kind]


def dav_status(error: GatewayError) -> int:
    """Return the status by which a WebDAV door tells `error`.

    Some peers take every 5xx but 507 for an outage and stop using the whole mount for minutes (live-captures.md,
    26), so what is merely not offered is a plain refusal here.
    """
    return 403 if error.kind is Kind.NOT_IMPLEMENTED else http_status(error)


def unsupported_body(public: str) -> GatewayError:
    """Return the error for a request body of a kind that is not understood here (415)."""
    return GatewayError(Kind.INVALID, public, code=UNSUPPORTED_BODY)
