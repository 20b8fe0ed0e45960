"""The WebDAV door over real HTTP: every method, every refusal, and the requests that peers were seen to send."""

import io
import json
import logging
import os

import aiohttp
import pytest
from lxml import etree
from yarl import URL

from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.share import Permission
from support.davdoor import PREFIX, READ_ONLY, dav_door

D = "{DAV:}"
OC = "{http://owncloud.org/ns}"
OCS = "{http://open-collaboration-services.org/ns}"
OCM = "{http://open-cloud-mesh.org/ns}"

# As Nextcloud 31 sends it (live-captures.md, 3).
CAPTURED_PROPFIND = b"""<?xml version="1.0" encoding="UTF-8"?>
<d:propfind xmlns:d="DAV:">
  <d:prop xmlns:x="http://owncloud.org/ns" xmlns:x1="http://open-collaboration-services.org/ns">
    <d:getlastmodified/>
    <d:getcontentlength/>
    <d:getcontenttype/>
    <x:permissions xmlns:x="http://owncloud.org/ns"/>
    <x1:share-permissions xmlns:x="http://open-collaboration-services.org/ns"/>
    <d:resourcetype/>
    <d:getetag/>
    <d:quota-available-bytes/>
  </d:prop>
</d:propfind>
"""
LOCK_BODY = b"""<d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope>
<d:locktype><d:write/></d:locktype><d:owner><d:href>mailto:anna</d:href></d:owner></d:lockinfo>"""


class Client:
    """Sends requests with targets exactly as written; keeps status, headers and body of the answer."""

    def __init__(self, served, session):
        self.served = served
        self.session = session

    async def __call__(self, method, path="", *, body=None, **headers):
        fields = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        target = path if path.startswith("/") else f"{PREFIX}/{path}"
        url = URL(self.served.origin + target, encoded=True)
        async with self.session.request(method, url, data=body, headers=fields, allow_redirects=False) as answer:
            answer.content_bytes = await answer.read()
            return answer

    async def find(self, path="", *names, depth=0):
        """PROPFIND these names; return per href the found ones with their elements, and the names of the missing."""
        props = "".join(f'<{n.split("}")[1]} xmlns="{n[1:].split("}")[0]}"/>' for n in names)
        body = f'<d:propfind xmlns:d="DAV:"><d:prop>{props}</d:prop></d:propfind>' if names else None
        answer = await self("PROPFIND", path, body=body and body.encode(), Depth=depth)
        assert answer.status == 207
        return multistatus(answer.content_bytes)


def multistatus(body):
    """Return `{href: ({name: element}, {names not found})}`."""
    found = {}
    for response in etree.fromstring(body).iterchildren(D + "response"):
        by_status = {"200": {}, "404": {}, "403": {}, "424": {}}
        for stat in response.iterchildren(D + "propstat"):
            by_status[stat.findtext(D + "status").split()[1]].update({e.tag: e for e in stat.find(D + "prop")})
        found[response.findtext(D + "href")] = (by_status["200"], set(by_status["404"]))
    return found


@pytest.fixture
async def client(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "hello.txt").write_bytes(b"hello world")
    (folder / "sub").mkdir()
    (folder / "sub" / "inner.txt").write_bytes(b"inner")
    async with dav_door(folder) as served, aiohttp.ClientSession(auto_decompress=False) as session:
        yield Client(served, session)


# What peers were seen to do


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("base", ["", "id1/"])
async def test_captured_propfind_of_a_folder_share(client, base):
    """The properties that peers ask for are told in the forms that they read, under the hrefs that they used."""
    answer = await client("PROPFIND", base, body=CAPTURED_PROPFIND, Depth=1, Content_Type="application/xml")

    found = multistatus(answer.content_bytes)
    assert (answer.status, answer.headers["Content-Type"]) == (207, "application/xml; charset=utf-8")
    assert set(found) == {f"{PREFIX}/{base}", f"{PREFIX}/{base}hello.txt", f"{PREFIX}/{base}sub/"}
    root, missing = found[f"{PREFIX}/{base}"]
    assert root[D + "resourcetype"].find(D + "collection") is not None
    assert root[OC + "permissions"].text == "GCK"
    assert root[OCS + "share-permissions"].text == "15"
    assert int(root[D + "quota-available-bytes"].text) > 0
    assert root[D + "getetag"].text.startswith('"')
    assert missing == {D + "getcontentlength"}
    file, _ = found[f"{PREFIX}/{base}hello.txt"]
    assert (file[D + "getcontentlength"].text, file[D + "getcontenttype"].text) == ("11", "text/plain")
    assert (file[OC + "permissions"].text, file[OCS + "share-permissions"].text) == ("GDNVW", "11")
    assert len(file[D + "resourcetype"]) == 0


