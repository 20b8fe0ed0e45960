"""The payload of a directory: read tolerantly entry by entry, strictly as a whole, and written as the draft has it."""

import json

import pytest

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.address import Host
from gateway.model.directory import Directory, Listed
from gateway.ocm.directory import listed, parse, read, render

ALPHA = Listed(host=Host("alpha.example"), url="https://alpha.example", display_name="Alpha")
BETA = Listed(host=Host("beta.example:8443"), url="https://beta.example:8443", display_name="Beta")
ALPHA_ENTRY = {"url": "https://alpha.example", "displayName": "Alpha"}
BETA_ENTRY = {"url": "https://beta.example:8443", "displayName": "Beta"}


def document(*servers, federation="Example Federation"):
    return {"federation": federation, "servers": [*servers]}


def refusal(of):
    """Return what was said and which members were at fault."""
    with pytest.raises(GatewayError) as refused:
        parse(of)
    return refused.value.kind, refused.value.public, refused.value.faults


# Reading the payload as a whole


@pytest.mark.req("DIR-1")
def test_a_directory_is_read():
    """A directory says the name of the federation and its servers, in its order; other members are passed over."""
    payload = document(BETA_ENTRY, ALPHA_ENTRY | {"inviteAcceptDialog": "/accept"}) | {"comment": "x"}

    assert parse(payload) == Directory(federation="Example Federation", servers=(BETA, ALPHA))


@pytest.mark.req("DIR-1")
def test_the_payload_is_json():
    """The payload is read from bytes of JSON."""
    payload = json.dumps(document(ALPHA_ENTRY)).encode()

    assert read(payload) == Directory(federation="Example Federation", servers=(ALPHA,))


def test_a_federation_without_servers():
    """An empty list is a list: the federation has no servers."""
    assert parse(document()) == Directory(federation="Example Federation", servers=())


@pytest.mark.req("DIR-1")
@pytest.mark.parametrize(
    ("payload", "name", "message"),
    [
        ({"servers": []}, "federation", "is missing"),
        (document(federation=None), "federation", "is missing"),
        (document(federation=""), "federation", "is missing"),
        (document(federation=7), "federation", "has to be a string"),
        (document(federation="a\nb"), "federation", "holds control characters"),
        (document(federation="x" * 256), "federation", "has more than 255 characters"),
        ({"federation": "f"}, "servers", "has to be a list"),
        ({"federation": "f", "servers": None}, "servers", "has to be a list"),
        ({"federation": "f", "servers": {"0": ALPHA_ENTRY}}, "servers", "has to be a list"),
        ({"federation": "f", "servers": "alpha.example"}, "servers", "has to be a list"),
        (document(*[ALPHA_ENTRY] * 20_001), "servers", "has more than 20000 entries"),
    ],
)
def test_a_payload_that_is_refused(payload, name, message):
    """A directory without a name or a list of servers, or with too many of them, is refused, with the member named."""
    expected = f"This directory is not valid: {name} {message}."

    assert refusal(payload) == (Kind.INVALID, expected, (Fault(name, message),))


def test_every_fault_is_told():
    """Whoever publishes a directory hears of all its faults at once."""
    faults = (Fault("federation", "is missing"), Fault("servers", "has to be a list"))
    public = "This directory is not valid: federation is missing; servers has to be a list."

    assert refusal({}) == (Kind.INVALID, public, faults)


def test_as_many_servers_as_may_be():
    """A list of 20,000 entries is not too long."""
    assert parse(document(*[{}] * 19_999, ALPHA_ENTRY)).servers == (ALPHA,)


def test_as_many_bytes_as_may_be():
    """A payload of 4 MiB is read, and one of a byte more is refused unread."""
    longest = json.dumps(document(ALPHA_ENTRY)).encode().ljust(4 * 1024 * 1024)

    assert read(longest).servers == (ALPHA,)
    with pytest.raises(GatewayError, match="exceeds 4194304 bytes") as refused:
        read(longest + b" ")
    assert refused.value.kind == Kind.TOO_LARGE


