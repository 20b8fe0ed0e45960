"""Bad input at each of the WebDAV doors of a running gateway: our own, the relay's, and the mount's.

Each request is refused as the client's fault, tells nothing of what is outside, and leaves everything as it was.
"""

import io
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from support.apache import apache
from support.davgateway import client, local_storage, site, webdav_storage
from support.mounted import mounted
from support.pair import PASSWORD

module_loop = pytest.mark.asyncio(loop_scope="module")

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "laughs": f'{LAUGHS}]><propfind xmlns="DAV:"><prop><i>&i;</i></prop></propfind>'.encode(),
    "file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop>&a;</prop></propfind>',
    "http": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>',
    "parameter": b'<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><propfind xmlns="DAV:"/>',
    "utf-16": '<!DOCTYPE x [<!ENTITY a "b">]><propfind xmlns="DAV:"><allprop/></propfind>'.encode("utf-16"),
    "deep": b'<propfind xmlns="DAV:"><prop>' + b"<a>" * 50_000,
    "large": b'<propfind xmlns="DAV:"><prop>' + b"<a/>" * 400_000 + b"</prop></propfind>",
    "undeclared": b'<propfind xmlns="DAV:"><prop>&a;</prop></propfind>',
    "unfinished": b'<propfind xmlns="DAV:"><prop>',
    "other": b"<html/>",
    "binary": b"\x00\xff\xfe",
}

ROOTS = {"PROPFIND": b"propfind", "PROPPATCH": b"propertyupdate", "LOCK": b"lockinfo"}