async def test_captured_session_of_a_folder_share(client):
    """The requests by which a peer reads, writes, makes a folder and renames are answered as it needs them."""
    missing = await client("PROPFIND", "new.txt", body=CAPTURED_PROPFIND, Depth=0)
    put = await client("PUT", "new.txt", body=b"uploaded via nextcloud", Content_Type="text/plain")
    made = await client("MKCOL", "made", Content_Type="application/x-www-form-urlencoded", Content_Length=0)
    moved = await client("MOVE", "new.txt", Destination=f"{client.served.origin}{PREFIX}/renamed.txt", Content_Length=0)
    got = await client("GET", "renamed.txt", Accept_Encoding="gzip")
    gone = await client("DELETE", "made/")

    statuses = [answer.status for answer in (missing, put, made, moved, got, gone)]
    assert statuses == [404, 201, 201, 201, 200, 204]
    assert got.content_bytes == b"uploaded via nextcloud"


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    "path", [PREFIX, f"{PREFIX}/", f"{PREFIX}/a%20b.txt", f"{PREFIX}/id1", f"{PREFIX}/id1/a%20b.txt"]
)
async def test_file_share_answers_in_every_form(tmp_path, path):
    """A share of one file is read, described and written at its root and at its name."""
    (tmp_path / "a b.txt").write_bytes(b"old")
    async with dav_door(tmp_path, has_locks=False, name="a b.txt") as served, aiohttp.ClientSession() as session:
        served.wrap(lambda backend: OneFile(backend, "a b.txt"))
        client = Client(served, session)

        found = await client.find(path, D + "resourcetype", OC + "permissions", OCS + "share-permissions")
        put = await client("PUT", path, body=b"new")
        got = await client("GET", path)
        refused = [(await client(method, path, Destination=f"{PREFIX}/x")).status for method in ("DELETE", "MOVE")]
        beside = await client("PUT", f"{PREFIX}/other.txt", body=b"x")

    assert list(found) == [path]
    assert (found[path][0][OC + "permissions"].text, found[path][0][OCS + "share-permissions"].text) == ("GW", "3")
    assert (put.status, got.status, got.content_bytes) == (204, 200, b"new")
    assert refused == [403, 403]
    assert beside.status == 404
    assert [entry.name for entry in tmp_path.iterdir()] == ["a b.txt"]


class OneFile:
    """A storage whose root is one file of another."""

    def __init__(self, backend, name):
        self._backend = backend
        self._name = name

    def __getattr__(self, verb):
        getattr(self._backend, verb)

        def forward(path, *arguments, **options):
            return getattr(self._backend, verb)(path / self._name, *arguments, **options)

        return forward

    async def stat(self, path):
        entry = await self._backend.stat(path / self._name)
        return type(entry)(path=path, kind=entry.kind, size=entry.size, modified=entry.modified, etag=entry.etag)


# PROPFIND


async def test_missing_depth_means_a_listing_at_the_root_only(client):
    """Without Depth the root is listed, as Seafile expects, and anything else is described alone."""
    root = await client("PROPFIND", "")
    sub = await client("PROPFIND", "sub")

    assert len(multistatus(root.content_bytes)) == 3
    assert list(multistatus(sub.content_bytes)) == [f"{PREFIX}/sub/"]


async def test_folder_without_final_slash_is_answered_in_place(client):
    """A folder is never redirected; its href has the slash."""
    found = await client.find("sub", D + "displayname", depth=1)

    assert {href: found[href][0][D + "displayname"].text for href in found} == {
        f"{PREFIX}/sub/": "sub",
        f"{PREFIX}/sub/inner.txt": "inner.txt",
    }


async def test_depth_infinity_is_refused_in_webdavs_words(client):
    """The refusal names the precondition, so that clients list level by level."""
    answer = await client("PROPFIND", Depth="infinity")

    error = etree.fromstring(answer.content_bytes)
    assert answer.status == 403
    assert error.tag == D + "error"
    assert error.find(D + "propfind-finite-depth") is not None
    assert error.findtext("{http://sabredav.org/ns}message")


async def test_other_depths_are_refused(client):
    """A depth that is none is the client's fault."""
    assert (await client("PROPFIND", Depth="2")).status == 400


async def test_ocm_permissions_are_a_json_list(client):
    """OCM's own property is a list; read alone where nothing more is granted."""
    before = await client.find("", OCM + "share-permissions")
    client.served.allow(READ_ONLY)
    after = await client.find("", OCM + "share-permissions", OCS + "share-permissions", OC + "permissions")

    properties = after[f"{PREFIX}/"][0]
    assert json.loads(before[f"{PREFIX}/"][0][OCM + "share-permissions"].text) == ["read", "write"]
    assert json.loads(properties[OCM + "share-permissions"].text) == ["read"]
    assert (properties[OCS + "share-permissions"].text, properties[OC + "permissions"].text) == ("1", "G")


