"""Between paths and the URLs of a WebDAV storage: hrefs in its answers, targets in our requests.

A server's names are never trusted: an href counts only if, decoded once, it is a plain path at or below the place
that was asked for (DESIGN 6). Which host or scheme it names does not matter, proxies make servers wrong about that.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

from yarl import URL

from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath

HREF_MAX_CHARS = 16_384
# Of one name; some file systems count characters and take more.
NAME_MAX_BYTES = 255

_AUTHORITY = re.compile(r"\A(?:https?:)?//[^/]*", re.IGNORECASE)
# Hrefs of some servers are not escaped; what is no URL character is escaped here, what is stays as it came.
_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))


class Place:
    """The URL of a folder (or file) of a storage, from which paths are counted."""

    __slots__ = ("_own", "_prefix", "_root", "origin")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise GatewayError(Kind.CONFIGURATION, "A WebDAV storage has an http(s) URL without user name.")
        if parts.query or parts.fragment:
            raise GatewayError(Kind.CONFIGURATION, "The URL of a WebDAV storage has no query and no fragment.")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._root = ResourcePath.from_url(quote(parts.path, safe=_URL_CHARACTERS).rstrip("/"))
        self._prefix = self.origin + quote(parts.path, safe=_URL_CHARACTERS).rstrip("/")
        # The place itself is asked for as it was named: some serve a single file only with a slash behind its root.
        self._own = f"{self._prefix}/" if parts.path.endswith("/") else self._prefix

    @classmethod
    def at(cls, url: URL) -> Place:
        """Return the place of a URL that was asked; signed ones have a query, which names nothing."""
        return cls(str(url.with_query(None).with_fragment(None)))

    def url(self, path: ResourcePath, *, is_folder: bool = False) -> URL:
        """Return the URL of `path`; that of a folder ends with a slash, the place itself is as it was named."""
        text = f"{self._prefix}/{path.to_url()}" if path.parts else self._own
        needs_slash = (is_folder and not text.endswith("/")) or text == self.origin
        return URL(f"{text}/" if needs_slash else text, encoded=True)

    def path(self, href: str) -> ResourcePath | None:
        """Return the path that `href` means as seen from here, or None if it leads anywhere else."""
        absolute = absolute_path(href)
        if absolute is None or not absolute.is_within(self._root):
            return None
        return absolute.below(self._root)


def has_long_name(path: ResourcePath) -> bool:
    """Tell whether a name in `path` is one that most file systems do not take."""
    return any(len(part.encode(errors="surrogateescape")) > NAME_MAX_BYTES for part in path.parts)


def too_long() -> GatewayError:
    """Return what is said of such a name where the storage did not take it, whatever it answered."""
    return GatewayError(Kind.INVALID, "This name is too long for the storage.")


def absolute_path(href: str, base: str = "/") -> ResourcePath | None:
    """Return the path in an href (a URL, an absolute path, or relative to the path `base`); None if it is none."""
    text = href.strip()
    if len(text) > HREF_MAX_CHARS:
        return None
    bare = _AUTHORITY.sub("", quote(text, safe=_URL_CHARACTERS), count=1)
    if "?" in bare or "#" in bare:
        return None
    if bare and not bare.startswith("/"):
        bare = urljoin(base, bare)
    try:
        return ResourcePath.from_url(bare)
    except GatewayError:
        return None


def host_and_port(url: URL) -> str:
    """Return `host:port` of a URL in lower case, the port always told."""
    return f"{(url.raw_host or '').lower()}:{url.port}"
