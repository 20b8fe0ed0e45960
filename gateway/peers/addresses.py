"""Which IP addresses a stranger may make us dial (DESIGN 8, "Guard").

Only addresses that are globally routable. IPv6 forms that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo)
are judged by what they carry, since a translator on the way would deliver to that. The tables follow the IANA
registries of special-purpose addresses; Python's own `is_global` differs between its releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local (RFC 3927); clouds serve their credentials here
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and the broadcast address (RFC 1112)
    )
)
# The only block that IANA gives out as global unicast; loopback, ULA, link-local and multicast lie outside.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments (RFC 2928); Teredo is unwrapped before
        "2001:db8::/32",  # documentation (RFC 3849)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFFFFFF


def is_open(address: IPAddress, allowed: Sequence[IPNetwork] = ()) -> bool:
    """Tell whether we may dial `address`: all that it stands for is globally routable or in an allowed network."""
    return any(address in network for network in allowed) or all(
        any(inner in network for network in allowed) or _is_global(inner) for inner in unwrap(address)
    )


def unwrap(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return the addresses that `address` carries inside, else itself.

    A Teredo address carries two: the relay's server and the client.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & _LOW_32_BITS),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or (address,)


def parse_networks(texts: Sequence[str]) -> tuple[IPNetwork, ...]:
    """Return the networks written in `texts`.

    Raises:
        ValueError: if one is not an address or a network.
    """
    return tuple(ip_network(text, strict=False) for text in texts)


def parse_ip(text: str) -> IPAddress:
    """Return the address in `text` without its scope (`%eth0`).

    Raises:
        ValueError: if it is none.
    """
    return ip_address(text.partition("%")[0])


def _is_global(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)
