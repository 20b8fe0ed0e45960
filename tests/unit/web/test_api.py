import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from gateway.backends.local import LocalBackend
from gateway.model.resource import Content, Entry, EntryKind, Span
from gateway.model.share import ReceivedState, SentState
from gateway.store.tables import SENT_SHARES
from support.webapp import FAR, basic

SHARE = {"path": "/Project", "recipient": f"ada@{FAR}", "permissions": ["read", "write"]}


@pytest.fixture(autouse=True)
def project(app):
    """A folder of Alice's, with a file in it."""
    folder = app.folder / "alice" / "Project"
    folder.mkdir()
    (folder / "a.txt").write_text("hello world")
    return folder


def raw(app, path):
    """A URL that the client leaves as it is."""
    return URL(f"{app.url}/ocm/api/v1/{path}", encoded=True)


async def problem(response, status):
    """Check that a response is a problem with this status, and return it."""
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    document = await response.json()
    assert document["request_id"] == response.headers["X-Request-Id"]
    return document


async def test_me_tells_the_address(app, alice):
    """The user learns which address others share with."""
    async with alice.get("me") as response:
        assert await response.json() == {
            "user": "alice",
            "display_name": "Alice Adams",
            "address": f"alice@{app.gate.authority}",
        }


@pytest.mark.parametrize(
    "value", [None, "Bearer x", "Basic", "Basic !!!", "Basic YWxpY2U=", "Basic /w==", "Basic YWxpY2U6d3Jvbmc="]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "me"), ("PUT", "files/x"), ("POST", "shares")])
async def test_nothing_without_a_proven_user(app, value, method, path):
    """Without a good name and pass word every door answers 401, and asks for them."""
    headers = {} if value is None else {"Authorization": value}
    async with aiohttp.ClientSession() as session, session.request(method, raw(app, path), headers=headers) as response:
        await problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert not (app.folder / "alice" / "x").exists()


async def test_failed_log_ins_are_limited(app):
    """Too many failures end in 429 with a time to wait, also for the right pass word."""
    async with aiohttp.ClientSession() as session:
        for number in range(16):
            async with session.get(raw(app, "me"), headers=basic(f"guess{number}")) as response:
                status = response.status
        assert status == 429
        assert int(response.headers["Retry-After"]) > 0
        async with session.get(raw(app, "me"), headers=basic("alice")) as response:
            await problem(response, 429)


async def test_share_is_made_listed_shown_and_revoked(app, alice):
    """The life of a share, as its owner sees it; its secret is never told."""
    async with alice.post("shares", json=SHARE) as response:
        assert response.status == 201
        made = await response.json()
        assert response.headers["Location"] == f"/ocm/api/v1/shares/{made['id']}"
    assert (made["state"], made["recipient_display_name"]) == ("delivered", "Ada Lovelace")
    secret = (await app.store.table(SENT_SHARES).get(made["id"])).secret.reveal()
    async with alice.get("shares") as response:
        text = await response.text()
        assert (await response.json())["shares"] == [made]
        assert secret not in text
    async with alice.delete(f"shares/{made['id']}") as response:
        assert (await response.json())["state"] == "revoked"
    async with alice.get(f"shares/{made['id']}") as response:
        assert (await response.json())["state"] == "revoked"
    assert [name for name, _ in app.peer.told] == ["shares", "notifications"]


async def test_undelivered_share_says_what_is_wrong(app, alice):
    """A share that could not be delivered is there, with the reason and the next attempt."""
    app.peer.status = 503
    async with alice.post("shares", json=SHARE) as response:
        made = await response.json()
    assert (response.status, made["state"]) == (201, "delivering")
    assert made["problem"]
    assert made["next_attempt_at"] > app.clock()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"path": None}, ["path"]),
        ({"recipient": 1}, ["recipient"]),
        ({"expires_at": True}, ["expires_at"]),
        ({"expires_at": "2027-01-01"}, ["expires_at"]),
        ({"expires_at": -1}, ["expires_at"]),
        ({"expires_at": 10**30}, ["expires_at"]),
        ({"description": []}, ["description"]),
        ({"permissions": []}, ["permissions"]),
        ({"permissions": "read"}, ["permissions"]),
        ({"permissions": ["delete"]}, ["permissions"]),
        ({"permissions": [{}]}, ["permissions"]),
        ({"colour": 1, "path": 2}, ["colour", "path"]),
    ],
)
async def test_each_fault_of_a_share_is_named(app, alice, change, names):
    """Every member at fault is told at once, and nothing is stored."""
    async with alice.post("shares", json=SHARE | change) as response:
        document = await problem(response, 400)
    assert [fault["name"] for fault in document["faults"]] == names
    assert app.peer.told == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"recipient": "ada"}, 400),
        ({"recipient": "ada@127.0.0.1:1/x"}, 400),
        ({"recipient": "ada@elsewhere.example"}, 503),
        ({"path": "/Project/../../bob"}, 400),
        ({"path": "/nowhere"}, 404),
        ({"path": "/"}, 403),
        ({"expires_at": 1}, 400),
        ({"description": "x" * 1001}, 400),
    ],
)
async def test_impossible_share_is_refused(app, alice, change, status):
    """What the flow refuses is a problem with a sentence; nothing is stored."""
    async with alice.post("shares", json=SHARE | change) as response:
        assert (await problem(response, status))["detail"]
    async with alice.get("shares") as response:
        assert (await response.json())["shares"] == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"path":"/a","path":"/b"}', "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b'{"path":"' + b"x" * 70_000 + b'"}', "application/json", 413),
        (b"{}", "text/plain", 415),
    ],
)
async def test_bad_bodies_are_refused(alice, body, content_type, status):
    """JSON is read strictly and within bounds, and nothing else is taken for JSON."""
    async with alice.post("shares", data=body, headers={"Content-Type": content_type}) as response:
        await problem(response, status)


