"""Where a received share's resource is (ACC-1): pure rules from the share and the sender's discovery to a URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.peer import Discovery
from gateway.model.share import WebdavOffer

_VISIBLE = re.compile(r"[!-~]*")


def check_uri(uri: str) -> None:
    """Do nothing if `uri`, absolute or relative, is one that we would use.

    Raises:
        GatewayError: `INVALID` if it is not percent-encoded, has a query or fragment, or is absolute with another
            scheme than http(s), without a host or with user information.
    """
    if not _VISIBLE.fullmatch(uri) or "?" in uri or "#" in uri or "\\" in uri:
        raise _unusable()
    if "://" in uri:
        _check_absolute(uri)


def is_chosen_by_credential(offer: WebdavOffer, discovery: Discovery, resource_type: str) -> bool:
    """Tell whether a share is found at the root of its sender's WebDAV, where only the credential tells which it is."""
    if not offer.uri:
        return True
    # Without a path for any type there is no root.
    if "://" not in offer.uri or discovery.webdav_path() is None:
        return False
    root, own = (urlsplit(url) for url in (_from_discovery("", discovery, resource_type), offer.uri))
    return (own.netloc, own.path.rstrip("/")) == (root.netloc, root.path.rstrip("/"))


def webdav_url(offer: WebdavOffer, discovery: Discovery, resource_type: str, *, host: Host | None = None) -> str:
    """Return the absolute URL of the shared resource.

    An absolute `uri` is used as it is. A relative one is appended to the discovered path on the host of `endPoint`;
    with a leading slash it is a path on that host (`dialects.md` 11). An empty one means the discovered path itself.

    Args:
        host: where the discovered path is, if not on the host of `endPoint`.

    Raises:
        GatewayError: `INVALID` if the URL is none that we would use, or if the sender's discovery offers no WebDAV
            path where one is needed.
    """
    url = offer.uri if "://" in offer.uri else _from_discovery(offer.uri, discovery, resource_type, host)
    check_uri(url)
    return url


def _from_discovery(uri: str, discovery: Discovery, resource_type: str, host: Host | None = None) -> str:
    end_point = urlsplit(discovery.end_point)
    origin = f"{end_point.scheme}://{host or end_point.netloc}"
    if uri.startswith("/"):
        return origin + uri
    path = discovery.webdav_path(resource_type)
    if path is None:
        raise GatewayError(Kind.INVALID, "The sender offers no WebDAV access.")
    base = path if "://" in path else f"{origin}/{path.strip('/')}"
    return f"{base.rstrip('/')}/{uri}"


def _check_absolute(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _unusable() from error
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise _unusable()


def _unusable() -> GatewayError:
    return GatewayError(Kind.INVALID, "The sender's share has an address that cannot be used.")
