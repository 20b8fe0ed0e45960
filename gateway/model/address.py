"""OCM addresses and hosts (ADDR-1 to ADDR-3, draft section "OCM Address").

A `Host` is the normal form of `host[:port]`: lower case, IDNA A-label, IPv6 in brackets, no `:443`. It is the
one string by which a provider is known everywhere: addresses, key ids, `iss`, `client_id`. An address is split
at its last `@` after a scheme before the host was removed; the identifier is opaque and compared byte for byte.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NewType
from urllib.parse import SplitResult, urlsplit

import idna

from gateway.errors import GatewayError, Kind

Host = NewType("Host", str)

ADDRESS_MAX_CHARS = 1024
HOST_MAX_CHARS = 255
DEFAULT_PORT = 443
MAX_PORT = 65535

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r":[0-9]{1,5}")
_SCHEME = re.compile(r"\Ahttps?://", re.IGNORECASE)
# A last label that some resolvers read as part of an IPv4 address (WHATWG URL, 3.5): `7`, `0x7f000001`.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
LOCAL_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class OcmAddress:
    """A user or group at a provider: `identifier@host`."""

    identifier: str
    host: Host

    def __str__(self) -> str:
        """Return the address as it is written on the wire."""
        return f"{self.identifier}@{self.host}"


def parse_host(text: str) -> Host:
    """Return the normal form of `host[:port]`; a scheme before it and slashes behind it are removed (ADDR-2).

    Raises:
        GatewayError: `INVALID` if no host is left, if it has a path, or if it is not a host name or IP literal.
    """
    bare = _SCHEME.sub("", text.strip()).rstrip("/").lower()
    if not bare or len(bare) > HOST_MAX_CHARS:
        raise _bad_host()
    name, port = _split_port(bare)
    normal = _normal_ip(name) or _normal_name(name)
    return Host(normal if port in (None, DEFAULT_PORT) else f"{normal}:{port}")


def parse_address(text: str) -> OcmAddress:
    """Return the address in `text`, tolerating a scheme before the host and a doubled host (ADDR-1).

    Raises:
        GatewayError: `INVALID` if there is no `@`, no identifier or no valid host.
    """
    if len(text) > ADDRESS_MAX_CHARS or _NOT_TEXT.search(text):
        raise GatewayError(Kind.INVALID, "This OCM address is too long or holds control characters.")
    identifier, at, host_text = text.strip().rpartition("@")
    if not at or not identifier:
        raise GatewayError(Kind.INVALID, "An OCM address has the form user@host.")
    host = parse_host(host_text)
    return OcmAddress(_without_host(identifier, host), host)


def authority_of(public_url: str) -> Host:
    """Return the authority of an origin such as `https://cloud.example.org:8443`.

    Raises:
        GatewayError: `INVALID` if the URL is not an origin: other scheme, user info, path, query or fragment.
    """
    parts = _split_url(public_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise GatewayError(Kind.INVALID, "A public URL has the form https://host[:port].")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise GatewayError(Kind.INVALID, "A public URL is an origin: it has no path, query or fragment.")
    return parse_host(parts.netloc)


def host_of_url(url: str) -> Host:
    """Return the authority of any http(s) URL.

    Raises:
        GatewayError: `INVALID` if the URL has no valid host.
    """
    parts = _split_url(url)
    if parts.scheme not in ("http", "https"):
        raise _bad_host()
    return parse_host(parts.netloc)


def without_port(host: Host) -> Host:
    """Return the host without its port, if it has one."""
    # The last colon of a bare IPv6 address has no number but `1]` or the like behind it.
    name, _, port = host.rpartition(":")
    return Host(name) if port.isdigit() else host


def _without_host(identifier: str, host: Host) -> str:
    # Deployed peers have sent `id@host@host` and `id@https://host@host` (dialects.md 13, thread 13).
    doubles = rf"(@(https?://)?{re.escape(host)})+\Z"
    return re.sub(doubles, "", identifier, flags=re.IGNORECASE) or identifier


def _split_url(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _bad_host() from error


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        name, bracket, rest = text.partition("]")
        name += bracket
    else:
        name, colon, port_text = text.partition(":")
        rest = colon + port_text
    if not rest:
        return name, None
    if not _PORT.fullmatch(rest) or not 0 < int(rest[1:]) <= MAX_PORT:
        raise _bad_host()
    return name, int(rest[1:])


def _normal_ip(name: str) -> str | None:
    if not name.startswith("["):
        return name if _is_ipv4(name) else None
    # A zone (`%eth0`) means something on one machine only.
    if not name.endswith("]") or "%" in name:
        raise _bad_host()
    try:
        return f"[{ipaddress.IPv6Address(name[1:-1])}]"
    except ipaddress.AddressValueError as error:
        raise _bad_host() from error


def _is_ipv4(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ipaddress.AddressValueError:
        return False
    return True


def _normal_name(name: str) -> str:
    try:
        ascii_name = name if name.isascii() else idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise _bad_host() from error
    labels = ascii_name.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise _bad_host()
    return ".".join(labels)


def _bad_host() -> GatewayError:
    return GatewayError(Kind.INVALID, "This is not a host name or address with an optional port.")
