"""What the operator hears of the store."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from gateway.errors import GatewayError, Kind
from support.redisserver import make_store, private_server, server_program


def refused(kind):
    return pytest.raises(GatewayError, check=lambda error: error.kind is kind)


async def test_a_living_store_answers(store):
    """A store that is there answers a ping."""
    await store.health.ping()


async def test_a_store_without_our_marker_is_unavailable(store):
    """An empty store is not taken for ours."""
    with refused(Kind.UNAVAILABLE):
        await store.health.check_marker()


async def test_a_store_with_our_marker_is_ours(store):
    """Once marked, a store is ours, and marking it again changes nothing."""
    await store.health.write_marker()
    await store.health.write_marker()

    await store.health.check_marker()


async def test_a_store_of_another_instance_is_refused(store, server_url):
    """A store marked by another instance is neither believed nor marked again."""
    await store.health.write_marker()
    async with make_store(server_url, prefix=store._keyspace.prefix, instance_id="instance-2") as other:
        with refused(Kind.UNAVAILABLE):
            await other.health.check_marker()
        with refused(Kind.CONFIGURATION):
            await other.health.write_marker()
    await store.health.check_marker()


async def test_a_store_that_is_away_is_unavailable_soon():
    """Where nobody listens, the caller hears so within about two seconds."""
    async with make_store("unix:///nonexistent/socket") as store:
        start = time.monotonic()
        with refused(Kind.UNAVAILABLE):
            await store.health.ping()

    assert time.monotonic() - start < 2.5


async def test_a_store_that_hangs_is_unavailable_soon(tmp_path):
    """Where somebody listens and never answers, the caller hears so within about two seconds."""

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(silent, tmp_path / "s")
    async with server, make_store(f"unix://{tmp_path}/s") as store:
        start = time.monotonic()
        with refused(Kind.UNAVAILABLE):
            await store.health.ping()

        assert time.monotonic() - start < 2.5


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_store_that_evicts_is_refused(policy):
    """A server that may drop keys is refused at start."""
    with private_server(server_program("embedded"), "--maxmemory-policy", policy) as url:
        async with make_store(url) as store:
            with refused(Kind.CONFIGURATION):
                await store.health.check_server()


@pytest.mark.parametrize("setting", ["yes", "no"])
async def test_a_store_without_persistence_is_told(setting):
    """A server without an append-only file is used, with a warning."""
    with private_server(server_program("embedded"), "--appendonly", setting) as url, capture_logs() as logs:
        async with make_store(url) as store:
            await store.health.check_server()

    assert [entry["log_level"] for entry in logs] == ([] if setting == "yes" else ["warning"])


@pytest.mark.parametrize("url", ["", "http://host", "redis+sentinel://host", "redis://host:port"])
def test_unusable_urls_are_refused(url):
    """A URL that leads to no store is a fault of the configuration."""
    with refused(Kind.CONFIGURATION):
        make_store(url)


@pytest.mark.parametrize("prefix", ["a{b}", "a*", " ", "a b"])
def test_unusable_prefixes_are_refused(prefix):
    """A prefix that Redis would read as a pattern or hash tag is a fault of the configuration."""
    with refused(Kind.CONFIGURATION):
        make_store("redis://localhost", prefix=prefix)