async def test_share_permission_shows_in_all_three_forms(client):
    """What may be shared on is told by bit, letter and word."""
    client.served.allow(frozenset({Permission.READ, Permission.SHARE}))

    found = await client.find("", OCM + "share-permissions", OCS + "share-permissions", OC + "permissions")
    properties = found[f"{PREFIX}/"][0]

    assert json.loads(properties[OCM + "share-permissions"].text) == ["read", "share"]
    assert (properties[OCS + "share-permissions"].text, properties[OC + "permissions"].text) == ("17", "RG")


async def test_ids_differ_and_stay(client):
    """Each resource has an id of its own that does not change from one request to the next."""
    first = await client.find("", OC + "id", depth=1)
    second = await client.find("", OC + "id", depth=1)

    ids = {href: first[href][0][OC + "id"].text for href in first}
    assert ids == {href: second[href][0][OC + "id"].text for href in second}
    assert len(set(ids.values())) == 3


async def test_unknown_properties_are_missing_in_their_own_namespace(client):
    """What is not known is listed as not found, whatever its namespace is called."""
    body = b'<d:propfind xmlns:d="DAV:"><d:prop><a xmlns="urn:a&amp;b"/><b xmlns=""/><d:c/></d:prop></d:propfind>'

    answer = await client("PROPFIND", "hello.txt", body=body, Depth=0)

    assert multistatus(answer.content_bytes)[f"{PREFIX}/hello.txt"] == ({}, {"{urn:a&b}a", "b", D + "c"})


async def test_propname_tells_names_without_values(client):
    """Names alone are told if names alone are asked for."""
    body = b'<d:propfind xmlns:d="DAV:"><d:propname/></d:propfind>'

    answer = await client("PROPFIND", "hello.txt", body=body, Depth=0)

    found, _ = multistatus(answer.content_bytes)[f"{PREFIX}/hello.txt"]
    assert {D + "getetag", D + "resourcetype", D + "lockdiscovery"} <= set(found)
    assert all(element.text is None and len(element) == 0 for element in found.values())


async def test_empty_property_list_is_answered(client):
    """An empty list of names gets an empty list of properties."""
    body = b'<d:propfind xmlns:d="DAV:"><d:prop/></d:propfind>'

    answer = await client("PROPFIND", "hello.txt", body=body, Depth=0)

    assert multistatus(answer.content_bytes) == {f"{PREFIX}/hello.txt": ({}, set())}


async def test_names_that_xml_cannot_hold_are_left_out(client):
    """Hostile names are escaped; names that no XML can hold are not listed."""
    (client.served.folder / '<&">]]>.txt').write_bytes(b"")
    (client.served.folder / "bad\ufffe").write_bytes(b"")
    (client.served.folder / os.fsdecode(b"latin\xe9")).write_bytes(b"")

    found = await client.find("", D + "displayname", depth=1)

    names = {found[href][0][D + "displayname"].text for href in found if href != f"{PREFIX}/"}
    assert names == {"hello.txt", "sub", '<&">]]>.txt'}


async def test_long_listing_is_whole(client):
    """A listing longer than one piece of the answer is complete and well formed."""
    for number in range(300):
        (client.served.folder / "sub" / f"file {number}").write_bytes(b"")

    assert len(await client.find("sub", depth=1)) == 302


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<d:propfind xmlns:d='DAV:'>",
        b"<d:propfind xmlns:d='DAV:'/>",
        b"<propfind><prop/></propfind>",
        b"<d:propfind xmlns:d='DAV:'><d:prop/><d:allprop/></d:propfind>",
        b"<!DOCTYPE d><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>",
        (
            b"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
            b"<d:propfind xmlns:d='DAV:'><d:prop>&e;</d:prop></d:propfind>"
        ),
        b"<d:propfind xmlns:d='DAV:'><d:prop>" + b"<d:x/>" * 201 + b"</d:prop></d:propfind>",
    ],
)
async def test_bad_propfind_body_is_refused(client, body):
    """What is no propfind is the client's fault, and a document type is never looked at."""
    assert (await client("PROPFIND", body=body, Depth=0)).status == 400


async def test_endless_xml_is_refused(client):
    """An XML body beyond one MiB is not read to its end."""
    assert (await client("PROPFIND", body=io.BytesIO(b" " * (1024 * 1024 + 1)), Depth=0)).status == 413


async def test_outage_before_the_listing_is_told_as_one(client):
    """If the storage fails before anything was said, the answer says 503 and when to come again."""
    client.served.wrap(lambda backend: FailingList(backend, good=0))

    answer = await client("PROPFIND", Depth=1)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")


async def test_outage_within_the_listing_breaks_the_answer_off(client, caplog):
    """A listing that cannot be finished never looks finished, and leaves no traceback."""
    client.served.wrap(lambda backend: FailingList(backend, good=1))

    with pytest.raises(aiohttp.ClientError):
        await client("PROPFIND", Depth=1)

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class FailingList:
    """A storage that fails after some members of a folder."""

    def __init__(self, backend, good):
        self._backend = backend
        self._good = good

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def list(self, path):
        left = self._good
        async for entry in self._backend.list(path):
            if left == 0:
                raise unavailable("The storage does not answer.")
            left -= 1
            yield entry