async def test_shares_of_others_do_not_exist(app, alice):
    """Bob can neither see, end nor find out about Alice's shares."""
    async with alice.post("shares", json=SHARE) as response:
        made = await response.json()
    share = await app.receive()
    async with aiohttp.ClientSession(headers=basic("bob")) as bob:
        for method, path in (
            ("GET", f"shares/{made['id']}"),
            ("DELETE", f"shares/{made['id']}"),
            ("GET", f"received/{share.share_id}"),
            ("POST", f"received/{share.share_id}/accept"),
            ("POST", f"received/{share.share_id}/decline"),
            ("GET", f"received/{share.share_id}/files/"),
            ("PUT", f"received/{share.share_id}/files/x"),
        ):
            async with bob.request(method, raw(app, path)) as response:
                await problem(response, 404)
        async with bob.get(raw(app, "shares")) as response:
            assert (await response.json())["shares"] == []
    assert (await app.api.sent.get(made["id"])).state is SentState.DELIVERED
    assert (await app.api.received.get(share.share_id)).state is ReceivedState.PENDING


async def test_received_share_is_listed_accepted_used_and_given_back(app, alice):
    """The life of a received share, as its recipient's program sees it."""
    await app.receive()
    async with alice.get("received") as response:
        (seen,) = (await response.json())["shares"]
        assert "secret-r1" not in await response.text()
    assert (seen["state"], seen["owner"], seen["is_signed"]) == ("pending", f"ada@{FAR}", True)
    async with alice.get("received/r1/files/") as response:
        await problem(response, 409)
    async with alice.post("received/r1/accept") as response:
        assert (await response.json())["state"] == "accepted"
    async with alice.put("received/r1/files/b.txt", data=b"mine") as response:
        assert response.status == 201
    assert (app.remote / "b.txt").read_bytes() == b"mine"
    async with alice.get("received/r1/files/b.txt") as response:
        assert await response.read() == b"mine"
    async with alice.post("received/r1/decline") as response:
        assert (await response.json())["state"] == "declined"
    async with alice.post("received/r1/accept") as response:
        await problem(response, 409)
    assert [document["notificationType"] for _, document in app.peer.told] == ["SHARE_ACCEPTED", "SHARE_DECLINED"]


