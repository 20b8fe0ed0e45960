"""A log-in that is tried against a real WebDAV storage, and against a folder that everybody can open."""

import aiohttp
import pytest

from gateway.backends.accounts import Accounts
from gateway.backends.local import LocalBackend
from gateway.backends.storages import LocalStorage, WebdavStorage, basic
from gateway.backends.webdav import WebdavBackend
from gateway.errors import GatewayError, Kind
from gateway.identity.storage import Place, StorageLogIn
from gateway.model.secret import Secret
from support.apache import apache
from support.wsgi import wsgidav


@pytest.fixture(scope="module", params=[apache, wsgidav], ids=["mod_dav", "wsgidav"])
def server(request):
    """Two servers that were written quite differently."""
    with request.param() as server:
        yield server


@pytest.fixture
async def storage(server):
    """The server as a storage in which each user has a folder."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield WebdavStorage(
            url=f"{server.url}{{user}}",
            client=lambda url, authorize: WebdavBackend(session, url, authorize),
            accounts=Accounts(storage="default"),
            service=basic(("service", Secret(server.users["service"]))),
        )


def at(storage, *, has_homes):
    """Return the log-in that is tried at this storage."""
    home_of = storage.as_service if has_homes else None
    return StorageLogIn(lambda _login: Place(name="default", as_user=storage.as_user, home_of=home_of))


@pytest.fixture
def log_in(storage):
    return at(storage, has_homes=True)


async def test_the_storage_decides(server, log_in):
    """Right is right, wrong is nobody, and so is a name that the storage does not know."""
    assert (await log_in.check("alice", Secret(server.users["alice"]))).identifier == "alice"
    assert await log_in.check("alice", Secret("wrong")) is None
    assert await log_in.check("nobody", Secret("wrong")) is None
    assert await log_in.check("alice", Secret("ünïcode")) is None


async def test_recipients_are_known_by_their_folders(log_in):
    """Somebody who never logged in can be found; somebody without a folder cannot."""
    assert [user.identifier for user in await log_in.find("bob")] == ["bob"]
    assert await log_in.find("carol") == ()


async def test_a_storage_that_is_away_is_no_refusal():
    """Nothing is known while nothing answers."""
    async with aiohttp.ClientSession() as session:
        storage = WebdavStorage(
            url="http://127.0.0.1:1/{user}",
            client=lambda url, authorize: WebdavBackend(session, url, authorize),
            accounts=Accounts(storage="default"),
            service=basic(None),
        )
        with pytest.raises(GatewayError) as caught:
            await at(storage, has_homes=False).check("alice", Secret("x"))
    assert caught.value.kind is Kind.UNAVAILABLE


@pytest.mark.parametrize("has_homes", [True, False])
async def test_a_local_folder_proves_nobody(tmp_path, has_homes):
    """A folder of this machine lets everybody in, so no pass word is believed there."""
    (tmp_path / "alice").mkdir()
    root = f"{tmp_path}/{{user}}" if has_homes else str(tmp_path)
    storage = LocalStorage(root=root, folder=LocalBackend)
    log_in = at(storage, has_homes=has_homes)
    with pytest.raises(GatewayError, match="does not check passwords"):
        await log_in.check("alice", Secret("anything"))