# GET and HEAD


async def test_get_is_safe_and_complete(client):
    """A file comes with what clients need, and so that no browser runs it on our origin."""
    answer = await client("GET", "hello.txt")
    head = await client("HEAD", "hello.txt")

    assert (answer.status, answer.content_bytes) == (200, b"hello world")
    assert (head.status, head.content_bytes) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"):
        assert head.headers[name] == answer.headers[name]
    assert answer.headers["Content-Length"] == "11"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("field", "status", "content", "place"),
    [
        ("bytes=2-4", 206, b"llo", "bytes 2-4/11"),
        ("bytes=6-", 206, b"world", "bytes 6-10/11"),
        ("bytes=-5", 206, b"world", "bytes 6-10/11"),
        ("bytes=0-99", 206, b"hello world", "bytes 0-10/11"),
        ("bytes=11-", 416, b"", "bytes */11"),
        ("bytes=0-3,2-4", 200, b"hello world", None),
        ("nonsense", 200, b"hello world", None),
    ],
)
async def test_ranges(client, field, status, content, place):
    """One range is served as a piece, others as the whole, and one behind the end is told."""
    answer = await client("GET", "hello.txt", Range=field)

    assert (answer.status, answer.content_bytes, answer.headers.get("Content-Range")) == (status, content, place)


async def test_if_range_guards_a_resumed_download(client):
    """A piece comes only if the file is still the one of which the client has the beginning."""
    etag = (await client("HEAD", "hello.txt")).headers["ETag"]

    same = await client("GET", "hello.txt", Range="bytes=6-", If_Range=etag)
    changed = await client("GET", "hello.txt", Range="bytes=6-", If_Range='"old"')

    assert (same.status, same.content_bytes) == (206, b"world")
    assert (changed.status, changed.content_bytes) == (200, b"hello world")


async def test_conditional_get(client):
    """A client that has the file is spared it; one that wants another is told."""
    etag = (await client("HEAD", "hello.txt")).headers["ETag"]

    spared = await client("GET", "hello.txt", If_None_Match=etag)
    other = await client("GET", "hello.txt", If_Match='"other"')
    same = await client("GET", "hello.txt", If_Match=etag)

    assert (spared.status, spared.headers["ETag"], spared.content_bytes) == (304, etag, b"")
    assert (other.status, same.status) == (412, 200)


@pytest.mark.parametrize("field", ["If_Match", "If_Range"])
async def test_condition_binds_the_file_that_is_opened(client, field):
    """If the file is replaced between the check and the opening, no byte of the new one passes for the old."""
    etag = (await client("HEAD", "hello.txt")).headers["ETag"]
    client.served.wrap(Replaced)

    answer = await client("GET", "hello.txt", Range="bytes=0-4", **{field: etag})

    assert answer.status == 412


