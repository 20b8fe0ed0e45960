"""The XML of WebDAV requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import Kind
from gateway.web import davxml
from gateway.web.davlocks import LOCK_DEFAULT_SECONDS, LOCK_MAX_SECONDS, parse_timeout
from gateway.web.davpatch import parse_time
from gateway.web.davxml import PropertyName
from support.davdoor import attempt

PARSERS = (davxml.parse_propfind, davxml.parse_proppatch, davxml.parse_lockinfo)

_names = st.sampled_from(
    [
        "propfind",
        "prop",
        "allprop",
        "propname",
        "include",
        "propertyupdate",
        "set",
        "remove",
        "lockinfo",
        "lockscope",
        "locktype",
        "owner",
        "write",
        "exclusive",
        "shared",
        "href",
        "getetag",
        "x:colour",
        "a:b",
    ]
)
_trees = st.recursive(
    st.sampled_from(["", "text", "&lt;", "&e;", "<!-- c -->", "<?p i?>", "<![CDATA[x]]>"]),
    lambda inner: st.builds(
        lambda name, children: f"<d:{name}>{''.join(children)}</d:{name}>".replace("d:x:", "x:").replace("d:a:", "a:"),
        _names,
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.sampled_from(PARSERS), st.sampled_from(["propfind", "propertyupdate", "lockinfo"]), _trees)
def test_any_document_is_read_or_refused(parser, root, inner):
    """No document, well-formed or not, makes a parser fail in a way of its own."""
    body = f'<d:{root} xmlns:d="DAV:" xmlns:x="urn:x">{inner}</d:{root}>'.encode()

    _, refusal = attempt(parser, body)

    assert refusal in (None, Kind.INVALID, Kind.TOO_LARGE)


@given(st.sampled_from(PARSERS), st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(parser, body):
    """No bytes make a parser fail in a way of its own."""
    _, refusal = attempt(parser, body)

    assert refusal in (None, Kind.INVALID)


@pytest.mark.parametrize(
    "body",
    [
        b"<?xml version='1.0' encoding='nonsense'?><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>",
        "<!DOCTYPE x><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>".encode("utf-16"),
        b"<d:propfind xmlns:d='DAV:'>" + b"<d:x>" * 1000 + b"</d:x>" * 1000 + b"<d:allprop/></d:propfind>",
        b"<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'>" + b"<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>" + b"]>"
        b"<d:propfind xmlns:d='DAV:' x='&b;'><d:allprop/></d:propfind>",
    ],
)
def test_hostile_document_is_refused(body):
    """Strange encodings, depth and entities are refused, in any encoding."""
    _, refusal = attempt(davxml.parse_propfind, body)

    assert refusal is Kind.INVALID


def test_propfind_names_are_kept_in_order_and_once():
    """Each asked property is answered once, in the order asked."""
    asked = davxml.parse_propfind(
        b'<p:propfind xmlns:p="DAV:"><p:prop><p:b/><a xmlns="urn:x"/><p:b/></p:prop></p:propfind>'
    )

    assert asked.names == (PropertyName("DAV:", "b"), PropertyName("urn:x", "a"))


def test_empty_body_asks_for_all():
    """A PROPFIND without a body asks for everything."""
    assert davxml.parse_propfind(b" \n") == davxml.Propfind()


def test_proppatch_keeps_the_order_of_its_instructions():
    """Instructions are read one after the other; removal has no text."""
    changes = davxml.parse_proppatch(
        b'<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:a>1</d:a><d:b/></d:prop></d:set>'
        b"<d:remove><d:prop><d:a/></d:prop></d:remove></d:propertyupdate>"
    )

    assert [(change.name.name, change.text) for change in changes] == [("a", "1"), ("b", ""), ("a", None)]


def test_owner_of_a_lock_is_kept_whole():
    """The owner element keeps its namespaces, so that it stands anywhere, but no comments or instructions."""
    info = davxml.parse_lockinfo(
        b'<d:lockinfo xmlns:d="DAV:" xmlns:o="urn:o"><d:lockscope><d:shared/></d:lockscope><d:locktype><d:write/>'
        b"</d:locktype> <d:owner>An<!-- c --><?p i?><o:n>na &amp; co</o:n></d:owner> </d:lockinfo>"
    )

    owner = etree.fromstring(info.owner_xml)
    assert not info.is_exclusive
    assert (owner.tag, owner.text, owner.find("{urn:o}n").text) == ("{DAV:}owner", "An", "na & co")
    assert len(owner) == 1


@given(st.text(max_size=20))
def test_what_is_called_representable_is_well_formed(text):
    """XML holds exactly what passes, once escaped."""
    document = f"<a>{davxml.text_xml(text)}</a>".encode(errors="surrogatepass")
    try:
        etree.fromstring(document, etree.XMLParser(encoding="utf-8"))
        is_fine = True
    except etree.XMLSyntaxError:
        is_fine = False

    assert davxml.is_representable(text) is is_fine


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, LOCK_DEFAULT_SECONDS),
        ("", LOCK_DEFAULT_SECONDS),
        ("nonsense", LOCK_DEFAULT_SECONDS),
        ("600", LOCK_DEFAULT_SECONDS),
        ("Second-600", 600),
        ("second-0", 1),
        ("Second-4100000000", LOCK_MAX_SECONDS),
        ("Second-" + "9" * 5000, LOCK_MAX_SECONDS),
        ("Infinite", LOCK_MAX_SECONDS),
        ("Extend, Second-5", 5),
        ("Infinite, Second-5", LOCK_MAX_SECONDS),
    ],
)
def test_timeout_of_a_lock(text, seconds):
    """The first wish that is understood counts, never longer than a day."""
    assert parse_timeout(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (" 1500000000 ", 1500000000),
        ("Fri, 14 Jul 2017 02:40:00 GMT", 1500000000),
        ("9" * 40, None),
        ("soon", None),
        ("", None),
    ],
)
def test_time_of_a_file(text, seconds):
    """A time is a number of seconds or an HTTP date, and nothing beyond the year 9999."""
    assert parse_time(text) == seconds
