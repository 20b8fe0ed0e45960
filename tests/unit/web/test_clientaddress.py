"""Who the client is, by what proxies say."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.web.clientaddress import client_of, forwarded_nodes, parse_node

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


def client(remote, *told):
    """Return who the client is when `remote` tells these hops."""
    nodes = [None if text is None else ip_address(text) for text in told]
    return str(client_of(ip_address(remote), nodes, TRUSTED))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:8080 ", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.1.5", None),
        ("", None),
        ("1", None),
    ],
)
def test_an_address_is_read_in_every_form(text, address):
    """Ports, brackets and zones are left away; what is no address is none."""
    found = parse_node(text)
    assert (None if found is None else str(found)) == address


def test_the_rightmost_stranger_is_the_client():
    """What stands before the first address that is not trusted may be invented."""
    assert client("10.0.0.1", "198.51.100.9", "192.0.2.7", "10.0.0.2") == "192.0.2.7"
    assert client("2001:db8:1::5", "192.0.2.7") == "192.0.2.7"


def test_a_chain_of_trusted_proxies_only_ends_with_its_first():
    """Where all are trusted the client is inside."""
    assert client("10.0.0.1", "10.0.0.3", "10.0.0.2") == "10.0.0.3"


def test_a_hidden_hop_ends_the_chain():
    """Behind a hop that names nobody nothing can be believed."""
    assert client("10.0.0.1", "192.0.2.7", None, "10.0.0.2") == "10.0.0.2"
    assert client("10.0.0.1", "192.0.2.7", None) == "10.0.0.1"


@pytest.mark.parametrize(
    ("fields", "nodes"),
    [
        (["for=192.0.2.1"], ["192.0.2.1"]),
        (['For="[2001:db8::1]:47"; proto=https; by=10.0.0.1'], ["2001:db8::1"]),
        (["for=192.0.2.1, for=192.0.2.2;host=x", "for=192.0.2.3"], ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        (["for=unknown, for=_secret"], [None, None]),
        (['host="a,b;for=1.1.1.1";for=192.0.2.1'], ["192.0.2.1"]),
        (["proto=https"], [None]),
        (['for="192.0.2.1'], [None]),
        (["for=192.0.2.1, nonsense"], [None]),
        ([], []),
    ],
)
def test_the_standard_field_is_read_as_it_is_written(fields, nodes):
    """Quoted texts, several fields and hidden names (RFC 7239, 4 and 6); what is malformed names nobody."""
    assert [None if node is None else str(node) for node in forwarded_nodes(fields)] == nodes