class Replaced:
    """A storage whose file is replaced right after somebody looked at it."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def stat(self, path):
        entry = await self._backend.stat(path)

        async def pieces():
            yield b"other words"

        await self._backend.write(path, pieces())
        return entry


async def test_folder_has_a_small_page(client):
    """A browser at a folder sees links, and names cannot inject anything."""
    (client.served.folder / "sub" / "<b>").mkdir()

    page = await client("GET", "sub")
    head = await client("HEAD", "sub/")

    assert (page.status, head.status) == (200, 200)
    assert f'<a href="{PREFIX}/sub/inner.txt">inner.txt</a>'.encode() in page.content_bytes
    assert b"&lt;b&gt;/" in page.content_bytes
    assert b"<b>" not in page.content_bytes
    assert page.headers["Content-Security-Policy"].startswith("sandbox")


async def test_missing_is_404(client):
    """What is not there is not there, for every method that needs it."""
    target = f"{PREFIX}/x"
    statuses = {
        method: (await client(method, "nothing", Destination=target)).status
        for method in ("GET", "HEAD", "PROPFIND", "DELETE", "COPY", "MOVE")
    }

    assert set(statuses.values()) == {404}


async def test_query_means_nothing(client):
    """A query string neither selects nor commands anything."""
    answer = await client("GET", "hello.txt?action=delete&access_token=x")

    assert answer.content_bytes == b"hello world"


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("path", ["../x", "%2e%2e/x", "sub/%2e%2e/%2e%2e/x", "a%2fb", "a%00b", "sub//inner.txt"])
async def test_hostile_path_is_refused(client, path):
    """No spelling of a path leaves the share."""
    (client.served.folder.parent / "x").write_bytes(b"outside")

    assert (await client("GET", path)).status == 400


# PUT


async def test_put_tells_the_new_tag(client):
    """A new file is 201, a replaced one 204, both with the tag that the file then has."""
    new = await client("PUT", "a.txt", body=b"one")
    old = await client("PUT", "a.txt", body=b"two")
    head = await client("HEAD", "a.txt")

    assert (new.status, old.status) == (201, 204)
    assert new.headers["ETag"] != old.headers["ETag"] == head.headers["ETag"]


async def test_put_of_unknown_length(client):
    """A body in chunks without a length is taken."""

    async def pieces():
        yield b"one "
        yield b"two"

    answer = await client("PUT", "a.txt", body=pieces(), X_Expected_Entity_Length=7)

    assert answer.status == 201
    assert (client.served.folder / "a.txt").read_bytes() == b"one two"


async def test_put_sets_the_time(client):
    """The client's time of modification is kept, and that is told."""
    answer = await client("PUT", "a.txt", body=b"x", X_OC_Mtime="1500000000")

    assert answer.headers["X-OC-Mtime"] == "accepted"
    assert (client.served.folder / "a.txt").stat().st_mtime == 1500000000
    assert answer.headers["ETag"] == (await client("HEAD", "a.txt")).headers["ETag"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("a.txt", {"Content_Range": "bytes 0-0/2"}, 400),
        ("a.txt", {"X_OC_Mtime": "soon"}, 400),
        ("a.txt", {"X_OC_Mtime": "inf"}, 400),
        ("a.txt", {"If_Match": "*"}, 412),
        ("a.txt", {"If_Match": '"old"'}, 412),
        ("a.txt", {"If": "(<urn:nothing>)"}, 412),
        ("a.txt", {"If": "nonsense"}, 400),
        ("a.txt", {"Content_Encoding": "gzip"}, 415),
        ("hello.txt", {"If_None_Match": "*"}, 412),
        ("hello.txt", {"If_Match": '"old"'}, 412),
        ("hello.txt", {"If": '(["old"])'}, 412),
        ("hello.txt/a.txt", {}, 409),
        ("none/a.txt", {}, 409),
        ("sub", {}, 405),
        ("", {}, 405),
    ],
)
async def test_put_is_refused_and_changes_nothing(client, path, headers, status):
    """A PUT that must not be carried out leaves everything as it was."""
    before = tree(client.served.folder)

    answer = await client("PUT", path, body=b"x", **headers)

    assert answer.status == status
    assert tree(client.served.folder) == before


def tree(folder):
    return {str(p.relative_to(folder)): p.is_dir() or p.read_bytes() for p in folder.rglob("*")}


async def test_upload_that_cannot_fit_is_refused(client):
    """A large upload is refused by its length if the storage has not the space."""
    client.served.wrap(Full)

    answer = await client("PUT", "a.bin", body=io.BytesIO(b"x" * (2 * 1024 * 1024)))

    assert answer.status == 507


