from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.backends.davanswer import read_answer
from gateway.backends.ownprops import GETETAG, OC_ID, PERMISSIONS, QUOTA_USED
from gateway.backends.relay_splice import splice
from gateway.errors import GatewayError
from gateway.model.resource import ResourcePath


class Rewriter:
    """Moves `/old` to `/new`, and owns the token `mine`."""

    root_href = "/new/"

    def __init__(self, given=None, absent=()):
        self.given, self.absent = given or {}, frozenset(absent)

    def path(self, href):
        return ResourcePath.from_url(href.removeprefix("/old")) if href.startswith("/old") else None

    def href(self, href):
        return "/new" + href.removeprefix("/old") if href.startswith("/old") else None

    async def is_ours(self, token):
        return token == "mine"

    async def own(self, path, *, is_folder, etag):
        self.seen = (path, is_folder, etag)
        return self.given, self.absent


async def spliced(document, rewriter=None, cuts=()):
    """The document after splicing, given in pieces that end at `cuts`."""

    async def pieces():
        start = 0
        for end in (*sorted(cuts), len(document)):
            yield document[start:end]
            start = end

    return b"".join([part async for part in splice(pieces(), rewriter or Rewriter())])


def answer(inside, *, prefix="d:"):
    """A whole answer around `inside`, with comments and blanks that must stay."""
    name = prefix.rstrip(":")
    return (
        f'<?xml version="1.0"?>\n<!-- <d:response> --><{prefix}multistatus xmlns{":" + name if name else ""}="DAV:"'
        f" note='a>b'>\n {inside} <!-- tail --></{prefix}multistatus>\n"
    ).encode()


def props(inside, status="200 OK", href="/old/a"):
    """A response with one `propstat`."""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{inside}</d:prop>"
        f"<d:status>HTTP/1.1 {status}</d:status></d:propstat></d:response>"
    )


DOCUMENT = answer(
    "<d:response><d:href\n x='>'> /old/a%20b&amp;c </d:href><d:propstat><d:prop><d:resourcetype><d:collection/>"
    "</d:resourcetype><d:displayname>/old/x \u00e9</d:displayname></d:prop><d:status>HTTP/1.1 200 OK</d:status>"
    "</d:propstat></d:response><d:response><d:href>/elsewhere</d:href></d:response>"
    + props("<d:owner><d:href>/old/principal</d:href></d:owner>")
)


@given(st.lists(st.integers(0, len(DOCUMENT)), max_size=6))
async def test_pieces_of_any_size_make_the_same_answer(cuts):
    """Hrefs of responses change, foreign responses go, and every other byte stays, however the answer is cut up."""
    expected = DOCUMENT.replace(b"> /old/a%20b&amp;c <", b">/new/a%20b&amp;c<")
    expected = expected.replace(b"<d:response><d:href>/elsewhere</d:href></d:response>", b"")
    expected = expected.replace(b"<d:href>/old/a</d:href>", b"<d:href>/new/a</d:href>")

    assert await spliced(DOCUMENT, cuts=cuts) == expected


