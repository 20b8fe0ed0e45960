import pytest

from support.redisserver import make_store, private_server, server_program


@pytest.fixture(scope="session")
def store_url():
    """A private store for the tests of this process."""
    with private_server(server_program("embedded")) as url:
        yield url


@pytest.fixture
async def store(store_url):
    """A store with keys of its own."""
    async with make_store(store_url) as store:
        yield store
