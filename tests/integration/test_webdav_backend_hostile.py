"""A WebDAV storage that lies, stalls and leads astray: what the storage client makes of it (DESIGN 6)."""

import asyncio
import tracemalloc
from dataclasses import replace

import aiohttp
import pytest
from contract.backend_suite import at, get, names, put, refusal

from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_http import Patience, Redirects
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, EntryKind, ResourcePath, Span
from support.evilserver import answer, evil_server, multistatus, render, response

ROOT = ResourcePath()


@pytest.fixture
async def session():
    """A client session."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def backend_on(session, server, base="dav/", **options):
    """A backend below `base` on the server."""

    async def authorize():
        return {"Authorization": "Bearer secret-token"}

    return WebdavBackend(session, server.url + base, authorize, **options)


async def listing(session, body):
    """What a listing with this answer comes to."""
    async with evil_server(answer(207, body)) as server:
        return await names(backend_on(session, server))


@pytest.mark.parametrize(
    "href",
    [
        "/dav/../etc/passwd",
        "/dav/%2e%2e/x",
        "/dav/a%2Fb",
        "/dav/a%5Cb",
        "/dav/a%00b",
        "/other/x",
        "/dav/sub/deeper",
        "/davx",
        "/",
        "../x",
        "http://evil.example/elsewhere",
        "/dav//x",
        "/dav/x?y",
        "/dav/x#y",
        "/dav/" + "x" * 5000,
        "",
    ],
)
@pytest.mark.req("ACC-6")
async def test_names_outside_the_folder_are_dropped(session, href):
    """An href that does not name a member of the folder is left out of the listing."""
    body = multistatus(response("/dav/", folder=True), response(href), response("/dav/good"))
    assert await listing(session, body) == ["good"]


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("http://other.example/dav/n", "n"),
        ("//other.example/dav/n", "n"),
        ("/dav/n/", "n"),
        ("/dav/a%2541", "a%41"),
        ("/dav/sp ace\u00e9", "sp ace\u00e9"),
    ],
)
async def test_honest_names_in_odd_forms_are_taken(session, href, name):
    """Hosts in hrefs do not matter, names are decoded once, unescaped ones are taken as they are."""
    body = multistatus(response("/dav", folder=True), response(href))
    assert await listing(session, body) == [name]


_BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        multistatus(response("/dav/", folder=True), before=_BOMB),
        multistatus(before='<!DOCTYPE d SYSTEM "file:///etc/passwd">'),
        multistatus(response("/dav/" + "x" * 400_000)),
        b"<a>" * 5000,
        b'<d:multistatus xmlns:d="DAV:">' + b"<d:a>" * 200,
        b'<d:multistatus xmlns:d="DAV:"><d:response>' + b"<!-- -->" * 100_000,
        b'<d:multistatus xmlns:d="DAV:"><d:response',
        b"<html></html>",
        "<d:multistatus xmlns:d='DAV:'/>".encode("utf-16"),
        b"",
        b"\xff\xfe\x00",
    ],
)
async def test_bombs_and_nonsense_are_outages(session, body):
    """An answer that is no bounded XML without DOCTYPE is `UNAVAILABLE`."""
    assert await refusal(listing(session, body)) is Kind.UNAVAILABLE


async def test_an_endless_listing_takes_no_memory(session):
    """Members are handed on as they come; a listing without end can be left at any time."""

    async def endless(_asked, writer):
        writer.write(b"HTTP/1.1 207 Multi\r\nConnection: close\r\n\r\n" + b'<d:multistatus xmlns:d="DAV:">')
        number = 0
        while True:
            writer.write("".join(response(f"/dav/{number + step}") for step in range(100)).encode())
            number += 100
            await writer.drain()

    async with evil_server(endless) as server:
        seen = 0
        tracemalloc.start()
        async for _entry in backend_on(session, server).list(ROOT):
            seen += 1
            if seen == 10_000:
                break
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen == 10_000
    assert peak < 8_000_000


async def test_stat_takes_no_endless_answer(session):
    """A question about one resource is not answered by thousands of responses."""
    body = multistatus(*(response(f"/other/{number}") for number in range(100)))
    async with evil_server(answer(207, body)) as server:
        assert await refusal(backend_on(session, server).stat(ROOT)) is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Kind.UNAVAILABLE),
        (407, Kind.UNAVAILABLE),
        (429, Kind.UNAVAILABLE),
        (500, Kind.UNAVAILABLE),
        (501, Kind.UNAVAILABLE),
        (502, Kind.UNAVAILABLE),
        (200, Kind.UNAVAILABLE),
        (302, Kind.UNAVAILABLE),
        (403, Kind.FORBIDDEN),
        (404, Kind.NOT_FOUND),
        (409, Kind.CONFLICT),
        (412, Kind.PRECONDITION_FAILED),
        (423, Kind.LOCKED),
        (507, Kind.NO_SPACE),
    ],
)
@pytest.mark.req("ACC-6")
async def test_the_status_says_whether_resource_or_storage_is_meant(session, status, kind):
    """What is wrong between us and the storage is an outage; what it says about the resource passes."""
    async with evil_server(answer(status)) as server:
        assert await refusal(backend_on(session, server).stat(at("x"))) is kind


async def test_a_refused_log_in_is_told_apart(session):
    """A refused credential is an outage with a code of its own."""
    async with evil_server(answer(401)) as server:
        with pytest.raises(GatewayError) as caught:
            await backend_on(session, server).stat(ROOT)
    assert caught.value.code == "credential-refused"


@pytest.mark.parametrize(("told", "expected"), [("120", 120), ("99999", 3600), ("9" * 40, 30), ("soon", 30)])
async def test_retry_after_is_passed_on_in_reason(session, told, expected):
    """The storage's own `Retry-After` is kept, but bounded."""
    async with evil_server(answer(503, Retry_After=told)) as server:
        with pytest.raises(GatewayError) as caught:
            await backend_on(session, server).stat(ROOT)
    assert caught.value.retry_after == expected