class Full:
    """A storage without free space."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def quota(self, path):
        found = await self._backend.quota(path)
        return type(found)(used=found.used, available=1000)


# MKCOL, DELETE


async def test_mkcol(client):
    """A folder is made once, in a folder that exists, from a request without a body."""
    made = await client("MKCOL", "new/")
    again = await client("MKCOL", "new")
    orphan = await client("MKCOL", "none/new")
    with_body = await client("MKCOL", "other", body=b"<x/>", Content_Type="application/xml")

    assert [a.status for a in (made, again, orphan, with_body)] == [201, 405, 409, 415]
    assert sorted(p.name for p in client.served.folder.iterdir()) == ["hello.txt", "new", "sub"]


async def test_delete(client):
    """Files and whole folders go; the share itself stays, and conditions are kept."""
    bound = await client("DELETE", "hello.txt", If_Match='"old"')
    shallow = await client("DELETE", "sub", Depth=0)
    root = await client("DELETE", "")
    folder = await client("DELETE", "sub")
    file = await client("DELETE", "hello.txt")

    assert [a.status for a in (bound, shallow, root, folder, file)] == [412, 400, 403, 204, 204]
    assert tree(client.served.folder) == {}


# COPY and MOVE


@pytest.mark.parametrize(
    "form", ["{origin}/ocm/dav/t.txt", "/ocm/dav/t.txt", "/ocm/dav/id1/t.txt", "{origin}/ocm/dav/id1/t.txt?x=y"]
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
async def test_destination_forms(client, method, form):
    """A destination may be written in each form by which the share is reached."""
    answer = await client(method, "hello.txt", Destination=form.format(origin=client.served.origin))

    assert answer.status == 201
    assert (client.served.folder / "t.txt").read_bytes() == b"hello world"
    assert (client.served.folder / "hello.txt").exists() is (method == "COPY")


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Destination": "https://evil.example/ocm/dav/t.txt"}, 403),
        ({"Destination": "/elsewhere/t.txt"}, 403),
        ({"Destination": f"{PREFIX}/"}, 403),
        ({"Destination": f"{PREFIX}/%2e%2e/t.txt"}, 400),
        ({"Destination": f"{PREFIX}/t.txt", "Source": "https://evil.example/x"}, 403),
        ({"Destination": f"{PREFIX}/t.txt", "Overwrite": "maybe"}, 400),
        ({"Destination": f"{PREFIX}/t.txt", "Depth": "1"}, 400),
        ({"Destination": f"{PREFIX}/none/t.txt"}, 409),
        ({"Destination": f"{PREFIX}/sub", "Overwrite": "F"}, 412),
        ({"Destination": f"{PREFIX}/hello.txt"}, 403),
        ({"Destination": f"{PREFIX}/t.txt", "If_Match": '"old"'}, 412),
    ],
)
async def test_transfer_is_refused_and_changes_nothing(client, method, headers, status):
    """A COPY or MOVE that must not be carried out leaves everything as it was."""
    before = tree(client.served.folder)

    answer = await client(method, "hello.txt", **headers)

    assert answer.status == status
    assert tree(client.served.folder) == before


async def test_folder_cannot_move_into_itself_and_the_share_cannot_move(client):
    """A tree is never moved into itself, and the share stays where it is."""
    inside = await client("MOVE", "sub", Destination=f"{PREFIX}/sub/deeper")
    root = await client("MOVE", "", Destination=f"{PREFIX}/x")
    shallow = await client("MOVE", "sub", Destination=f"{PREFIX}/x", Depth="0")

    assert [a.status for a in (inside, root, shallow)] == [403, 403, 400]


async def test_overwriting_is_told(client):
    """What replaces something is 204; a copy of depth 0 brings no members."""
    replaced = await client("COPY", "hello.txt", Destination=f"{PREFIX}/sub/inner.txt")
    shallow = await client("COPY", "sub", Destination=f"{PREFIX}/empty", Depth="0")

    assert (replaced.status, shallow.status) == (204, 201)
    assert (client.served.folder / "sub" / "inner.txt").read_bytes() == b"hello world"
    assert list((client.served.folder / "empty").iterdir()) == []


async def test_failures_of_members_are_told_one_by_one(client):
    """A copy that failed in part names what failed, in the form of the destination."""
    client.served.wrap(HalfCopy)

    answer = await client("COPY", "sub", Destination=f"{PREFIX}/id1/x")

    response = etree.fromstring(answer.content_bytes).find(D + "response")
    assert answer.status == 207
    assert response.findtext(D + "href") == f"{PREFIX}/id1/x/secret"
    assert "403" in response.findtext(D + "status")


class HalfCopy:
    """A storage that cannot copy everything."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def copy(self, source, target, **options):
        outcome = await self._backend.copy(source, target, **options)
        failure = (target / "secret", GatewayError(Kind.FORBIDDEN, "No."))
        return type(outcome)(created=outcome.created, failures=(failure,))


# PROPPATCH


def proppatch(*names):
    inner = "".join(f'<{name} xmlns="{space}">{text}</{name}>' for space, name, text in names)
    return f'<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop>{inner}</d:prop></d:set></d:propertyupdate>'.encode()


@pytest.mark.parametrize(
    ("space", "name", "text"),
    [
        ("DAV:", "lastmodified", "1500000000"),
        ("DAV:", "getlastmodified", "Fri, 14 Jul 2017 02:40:00 GMT"),
        ("urn:schemas-microsoft-com:", "Win32LastModifiedTime", "Fri, 14 Jul 2017 02:40:00 GMT"),
    ],
)
async def test_time_can_be_set_in_three_ways(client, space, name, text):
    """The time of modification is set by the property that each client uses."""
    answer = await client("PROPPATCH", "hello.txt", body=proppatch((space, name, text)))

    found, _ = multistatus(answer.content_bytes)[f"{PREFIX}/hello.txt"]
    assert (answer.status, set(found)) == (207, {f"{{{space}}}{name}"})
    assert (client.served.folder / "hello.txt").stat().st_mtime == 1500000000


async def test_windows_copies_without_an_error(client):
    """The properties that Windows sets on each file are accepted together."""
    date = "Fri, 14 Jul 2017 02:40:00 GMT"
    names = ("Win32CreationTime", "Win32LastAccessTime", "Win32LastModifiedTime", "Win32FileAttributes")
    body = proppatch(*[("urn:schemas-microsoft-com:", name, date) for name in names])

    answer = await client("PROPPATCH", "hello.txt", body=body)

    assert len(multistatus(answer.content_bytes)[f"{PREFIX}/hello.txt"][0]) == 4


async def test_refused_property_takes_the_others_with_it(client):
    """PROPPATCH is all or nothing: beside a property that cannot be set, nothing is."""
    before = (client.served.folder / "hello.txt").stat().st_mtime
    body = proppatch(("DAV:", "lastmodified", "1500000000"), ("urn:x", "colour", "blue"), ("DAV:", "getetag", "x"))

    answer = await client("PROPPATCH", "hello.txt", body=body)

    stats = etree.fromstring(answer.content_bytes).iter(D + "propstat")
    statuses = {stat.find(D + "prop")[0].tag: stat.findtext(D + "status").split()[1] for stat in stats}
    assert statuses == {D + "lastmodified": "424", "{urn:x}colour": "403", D + "getetag": "403"}
    assert (client.served.folder / "hello.txt").stat().st_mtime == before


