"""What bad input gets at a running gateway: the protocol's own error, nothing stored, nothing secret in the log."""

import asyncio
import io
import itertools
import json
import logging
import re
import sys

import pytest
import structlog

from gateway import log
from gateway.store.tables import RECEIVED_SHARES
from support.davgateway import client, local_storage, site

SHARE = {
    "shareWith": "alice@gateway.example.org",
    "name": "spec.txt",
    "providerId": "17",
    "owner": "bob@far.example.org",
    "sender": "bob@far.example.org",
    "shareType": "user",
    "resourceType": "file",
    "protocol": {"name": "multi", "webdav": {"uri": "spec.txt", "sharedSecret": "opensesame", "permissions": ["read"]}},
}
NEEDED = ("shareWith", "name", "providerId", "owner", "protocol")
DEEP = b'{"a":' * 40 + b"1" + b"}" * 40


def project(folder):
    """Make Alice's project, with something beside it that is not shared, and return the storage's configuration."""
    storage = local_storage(folder / "storage")
    place = folder / "storage" / "alice"
    (place / "Project").mkdir()
    (place / "Project" / "hello.txt").write_text("hello")
    (place / "private.txt").write_text("private")
    return storage


@pytest.fixture
async def here(tmp_path):
    """A gateway before Alice's storage."""
    async with site(tmp_path, project(tmp_path)) as gateways:
        yield gateways


async def raw(port, head):
    """Send bytes and return all that is answered within a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    await writer.drain()
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    return answer


def without(name):
    """Return the share without one of its members."""
    return {key: value for key, value in SHARE.items() if key != name}


@pytest.mark.req("SHARE-7")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b"\xff\xfe", 400),
        (DEEP, 400),
        (b'{"a": "' + b"x" * 100_000 + b'"}', 413),
        (json.dumps(SHARE | {"name": 7}).encode(), 400),
        (json.dumps(SHARE | {"protocol": "webdav"}).encode(), 400),
        (json.dumps(SHARE | {"shareType": "group"}).encode(), 501),
        (json.dumps(SHARE | {"resourceType": "calendar"}).encode(), 501),
        *(
            (json.dumps(without(name)).encode(), 400)
            for name in ("shareWith", "name", "providerId", "owner", "protocol")
        ),
    ],
)
async def test_a_share_that_is_none_is_refused(here, body, status):
    """What is no share gets the status of its fault, a message, and leaves nothing behind."""
    async with client() as session:
        headers = {"Content-Type": "application/json"}
        async with session.post(here.origin() + "/ocm/shares", data=body, headers=headers) as answer:
            document = await answer.json()
            assert answer.status == status
            assert document["message"]
    page = await here.store.table(RECEIVED_SHARES).page("recipient", "alice")
    assert page.records == ()


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"notificationType": "SHARE_MELTED", "providerId": "1", "notification": {}}, 400),
        ({"notificationType": "SHARE_ACCEPTED", "providerId": "no-such-share", "notification": {}}, 400),
        ({"notificationType": "SHARE_UNSHARED", "providerId": "1", "resourceType": "calendar"}, 501),
        ({"notificationType": "SHARE_UNSHARED", "providerId": "no-such-share", "notification": {}}, 201),
    ],
)
async def test_a_notification_about_nothing_changes_nothing(here, document, status):
    """Unknown types and shares get the protocol's answer, and the shares that exist stay as they are."""
    share = await here.share("Project")
    async with client() as session, session.post(here.origin() + "/ocm/notifications", json=document) as answer:
        assert answer.status == status
    assert await here.shares.get(share.record.provider_id) == share.record


