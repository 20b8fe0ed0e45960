"""Who looks at free space again and again does not make the gateway ask the storage each time."""

import pytest

from gateway.backends import local
from gateway.backends.webdav import WebdavBackend
from support.davgateway import client, local_storage, site, webdav_storage
from support.mounted import mounted
from support.wsgi import wsgidav

ASK = '<propfind xmlns="DAV:"><prop><quota-used-bytes/></prop></propfind>'


def counted(monkeypatch, place, name):
    """Note each call of a function."""
    calls, asked = [], getattr(place, name)

    def ask(*words):
        calls.append(words)
        return asked(*words)

    monkeypatch.setattr(place, name, ask)
    return calls


async def looks(share):
    """Ask three times for the quota of a share, and return the statuses."""
    async with client() as session:
        asked = {"data": ASK, "headers": share.headers | {"Depth": "0"}}
        return [(await session.request("PROPFIND", share.url, **asked)).status for _ in range(3)]


async def test_our_own_door_asks_once(tmp_path, monkeypatch):
    """Before storage without WebDAV, the file system is asked once for three listings; another share asks again."""
    calls = counted(monkeypatch, local, "_quota")
    async with site(tmp_path, local_storage(tmp_path / "storage")) as here:
        for name in ("Project", "Library"):
            (tmp_path / "storage" / "alice" / name).mkdir()
            assert await looks(await here.share(f"/{name}")) == [207] * 3
    assert len(calls) == 2


async def test_the_relay_asks_once(tmp_path, monkeypatch):
    """Before a WebDAV server, it is asked once, also if two shares show the same folder."""
    calls = counted(monkeypatch, WebdavBackend, "quota")
    with wsgidav() as server:
        server.fresh("alice/Project")
        async with site(tmp_path, webdav_storage(server)) as here:
            for _ in range(2):
                assert await looks(await here.share("/Project")) == [207] * 3
    assert len(calls) == 1


@pytest.mark.parametrize(("path", "expected"), [("Project", 1), ("", 0)])
async def test_a_mount_asks_once(tmp_path, monkeypatch, path, expected):
    """A program that shows the space of a mounted share makes one question to its sender, and none for the list."""
    async with mounted(tmp_path) as here:
        calls = counted(monkeypatch, WebdavBackend, "quota")
        assert [await here.status("PROPFIND", path, data=ASK, headers={"Depth": "0"}) for _ in range(3)] == [207] * 3
        assert len(calls) == expected