@pytest.mark.parametrize("body", [b"", b"x", b"<d:propertyupdate xmlns:d='DAV:'/>", proppatch()])
async def test_bad_proppatch_body_is_refused(client, body):
    """What changes nothing is the client's fault."""
    assert (await client("PROPPATCH", "hello.txt", body=body)).status == 400


# LOCK and UNLOCK


async def take(client, path="hello.txt", **headers):
    answer = await client("LOCK", path, body=LOCK_BODY, **headers)
    return answer, answer.headers.get("Lock-Token", "")


async def test_lock_guards_a_file_until_it_is_given_up(client):
    """Nobody writes without the token; whoever presents it does."""
    answer, token = await take(client, Timeout="Second-600")
    stranger = await client("PUT", "hello.txt", body=b"x")
    second, _ = await take(client)
    owner = await client("PUT", "hello.txt", body=b"mine", If=f"({token})")
    released = await client("UNLOCK", "hello.txt", Lock_Token=token)
    free = await client("PUT", "hello.txt", body=b"free")

    statuses = [a.status for a in (answer, stranger, second, owner, released, free)]
    assert statuses == [200, 423, 423, 204, 204, 204]
    lock = etree.fromstring(answer.content_bytes).find(f".//{D}activelock")
    assert lock.findtext(f"{D}locktoken/{D}href") == token.strip("<>")
    assert lock.findtext(f"{D}lockroot/{D}href") == f"{PREFIX}/hello.txt"
    assert lock.findtext(f"{D}owner/{D}href") == "mailto:anna"
    assert lock.findtext(D + "timeout") == "Second-600"
    assert etree.fromstring(stranger.content_bytes).find(D + "lock-token-submitted") is not None
    assert etree.fromstring(second.content_bytes).find(D + "no-conflicting-lock") is not None


async def test_lock_on_nothing_makes_an_empty_file(client):
    """A name can be reserved: an empty file appears, under lock."""
    answer, token = await take(client, "sub/new.docx")
    orphan, _ = await take(client, "none/new.docx")

    assert (answer.status, orphan.status) == (201, 409)
    assert (client.served.folder / "sub" / "new.docx").read_bytes() == b""
    assert (await client("PUT", "sub/new.docx", body=b"x", If=f"({token})")).status == 204


async def test_lock_that_cannot_make_its_file_is_given_up(client):
    """If the file cannot be made, no lock stays behind."""
    locks = client.served.share.locks
    locks.backend = NoWrites(locks.backend)

    answer, _ = await take(client, "new.docx")

    assert answer.status == 507
    assert locks.held == []


