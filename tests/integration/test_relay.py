"""A grant's WebDAV relay before real storages: litmus passes, and nothing beyond the share or its rights is reached."""

import asyncio
import io
import json
import re
import uuid
from contextlib import asynccontextmanager

import aiohttp
import pytest
from lxml import etree
from yarl import URL

from gateway.backends.relay import ScopedRelay
from gateway.backends.webdav import WebdavBackend
from gateway.errors import GatewayError, Kind
from gateway.model.address import parse_address
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind, Quota, ResourcePath
from gateway.model.share import Permission
from support.apache import apache
from support.davserver import program
from support.relayapp import Told, relay_server
from support.wsgi import wsgidav

ALL = frozenset(Permission)
READ_ONLY = frozenset({Permission.READ})
READ_WRITE = frozenset({Permission.READ, Permission.WRITE})
LOCK = (
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype>'
    "<owner><href>mailto:me</href></owner></lockinfo>"
)
EVERYTHING = (
    '<propfind xmlns="DAV:"><prop xmlns:o="http://owncloud.org/ns" xmlns:s="http://open-collaboration-services.org/ns"'
    ' xmlns:m="http://open-cloud-mesh.org/ns"><resourcetype/><getetag/><getcontentlength/><o:permissions/><o:id/>'
    "<s:share-permissions/><m:share-permissions/><quota-available-bytes/><quota-used-bytes/><lockdiscovery/></prop>"
    "</propfind>"
)
SHORT = {
    "http://owncloud.org/ns": "oc:",
    "http://open-collaboration-services.org/ns": "ocs:",
    "http://open-cloud-mesh.org/ns": "ocm:",
    "DAV:": "",
}


@pytest.fixture(scope="module")
def server():
    """A running Apache."""
    with apache() as server:
        yield server


@pytest.fixture(scope="module")
def python_dav():
    """A running wsgidav."""
    with wsgidav() as server:
        yield server


