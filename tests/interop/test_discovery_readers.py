"""Every deployed server can read our discovery document, at the path that it asks and under the name that it has."""

import copy
import itertools

import pytest
from interop import readers
from interop.readers import READERS, Unreadable

from support.pair import folder_storage, side

PATHS = ("/.well-known/ocm", "/ocm-provider", "/ocm-provider/", "/ocm-provider/index.php")
NOBODYS_PATHS = ("/status.php", "/ocs-provider/", "/ocs/v2.php/cloud/shares", "/remote.php/dav", "/x")
AGENTS = (readers.NEXTCLOUD, readers.OWNCLOUD, readers.GO, readers.REQUESTS, "")


@pytest.fixture
async def gateway(tmp_path):
    """A running gateway."""
    async with side(tmp_path, "here", "alice", folder_storage(tmp_path, "alice")) as running:
        yield running


@pytest.mark.req("DISC-1")
@pytest.mark.req("DISC-3")
async def test_every_server_finds_us(gateway):
    """Each reader takes our end point and our WebDAV root from what it is served."""
    found = {reader.name: await readers.discover(reader, gateway.session, gateway.local) for reader in READERS}
    base = gateway.config.public_url
    assert {reader.end_point for reader in found.values()} == {f"{base}/ocm"}
    roots = {found[name].webdav for name in found if name.startswith(("Nextcloud", "ownCloud"))}
    assert roots == {f"{base}/ocm/dav/"}
    assert {found[name].webdav for name in ("OpenCloud", "CERNBox", "Seafile")} == {"/ocm/dav/"}


@pytest.mark.req("DISC-1")
async def test_direct_json_at_every_path(gateway):
    """All four paths answer GET and HEAD with JSON at once, to everybody: no redirect, no cookie, varying by reader."""
    for path, agent in itertools.product(PATHS, AGENTS):
        options = {"headers": {"User-Agent": agent}, "allow_redirects": False}
        async with gateway.session.get(gateway.local + path, **options) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert "User-Agent" in answer.headers["Vary"]
            assert "Set-Cookie" not in answer.headers
            assert (await answer.json())["enabled"] is True
        async with gateway.session.head(gateway.local + path, **options) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_nothing_else_answers(gateway):
    """What nobody serves here is 404: a 200 would make some servers believe that a share exists, or mistake us."""
    for method, path in itertools.product(("GET", "POST"), NOBODYS_PATHS):
        async with gateway.session.request(method, gateway.local + path) as answer:
            assert answer.status == 404


async def test_our_keys_are_where_the_document_says(gateway):
    """The key set that the newest servers look for has an algorithm and a name on our host in every key."""
    reader = next(reader for reader in READERS if reader.name == "Nextcloud 35")
    found = await readers.discover(reader, gateway.session, gateway.local)
    path = found.document["jwksUri"].removeprefix(gateway.config.public_url)
    async with gateway.session.get(gateway.local + path) as answer:
        keys = (await answer.json())["keys"]
    assert keys
    for key in keys:
        assert key["kid"].startswith(gateway.config.public_url)
        assert key["alg"] in {"Ed25519", "ES256"}


GOOD = {
    "enabled": True,
    "apiVersion": "1.0-proposal1",
    "version": "1.1",
    "endPoint": "https://h/ocm",
    "jwksUri": "https://h/ocm/jwks",
    "resourceTypes": [
        {"name": "file", "shareTypes": ["user"], "protocols": {"webdav": "/dav/"}},
        {"name": "folder", "shareTypes": ["user"], "protocols": {"webdav": "/dav/"}},
    ],
}


def changed(change):
    """Return the good document with a change."""
    document = copy.deepcopy(GOOD)
    change(document)
    return document


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Nextcloud 27", lambda d: d.update(apiVersion="1.1.0")),
        ("Nextcloud 28", lambda d: d.update(apiVersion="1.4.0")),
        ("Nextcloud 31", lambda d: d.update(apiVersion="", version="")),
        ("Nextcloud 31", lambda d: d.update(endPoint="/ocm")),
        ("Nextcloud 31", lambda d: d.update(endPoint="https://h/ocm/")),
        ("Nextcloud 31", lambda d: d.update(publicKey="-----BEGIN")),
        ("Nextcloud 31", lambda d: d.update(publicKey={"publicKeyPem": "x", "keyId": "key1"})),
        ("Nextcloud 31", lambda d: d["resourceTypes"][1].update(shareTypes={})),
        ("Nextcloud 35", lambda d: d.update(jwksUri="https://other/jwks")),
        ("ownCloud 10", lambda d: d.update(enabled=1)),
        ("OpenCloud", lambda d: d["resourceTypes"][0]["protocols"].update({"webdav-receive": {}})),
        ("CERNBox", lambda d: d["resourceTypes"].pop()),
        ("Seafile", lambda d: d["resourceTypes"].reverse()),
    ],
)
def test_the_readers_are_strict(name, change):
    """The readers of this test do check: each takes a good document, and refuses one with a fault that it would see."""
    reader = next(reader for reader in READERS if reader.name == name)
    reader.read(GOOD)
    with pytest.raises(Unreadable):
        reader.read(changed(change))
