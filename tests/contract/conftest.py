import os

import pytest

from support.redisserver import cluster_server, make_store, private_server, server_program


@pytest.fixture(scope="session", params=["embedded", "redis", "cluster"])
def server_url(request):
    """A private server of each kind."""
    program = server_program(request.param)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    start = cluster_server if request.param == "cluster" else private_server
    with start(program) as url:
        yield url


@pytest.fixture
async def store(server_url):
    """A store with keys of its own."""
    async with make_store(server_url) as store:
        yield store