async def test_no_server_is_an_outage(session):
    """A refused connection is `UNAVAILABLE`, and the error does not show the URL."""
    async with evil_server(answer(200)) as server:
        backend = backend_on(session, server)
    with pytest.raises(GatewayError) as caught:
        await backend.stat(at("private-name"))
    assert caught.value.kind is Kind.UNAVAILABLE
    assert "private-name" not in str(caught.value)


async def test_a_server_that_hangs_is_an_outage(session):
    """An answer that does not begin in time is `UNAVAILABLE`."""

    async def hang(_asked, _writer):
        await asyncio.Event().wait()

    async with evil_server(hang) as server:
        backend = backend_on(session, server, patience=Patience(connect=0.1, first_byte=0.1))
        assert await refusal(backend.stat(ROOT)) is Kind.UNAVAILABLE


def file_server(reply):
    """A responder that knows one file of ten bytes and answers GET with `reply`."""

    async def respond(asked, writer):
        if asked.method == "PROPFIND":
            writer.write(render(207, multistatus(response("/dav/f", size=10))))
        else:
            await reply(asked, writer)

    return respond


@pytest.mark.parametrize(
    ("status", "content_range", "body"),
    [
        (206, "bytes 3-5/10", b"345"),
        (206, "bytes 2-5/10", b"2345"),
        (206, "bytes 2-4/4", b"234"),
        (206, "bytes 2-4", b"234"),
        (206, "items 2-4/10", b"234"),
        (206, "", b"234"),
        (204, "", b""),
    ],
)
async def test_another_piece_is_not_believed(session, status, content_range, body):
    """A 206 must bring just the piece that was asked for, and a whole file must hold it."""
    fields = {"Content_Range": content_range} if content_range else {}
    async with evil_server(file_server(answer(status, body, **fields))) as server:
        reading = get(backend_on(session, server), "f", Span(2, 3))
        assert await refusal(reading) in (Kind.UNAVAILABLE, Kind.RANGE_INVALID)


async def test_a_whole_file_instead_of_a_piece_is_cut(session):
    """A storage without ranges sends all; the reader gets the piece."""
    async with evil_server(file_server(answer(200, b"0123456789"))) as server:
        assert await get(backend_on(session, server), "f", Span(2, 3)) == b"234"
        assert server.asked[-1].headers["range"] == "bytes=2-4"


LISTED = Entry(path=at("f"), kind=EntryKind.FILE, size=10, etag='"e"', modified=784111777.0)