async def test_lists_come_in_pages(app, alice, monkeypatch):
    """A long list has a cursor; the parts are the whole, newest first."""
    monkeypatch.setattr("gateway.web.api.PAGE_SIZE", 2)
    for number in range(5):
        await app.receive(share_id=f"r{number}", received_at=1000.0 + number)
    found, cursor = [], ""
    while True:
        async with alice.get("received", params={"cursor": cursor} if cursor else {}) as response:
            page = await response.json()
        found += [share["id"] for share in page["shares"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert found == ["r4", "r3", "r2", "r1", "r0"]


async def test_foreign_cursor_is_refused(alice):
    """A cursor that we did not give is a bad request, not a fault of ours."""
    async with alice.get("shares", params={"cursor": "nonsense"}) as response:
        await problem(response, 400)


async def test_folder_is_a_listing_and_a_file_its_bytes(alice):
    """A folder is told as JSON, a file comes as it is, to be saved and not shown."""
    async with alice.get("files/Project") as response:
        document = await response.json()
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert [(entry["path"], entry["kind"], entry["size"]) for entry in document["entries"]] == [
        ("/Project/a.txt", "file", 11)
    ]
    assert document["is_cut"] is False
    async with alice.get("files/Project/a.txt") as response:
        assert await response.read() == b"hello world"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "private, no-cache"


async def test_share_of_one_file_is_called_by_its_name(app, alice, monkeypatch):
    """A received share that is a single file is downloaded under the share's name."""
    (app.remote / "x").write_text("one file")
    monkeypatch.setattr(LocalBackend, "stat", _file_at_root)
    monkeypatch.setattr(LocalBackend, "open", _open_root)
    await app.receive(name="Report é.pdf", state=ReceivedState.ACCEPTED, resource_type="file")
    async with alice.get("received/r1/files/") as response:
        assert await response.text() == "one file"
        assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Report%20%C3%A9.pdf"


async def _file_at_root(_backend, path):
    return Entry(path=path, kind=EntryKind.FILE, size=8)


@asynccontextmanager
async def _open_root(_backend, path, span, *, if_match=None):
    async def chunks():
        yield b"one file"

    yield Content(entry=await _file_at_root(None, path), span=Span(0, 8), chunks=chunks())


async def test_head_range_and_condition(alice):
    """HEAD tells without sending, a range is a piece, an unchanged file is not sent again."""
    async with alice.head("files/Project/a.txt") as response:
        assert (response.status, response.content_length, await response.read()) == (200, 11, b"")
        etag = response.headers["ETag"]
    async with alice.get("files/Project/a.txt", headers={"Range": "bytes=6-"}) as response:
        assert (response.status, await response.read()) == (206, b"world")
    async with alice.get("files/Project/a.txt", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


async def test_files_are_written_and_removed(app, alice, project):
    """PUT makes or replaces a file, DELETE removes it; folders are made with a final slash."""
    async with alice.put("files/Project/new/", data=b"") as response:
        assert response.status == 201
    async with alice.put("files/Project/new/") as response:
        assert response.status == 204
    async with alice.put("files/Project/new/b.txt", data=b"one") as response:
        assert response.status == 201
    async with alice.put("files/Project/new/b.txt", data=b"two") as response:
        assert response.status == 204
    assert (project / "new" / "b.txt").read_bytes() == b"two"
    async with alice.delete("files/Project/new") as response:
        assert response.status == 204
    assert not (project / "new").exists()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("PUT", "files/Project/a.txt", {"If-None-Match": "*"}, b"x", 412),
        ("PUT", "files/Project/a.txt", {"If-Match": '"other"'}, b"x", 412),
        ("PUT", "files/Project/a.txt", {"Content-Range": "bytes 0-0/11"}, b"x", 400),
        ("PUT", "files/Project/a.txt", {"Content-Encoding": "gzip"}, b"x", 415),
        ("PUT", "files/Project/a.txt/", {}, b"", 409),
        ("PUT", "files/Project/sub/", {}, b"x", 415),
        ("PUT", "files/nowhere/a.txt", {}, b"x", 409),
        ("PUT", "files/Project", {}, b"x", 409),
        ("DELETE", "files/", {}, b"", 403),
        ("DELETE", "files/nowhere", {}, b"", 404),
        ("GET", "files/nowhere", {}, b"", 404),
        ("GET", "files/Project/a.txt", {"Range": "bytes=99-"}, b"", 416),
        ("PATCH", "files/Project/a.txt", {}, b"x", 405),
        ("MOVE", "files/Project/a.txt", {"Destination": "/x"}, b"", 405),
        ("PROPFIND", "files/", {}, b"", 405),
    ],
)
async def test_refusals_change_nothing(app, alice, project, *, method, path, headers, body, status):
    """Each refusal has its own status, and the file stays what it was."""
    async with alice.request(method, raw(app, path), headers=headers, data=body) as response:
        assert response.status == status, await response.text()
    assert (project / "a.txt").read_text() == "hello world"
    assert [path.name for path in project.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("..%2f..%2fbob/x", 400),
        ("%2e%2e/bob", 400),
        ("Project%2Fa.txt", 400),
        ("Project//a.txt", 400),
        ("Project/%00", 400),
        ("Project%5Ca.txt", 400),
        ("Project/a.txt?x=/../..", 200),
        ("Project/%61.txt", 200),
        ("%252e%252e/bob", 404),
    ],
)
async def test_path_tricks(app, alice, tail, status):
    """A path is decoded once, segment by segment, and never leaves the user's folder."""
    async with alice.get(raw(app, f"files/{tail}")) as response:
        assert response.status == status, await response.text()


@pytest.mark.parametrize("name", ["50%.txt", "a b+c&d=e;f.txt", "Ærø.txt", "#hash?.txt", "files", "%2F.txt"])
async def test_names_go_both_ways(app, alice, project, name):
    """Whatever a file is called, it is found under the path that the listing gives."""
    (project / name).write_text(name)
    async with alice.get("files/Project") as response:
        entries = {entry["path"]: entry["url_path"] for entry in (await response.json())["entries"]}
    async with alice.get(raw(app, f"files/{entries[f'/Project/{name}']}")) as response:
        assert await response.text() == name


async def test_upload_into_a_refusal_is_not_sent(app):
    """A client that waits for leave to send its body gets the refusal instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(app.url).port)
    head = "PUT /ocm/api/v1/files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_browser_on_a_foreign_page_changes_nothing(app, alice, project, headers):
    """Even with a remembered pass word, another site's page cannot write, share or delete."""
    for method, path in (("DELETE", "files/Project/a.txt"), ("PUT", "files/x"), ("POST", "shares")):
        async with alice.request(method, path, headers=headers) as response:
            await problem(response, 403)
    assert (project / "a.txt").exists()


async def test_storage_that_is_away_is_503(app, alice):
    """An outage says when to come again, and is never 404."""
    (app.folder / "alice").rename(app.folder / "gone")
    async with alice.get("files/") as response:
        await problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0