class Door:
    """A relay behind a web server, and the files behind the relay."""

    def __init__(self, session, url, folder, root, told):
        self.session, self.url, self.folder, self.root, self.told = session, url, folder, root, told

    async def ask(self, method, path="", data=None, **headers):
        """Send a request below the share's address and return status, fields and body."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, data=data, headers=fields, allow_redirects=False) as answer:
            return answer.status, answer.headers, (await answer.read()).decode()

    async def status(self, *args, **headers):
        """Send a request and return the status alone."""
        return (await self.ask(*args, **headers))[0]

    async def properties(self, path="", depth="0", **headers):
        """Return the properties of each resource by its href, those with status 200 only."""
        status, _, body = await self.ask("PROPFIND", path, EVERYTHING, Depth=depth, **headers)
        assert status == 207
        return {
            response.findtext("{DAV:}href"): {
                SHORT.get(etree.QName(prop).namespace, "?") + etree.QName(prop).localname: prop
                for stat in response.findall("{DAV:}propstat")
                if " 200 " in stat.findtext("{DAV:}status")
                for prop in stat.find("{DAV:}prop")
            }
            for response in etree.fromstring(body.encode()).findall("{DAV:}response")
        }

    def destination(self, path):
        """The `Destination` of a path in the share."""
        return self.url + path


@asynccontextmanager
async def door_to(
    server, *, permissions=ALL, kind=EntryKind.FOLDER, grant_id="grant-1", told=None, name=None, base=None
):
    """A door to a new share: a folder with a file `file`, a folder `sub`, and a secret beside it."""
    place = name or uuid.uuid4().hex
    if name is None:
        server.fresh(place)
        server.fresh(f"{place}/my share")
        server.fresh(f"{place}/my share/sub")
        for path, text in (("my share/file", "content"), ("secret", "secret"), ("my share/sub/deep", "deep")):
            (server.files / place / path).write_text(text)
            server.own(server.files / place / path)
    told = told or Told()
    root = ResourcePath(("my share",) if kind is EntryKind.FOLDER else ("my share", "file"))
    grant = Grant(
        grant_id=grant_id,
        owner="alice",
        recipient=parse_address("bob@other.example"),
        storage="files",
        root=root,
        kind=kind,
        permissions=permissions,
    )

    async def authorize():
        return server.basic()

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        backend = WebdavBackend(session, f"{server.url}{place}/", authorize)
        async with relay_server(ScopedRelay(backend, grant, told.ports())) as web:
            door = Door(session, str(web.make_url("/ocm/dav/")), server.files / place, root, told)
            door.place, door.server, door.basic = place, server, server.basic()
            yield door


@pytest.fixture
async def door(server):
    """A door to a share with all permissions."""
    async with door_to(server) as door:
        yield door


@pytest.mark.parametrize("kind", ["mod_dav", "wsgidav"])
async def test_litmus_passes(kind, server, python_dav, tmp_path):
    """The WebDAV test suite litmus passes through the relay, locks and properties included."""
    litmus = program("litmus")
    async with door_to(server if kind == "mod_dav" else python_dav) as door:
        process = await asyncio.create_subprocess_exec(litmus, "-k", door.url, stdout=-1, stderr=-2, cwd=tmp_path)
        output = (await process.communicate())[0].decode()
    summaries = re.findall(r"of (\d+) tests run: (\d+) passed, 0 failed", output)
    assert [run == passed for run, passed in summaries] == [True] * 5, output


WRITING = ["PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK"]


@pytest.mark.parametrize("method", WRITING)
@pytest.mark.req("ACC-6")
async def test_a_read_only_share_refuses_every_change(server, method):
    """Without `write` each changing method is 403, and nothing changes."""
    async with door_to(server, permissions=READ_ONLY) as door:
        assert await door.status(method, "file", "x", Destination=door.destination("new")) == 403
        assert (door.folder / "my share/file").read_text() == "content"
        assert sorted(path.name for path in (door.folder / "my share").iterdir()) == ["file", "sub"]
        assert door.told.writes == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PROPFIND"])
@pytest.mark.req("ACC-6")
async def test_a_read_only_share_can_be_read(server, method):
    """With `read` the reading methods work."""
    async with door_to(server, permissions=READ_ONLY) as door:
        assert await door.status(method, "file", Depth="0") in (200, 207)


@pytest.mark.parametrize("method", ["POST", "PATCH", "REPORT", "SEARCH", "ACL", "MKCALENDAR", "TRACE", "BIND"])
@pytest.mark.req("ACC-6")
async def test_other_methods_do_not_pass(door, method):
    """A method that is not in the table never reaches the storage."""
    # The HTTP server itself refuses the ones it does not know.
    assert await door.status(method, "file") in (400, 405)


@pytest.mark.parametrize("method", [*WRITING, "GET", "HEAD", "PROPFIND"])
@pytest.mark.req("ACC-6")
async def test_an_ended_grant_opens_nothing(server, method):
    """Every request asks whether the grant still stands."""
    refusal = GatewayError(Kind.UNAUTHENTICATED, "This share has ended.")
    async with door_to(server, told=Told(refusal=refusal)) as door:
        assert await door.status(method, "file", Destination=door.destination("new")) == 401
        assert (door.folder / "my share/file").read_text() == "content"


@pytest.mark.parametrize(
    "path", ["../secret", "%2e%2e/secret", "..%2fsecret", "sub/../../secret", "%2e%2e%2fsecret", "a//b"]
)
@pytest.mark.req("ACC-6")
async def test_nothing_outside_the_share_is_named(door, path):
    """No spelling of a path leads out of the share, neither as target nor as destination."""
    assert await door.status("GET", path) in (400, 404)
    assert await door.status("COPY", "file", Destination=door.destination(path)) in (400, 403)
    assert await door.status("PUT", "file", "new", If=f'<{door.destination(path)}> (["x"])') in (400, 403)
    assert (door.folder / "secret").read_text() == "secret"


@pytest.mark.parametrize(
    "headers",
    [
        {"If": '<http://elsewhere/x> (["x"])'},
        {"If": "</ocm/dav-other/file> (<urn:uuid:1>)"},
    ],
)
async def test_if_speaks_of_the_share_only(door, headers):
    """A resource tag outside the share is refused with 403."""
    assert await door.status("PUT", "file", "new", **headers) == 403


@pytest.mark.parametrize("value", ["(", ")", "()x", "<a", "([x])", "(<t>) (", "Not", "x" * 9000])
async def test_a_malformed_if_is_refused(door, value):
    """An `If` header that does not follow the grammar is 400, before anything is written."""
    assert await door.status("PUT", "file", "new", If=value) == 400
    assert (door.folder / "my share/file").read_text() == "content"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "", 403), ("MOVE", "", 403), ("MKCOL", "", 405), ("PUT", "", 405)],
)
@pytest.mark.req("ACC-6")
async def test_the_root_stays(door, method, path, status):
    """The shared folder itself is neither removed, moved, made again nor written."""
    assert await door.status(method, path, Destination=door.destination("sub/new")) == status
    assert (door.folder / "my share/file").exists()


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
async def test_the_root_is_no_destination(door, method):
    """Nothing replaces the shared folder, whatever `Overwrite` says."""
    assert await door.status(method, "sub", Destination=door.url, Overwrite="T") == 403
    assert (door.folder / "my share/file").exists()


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(("source", "target"), [("sub", "sub/in"), ("sub/deep", "sub"), ("file", "file")])
async def test_nothing_goes_into_itself(door, method, source, target):
    """Neither of source and destination may lie in the other."""
    assert await door.status(method, source, Destination=door.destination(target), Overwrite="T") == 403
    assert (door.folder / "my share/sub/deep").exists()


async def test_a_destination_is_needed(door):
    """COPY and MOVE without `Destination` are 400."""
    assert await door.status("COPY", "file") == 400


async def test_a_destination_without_folder_is_a_conflict(door):
    """A missing folder above the destination is 409, though the storage says 500."""
    assert await door.status("MOVE", "file", Destination=door.destination("none/new")) == 409


async def test_a_folder_is_replaced(door):
    """A folder may be overwritten by name, with or without a slash behind it."""
    assert await door.status("MOVE", "file", Destination=door.destination("sub"), Overwrite="T") == 204
    assert (door.folder / "my share/sub").read_text() == "content"
    assert door.told.writes == ["/my share/file", "/my share/sub"]


async def test_a_part_of_a_file_is_not_written(door):
    """PUT with `Content-Range` is 400 and leaves the file alone."""
    assert await door.status("PUT", "file", "x", Content_Range="bytes 0-0/7") == 400
    assert (door.folder / "my share/file").read_text() == "content"


async def test_a_copy_from_elsewhere_is_refused(door):
    """COPY with `Source` would make the storage fetch: 403."""
    fields = {"Source": "http://169.254.169.254/", "Destination": door.destination("new")}
    assert await door.status("COPY", "file", **fields) == 403


@pytest.mark.parametrize("depth", ["infinity", "2", "1,noroot"])
async def test_listings_are_one_level(door, depth):
    """PROPFIND goes no deeper than 1."""
    assert await door.status("PROPFIND", "", Depth=depth) == (403 if depth == "infinity" else 400)


@pytest.mark.parametrize(("path", "count"), [("", 3), ("sub", 1)])
async def test_without_depth(door, path, count):
    """Without `Depth` the root is listed, and any other resource described alone."""
    _, _, body = await door.ask("PROPFIND", path)
    assert body.count("href>/ocm/dav/") == count


async def test_hrefs_are_those_of_the_share(door):
    """Every href in a listing is in the client's form, and nothing tells where the share really is."""
    found = await door.properties(depth="1")
    assert sorted(found) == ["/ocm/dav/", "/ocm/dav/file", "/ocm/dav/sub/"]
    _, _, body = await door.ask("PROPFIND", "", Depth="1")
    assert "my%20share" not in body
    assert door.place not in body