async def known(backend, entry):
    """What a file brings that is opened by its listing."""
    async with backend.open_known(entry) as content:
        return b"".join([chunk async for chunk in content.chunks])


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (LISTED, {"ETag": '"e"'}),
        (LISTED, {"ETag": 'W/"e"'}),
        (LISTED, {"Last_Modified": "Sun, 06 Nov 1994 08:49:38 GMT"}),
        (replace(LISTED, etag=None), {"ETag": '"x"', "Last_Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    ],
)
async def test_an_answer_that_shows_its_file_is_enough(session, entry, fields):
    """A file that was listed is asked for once, if the answer has its tag, or its length and time."""
    async with evil_server(file_server(answer(200, b"0123456789", **fields))) as server:
        assert await known(backend_on(session, server), entry) == b"0123456789"
        assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (LISTED, {}),
        (LISTED, {"ETag": '"x"', "Last_Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        (LISTED, {"Last_Modified": "Sun, 06 Nov 1994 08:50:37 GMT"}),
        (replace(LISTED, modified=None), {"Last_Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    ],
)
async def test_an_answer_that_does_not_show_its_file_is_looked_into(session, entry, fields):
    """If an answer does not show of which file it is the storage is asked, and then before every file."""
    async with evil_server(file_server(answer(200, b"0123456789", **fields))) as server:
        backend = backend_on(session, server)
        for _ in range(2):
            assert await known(backend, entry) == b"0123456789"
        assert [asked.method for asked in server.asked] == ["GET", "PROPFIND", "GET", "PROPFIND", "GET"]


async def test_what_the_storage_says_of_a_listed_file_counts(session):
    """A file that is another one by now is refused, and others are still asked for at once."""
    async with evil_server(file_server(answer(200, b"0123456789", ETag='"new"'))) as server:
        backend = backend_on(session, server)
        assert await refusal(known(backend, replace(LISTED, etag='"old"'))) is Kind.PRECONDITION_FAILED
        assert await known(backend, replace(LISTED, etag='"new"')) == b"0123456789"
        assert [asked.method for asked in server.asked] == ["GET", "PROPFIND", "GET"]


@pytest.mark.parametrize("fields", [{"Content_Length": "10"}, {}])
async def test_a_short_body_is_an_error(session, fields):
    """A body that ends before its length is never passed off as whole."""

    async def short(_asked, writer):
        writer.write(render(206, b"012", Content_Range="bytes 0-9/10", Content_Length="10"))

    async with evil_server(file_server(short)) as server:
        assert await refusal(get(backend_on(session, server), "f")) is Kind.UNAVAILABLE


async def test_a_body_that_falls_silent_is_an_error(session):
    """A body in which nothing comes for too long is `UNAVAILABLE`."""

    async def silent(_asked, writer):
        writer.write(render(200, b"012", Content_Length="10"))
        await writer.drain()
        await asyncio.Event().wait()

    async with evil_server(file_server(silent)) as server:
        backend = backend_on(session, server, patience=Patience(idle=0.1))
        assert await refusal(get(backend, "f")) is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://user:word@{host}/dav/",
        "http://[::1/",
        "/dav/\u00e9",
    ],
)
async def test_redirects_to_elsewhere_are_refused(session, location):
    """A redirect off the storage's origin is not followed; it is an outage."""

    async def astray(asked, writer):
        writer.write(render(307, Location=location.format(host=asked.headers["host"])))

    async with evil_server(astray) as server:
        assert await refusal(backend_on(session, server).stat(ROOT)) is Kind.UNAVAILABLE
        assert len(server.asked) == 1


async def test_redirects_in_a_circle_end(session):
    """Redirects are followed five times and no more."""
    async with evil_server(answer(302, Location="/dav/again")) as server:
        assert await refusal(backend_on(session, server).stat(ROOT)) is Kind.UNAVAILABLE
        assert len(server.asked) == 6


async def test_an_allowed_host_is_followed_without_credentials(session):
    """A redirect to an allowed host keeps method and body, but `Authorization` stays on its origin."""
    async with evil_server(answer(207, multistatus(response("/pool/1", size=7)))) as pool:
        async with evil_server(answer(307, Location=f"{pool.url}pool/1?signed=yes")) as door:
            allowed = Redirects(hosts=[f"127.0.0.1:{pool.port}"])
            entry = await backend_on(session, door, redirects=allowed).stat(at("f"))
        assert entry.size == 7
        (asked,) = pool.asked
        assert (asked.method, asked.target) == ("PROPFIND", "/pool/1?signed=yes")
        assert b"propfind" in asked.body
        assert "authorization" not in asked.headers
        assert door.asked[0].headers["authorization"] == "Bearer secret-token"


async def test_a_named_host_gets_the_credentials(session):
    """A host that is named for it gets `Authorization` after a redirect."""
    async with evil_server(answer(207, multistatus(response("/f")))) as pool:
        async with evil_server(answer(307, Location=f"{pool.url}f")) as door:
            host = f"127.0.0.1:{pool.port}"
            allowed = Redirects(hosts=[host], credential_hosts=[host])
            await backend_on(session, door, redirects=allowed).stat(at("f"))
        assert pool.asked[0].headers["authorization"] == "Bearer secret-token"


async def test_a_large_body_waits_for_the_door(session):
    """A large PUT asks with `Expect` first; redirected, the whole body goes to the pool without `Expect`."""
    data = b"x" * 300_000

    async def pool_reply(asked, writer):
        listed = render(207, multistatus(response("/f", size=len(data))))
        writer.write(listed if asked.method == "PROPFIND" else render(201))

    async with evil_server(pool_reply) as pool:
        async with evil_server(answer(307, Location=f"{pool.url}f")) as door:
            allowed = Redirects(hosts=[f"127.0.0.1:{pool.port}"])
            assert (await put(backend_on(session, door, redirects=allowed), "f", data)).created
        assert door.asked[0].headers["expect"] == "100-continue"
        assert "expect" not in pool.asked[0].headers
        assert pool.asked[0].body == data


async def test_a_server_without_expect_still_gets_the_body(session):
    """Where no `100 Continue` comes, the body is sent without waiting, once."""
    data = b"x" * 300_000

    async def deaf(asked, writer):
        if "expect" in asked.headers:
            await asyncio.Event().wait()
        listed = render(207, multistatus(response("/dav/f", size=len(data))))
        writer.write(listed if asked.method == "PROPFIND" else render(201))

    async with evil_server(deaf) as server:
        backend = backend_on(session, server, patience=Patience(connect=0.1, expect=0.1))
        await put(backend, "f", data)
        assert [asked.method for asked in server.asked] == ["PUT", "PUT", "PROPFIND"]
        assert server.asked[1].body == data


async def test_success_before_the_body_is_no_success(session):
    """A 201 before any byte of a large body was taken is an outage, not a written file."""
    async with evil_server(answer(201)) as server:
        assert await refusal(put(backend_on(session, server), "f", b"x" * 300_000)) is Kind.UNAVAILABLE


async def test_a_reset_question_is_asked_once_more(session):
    """A PROPFIND whose connection ends before any answer is repeated once."""

    async def reset(asked, writer):
        if len(server.asked) > 1:
            writer.write(render(207, multistatus(response("/dav/f"))))

    async with evil_server(reset) as server:
        assert (await backend_on(session, server).stat(at("f"))).size == 3
        assert len(server.asked) == 2


async def test_a_put_is_never_repeated_once_its_body_was_touched(session):
    """A large PUT whose connection ends in the body is an outage; the body is not sent a second time."""

    async def cut(asked, writer):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()

    async with evil_server(cut) as server:
        assert await refusal(put(backend_on(session, server), "f", b"x" * 3_000_000)) is Kind.UNAVAILABLE
        assert len(server.asked) == 1


async def test_bodies_are_asked_for_as_they_are(session):
    """We ask for no compression, so that lengths and ranges mean the file's bytes."""
    async with evil_server(file_server(answer(200, b"0123456789"))) as server:
        await get(backend_on(session, server), "f")
        assert {asked.headers["accept-encoding"] for asked in server.asked} == {"identity"}


async def test_inner_failures_of_a_delete_are_told(session):
    """A member that cannot be deleted makes the DELETE fail with that member's meaning."""
    body = b'<m xmlns="DAV:"/>'.replace(b"m ", b"multistatus ").replace(b"/>", b">") + (
        b"<response><href>/dav/f/locked</href><status>HTTP/1.1 423 Locked</status></response></multistatus>"
    )
    async with evil_server(answer(207, body)) as server:
        assert await refusal(backend_on(session, server).delete(at("f"))) is Kind.LOCKED


async def test_inner_failures_of_a_copy_are_listed(session):
    """A copy that fails in parts names the members and what was wrong with each."""
    body = (
        b'<multistatus xmlns="DAV:"><response><href>/dav/g/a</href><status>HTTP/1.1 507 Full</status></response>'
        b"<response><href>/elsewhere</href><status>HTTP/1.1 403 No</status></response></multistatus>"
    )
    async with evil_server(answer(207, body)) as server:
        outcome = await backend_on(session, server).copy(at("f"), at("g"), overwrite=True)
    assert [(path, error.kind) for path, error in outcome.failures] == [(at("g/a"), Kind.NO_SPACE)]


@pytest.mark.parametrize("url", ["ftp://h/", "http://u:p@h/", "http:///x", "http://h/?q", "http://h/#f"])
async def test_the_storage_url_is_checked(session, url):
    """A storage URL is http(s), without credentials, query and fragment."""
    with pytest.raises(GatewayError) as caught:
        WebdavBackend(session, url, None)
    assert caught.value.kind is Kind.CONFIGURATION