async def test_own_properties_replace_the_storages():
    """Ours go into the `prop` with status 200; the storage's of the same name go, wherever they stand."""
    document = answer(
        '<d:response xmlns:o="http://owncloud.org/ns"><d:href>/old/a</d:href><d:propstat><d:prop><o:id>evil</o:id>'
        '</d:prop><d:status>HTTP/1.1 404 No</d:status></d:propstat><d:propstat><d:prop><d:getetag>"s"</d:getetag>'
        "<o:permissions/></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
    rewriter = Rewriter({PERMISSIONS: "G<&", GETETAG: '"ours"'}, [QUOTA_USED, OC_ID])

    result = (await spliced(document, rewriter)).decode()

    assert rewriter.seen == (ResourcePath(("a",)), False, '"s"')
    assert "evil" not in result
    assert '"s"' not in result
    responses = etree.fromstring(result.encode()).findall("{DAV:}response")
    found = {
        stat.findtext("{DAV:}status"): sorted(str(p.tag) for p in stat.find("{DAV:}prop")) for stat in responses[0][1:]
    }
    assert found["HTTP/1.1 200 OK"] == ["{DAV:}getetag", "{http://owncloud.org/ns}permissions"]
    assert found["HTTP/1.1 404 Not Found"] == ["{DAV:}quota-used-bytes", "{http://owncloud.org/ns}id"]
    assert responses[0].findtext(".//{http://owncloud.org/ns}permissions") == "G<&"


@pytest.mark.parametrize(
    "inside",
    [
        props("").replace("<d:prop></d:prop>", "<d:prop/>"),
        props("").replace("<d:prop></d:prop>", "<d:prop  />"),
        props("<d:x/>", "404 No"),
        props(""),
    ],
)
async def test_own_properties_are_told_where_the_storage_tells_none(inside):
    """Ours are told with status 200, also beside an empty `prop` or none of that status."""
    root = etree.fromstring(await spliced(answer(inside), Rewriter({PERMISSIONS: "G"})))

    (stat,) = [stat for stat in root.iter("{DAV:}propstat") if " 200 " in stat.findtext("{DAV:}status")]
    assert stat.findtext("{DAV:}prop/{http://owncloud.org/ns}permissions") == "G"


async def test_a_failed_response_gets_no_properties():
    """A response with a status of its own has none."""
    inside = "<d:response><d:href>/old/a</d:href><d:status>HTTP/1.1 404 No</d:status></d:response>"

    assert await spliced(answer(inside), Rewriter({PERMISSIONS: "G"})) == answer(inside.replace("/old", "/new"))


LOCKS = (
    "<d:lockdiscovery><d:activelock><d:owner><d:href>/old/me</d:href></d:owner><d:locktoken><d:href>{}</d:href>"
    "</d:locktoken><d:lockroot><d:href>{}</d:href></d:lockroot></d:activelock></d:lockdiscovery>"
)


async def test_tokens_of_others_are_cut_out():
    """Only our own lock tokens are shown; that there is a lock is shown always."""
    result = await spliced(answer(props(LOCKS.format("mine", "/old/a") + LOCKS.format("theirs", "/above"))))

    assert b"theirs" not in result
    assert result.count(b"<d:activelock>") == 2
    assert result.count(b"<d:locktoken><d:href>mine</d:href></d:locktoken>") == 1
    assert b"<d:lockroot><d:href>/new/a</d:href>" in result
    assert b"<d:lockroot><d:href>/new/</d:href>" in result
    assert b"/old/me" in result


async def test_the_answer_to_lock():
    """The answer to LOCK, a bare `prop`, is treated alike."""
    document = f'<d:prop xmlns:d="DAV:">{LOCKS.format("mine", "/old/a")}</d:prop>'.encode()

    assert await spliced(document) == document.replace(b"<d:lockroot><d:href>/old", b"<d:lockroot><d:href>/new")


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=50).filter(
        lambda text: "/old" not in text
    )
)
async def test_values_stay_as_they_are(text):
    """Whatever a property holds, it passes unchanged, also with a byte order mark before the document."""
    document = answer(
        props(f"<d:displayname>{escape(text)}</d:displayname><x xmlns='urn:x'><![CDATA[</d:response>]]></x>")
    )

    result = await spliced(b"\xef\xbb\xbf" + document)

    assert result == b"\xef\xbb\xbf" + document.replace(b"/old", b"/new", 1)


@pytest.mark.parametrize("reader", ["read", "splice"])
@given(st.binary(max_size=300))
async def test_any_bytes_are_an_answer_or_an_outage(reader, junk):
    """No input makes anything but a result or a `GatewayError`."""

    async def chunks():
        yield b'<d:multistatus xmlns:d="DAV:">'
        yield junk

    parts = read_answer(chunks()) if reader == "read" else splice(chunks(), Rewriter())
    with suppress(GatewayError):
        async for _part in parts:
            pass
