from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.address import (
    ADDRESS_MAX_CHARS,
    HOST_MAX_CHARS,
    Host,
    OcmAddress,
    authority_of,
    host_of_url,
    parse_address,
    parse_host,
)
from support.outcome import outcome


@pytest.mark.req("ADDR-2")
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("cloud.example.org", "cloud.example.org"),
        ("Cloud.EXAMPLE.org", "cloud.example.org"),
        (" https://cloud.example.org/ ", "cloud.example.org"),
        ("HTTP://cloud.example.org//", "cloud.example.org"),
        ("cloud.example.org.", "cloud.example.org"),
        ("HOST.EX", "host.ex"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("\uff43loud.example", "cloud.example"),
        ("localhost", "localhost"),
        ("my_host.example", "my_host.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("7.example", "7.example"),
    ],
)
def test_host_normal_form(text, normal):
    """A host has one normal form, whatever scheme, case, slash or spelling it came with."""
    assert parse_host(text) == normal


@pytest.mark.req("ADDR-3")
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("cloud.example.org:8443", "cloud.example.org:8443"),
        ("cloud.example.org:443", "cloud.example.org"),
        ("cloud.example.org:00443", "cloud.example.org"),
        ("cloud.example.org:65535", "cloud.example.org:65535"),
        ("cloud.example.org:1", "cloud.example.org:1"),
        ("192.0.2.7:80", "192.0.2.7:80"),
        ("[2001:db8::1]:9443", "[2001:db8::1]:9443"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
    ],
)
def test_host_port(text, normal):
    """A port belongs to the host, except 443."""
    assert parse_host(text) == normal


@pytest.mark.req("ADDR-2", "ADDR-3")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https://https://cloud.example.org",
        "cloud.https://example.org",
        ":8443",
        "cloud.example.org/sub",
        "alice@cloud.example.org",
        "cloud..example.org",
        "-cloud.example.org",
        "cloud-.example.org",
        "cloud.example.org..",
        "clo ud.example.org",
        "cloud.example.org\\x",
        "cloud.example.org?x",
        "cloud.example.org#x",
        "cloud.example.org:",
        "cloud.example.org:0",
        "cloud.example.org:65536",
        "cloud.example.org:0065536",
        "cloud.example.org:-1",
        "cloud.example.org:8443:1",
        "cloud.example.org:٨٤٤٣",
        "2001:db8::1",
        "[2001:db8::1",
        "[2001:db8::1]8443",
        "[2001:db8::1]x",
        "[fe80::1%eth0]",
        "[cloud.example.org]",
        "[192.0.2.7]",
        "127.1",
        "192.0.2.256",
        "2130706433",
        "0x7f000001",
        "127.0.0.0x",
        "\uff11\uff12\uff17.0.0.1",
        "xn--\u200b.example",
        "a" * 64 + ".example",
        "\ud800.example",
    ],
)
def test_host_refused(text):
    """What is no host name or IP literal, or could be read as another address, is refused."""
    with pytest.raises(GatewayError) as refused:
        parse_host(text)

    assert refused.value.kind is Kind.INVALID
    assert refused.value.public == "This is not a host name or address with an optional port."


def test_host_length():
    """A host has at most 255 characters."""
    longest = ".".join(["a" * 63] * 3 + ["a" * 59, "bcd"])
    assert len(longest) == HOST_MAX_CHARS

    assert parse_host(longest) == longest
    with pytest.raises(GatewayError):
        parse_host(longest + "x")


@pytest.mark.req("ADDR-1")
@pytest.mark.parametrize(
    ("text", "identifier", "host"),
    [
        ("alice@cloud.example.org", "alice", "cloud.example.org"),
        ("Alice@Cloud.example.org:8443", "Alice", "cloud.example.org:8443"),
        ("anna@https://localhost:9444", "anna", "localhost:9444"),
        ("alice@https://localhost:9448/", "alice", "localhost:9448"),
        ("alice@mail.example@cloud.example.org", "alice@mail.example", "cloud.example.org"),
        ("a b/c#d@cloud.example.org", "a b/c#d", "cloud.example.org"),
        ("id@https://idp.example@cloud.example.org", "id@https://idp.example", "cloud.example.org"),
        ("Ünïcödé@cloud.example.org", "Ünïcödé", "cloud.example.org"),
        ("alice@[2001:db8::1]:9443", "alice", "[2001:db8::1]:9443"),
        ("@@cloud.example.org", "@", "cloud.example.org"),
    ],
)
def test_address(text, identifier, host):
    """An address is split at its last `@`; the identifier stays byte for byte, the host takes its normal form."""
    assert parse_address(text) == OcmAddress(identifier, Host(host))


@pytest.mark.req("ADDR-1")
@pytest.mark.parametrize(
    "text",
    [
        "id@host.example@host.example",
        "id@https://host.example@host.example",
        "id@HTTP://Host.Example@host.example",
        "id@host.example@host.example@https://host.example",
    ],
)
def test_address_doubled_host(text):
    """A host that a peer wrote twice is taken once."""
    assert parse_address(text) == OcmAddress("id", Host("host.example"))