class NoWrites:
    """A storage that cannot take another byte."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def write(self, *_arguments, **_options):
        raise GatewayError(Kind.NO_SPACE, "There is no space left.")


async def test_lock_is_discovered_on_what_it_covers(client):
    """A deep lock shows on the folder and on its members, rooted at the folder."""
    _, token = await take(client, "sub")

    found = await client.find("sub", D + "lockdiscovery", D + "supportedlock", depth=1)

    for href in (f"{PREFIX}/sub/", f"{PREFIX}/sub/inner.txt"):
        lock = found[href][0][D + "lockdiscovery"].find(D + "activelock")
        assert lock.findtext(f"{D}locktoken/{D}href") == token.strip("<>")
        assert lock.findtext(f"{D}lockroot/{D}href") == f"{PREFIX}/sub/"
        assert len(found[href][0][D + "supportedlock"]) == 2


async def test_lock_is_prolonged_by_its_token(client):
    """A LOCK without a body prolongs the lock that `If` names, within our bound."""
    _, token = await take(client, Timeout="Second-60")

    prolonged = await client("LOCK", "hello.txt", If=f"({token})", Timeout="Infinite")
    unnamed = await client("LOCK", "hello.txt")
    unknown = await client("LOCK", "hello.txt", If="(<urn:uuid:nothing>)")

    assert [a.status for a in (prolonged, unnamed, unknown)] == [200, 400, 412]
    assert etree.fromstring(prolonged.content_bytes).findtext(f".//{D}timeout") == "Second-86400"


@pytest.mark.parametrize(("token", "status"), [(None, 400), ("urn:uuid:x", 400), ("<urn:uuid:x>", 409)])
async def test_unlock_needs_the_token_of_a_lock_that_is_there(client, token, status):
    """Without the token of a lock on this resource nothing is unlocked."""
    await take(client)
    headers = {} if token is None else {"Lock_Token": token}

    assert (await client("UNLOCK", "hello.txt", **headers)).status == status


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"<x/>", {}, 400),
        (LOCK_BODY.replace(b"exclusive", b"both"), {}, 400),
        (LOCK_BODY.replace(b"write", b"read"), {}, 400),
        (LOCK_BODY, {"Depth": "1"}, 400),
        (LOCK_BODY.replace(b"anna", b"a" * 9000), {}, 413),
        (LOCK_BODY, {"If_None_Match": "*"}, 412),
    ],
)
async def test_bad_lock_is_refused(client, body, headers, status):
    """What is no lock that we know is refused, and nothing is locked."""
    answer = await client("LOCK", "hello.txt", body=body, **headers)

    assert answer.status == status
    assert client.served.share.locks.held == []


async def test_properties_of_a_locked_file_cannot_be_set_by_others(client):
    """PROPPATCH needs the token too, before it looks at what is asked."""
    _, token = await take(client)
    body = proppatch(("DAV:", "lastmodified", "1500000000"))

    stranger = await client("PROPPATCH", "hello.txt", body=body)
    other = await client("PROPPATCH", "hello.txt", body=proppatch(("urn:x", "colour", "blue")))
    owner = await client("PROPPATCH", "hello.txt", body=body, If=f"({token})")

    assert (stranger.status, other.status, owner.status) == (423, 423, 207)


async def test_if_may_name_another_resource(client):
    """A token is accepted in a list about the locked folder, by its URL."""
    _, token = await take(client, "sub")
    folder = f"<{client.served.origin}{PREFIX}/id1/sub/>"

    put = await client("PUT", "sub/inner.txt", body=b"x", If=f"{folder} ({token})")
    elsewhere = await client("PUT", "sub/inner.txt", body=b"x", If=f"<https://evil.example/sub/> ({token})")

    assert (put.status, elsewhere.status) == (204, 412)


# What the share does not offer


async def test_options_tells_what_is_allowed(client):
    """A writable share with locks is class 2 and names its methods."""
    answer = await client("OPTIONS")

    assert (answer.status, answer.headers["DAV"], answer.headers["MS-Author-Via"]) == (200, "1, 2", "DAV")
    assert {"PUT", "LOCK", "PROPFIND"} <= set(answer.headers["Allow"].split(", "))
    assert "POST" not in answer.headers["Allow"]


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "UNLOCK"])
async def test_read_only_share_refuses_every_write(client, method):
    """Without the permission to write no method changes anything, and OPTIONS offers none."""
    client.served.allow(READ_ONLY)
    before = tree(client.served.folder)

    answer = await client(method, "hello.txt", body=b"x", Destination=f"{PREFIX}/x", Lock_Token="<x>")
    options = await client("OPTIONS")

    assert answer.status == 403
    assert tree(client.served.folder) == before
    assert options.headers["Allow"] == "OPTIONS, GET, HEAD, PROPFIND"
    assert options.headers["DAV"] == "1"


async def test_without_locks_there_is_no_class_2(client):
    """Where nothing can be locked, that is not promised."""
    client.served.wrap(lambda backend: backend)

    options = await client("OPTIONS")
    lock, _ = await take(client)
    found = await client.find("hello.txt", D + "supportedlock")

    assert (options.headers["DAV"], lock.status) == ("1", 405)
    assert "LOCK" not in options.headers["Allow"]
    assert len(found[f"{PREFIX}/hello.txt"][0][D + "supportedlock"]) == 0


@pytest.mark.parametrize("method", ["POST", "PATCH", "REPORT", "SEARCH", "MKCALENDAR", "TRACE", "ACL"])
async def test_other_methods_are_not_served(client, method):
    """What is not offered is 405 with what is, never 501."""
    answer = await client(method, "hello.txt")

    assert answer.status == 405
    assert "PROPFIND" in answer.headers["Allow"]


async def test_failing_storage_is_an_outage_whatever_it_lacks(client):
    """What the storage cannot do at all is a refusal and not a server error, on which peers give up a mount."""

    def incapable(_backend):
        return Incapable()

    client.served.wrap(incapable)

    assert (await client("GET", "hello.txt")).status == 403


class Incapable:
    """A storage that can do nothing."""

    async def stat(self, path):
        raise GatewayError(Kind.NOT_IMPLEMENTED, "This storage cannot do that.")


async def test_folder_tag_is_made_by_the_share(client):
    """Where a folder's own tag does not follow what is below it, peers see the one that does."""

    async def tag(entry):
        return f'"counted-{len(entry.path.parts)}"'

    client.served.share = type(client.served.share)(
        backend=client.served.share.backend,
        permissions=READ_ONLY,
        root=client.served.share.root,
        folder_etag=tag,
    )

    found = await client.find("", D + "getetag", depth=1)

    assert found[f"{PREFIX}/"][0][D + "getetag"].text == '"counted-0"'
    assert found[f"{PREFIX}/sub/"][0][D + "getetag"].text == '"counted-1"'
    assert not found[f"{PREFIX}/hello.txt"][0][D + "getetag"].text.startswith('"counted')