def test_as_deep_as_may_be():
    """Objects and lists may lie sixteen deep in one another, and no deeper."""

    def nested(depth):
        # The payload itself is the first of the sixteen.
        lists = "[" * (depth - 1) + "]" * (depth - 1)
        return f'{{"federation": "f", "servers": [], "more": {lists}}}'.encode()

    assert read(nested(16)).federation == "f"
    with pytest.raises(GatewayError, match="it is nested too deeply") as refused:
        read(nested(17))
    assert refused.value.kind == Kind.INVALID


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b'{"servers": [], "servers": []}', b"\xff"])
def test_a_payload_that_is_no_object(payload):
    """What is not one JSON object with each name once is refused."""
    with pytest.raises(GatewayError, match="not a JSON object that can be read") as refused:
        read(payload)
    assert refused.value.kind == Kind.INVALID


# Its entries


@pytest.mark.req("DIR-1")
@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        "https://gamma.example",
        ["https://gamma.example"],
        {},
        {"displayName": "Gamma"},
        {"url": None},
        {"url": ""},
        {"url": 7},
        {"url": "gamma.example"},
        {"url": "ftp://gamma.example"},
        {"url": "https://gamma.example/cloud"},
        {"url": "https://gamma.example?x=1"},
        {"url": "https://user@gamma.example"},
        {"url": "https://gam ma.example"},
        {"url": "https://gamma.example\n"},
        {"url": "https://gamma.example", "displayName": ["Gamma"]},
        {"url": "https://gamma.example", "displayName": "Gam\nma"},
        {"url": "https://gamma.example", "displayName": "x" * 256},
    ],
)
def test_an_entry_that_cannot_be_used(entry):
    """An entry that cannot be used is left out, and those before and behind it are read."""
    assert parse(document(ALPHA_ENTRY, entry, BETA_ENTRY)).servers == (ALPHA, BETA)


def test_as_long_a_url_as_may_be():
    """A URL of 2,048 characters is read, and an entry with a longer one is left out."""
    # Spaces before a URL are no part of it.
    longest = "https://alpha.example".rjust(2048)

    assert parse(document({"url": longest, "displayName": "Alpha"})).servers == (ALPHA,)
    assert parse(document({"url": " " + longest, "displayName": "Alpha"})).servers == ()


@pytest.mark.req("DIR-1")
def test_a_server_that_is_listed_twice():
    """A server that stands there twice, however it is spelled, is one: the later entry in the place of the first."""
    again = {"url": "HTTPS://Alpha.Example:443/", "displayName": "Alpha again"}

    servers = parse(document(ALPHA_ENTRY, BETA_ENTRY, again)).servers

    assert servers == (Listed(host=ALPHA.host, url=ALPHA.url, display_name="Alpha again"), BETA)


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("https://alpha.example", "alpha.example", "https://alpha.example"),
        ("https://alpha.example/", "alpha.example", "https://alpha.example"),
        ("HTTPS://Alpha.Example:443", "alpha.example", "https://alpha.example"),
        ("http://Alpha.Example:8080", "alpha.example:8080", "http://alpha.example:8080"),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://[2001:DB8::1]:8443", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("  https://alpha.example", "alpha.example", "https://alpha.example"),
        ("https:\n//alpha.example", "alpha.example", "https://alpha.example"),
    ],
)
def test_an_entry_in_normal_form(url, host, origin):
    """However a URL is spelled, the entry holds the origin in normal form."""
    assert listed(url, "Alpha") == Listed(host=Host(host), url=origin, display_name="Alpha")


@pytest.mark.parametrize("entry", [{}, {"displayName": ""}, {"displayName": None}])
def test_a_server_without_a_name(entry):
    """A server without a name of its own is called as its host."""
    (server,) = parse(document({"url": "https://beta.example:8443"} | entry)).servers

    assert server.display_name == "beta.example:8443"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("alpha.example", "A public URL has the form https://host[:port]."),
        ("https://alpha.example/x", "A public URL is an origin: it has no path, query or fragment."),
        ("https://-", "This is not a host name or address with an optional port."),
    ],
)
def test_no_entry_without_an_origin(url, public):
    """Whoever makes an entry of what is no origin hears why that cannot be."""
    with pytest.raises(GatewayError) as refused:
        listed(url, "Alpha")
    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, public)


# Writing


@pytest.mark.req("DIR-1")
def test_a_directory_is_written():
    """A directory is written in the words of the draft, and read back as the same."""
    directory = Directory(federation="Example Federation", servers=(BETA, ALPHA))

    assert render(directory) == document(BETA_ENTRY, ALPHA_ENTRY)
    assert read(json.dumps(render(directory)).encode()) == directory
