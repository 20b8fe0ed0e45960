"""Reading the URLs that strangers write (DISC-6).

A URL becomes a `yarl.URL` exactly as it will be sent: nobody re-quotes it behind the signature's back. What it names
is checked in two more places: the policy (`MayContact`) before a request, the guard when an address is dialled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from yarl import URL

from gateway.errors import GatewayError, Kind
from gateway.model.address import DEFAULT_PORT, Host, host_of_url

URL_MAX_CHARS = 2048
HTTP_PORT = 80

MayContact = Callable[[Host], None]
"""Raises `GatewayError(FORBIDDEN)` for a host that our lists exclude (DISC-8)."""

_VISIBLE = re.compile(r"[!-~]+")


def checked_url(text: str, *, allow_http: bool) -> URL:
    """Return the URL in `text`, host in normal form, path and query byte for byte as given.

    Raises:
        GatewayError: `INVALID` if it is not an absolute http(s) URL without user info and fragment, is too long,
            or is plain `http` where only TLS is allowed.
    """
    if len(text) > URL_MAX_CHARS or not _VISIBLE.fullmatch(text) or "\\" in text or "#" in text:
        raise _bad_url("it is malformed")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise _bad_url("it is malformed") from error
    if parts.scheme not in ("http", "https"):
        raise _bad_url("it is not http or https")
    if parts.scheme == "http" and not allow_http:
        raise _bad_url("it is not https")
    query = f"?{parts.query}" if parts.query else ""
    return URL(f"{parts.scheme}://{_authority(text, parts.scheme)}{parts.path or '/'}{query}", encoded=True)


def _authority(url: str, scheme: str) -> str:
    host = host_of_url(url)
    if scheme == "https":
        return host
    # `Host` leaves out 443, the default of https only; for http it is the other way round.
    return f"{host}:{DEFAULT_PORT}" if urlsplit(url).port == DEFAULT_PORT else host.removesuffix(f":{HTTP_PORT}")


def _bad_url(why: str) -> GatewayError:
    return GatewayError(Kind.INVALID, f"This URL cannot be used: {why}.", code="url-invalid")
