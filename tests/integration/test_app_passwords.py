"""App passwords, at a running gateway: they open the mount and nothing else, end at once, and cannot be guessed."""

import asyncio
import base64

import aiohttp
import pytest
import yaml

from support.mounted import mounted
from support.pair import Clock

D_LIST = {"Depth": "1"}


@pytest.fixture
async def here(tmp_path):
    """Bob's mount."""
    async with mounted(tmp_path, clock=Clock()) as here:
        yield here


async def made(here, name="Laptop"):
    """Make an app password over REST and return what was answered."""
    status, document = await here.bob.rest("POST", "app-passwords", json={"name": name})
    assert status == 201, document
    return document


async def test_it_opens_the_mount_and_nothing_else(here):
    """With an app password the mount is read and changed; the REST interface and own files stay closed to it."""
    password = (await made(here))["password"]
    assert await here.status("PROPFIND", password=password, headers=D_LIST) == 207
    assert await here.status("PUT", "Project/new.txt", password=password, data=b"new") == 201
    assert (here.files / "Project" / "new.txt").read_bytes() == b"new"
    assert await here.status("PROPFIND", password=password, user="BOB", headers=D_LIST) == 207
    assert await here.status("PROPFIND", password=password, user="alice", headers=D_LIST) == 401
    for path in ("me", "files/", "received", "app-passwords"):
        assert (await _rest_with(here, path, password))[0] == 401


async def test_it_is_listed_without_what_opens_anything(here):
    """A list tells names and last uses, and neither the list nor the store holds the password."""
    password = (await made(here, "Work station"))["password"]
    (one,) = (await here.bob.rest("GET", "app-passwords"))[1]["app_passwords"]
    assert (one["name"], one["used_at"], one["used_from"]) == ("Work station", None, "")
    await here.status("PROPFIND", password=password, headers=D_LIST)
    (one,) = (await here.bob.rest("GET", "app-passwords"))[1]["app_passwords"]
    assert one["used_at"] is not None
    assert one["used_from"] == "127.0.0.1"
    assert "password" not in one
    stored = [path.read_bytes() for path in here.bob.config.data_dir.rglob("*") if path.is_file()]
    assert stored
    assert not any(password.encode() in data for data in stored)


async def test_withdrawn_it_opens_nothing_at_once(here):
    """The request after the withdrawal is refused, and another user's hand reaches none of it."""
    document = await made(here)
    assert (await here.alice.rest("DELETE", f"app-passwords/{document['id']}"))[0] == 404
    assert await here.status("PROPFIND", password=document["password"], headers=D_LIST) == 207
    assert (await here.bob.rest("DELETE", f"app-passwords/{document['id']}"))[0] == 204
    assert await here.status("PROPFIND", password=document["password"], headers=D_LIST) == 401
    assert (await here.bob.rest("DELETE", f"app-passwords/{document['id']}"))[0] == 404


async def test_a_running_download_ends_with_it(here):
    """A download that goes on slowly is cut within about a second of the withdrawal of what opened it."""
    (here.files / "Project" / "large.bin").write_bytes(bytes(64 * 1024 * 1024))
    document = await made(here)
    packed = {"Authorization": _basic("bob", document["password"])}
    got = 0
    async with here.bob.session.get(f"{here.url}Project/large.bin", headers=packed) as answer:
        assert answer.status == 200
        got += len(await answer.content.readexactly(64 * 1024))
        assert (await here.bob.rest("DELETE", f"app-passwords/{document['id']}"))[0] == 204
        here.bob.clock.ahead += 2.0
        with pytest.raises(aiohttp.ClientError):
            got += len(await answer.content.read())
    assert got < 64 * 1024 * 1024


async def test_guesses_are_counted(here):
    """After fifteen wrong app passwords the address has to wait; what is right still opens."""
    password = (await made(here))["password"]
    wrong = "app-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa"
    statuses = await asyncio.gather(*(here.status("PROPFIND", password=wrong, headers=D_LIST) for _ in range(16)))
    assert sorted(statuses) == [401] * 15 + [429]
    assert await here.status("PROPFIND", password=password, headers=D_LIST) == 207


async def test_a_user_has_no_more_than_is_allowed(tmp_path):
    """Each has a name of one line; beyond the operator's limit no more are made, until one is withdrawn."""
    async with mounted(tmp_path, mount={"app_passwords": 1}) as here:
        for name in ("", "  ", "x" * 65, "two\nlines", 7, None):
            assert (await here.bob.rest("POST", "app-passwords", json={"name": name}))[0] == 400
        first = await made(here)
        assert (await here.bob.rest("POST", "app-passwords", json={"name": "Phone"}))[0] == 409
        await here.bob.rest("DELETE", f"app-passwords/{first['id']}")
        await made(here, "Phone")


async def test_it_ends_with_its_user(here):
    """Whoever is taken out of the users file cannot come in by an app password either."""
    password = (await made(here))["password"]
    users = here.bob.config.identity.users_file
    document = yaml.safe_load(users.read_text())
    document["users"]["somebody"] = document["users"].pop("bob")
    users.write_text(yaml.safe_dump(document))
    assert await here.status("PROPFIND", password=password, headers=D_LIST) == 401


def _basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def _rest_with(here, path, password):
    async with here.bob.session.get(
        f"{here.bob.local}/ocm/api/v1/{path}", headers={"Authorization": _basic("bob", password)}
    ) as answer:
        return answer.status, await answer.read()
