"""Where in a share a URL points (DESIGN 5, "The WebDAV door").

The share is known before the path is read: the credential chose it. So a path may name the share by a leading
`<providerId>` segment or not, and both forms mean the same; answers use the form of the request. A share of one file
answers at its root, with or without a slash, and at `<root>/<name>`. Query strings never mean anything (1.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.errors import GatewayError, Kind
from gateway.model.resource import EntryKind, ResourcePath

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Located:
    """A place in a share.

    Attributes:
        path: seen from the share's root.
        href_base: the URL path, percent-encoded and with a final slash, by which the root was addressed.
        file_href: in a share of one file, that file's URL path as the request wrote it; else None.
    """

    path: ResourcePath
    href_base: str
    file_href: str | None = None

    def href_of(self, path: ResourcePath, *, is_folder: bool) -> str:
        """Return the URL path of a resource of this share, in the form of the request."""
        if self.file_href is not None and path.is_root:
            return self.file_href
        slash = "/" if is_folder and not path.is_root else ""
        return f"{self.href_base}{path.to_url()}{slash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DavRoot:
    """How one share is addressed at one door.

    Attributes:
        prefix: the door's own path, without a final slash.
        share_id: the segment that may follow it; empty where none may.
        kind: whether the share is a file or a folder.
        name: the name of the shared file; unused for folders.
        authorities: `host[:port]` under which this door is reached, in lower case.
    """

    prefix: str
    share_id: str = ""
    kind: EntryKind = EntryKind.FOLDER
    name: str = ""
    authorities: frozenset[str] = frozenset()

    def locate(self, raw_target: str) -> Located:
        """Return where the target of a request points.

        Raises:
            GatewayError: `INVALID` for a target that is no path, `NOT_FOUND` for one outside this share.
        """
        if not raw_target.startswith("/") or "#" in raw_target:
            raise GatewayError(Kind.INVALID, "The request target has to be a path.")
        return self._locate_path(raw_target.partition("?")[0])

    def locate_url(self, url: str, *, host: str | None) -> Located:
        """Return where a `Destination`, or a resource named in `If`, points; a path alone is understood too.

        Args:
            host: the request's own `Host`, which is also ours.

        Raises:
            GatewayError: `INVALID` for no URL; `FORBIDDEN` for one outside this share.
        """
        try:
            parts = urlsplit(url)
            scheme, authority, has_user = parts.scheme.lower(), parts.netloc.lower(), "@" in parts.netloc
        except ValueError as error:
            raise _no_url() from error
        if has_user or scheme not in ("", "http", "https") or not parts.path.startswith("/") or parts.fragment:
            raise _no_url()
        if authority and authority.removesuffix(_DEFAULT_PORTS.get(scheme, "")) not in self._authorities(host):
            raise _outside()
        try:
            return self._locate_path(parts.path)
        except GatewayError as error:
            raise _outside() if error.kind is Kind.NOT_FOUND else error from error

    def _authorities(self, host: str | None) -> set[str]:
        own = {host.lower()} if host else set()
        own |= {name.removesuffix(port) for name in own for port in _DEFAULT_PORTS.values()}
        return own | self.authorities

    def _locate_path(self, raw: str) -> Located:
        behind = raw.removeprefix(self.prefix)
        if not raw.startswith(self.prefix) or (behind and not behind.startswith("/")):
            raise _not_here()
        base, behind = f"{self.prefix}/", behind.lstrip("/")
        first, slash, rest = behind.partition("/")
        if self.share_id and ResourcePath.from_url(first).parts == (self.share_id,):
            base, behind = f"{base}{first}/", (slash + rest).lstrip("/")
        path = ResourcePath.from_url(behind)
        if self.kind is EntryKind.FOLDER:
            _check_text(path)
            return Located(path, base)
        if path.parts not in ((), (self.name,)):
            raise _not_here()
        return Located(ResourcePath(), base, _clean(raw, base, behind))


def _check_text(path: ResourcePath) -> None:
    """Refuse names that no listing shows here, so that nobody makes or changes what cannot be seen (DESIGN 6)."""
    try:
        "".join(path.parts).encode()
    except UnicodeEncodeError as error:
        raise GatewayError(Kind.INVALID, "A name in this path is not UTF-8.", code="path-invalid") from error


def _clean(raw: str, base: str, behind: str) -> str:
    # The form of the request, but without the empty segments that were dropped from it.
    if behind:
        return base + behind
    return base if raw.endswith("/") else base.removesuffix("/")


def attachment(name: str) -> str:
    """Return a `Content-Disposition` that keeps a browser from showing what a peer or user stored (DESIGN 6)."""
    encoded = quote(name.encode(errors="surrogateescape"), safe="")
    return f"attachment; filename*=UTF-8''{encoded}" if name else "attachment"


def _not_here() -> GatewayError:
    return GatewayError(Kind.NOT_FOUND, "There is nothing at this path.")


def _outside() -> GatewayError:
    return GatewayError(Kind.FORBIDDEN, "This path is outside the share.")


def _no_url() -> GatewayError:
    return GatewayError(Kind.INVALID, "This is not the URL of a resource.")
