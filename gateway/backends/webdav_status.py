"""What a WebDAV storage's answer means for us (DESIGN 6, "Status discipline").

Peers delete mounts on the wrong status. So whatever is wrong between us and the storage (a refused log-in, 5xx, an
answer that makes no sense) is `UNAVAILABLE`, and only what the storage says about the resource itself passes.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import CREDENTIAL_REFUSED, RETRY_SOON_SECONDS, GatewayError, Kind, unavailable

RETRY_AFTER_MAX_SECONDS = 3600
RETRY_AFTER_MAX_DIGITS = 9

_MEANINGS: dict[int, tuple[Kind, str]] = {
    403: (Kind.FORBIDDEN, "The storage does not allow this."),
    404: (Kind.NOT_FOUND, "There is nothing here."),
    405: (Kind.NOT_ALLOWED, "This cannot be done here."),
    409: (Kind.CONFLICT, "The folder above is missing, or something is in the way."),
    410: (Kind.NOT_FOUND, "There is nothing here any more."),
    412: (Kind.PRECONDITION_FAILED, "A condition of the request does not hold."),
    413: (Kind.TOO_LARGE, "This is too large for the storage."),
    416: (Kind.RANGE_INVALID, "The file is shorter than that."),
    423: (Kind.LOCKED, "This is locked."),
    424: (Kind.CONFLICT, "This depends on something that failed."),
    507: (Kind.NO_SPACE, "The storage is full."),
}
_REFUSED_LOG_IN = frozenset({401, 407})
# Said of the request or of the moment, not of the resource; worth another try.
_LATER = frozenset({408, 421, 425, 429})
_CLIENT_ERRORS = range(400, 500)


def storage_error(status: int, headers: Mapping[str, str] | None = None) -> GatewayError:
    """Return the error for an answer with `status` where another was hoped for."""
    if status in _MEANINGS:
        kind, public = _MEANINGS[status]
        return GatewayError(kind, public, log=f"storage answered {status}")
    if status in _CLIENT_ERRORS and status not in _REFUSED_LOG_IN | _LATER:
        return GatewayError(Kind.INVALID, "The storage does not accept this request.", log=f"storage answered {status}")
    return GatewayError(
        Kind.UNAVAILABLE,
        "The storage does not work at the moment.",
        code=CREDENTIAL_REFUSED if status in _REFUSED_LOG_IN else "",
        log=f"storage answered {status}",
        retry_after=_retry_after(headers or {}),
    )


def nonsense(what: str) -> GatewayError:
    """Return the error for a storage that breaks the protocol; `what` is for the log."""
    return unavailable("The storage does not answer as it should.", log=what)


def _retry_after(headers: Mapping[str, str]) -> int:
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit() and len(text) <= RETRY_AFTER_MAX_DIGITS:
        return min(max(int(text), 1), RETRY_AFTER_MAX_SECONDS)
    return RETRY_SOON_SECONDS