@pytest.mark.parametrize(
    ("permissions", "root", "folder", "file"),
    [
        (READ_ONLY, ("G", "1"), ("G", "1"), ("G", "1")),
        (READ_WRITE, ("GCK", "15"), ("GDNVCK", "15"), ("GDNVW", "11")),
        (ALL, ("RGCK", "31"), ("RGDNVCK", "31"), ("RGDNVW", "27")),
    ],
)
@pytest.mark.req("ACC-6")
async def test_permissions_are_told_in_three_forms(server, permissions, root, folder, file):
    """What a peer may do is the gateway's word, in the forms that peers read."""
    async with door_to(server, permissions=permissions) as door:
        found = await door.properties(depth="1")
    for href, expected in (("/ocm/dav/", root), ("/ocm/dav/sub/", folder), ("/ocm/dav/file", file)):
        assert (found[href]["oc:permissions"].text, found[href]["ocs:share-permissions"].text) == expected
        assert json.loads(found[href]["ocm:share-permissions"].text) == [
            p.value for p in Permission if p in permissions
        ]
    assert len({properties["oc:id"].text for properties in found.values()}) == 3


async def test_own_properties_are_never_the_storages(door):
    """A dead property with the name of one of ours is neither set nor shown."""
    update = (
        '<propertyupdate xmlns="DAV:"><set><prop><p:permissions xmlns:p="http://owncloud.org/ns">RGDNVCKW'
        "</p:permissions></prop></set></propertyupdate>"
    )
    assert await door.status("PROPPATCH", "file", update) == 403
    async with door.session.request(
        "PROPPATCH", URL(f"{door_storage(door)}file"), data=update, headers=door.basic
    ) as answer:
        assert answer.status == 207
    found = await door.properties("file")
    assert found["/ocm/dav/file"]["oc:permissions"].text == "RGDNVW"
    _, _, body = await door.ask("PROPFIND", "file", Depth="0")
    assert "RGDNVCKW" not in body


