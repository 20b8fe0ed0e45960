"""Where a received share's resource is (ACC-1): pure rules from the share and the sender's discovery to a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.errors import GatewayError, Kind
from gateway.model.peer import Discovery
from gateway.model.share import WebdavOffer


def webdav_url(offer: WebdavOffer, discovery: Discovery, resource_type: str) -> str:
    """Return the absolute URL of the shared resource.

    An absolute `uri` is used as it is. A relative one is appended to the discovered path on the host of `endPoint`;
    with a leading slash it is a path on that host (`dialects.md` 11). An empty one means the discovered path itself.

    Raises:
        GatewayError: `INVALID` if the URL has user information, a query or another scheme, or if the sender's
            discovery offers no WebDAV path where one is needed.
    """
    url = offer.uri if "://" in offer.uri else _from_discovery(offer.uri, discovery, resource_type)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise GatewayError(Kind.INVALID, "The sender's share has an address that cannot be used.")
    return url


def _from_discovery(uri: str, discovery: Discovery, resource_type: str) -> str:
    end_point = urlsplit(discovery.end_point)
    origin = f"{end_point.scheme}://{end_point.netloc}"
    if uri.startswith("/"):
        return origin + uri
    path = discovery.webdav_path(resource_type)
    if path is None:
        raise GatewayError(Kind.INVALID, "The sender offers no WebDAV access.")
    base = path if "://" in path else f"{origin}/{path.strip('/')}"
    return f"{base.rstrip('/')}/{uri}"
