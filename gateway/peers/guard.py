"""The guard: HTTP sessions that reach only what is open to us, whatever name a stranger gave (DESIGN 8; DISC-6).

The check sits where a socket is made for an address, so that the address checked is the address dialled: neither a
name that answers differently the second time, nor an IP literal, nor a redirect goes around it. TLS still checks the
name. The resolver drops closed addresses first, only so that the error can say what happened, and answers
`*.localhost` itself (RFC 6761, 6.3): loopback is then refused like any other address unless the configuration
allows it.
"""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway import __version__
from gateway.peers.addresses import IPNetwork, is_open, parse_ip

CONNECT_SECONDS = 10.0
TOTAL_SECONDS = 60.0
CONNECTIONS_MAX = 100
CONNECTIONS_PER_HOST_MAX = 8
ADDRESSES_MAX = 8
LINE_MAX_BYTES = 8190

_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class AddressRefused(OSError):  # noqa: N818 - it says what happened; aiohttp wants an OSError
    """A name led to no address that is open to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What the configuration lets us dial.

    Attributes:
        allow_cidr: networks that are open to us although they are not public (tests, private federations).
        allow_http: whether plain `http` is spoken (test set-ups only, DISC-6).
    """

    allow_cidr: tuple[IPNetwork, ...] = ()
    allow_http: bool = False

    def may_dial(self, address: str) -> bool:
        """Tell whether an IP address is open to us."""
        try:
            return is_open(parse_ip(address), self.allow_cidr)
        except ValueError:
            return False

    def socket_for(self, info: _AddressInfo) -> socket.socket:
        """Make the socket on which the address in `info` is dialled.

        Raises:
            AddressRefused: if the address is not open to us.
        """
        family, kind, protocol, _name, address = info
        if not self.may_dial(str(address[0])):
            raise AddressRefused(errno.EACCES, f"the address {address[0]} is not public")
        return socket.socket(family, kind, protocol)


class GuardedResolver(AbstractResolver):
    """Resolves names through another resolver and keeps only the addresses that are open to us."""

    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the open addresses of `host`, at most `ADDRESSES_MAX`.

        Raises:
            AddressRefused: if no address of the name is open.
            OSError: if the name does not resolve.
        """
        found = _loopback(host, port) if _is_localhost(host) else await self._inner.resolve(host, port, family)
        kept = [entry for entry in found[:ADDRESSES_MAX] if self._guard.may_dial(entry["host"])]
        if not kept:
            raise AddressRefused(errno.EACCES, f"{host} has no public address")
        return kept

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._inner.close()


def tls_context(
    ca_file: Path | None = None, *, certificate_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities and those in `ca_file`.

    Args:
        certificate_file: a client certificate that we show to peers that ask; `key_file` is its key, where that
            is a file of its own.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if certificate_file is not None:
        context.load_cert_chain(certificate_file, key_file)
    return context


def guarded_session(
    guard: Guard,
    *,
    tls: ssl.SSLContext | None = None,
    resolver: AbstractResolver | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float | None = TOTAL_SECONDS,
    read_seconds: float | None = None,
    is_kept_alive: bool = False,
) -> aiohttp.ClientSession:
    """Return a session for destinations that strangers name; call it inside the running loop, and close it.

    It has no cookies and no memory of pass words, heeds no proxy variables, and hands bodies on as they came: what
    is small when packed may be endless when unpacked.

    Args:
        resolver: looks names up, by default in the system's way.
        total_seconds: the longest time for one exchange; None for bodies of any length.
        read_seconds: the longest silence of the other side, if bounded.
        is_kept_alive: keep connections for the next request. Not for messages: a POST on a connection that the
            peer has just closed fails, and would count against the peer.
    """
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(guard, resolver or aiohttp.ThreadedResolver()),
        socket_factory=guard.socket_for,
        ssl=tls or tls_context(),
        limit=CONNECTIONS_MAX,
        limit_per_host=CONNECTIONS_PER_HOST_MAX,
        force_close=not is_kept_alive,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=total_seconds, sock_connect=connect_seconds, sock_read=read_seconds),
        headers={"User-Agent": f"ocm-gateway/{__version__}", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=LINE_MAX_BYTES,
        max_field_size=LINE_MAX_BYTES,
    )


def _is_localhost(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _loopback(host: str, port: int) -> list[ResolveResult]:
    families = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    return [
        ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST.value)
        for family, address in families
    ]