async def test_the_quota_is_told(server):
    """The quota is what the gateway says."""
    async with door_to(server, told=Told(quota=Quota(used=5, available=7))) as door:
        found = (await door.properties())["/ocm/dav/"]
    assert (found["quota-used-bytes"].text, found["quota-available-bytes"].text) == ("5", "7")


async def test_an_unknown_quota_is_told_as_such(door):
    """Without a quota both properties are 404 in the answer."""
    _, _, body = await door.ask("PROPFIND", "", EVERYTHING, Depth="0")
    missing = re.search(r"<x:propstat.*?</x:propstat>", body)[0]
    assert "404" in missing
    assert "quota-available-bytes" in missing


async def test_the_roots_tag_is_ours_and_changes(door):
    """The tag of the shared folder changes with a write below; those of files are the storage's own."""
    before = await door.properties(depth="1")
    assert await door.status("PUT", "sub/new", "x") == 201
    after = await door.properties(depth="1")
    assert before["/ocm/dav/"]["getetag"].text == '"root-0"'
    assert after["/ocm/dav/"]["getetag"].text == '"root-1"'
    assert "root" not in after["/ocm/dav/file"]["getetag"].text


@pytest.mark.parametrize("body", ["", '<propfind xmlns="DAV:"><allprop/></propfind>'])
async def test_the_roots_tag_is_ours_when_all_is_asked(door, body):
    """Without a list of names the root's tag is ours too, and told once."""
    _, _, answer = await door.ask("PROPFIND", "", body, Depth="0")
    assert answer.count("getetag") == 2
    assert '"root-0"' in answer


async def test_every_write_is_told(door):
    """Each successful change is reported with its path from the owner's root; a refused one is not."""
    await door.ask("PUT", "new", "x")
    await door.ask("MKCOL", "dir")
    await door.ask("COPY", "new", Destination=door.destination("copy"))
    await door.ask("PUT", "new", "y", If_None_Match="*")
    await door.ask("DELETE", "copy")
    assert door.told.writes == [f"/my share/{name}" for name in ("new", "dir", "copy", "copy")]


async def lock(door, path="file", **headers):
    """Lock and return the token."""
    status, fields, body = await door.ask("LOCK", path, LOCK, Timeout="Infinite, Second-4100000000", **headers)
    assert status in (200, 201)
    assert door.place not in body
    return fields["Lock-Token"].strip("<>")


async def test_a_lock_holds_and_ends(door):
    """A lock bars writing without its token, lets it pass with it, and can be given up."""
    token = await lock(door)
    assert await door.status("PUT", "file", "no") == 423
    assert await door.status("PUT", "file", "yes", If=f"(<{token}>)") == 204
    assert await door.status("PUT", "file", "yes", If=f"<{door.destination('file')}> (<{token}>)") == 204
    assert await door.status("LOCK", "file", None, If=f"(<{token}>)", Timeout="Second-60") == 200
    assert await door.status("UNLOCK", "file", Lock_Token=f"<{token}>") == 204
    assert await door.status("PUT", "file", "again") == 204