@pytest.mark.req("TOK-3")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "client_id": "far.example.org", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "client_id": "far.example.org", "code": "x"}, "invalid_grant"),
    ],
)
async def test_a_token_request_that_fits_nothing_is_refused(here, form, error):
    """Every refusal of the token end point is 400 with an OAuth code, kept by nobody."""
    async with client() as session, session.post(here.origin() + "/ocm/token", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, error)
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    "target",
    [
        "/ocm/dav/../private.txt",
        "/ocm/dav/%2e%2e/private.txt",
        "/ocm/dav/..%2fprivate.txt",
        "/ocm/dav/%2e%2e%2fprivate.txt",
        "/ocm/dav/x/../../private.txt",
        "/ocm/dav/hello.txt%00",
        "/ocm/dav/..%5cprivate.txt",
        "/ocm/dav/%ff%fe",
        "/ocm/dav/" + "n" * 300,
        "/ocm/dav/" + "d/" * 2000,
        "http://127.0.0.1/ocm/dav/hello.txt",
    ],
)
async def test_no_path_leads_out_of_a_share(here, target):
    """However a path is spelled, it is refused or leads to nothing, and never to what lies beside the share."""
    share = await here.share("Project")
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {share.headers['Authorization']}\r\n\r\n"
    answer = await raw(here.gateways[0].port, head.encode())
    assert int(answer.split()[1]) in (400, 404)


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("field", ["", "Authorization: Bearer nothing\r\n", "Authorization: Bearer \xff\r\n"])
async def test_an_upload_without_a_grant_is_refused_before_it_begins(here, field):
    """Who has no grant is never told to go on with his upload."""
    head = (
        f"PUT /ocm/dav/new.txt HTTP/1.1\r\nHost: x\r\n{field}Expect: 100-continue\r\nContent-Length: 5000000000\r\n\r\n"
    )
    answer = await raw(here.gateways[0].port, head.encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"WWW-Authenticate: Bearer" in answer
    assert b"WWW-Authenticate: Basic" in answer


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/ocm/shares"), ("DELETE", "/ocm/token"), ("POST", "/.well-known/ocm"), ("PUT", "/ocm/jwks")],
)
async def test_another_method_is_told_which_are_served(here, method, path):
    """A path of ours with a method that it does not have says which it has."""
    async with client() as session, session.request(method, here.origin() + path) as answer:
        assert answer.status in (400, 405)
        assert answer.headers["Allow"]


@pytest.mark.req("DISC-1")
@pytest.mark.parametrize(
    "path",
    ["/status.php", "/ocs-provider/", "/ocs/v2.php/cloud/shares", "/index.php/apps/files_sharing/x", "/ocm/nothing"],
)
async def test_what_peers_must_not_find_is_not_there(here, path):
    """The places by which peers mistake a server for another product are 404."""
    async with client() as session, session.get(here.origin() + path) as answer:
        assert answer.status == 404


@pytest.fixture
def our_log(monkeypatch):
    """Log as a gateway does, into memory, and leave no trace of that."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure("debug")
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


@pytest.mark.req("TOK-4")
async def test_the_log_holds_no_secret(tmp_path, our_log):
    """Neither a right nor a wrong credential, nor a message's secret, shows up in the log."""
    async with site(tmp_path, project(tmp_path)) as here, client() as session:
        share = await here.share("Project")
        for value in (share.headers["Authorization"], "Bearer wrong-but-secret"):
            async with session.get(share.url + "hello.txt", headers={"Authorization": value}) as answer:
                await answer.read()
        nobody = {"owner": "bob@127.0.0.1:9", "sender": "bob@127.0.0.1:9"}
        async with session.post(here.origin() + "/ocm/shares", json=SHARE | nobody) as answer:
            assert answer.status == 403
    told = our_log.getvalue()
    assert "door=" in told
    for secret in (share.secret, share.headers["Authorization"].split()[1], "wrong-but-secret", "opensesame"):
        assert secret not in told


UNREADABLE = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
)


async def test_no_answer_tells_versions(here):
    """No port of ours tells what software it is made of and in which version, whatever it is sent."""
    gateway = here.gateways[0]
    requests = [*UNREADABLE, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /ocm/token HTTP/1.0\r\n\r\n"]
    for port, request in itertools.product((gateway.port, gateway.ops_port), requests):
        answer = await raw(port, request)
        assert b"\r\nServer: ocm-gateway\r\n" in answer, answer
        assert not re.search(rb"(?i)python|aiohttp", answer)
