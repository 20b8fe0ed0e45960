"""A relay before a storage that lies: what passes to it, what comes back from it, and what its failures become."""

import asyncio
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from gateway.backends.relay import ScopedRelay
from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_http import Patience
from gateway.model.address import parse_address
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.share import Permission
from support.evilserver import answer, evil_server, multistatus, render, response
from support.relayapp import Told, relay_server

GRANT = Grant(
    grant_id="grant-1",
    owner="alice",
    recipient=parse_address("bob@other.example"),
    storage="files",
    root=ResourcePath(("s",)),
    kind=EntryKind.FOLDER,
    permissions=frozenset(Permission),
)


@asynccontextmanager
async def door_to(respond, **options):
    """A function that sends requests through a relay to a storage that answers with `respond`."""

    async def authorize():
        return {"Authorization": "Bearer storage-token"}

    async with (
        evil_server(respond) as storage,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        relay_server(
            ScopedRelay(WebdavBackend(session, f"{storage.url}dav/", authorize, **options), GRANT, Told().ports())
        ) as web,
    ):

        async def ask(method, path="", **kwargs):
            async with session.request(method, web.make_url(f"/ocm/dav/{path}"), **kwargs) as reply:
                return reply.status, reply.headers, (await reply.read()).decode()

        yield ask, storage


@pytest.mark.parametrize(
    "name",
    [
        "Remote-User",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "X-Gateway-Authorization",
        "X-SSL-Client-S-DN",
        "X-VOMS-VO",
        "TransferHeaderAuthorization",
        "Credential",
        "RequireChecksumVerification",
        "SciTag",
        "X-Delegate-To",
        "Cookie",
        "X-HTTP-Method-Override",
        "Forwarded",
        "Lock-Token",
    ],
)
@pytest.mark.req("ACC-6")
async def test_only_listed_fields_pass(name):
    """A field that is not on the list does not reach the storage; our own log-in replaces the client's."""
    async with door_to(answer(200, b"x")) as (ask, storage):
        await ask("GET", "f", headers={name: "evil", "Authorization": "Bearer client-token", "Range": "bytes=0-0"})
    (asked,) = storage.asked
    assert "evil" not in asked.headers.values()
    assert asked.headers["authorization"] == "Bearer storage-token"
    assert asked.headers["range"] == "bytes=0-0"


@pytest.mark.parametrize(
    ("name", "value"), [("Range", "lines=1-2"), ("X-OC-Mtime", "1;x"), ("Overwrite", "X"), ("OC-Checksum", "SHA1:<x>")]
)
async def test_listed_fields_must_have_their_form(name, value):
    """A listed field of another form is 400 and does not reach the storage."""
    async with door_to(answer(201)) as (ask, storage):
        assert (await ask("PUT", "f", data=b"x", headers={name: value}))[0] == 400
    assert storage.asked == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "DELETE", "LOCK", "PROPPATCH"])
@pytest.mark.parametrize("status", [401, 407, 500, 501, 502, 503, 302])
@pytest.mark.req("ACC-6")
async def test_an_outage_is_503_and_nothing_else(method, status):
    """Peers delete mounts on 401 and 404: a storage that refuses us or breaks is 503 with `Retry-After`."""
    body = {
        "LOCK": b'<lockinfo xmlns="DAV:"/>',
        "PROPPATCH": b'<propertyupdate xmlns="DAV:"/>',
        "PUT": b"x",
    }.get(method)
    async with door_to(answer(status)) as (ask, _storage):
        code, headers, _ = await ask(method, "f", data=body)
    assert code == 503
    assert headers["Retry-After"] == "30"


@pytest.mark.parametrize("status", [403, 409, 412, 423, 507])
async def test_what_the_storage_says_about_the_resource_passes(status):
    """A refusal that is about the resource passes with its status."""
    async with door_to(answer(status)) as (ask, _storage):
        assert (await ask("PUT", "f", data=b"x"))[0] == status


async def test_a_storage_that_hangs_is_503():
    """An answer that does not begin in time is an outage."""

    async def hang(_asked, _writer):
        await asyncio.Event().wait()

    async with door_to(hang, patience=Patience(connect=0.1, first_byte=0.1)) as (ask, _storage):
        assert (await ask("GET", "f"))[0] == 503


async def test_a_short_body_breaks_the_connection():
    """A body that ends early never looks whole to the client."""

    async def short(_asked, writer):
        writer.write(render(200, b"012", Content_Length="10"))

    async with door_to(short) as (ask, _storage):
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask("GET", "f")


@pytest.mark.parametrize(
    "href",
    [
        "/dav/other",
        "/dav/s/../secret",
        "/dav/s/%2e%2e/secret",
        "/dav/s/a%2Fb",
        "http://evil.example/x",
        "/dav/s/a/b",
        "",
    ],
)
@pytest.mark.req("ACC-6")
async def test_responses_about_anything_else_are_cut_out(href):
    """A listing shows members of the folder that was asked for, whatever the storage adds."""
    body = multistatus(response("/dav/s/", folder=True), response(href, size=777), response("/dav/s/good"))
    async with door_to(answer(207, body)) as (ask, _storage):
        status, _, shown = await ask("PROPFIND", headers={"Depth": "1"})
    assert status == 207
    assert "777" not in shown
    assert shown.count("<d:response>") == 2
    assert "<d:href>/ocm/dav/good</d:href>" in shown


async def test_inner_statuses_stay():
    """In a multi-status the storage's own word about a member stays, even an odd one."""
    inner = "<d:response><d:href>/dav/s/x</d:href><d:status>HTTP/1.1 500 Odd</d:status></d:response>"
    async with door_to(answer(207, multistatus(inner))) as (ask, _storage):
        status, _, shown = await ask("DELETE", "x")
    assert status == 207
    assert "<d:href>/ocm/dav/x</d:href><d:status>HTTP/1.1 500 Odd</d:status>" in shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        multistatus(before='<!DOCTYPE d [<!ENTITY a "b">]>'),
        b'<d:multistatus xmlns:d="DAV:"><d:response>' + b"<d:x/>" * 100_000,
        b"<a>" * 100,
        multistatus().decode().encode("utf-16"),
    ],
)
async def test_a_listing_that_is_none_is_no_success(body):
    """A bomb or nonsense is 503, or a broken connection if the answer had begun."""
    async with door_to(answer(207, body)) as (ask, _storage):
        with suppress(aiohttp.ClientError):
            assert (await ask("PROPFIND"))[0] == 503


@pytest.mark.parametrize("is_folder", [True, False])
async def test_the_storages_page_of_a_folder_is_not_passed(is_folder):
    """HTML for a GET is passed only if the resource is a file."""

    async def respond(asked, writer):
        listed = multistatus(response("/dav/s/f", folder=is_folder))
        writer.write(
            render(207, listed) if asked.method == "PROPFIND" else render(200, b"<a>secret", Content_Type="text/html")
        )

    async with door_to(respond) as (ask, _storage):
        assert ("secret" in (await ask("GET", "f"))[2]) is not is_folder


async def test_the_storages_own_fields_do_not_pass():
    """Fields that are not on the list of answers stay here."""
    fields = {"Set_Cookie": "a=b", "WWW_Authenticate": "Basic", "X_Internal": "host7", "ETag": '"e"', "Location": "/x"}
    async with door_to(answer(201, **fields)) as (ask, _storage):
        _, headers, _ = await ask("PUT", "f", data=b"x")
    assert headers["ETag"] == '"e"'
    assert not {"Set-Cookie", "WWW-Authenticate", "X-Internal", "Location"} & set(headers)
