"""Who the client is, where trusted proxies stand before us (RFC 7239; `X-Forwarded-For`).

Nobody is believed who is not in `http.trusted_proxies`. A chain is read from its end: the first address there that is
no trusted proxy is the client; what stands before it, the client may have written herself. A hop that hides its
address ends the chain, since what stands before it was told by a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.log import get_logger

log = get_logger(__name__)

Network = IPv4Network | IPv6Network

# One hop of `Forwarded`: tokens and quoted texts, between which commas and semicolons do not count.
_PIECE = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))\s*(;|,|$)')
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[A-Za-z0-9._-]+)?")
_WITH_PORT = re.compile(r"([0-9.]+)(?::[A-Za-z0-9._-]+)?")


def believe_proxies(networks: Sequence[Network]) -> Middleware:
    """Return the middleware that takes the client's address from what trusted proxies say.

    Who says it without being trusted is told to the operator, once: with the range to add, and what it means if the
    address is his proxy's.
    """
    warned = False

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal warned
        remote = parse_node(request.remote or "")
        told = told_chain(request)
        if remote is not None and told and is_within(remote, networks):
            request = request.clone(remote=str(client_of(remote, told, networks)))
        elif remote is not None and told and not warned:
            warned = True
            _warn(remote)
        return await handler(request)

    return middleware


def client_of(
    remote: IPv4Address | IPv6Address,
    told: Sequence[IPv4Address | IPv6Address | None],
    networks: Sequence[Network],
) -> IPv4Address | IPv6Address:
    """Return the rightmost address that is no trusted proxy, or the last trusted one that named nobody we can read."""
    client = remote
    for node in reversed(told):
        if node is None:
            return client
        client = node
        if not is_within(node, networks):
            return client
    return client


def told_chain(request: web.Request) -> list[IPv4Address | IPv6Address | None]:
    """Return the hops that a request tells, the client first; None for what is no address.

    `Forwarded` is the standard and comes first; where it is there, a proxy that writes only the older field may have
    let a client's `Forwarded` pass, so both have to end in the same address, else nobody is told.
    """
    standard = forwarded_nodes(request.headers.getall("Forwarded", []))
    older = [parse_node(part) for part in _list(request.headers.getall("X-Forwarded-For", []))]
    if standard and older and standard[-1] != older[-1]:
        return [None]
    return standard or older


def forwarded_nodes(fields: Iterable[str]) -> list[IPv4Address | IPv6Address | None]:
    """Return the `for` of each hop in `Forwarded` fields; a field that is malformed tells one unknown hop."""
    return [node for field in fields for node in _hops(field)]


def parse_node(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80` or `2001:db8::1`, else None."""
    text = text.strip().partition("%")[0]
    match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(match[1] if match else text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks."""
    return any(address in network for network in networks)


def _hops(field: str) -> list[IPv4Address | IPv6Address | None]:
    hops: list[IPv4Address | IPv6Address | None] = []
    position, node = 0, None
    while position < len(field):
        match = _PIECE.match(field, position)
        if match is None:
            return [None]
        name, quoted, plain, end = match.groups()
        if name.lower() == "for":
            node = parse_node(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        if end != ";":
            hops.append(node)
            node = None
        position = match.end()
    return hops


def _list(fields: Iterable[str]) -> list[str]:
    return [part for field in fields for part in field.split(",")]


def _warn(remote: IPv4Address | IPv6Address) -> None:
    log.warning(
        "a proxy that is not trusted names the client; it is not believed. If this is your own proxy, add its range: "
        "until then all people behind it share one limit of log-ins and requests",
        proxy=str(remote),
        add_to="http.trusted_proxies",
        range=f"{remote}/{remote.max_prefixlen}",
    )