@dataclass
class Place:
    """A share behind one of the doors: its URL without the final slash, how to come in, and where its files are."""

    session: aiohttp.ClientSession
    url: str
    headers: dict
    files: Path
    own: Callable[[Path], None] = lambda _path: None

    async def ask(self, method, path="", *, data=None, **headers):
        """Make one request; return status and body."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.url}/{path}"
        async with self.session.request(
            method, url, data=io.BytesIO(data) if data else None, headers=self.headers | told
        ) as answer:
            return answer.status, await answer.read()

    def state(self):
        """What is in the storage."""
        return {str(path.relative_to(self.files)): path.read_bytes() for path in self.files.rglob("*.txt")}


@asynccontextmanager
async def own_door(folder):
    """Our own door, before a local folder."""
    files = folder / "storage" / "alice"
    storage = local_storage(folder / "storage")
    (files / "Project").mkdir()
    async with site(folder, storage) as here, client() as session:
        share = await here.share("/Project")
        yield Place(session, share.root.rstrip("/"), share.headers, files)


@asynccontextmanager
async def relay_door(folder):
    """The relay, before Apache."""
    with apache() as server:
        server.fresh("alice/Project")
        async with site(folder, webdav_storage(server)) as here, client() as session:
            share = await here.share("/Project")
            yield Place(session, share.root.rstrip("/"), share.headers, server.files / "alice", server.own)


@asynccontextmanager
async def mount_door(folder):
    """The mount, over what another gateway has."""
    async with mounted(folder) as here, client() as session:
        headers = {"Authorization": aiohttp.encode_basic_auth("bob", PASSWORD)}
        yield Place(session, f"{here.url}Project", headers, here.files)


DOORS = {"own": own_door, "relay": relay_door, "mount": mount_door}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DOORS)
async def place(request, tmp_path_factory):
    """A share with a file, beside one that is not shared."""
    async with DOORS[request.param](tmp_path_factory.mktemp(request.param)) as place:
        for name in ("Project/hello.txt", "private.txt"):
            (place.files / name).write_bytes(name.encode())
            place.own(place.files / name)
        yield place


@pytest.fixture(autouse=True)
def unchanged(place):
    """Nothing that is asked here changes anything."""
    before = place.state()
    yield
    assert place.state() == before


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", ROOTS)
@pytest.mark.parametrize("bomb", BOMBS)
@module_loop
async def test_no_body_is_a_bomb_or_opens_a_file(place, method, bomb):
    """Entities, document types, depth and size are refused, at once and without being looked up."""
    body = BOMBS[bomb].replace(
        b"propfind", {"PROPPATCH": b"propertyupdate", "LOCK": b"lockinfo"}.get(method, b"propfind")
    )

    status, told = await place.ask(method, "hello.txt", data=body, Depth="0")

    assert status in (400, 413, 415), (status, told[:300])
    assert b"root:" not in told
    assert len(told) < 10_000


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    "destination",
    [
        "http://evil.example/x.txt",
        "https://evil.example/ocm/dav/x.txt",
        "//evil.example/x.txt",
        "ftp://evil.example/x.txt",
        "file:///tmp/x.txt",
        "{url}/../x.txt",
        "{url}/%2e%2e/x.txt",
        "{url}/%2e%2e%2fprivate.txt",
        "{url}/a%00.txt",
        "{url}/%ff%fe.txt",
        "{url}@evil.example/x.txt",
        "/",
        "/etc/passwd",
        "x.txt",
        "",
        "{url}",
        "{url}/none/x.txt",
    ],
)
@module_loop
async def test_nothing_leaves_the_share(place, method, destination):
    """A destination on another host, outside the share, or written so that it could mean several places is refused."""
    target = destination.format(url=place.url)

    status, _ = await place.ask(method, "hello.txt", Destination=target)

    assert status in (400, 403, 404, 409, 502), status


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    "path",
    ["../private.txt", "%2e%2e/private.txt", "..%2fprivate.txt", "%2e%2e%2fprivate.txt", "x/%2e%2e/%2e%2e/private.txt",
     "hello.txt%00", "..%5cprivate.txt", "%ff%fe", "n" * 300, "d/" * 300, "hello.txt/below"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND", "MKCOL"])
@module_loop
async def test_no_path_leads_out(place, method, path):
    """No spelling of a path reaches what lies beside the share, and none is an outage."""
    async with place.session.request(
        method,
        aiohttp.client.URL(f"{place.url}/{path}", encoded=True),
        headers=place.headers | {"Depth": "0"},
        data=b"x" if method == "PUT" else None,
    ) as answer:
        assert 400 <= answer.status < 500, answer.status


@pytest.mark.parametrize(
    ("field", "statuses"),
    [
        ("bytes=100-", {416}),
        ("bytes=17-17", {416}),
        # A number that no file has may be ignored too (RFC 9110, 14.2).
        ("bytes=9223372036854775808-", {200, 416}),
        ("bytes=18446744073709551616-18446744073709551617", {200, 416}),
        ("bytes=-0", {416, 200}),
        ("bytes=-9999999999999999999", {200, 206}),
        ("bytes=5-2", {200, 400, 416}),
        ("bytes=--5", {200, 400}),
        ("bytes=a-b", {200, 400}),
        ("lines=1-2", {200, 400}),
        ("bytes=" + ",".join(["0-0"] * 120), {200, 206, 400}),
    ],
)
@module_loop
async def test_ranges_beyond_the_end_are_told(place, field, statuses):
    """Whoever asks for what is not there is told so; nonsense is ignored or refused, and no byte is made up."""
    status, told = await place.ask("GET", "hello.txt", Range=field)

    assert status in statuses, status
    if status == 200:
        assert told == b"Project/hello.txt"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PROPFIND", {"Depth": "2"}),
        ("PROPFIND", {"Depth": "infinity"}),
        ("PUT", {"Content_Range": "bytes 0-3/9"}),
        ("PUT", {"If": "(" + "<a>" * 101 + ")"}),
        ("PUT", {"If": "(<opaquelocktoken:unknown>)"}),
        ("PUT", {"If_Match": '"no such tag"'}),
        ("DELETE", {"If": "</elsewhere> (<urn:uuid:1>)"}),
        ("UNLOCK", {"Lock_Token": "<opaquelocktoken:unknown>"}),
        ("UNLOCK", {}),
        ("COPY", {}),
        ("COPY", {"Source": "http://127.0.0.1:1/"}),
        ("POST", {}),
        ("PATCH", {}),
        ("TRACE", {}),
        ("SEARCH", {}),
        ("ACL", {}),
    ],
)
@module_loop
async def test_wrong_methods_and_conditions_change_nothing(place, method, headers):
    """What is not served or does not hold is refused by a status of its own, never by an outage."""
    status, _ = await place.ask(method, "hello.txt", data=b"other" if method == "PUT" else None, **headers)

    assert status in (400, 403, 404, 405, 409, 412, 423), status