async def test_the_root_of_a_lock_is_told_in_the_shares_terms(python_dav):
    """`lockroot` in the answer to LOCK and in a listing is in the client's form, the owner's words stay."""
    async with door_to(python_dav) as door:
        _, _, answer = await door.ask("LOCK", "file", LOCK)
        _, _, listing = await door.ask("PROPFIND", "", EVERYTHING, Depth="1")
    for body in (answer, listing):
        assert "<D:lockroot><D:href>/ocm/dav/file</D:href></D:lockroot>" in re.sub(r"\s", "", body)
        assert "mailto:me" in body


async def test_a_lock_ends_by_itself(door):
    """However long a lock is asked for, the storage is asked for an hour at most."""
    await lock(door)
    discovered = (await door.properties("file"))["/ocm/dav/file"]["lockdiscovery"]
    assert 0 < int(discovered.findtext(".//{DAV:}timeout").removeprefix("Second-")) <= 3600


async def test_a_storm_of_locks_ends_at_a_bound(server):
    """Who holds as many locks as he may gets no other before one ends; those that he has are prolonged."""
    told = Told()
    told.lock_owners.most = 1
    async with door_to(server, told=told) as door:
        token = await lock(door)
        assert await door.status("LOCK", "sub", LOCK) == 507
        assert await door.status("LOCK", "file", None, If=f"(<{token}>)", Timeout="Second-60") == 200
        assert await door.status("UNLOCK", "file", Lock_Token=f"<{token}>") == 204
        assert await door.status("LOCK", "sub", LOCK) == 200


async def test_a_lock_of_another_grant_is_closed(server):
    """Another grant's token is of no use, and is not even shown."""
    told = Told()
    async with (
        door_to(server, told=told) as mine,
        door_to(server, told=told, name=mine.place, grant_id="grant-2") as other,
    ):
        token = await lock(mine)
        assert await other.status("PUT", "file", "no", If=f"(<{token}>)") == 423
        assert await other.status("LOCK", "file", None, If=f"(<{token}>)") == 423
        assert await other.status("UNLOCK", "file", Lock_Token=f"<{token}>") == 403
        assert token not in (await other.ask("PROPFIND", "file", EVERYTHING, Depth="0"))[2]
        assert token in (await mine.ask("PROPFIND", "file", EVERYTHING, Depth="0"))[2]
        shown = (await other.properties("file"))["/ocm/dav/file"]["lockdiscovery"]
        assert shown.find("{DAV:}activelock") is not None
        assert (mine.folder / "my share/file").read_text() == "content"


async def test_a_token_of_the_storages_own_users_is_not_shown(door):
    """A lock that was taken at the storage itself is seen, its token is not."""
    url = URL(f"{door_storage(door)}file")
    async with door.session.request("LOCK", url, data=LOCK, headers=door.basic) as answer:
        token = answer.headers["Lock-Token"].strip("<>")
    body = (await door.ask("PROPFIND", "file", EVERYTHING, Depth="0"))[2]
    assert "activelock" in body
    assert token not in body
    assert await door.status("PUT", "file", "no") == 423


@pytest.mark.parametrize("value", [None, "", "token", "<a> <b>", "<a b>"])
async def test_unlock_needs_one_token(door, value):
    """UNLOCK without exactly one token is 400."""
    assert await door.status("UNLOCK", "file", **({"Lock_Token": value} if value is not None else {})) == 400


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "LOCK"])
@pytest.mark.parametrize(
    "body",
    ["<a", "<a/>", '<!DOCTYPE a [<!ENTITY x "y">]><propfind xmlns="DAV:"><prop/></propfind>', "<x>&x;</x>", "\0"],
)
async def test_a_bad_body_is_refused(door, method, body):
    """XML that is malformed, has a DOCTYPE or is something else is 400."""
    assert await door.status(method, "file", body, Depth="0") == 400


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "LOCK", "MKCOL"])
async def test_a_huge_xml_body_is_refused(door, method):
    """XML bodies have a limit."""
    assert await door.status(method, "file", io.BytesIO(b"x" * 1_100_000), Depth="0") == 413


