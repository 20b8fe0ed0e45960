import aiohttp
import pytest

from support.redisserver import make_store, private_server, server_program
from support.webapp import basic, user_app


@pytest.fixture(scope="session")
def store_url():
    """A private store for the tests of this process."""
    with private_server(server_program("embedded")) as url:
        yield url


@pytest.fixture
async def app(store_url, tmp_path):
    """The doors of local users, with Alice, Bob and another provider."""
    async with make_store(store_url) as store, user_app(store, tmp_path) as app:
        yield app


@pytest.fixture
async def alice(app):
    """Alice's own program: it sends her name and pass word with each request."""
    async with aiohttp.ClientSession(f"{app.url}/ocm/api/v1/", headers=basic("alice")) as session:
        yield session
