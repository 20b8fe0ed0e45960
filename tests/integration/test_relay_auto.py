"""`relay: auto` relays to a storage whose locks were seen to hold, and serves WebDAV itself where they are faked."""

import pytest

from support.apache import apache
from support.davgateway import client, site, webdav_storage
from support.wsgi import wsgidav

LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SET = '<propertyupdate xmlns="DAV:"><set><prop><mark xmlns="urn:test">of-bob</mark></prop></set></propertyupdate>'
ASK = '<propfind xmlns="DAV:"><prop><mark xmlns="urn:test"/></prop></propfind>'
STORAGES = {"real locks": apache, "faked locks": lambda: wsgidav(fakes_locks=True)}


@pytest.fixture(params=STORAGES)
async def kind_share_server(request, tmp_path):
    """A share before a storage of each kind, and the storage itself."""
    with STORAGES[request.param]() as server:
        server.fresh("alice/Project")
        file = server.files / "alice/Project/hello.txt"
        file.write_bytes(b"hello")
        server.own(file)
        async with site(tmp_path, webdav_storage(server, relay="auto")) as here:
            yield request.param, await here.share("/Project"), server


async def test_a_storage_is_relayed_to_if_its_locks_hold(kind_share_server):
    """What a peer sets is handed to the storage where that is relayed to, and to no storage that fakes locks."""
    kind, share, server = kind_share_server
    own = {"Depth": "0", **server.basic()}
    async with client() as session:
        answer = await session.request("PROPPATCH", f"{share.url}hello.txt", data=SET, headers=share.headers)
        assert answer.status == 207
        answer = await session.request("PROPFIND", f"{server.url}alice/Project/hello.txt", data=ASK, headers=own)
        assert ("of-bob" in await answer.text()) == (kind == "real locks")


async def test_a_peers_lock_holds_whatever_the_storage_does(kind_share_server):
    """A lock is a lock for everybody who comes through the gateway, also before a storage that only pretends."""
    _kind, share, _server = kind_share_server
    async with client() as session:
        answer = await session.request("LOCK", f"{share.url}hello.txt", data=LOCK, headers=share.headers)
        assert answer.status == 200
        token = answer.headers["Lock-Token"]
        again = await session.request("LOCK", f"{share.url}hello.txt", data=LOCK, headers=share.headers)
        assert again.status == 423
        assert (await session.put(f"{share.url}hello.txt", data=b"new", headers=share.headers)).status == 423
        holder = {"If": f"({token})", **share.headers}
        assert (await session.put(f"{share.url}hello.txt", data=b"new", headers=holder)).status == 204


async def test_nothing_is_left_of_the_probe(kind_share_server):
    """The folder in which the locks were tried is gone when the first request is answered."""
    _kind, share, server = kind_share_server
    async with client() as session:
        assert (await session.get(f"{share.url}hello.txt", headers=share.headers)).status == 200
    found = [path for path in server.files.rglob("*") if "probe" in path.name]
    assert found == []