async def test_a_piece_of_a_file(door):
    """Ranges, conditions and the fields of the answer are the storage's."""
    status, fields, body = await door.ask("GET", "file", Range="bytes=1-3")
    assert (status, body, fields["Content-Range"], fields["Content-Length"]) == (206, "ont", "bytes 1-3/7", "3")
    status, fields, body = await door.ask("HEAD", "file")
    assert (status, body, fields["Content-Length"], fields["Accept-Ranges"]) == (200, "", "7", "bytes")
    assert await door.status("GET", "file", If_Modified_Since=fields["Last-Modified"]) == 304
    assert await door.status("GET", "file", Range="bytes=100-200") == 416
    assert "Date" in fields
    assert "Apache" not in str(fields)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["", "sub", "sub/"])
async def test_a_folder_is_not_shown_by_the_storage(door, method, path):
    """GET on a folder gives a page of our own, never the storage's listing."""
    status, _, body = await door.ask(method, path)
    assert status == 200
    assert "deep" not in body
    assert ("folder" in body) == (method == "GET")


async def test_a_large_file_passes_both_ways(door):
    """Bodies of any size stream through, with and without a told length."""
    data = bytes(range(256)) * 40_000

    async def pieces():
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    assert await door.status("PUT", "known", io.BytesIO(data)) == 201
    assert await door.status("PUT", "unknown", pieces()) == 201
    for name in ("known", "unknown"):
        async with door.session.get(door.url + name) as answer:
            assert await answer.read() == data


async def test_an_aborted_upload_leaves_the_old(door):
    """When the client goes away in the middle, the storage's request is dropped unfinished."""
    url = URL(door.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"PUT /ocm/dav/file HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"n" * 1_000_000)
    await writer.drain()
    writer.close()
    await reader.read()
    async with asyncio.timeout(10):
        while [  # noqa: ASYNC110 - the file system sends no events
            path.name for path in (door.folder / "my share").iterdir() if path.name not in ("file", "sub")
        ]:
            await asyncio.sleep(0.01)
    assert (door.folder / "my share/file").read_text() == "content"


async def test_a_missing_root_is_404_only_beside_its_parent(door):
    """If the shared folder is gone its parent is asked: there, 404; gone as well, an outage."""
    (door.folder / "my share").rename(door.folder / "renamed")
    assert await door.status("PROPFIND", "", Depth="0") == 404
    door.folder.rename(door.folder.with_name(door.folder.name + "-gone"))
    status, fields, _ = await door.ask("PROPFIND", "", Depth="0")
    assert status == 503
    assert int(fields["Retry-After"]) > 0


async def test_a_missing_member_is_404(door):
    """What is not in the share is 404."""
    assert await door.status("GET", "none") == 404
    assert await door.status("PROPFIND", "none", Depth="0") == 404


async def test_a_shared_file_is_the_root(server):
    """A share of one file answers at its root, and nothing hangs below it."""
    async with door_to(server, kind=EntryKind.FILE) as door:
        found = await door.properties()
        assert list(found) == ["/ocm/dav/"]
        assert found["/ocm/dav/"]["oc:permissions"].text == "RGW"
        assert found["/ocm/dav/"]["ocs:share-permissions"].text == "19"
        assert await door.status("PUT", "", "changed") == 204
        assert (await door.ask("GET"))[2] == "changed"
        assert await door.status("DELETE") == 403
        assert await door.status("GET", "other") == 404
        assert await door.status("COPY", "", Destination=door.destination("new")) == 403
        assert sorted(path.name for path in (door.folder / "my share").iterdir()) == ["file", "sub"]


async def test_a_folder_is_not_made_with_a_body(door):
    """MKCOL with a body is 415."""
    assert await door.status("MKCOL", "new", "<x/>", Content_Type="application/xml") == 415


def door_storage(door):
    """The URL of the share in the storage itself."""
    return f"{door.server.url}{door.place}/my share/"