@pytest.mark.parametrize("text", ["id@xhost.example@host.example", "id@hostxexample@host.example"])
def test_address_other_host_inside(text):
    """An identifier that ends in another host keeps it."""
    assert parse_address(text) == OcmAddress(text.removesuffix("@host.example"), Host("host.example"))


def test_address_never_without_identifier():
    """An identifier that looks like the doubled host and nothing else is kept."""
    assert parse_address("@host.example@host.example") == OcmAddress("@host.example", Host("host.example"))


@pytest.mark.req("ADDR-1")
@pytest.mark.parametrize("text", ["", "alice", "@cloud.example.org", "cloud.example.org", "https://cloud.example.org"])
def test_address_without_identifier(text):
    """Without an `@` or an identifier it is no address."""
    with pytest.raises(GatewayError) as refused:
        parse_address(text)

    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, "An OCM address has the form user@host.")


@pytest.mark.req("ADDR-3")
@pytest.mark.parametrize("text", ["alice@", "alice@cloud.example.org/sub", "alice@https://", "alice@a b"])
def test_address_bad_host(text):
    """An address needs a valid host without a path."""
    with pytest.raises(GatewayError) as refused:
        parse_address(text)

    assert refused.value.public == "This is not a host name or address with an optional port."


@pytest.mark.parametrize("char", ["\x00", "\n", "\x1f", "\x7f", "\x9f", "\ud800"])
def test_address_control_characters(char):
    """Control characters and halves of characters have no place in an address."""
    with pytest.raises(GatewayError) as refused:
        parse_address(f"al{char}ice@cloud.example.org")

    assert refused.value.public == "This OCM address is too long or holds control characters."


def test_address_length():
    """An address has at most 1024 characters."""
    host = "@cloud.example.org"
    longest = "a" * (ADDRESS_MAX_CHARS - len(host)) + host

    assert str(parse_address(longest)) == longest
    with pytest.raises(GatewayError):
        parse_address("a" + longest)


def test_address_of_doublings_only():
    """Many doubled hosts are no trouble."""
    assert parse_address("i" + "@h" * 500) == OcmAddress("i", Host("h"))


@given(st.text(max_size=80))
def test_address_any_text(text):
    """Any text is an address or refused as INVALID, and an address survives being written and read."""
    address = outcome(lambda: parse_address(text))
    if isinstance(address, GatewayError):
        assert address.kind is Kind.INVALID
        return

    assert parse_address(str(address)) == address
    str(address).encode()


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=50))
def test_address_round_trip(identifier):
    """Every identifier survives, byte for byte."""
    assume(identifier == identifier.lstrip())
    assume(not identifier.endswith("@cloud.example.org"))
    address = OcmAddress(identifier, Host("cloud.example.org:8443"))

    assert parse_address(str(address)) == address


@given(st.text(max_size=60))
def test_host_any_text(text):
    """Any text is a host or refused; the normal form is a fixed point."""
    host = outcome(lambda: parse_host(text))
    if isinstance(host, GatewayError):
        assert host.kind is Kind.INVALID
        return

    assert parse_host(host) == host
    assert host.isascii()


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://cloud.example.org", "cloud.example.org"),
        ("https://Cloud.example.org:443/", "cloud.example.org"),
        ("http://localhost:8080", "localhost:8080"),
    ],
)
def test_authority(url, authority):
    """The authority of an origin is its host in normal form."""
    assert authority_of(url) == authority


@pytest.mark.parametrize(
    "url",
    [
        "https://cloud.example.org/ocm",
        "https://cloud.example.org?x=1",
        "https://cloud.example.org#x",
        "https://cloud.example.org/?x",
    ],
)
def test_authority_not_origin(url):
    """A public URL has no path, query or fragment."""
    with pytest.raises(GatewayError) as refused:
        authority_of(url)

    public = "A public URL is an origin: it has no path, query or fragment."
    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, public)


@pytest.mark.parametrize("url", ["", "cloud.example.org", "ftp://cloud.example.org", "https://", "https://a@b.example"])
def test_authority_not_http(url):
    """A public URL has the scheme http or https, a host and no user information."""
    with pytest.raises(GatewayError) as refused:
        authority_of(url)

    assert (refused.value.kind, refused.value.public) == (
        Kind.INVALID,
        "A public URL has the form https://host[:port].",
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Cloud.example.org:443/ocm?x#y", "cloud.example.org"),
        ("http://localhost:8080/ocm", "localhost:8080"),
    ],
)
def test_host_of_url(url, host):
    """The host of any http(s) URL is taken in normal form."""
    assert host_of_url(url) == host


@pytest.mark.parametrize(
    "url", ["", "ssh://h.example/", "https:///path", "https://user@h.example/", "https://[::1/", "//h.example/x"]
)
def test_host_of_url_refused(url):
    """A URL without a valid host, with user information or of another scheme is refused."""
    with pytest.raises(GatewayError) as refused:
        host_of_url(url)

    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize("read", [authority_of, host_of_url])
@given(text=st.text(max_size=60) | st.text("htps:/[]@.%", max_size=30).map("https://".__add__))
def test_urls_any_text(read, text):
    """Reading the host of any text raises nothing but INVALID."""
    host = outcome(lambda: read(text))

    assert not isinstance(host, GatewayError) or host.kind is Kind.INVALID
