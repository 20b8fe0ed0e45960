from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.peers.addresses import is_open, parse_ip, parse_networks

REFUSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001:2::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    # Teredo: the client's address is kept inverted; here a private client, then a private server.
    "2001:0:808:808:0:0:80ff:fffe",
    "2001:0:7f00:1:0:0:f7f7:f7f7",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2001:0:808:808:0:0:f7f7:f7f7",
]


@pytest.mark.parametrize("text", REFUSED)
def test_closed_addresses(text):
    """An address that is not globally routable, or carries one that is not, is closed."""
    assert not is_open(ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_open_addresses(text):
    """A globally routable address is open, also inside of another."""
    assert is_open(ip_address(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1"])
def test_allowed_network(text):
    """An allowed network opens its addresses in every form."""
    assert is_open(ip_address(text), parse_networks(["10.1.0.0/16"]))
    assert not is_open(ip_address(text), parse_networks(["10.2.0.0/16"]))


def test_allowed_network_opens_nothing_else():
    """A Teredo address stays closed if only one of the two that it carries is allowed."""
    address = ip_address("2001:0:7f00:1:0:0:80ff:fffe")
    assert not is_open(address, parse_networks(["10.0.0.0/8"]))
    assert not is_open(ip_address("::1"), parse_networks(["127.0.0.0/8"]))


def test_scope_is_dropped():
    """A scoped address is judged without its scope."""
    assert parse_ip("fe80::1%eth0") == ip_address("fe80::1")


@given(st.ip_addresses(v=4))
def test_every_form_of_an_ipv4_address_is_judged_alike(inner: IPv4Address):
    """Mapped, NAT64 and 6to4 forms open exactly what the address inside opens."""
    forms = (
        IPv6Address((0xFFFF << 32) | int(inner)),
        IPv6Address((0x64FF9B << 96) | int(inner)),
        IPv6Address((0x2002 << 112) | (int(inner) << 80)),
    )
    assert {is_open(form) for form in forms} == {is_open(inner)}


@given(st.ip_addresses())
def test_nothing_is_open_that_the_standard_library_calls_special(address):
    """What Python itself calls loopback, link-local, multicast or unspecified is never open."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert not is_open(address)
