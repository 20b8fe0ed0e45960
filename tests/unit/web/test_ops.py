"""What the operations listener tells, also while the store is away."""

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.errors import unavailable
from gateway.metrics import Metrics
from gateway.web.ops import OpsDoors, Readiness


class Health:
    """A store that may be away."""

    def __init__(self):
        self.asked = 0
        self.is_away = False

    async def check_marker(self):
        self.asked += 1
        if self.is_away:
            raise unavailable("The store does not answer.", log="redis://:secret@store")


@pytest.fixture
async def ops():
    """The listener's client, with what stands behind it."""
    health, readiness = Health(), Readiness()
    doors = OpsDoors(
        metrics=Metrics(), health=health, readiness=readiness, count_streams=lambda: 3, facts={"version": "9"}
    )
    async with TestClient(TestServer(doors.build())) as client:
        client.health, client.readiness = health, readiness
        yield client


async def test_probes_never_ask_the_store(ops):
    """A store that is away takes no gateway down: liveness and readiness do not even ask it."""
    ops.health.is_away = True
    for is_ready, status in ((False, 503), (True, 200), (False, 503)):
        ops.readiness.is_ready = is_ready
        assert (await ops.get("/healthz")).status == 200
        assert {(await ops.get(path)).status for path in ("/readyz", "/startupz")} == {status}
    assert ops.health.asked == 0


async def test_status_tells_of_the_store_in_public_words(ops):
    """The state names each part; of a failing store it says what may be shown and nothing of what is for the log."""
    assert await (await ops.get("/status")).json() == {"version": "9", "store": "ok", "streams": 3}
    ops.health.is_away = True
    answer = await ops.get("/status")
    assert (answer.status, (await answer.json())["store"]) == (200, "The store does not answer.")
    assert "secret" not in await answer.text()


async def test_metrics_follow_the_store(ops):
    """The scrape asks for the store's state each time, and answers in any case."""
    for is_away, value in ((False, "1.0"), (True, "0.0"), (False, "1.0")):
        ops.health.is_away = is_away
        answer = await ops.get("/metrics")
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert f"ocm_gateway_store_up {value}" in text
        assert "ocm_gateway_streams 3.0" in text


async def test_only_reading_is_served(ops):
    """The listener has no door that changes anything."""
    for path in ("/healthz", "/status", "/metrics"):
        assert (await ops.post(path)).status == 405
    with pytest.raises(aiohttp.ClientResponseError):
        (await ops.get("/ocm/api/v1/me")).raise_for_status()
