"""What the middleware does to every request: a number, an end to every error, and a count."""

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs
from yarl import URL

from gateway.errors import GatewayError, Kind
from gateway.metrics import Metrics
from gateway.web.doors import Door, Lock, Style, mount
from gateway.web.middleware import stamp, watch

RAISED = {
    "known": GatewayError(Kind.FORBIDDEN, "Not you.", log="for the operator"),
    "unknown": ZeroDivisionError("path /srv/secret"),
    "gone": ClientConnectionResetError(),
    "http": web.HTTPConflict(text="conflict"),
}


@pytest.fixture
async def client():
    """A client of a door that raises what its query names, and of a place that is no door."""
    metrics = Metrics()

    async def handle(request):
        if request.query_string:
            raise RAISED[request.query_string]
        return web.Response(text="well")

    app = web.Application(middlewares=[watch(metrics)])
    app.on_response_prepare.append(stamp)
    fields = {"lock": Lock.OPEN, "style": Style.PROBLEM, "about": "a test", "handler": handle}
    mount(app, [Door(name="try", method="GET", path="/try/{name:.*}", **fields)])
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestClient(TestServer(app)) as client:
        client.metrics = metrics
        yield client


@pytest.mark.parametrize("claimed", ["", "a b", "x" * 65, "é", "a;b"])
async def test_a_request_id_is_taken_only_if_it_is_harmless(client, claimed):
    """A client's own number goes on if it can do no harm in a log; any other is replaced by one of ours."""
    assert (await client.get("/try/a", headers={"X-Request-Id": "Job-1_2.3"})).headers["X-Request-Id"] == "Job-1_2.3"
    own = (await client.get("/try/a", headers={"X-Request-Id": claimed})).headers["X-Request-Id"]
    assert own != claimed
    assert len(own) == 16


async def test_a_fault_of_ours_is_told_without_its_words(client):
    """What nobody expected is a 500 that names the request and nothing of the fault; the next request is served."""
    with capture_logs() as logs:
        answer = await client.get("/try/a?unknown")
    text = await answer.text()
    assert answer.status == 500
    assert "secret" not in text
    assert "ZeroDivision" not in text
    assert answer.headers["X-Request-Id"] in text
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["internal error"]
    assert (await client.get("/try/a")).status == 200


async def test_what_is_for_the_log_stays_there(client):
    """A refusal tells its public sentence only; the operator's is in the log."""
    with capture_logs() as logs:
        answer = await client.get("/try/a?known")
    assert answer.status == 403
    assert "for the operator" not in await answer.text()
    assert any("for the operator" in str(line.get("reason")) for line in logs)


async def test_requests_are_counted_once_whatever_comes_of_them(client):
    """Each request is counted under its door and status, and none stays in flight; odd methods share one name."""
    for query in ("", "?known", "?http", "?unknown"):
        await client.get(f"/try/a{query}")
    await client.request("REPORT", "/elsewhere")
    lines = client.metrics.render().decode().splitlines()
    counts = {line.rpartition(" ")[0] for line in lines if line.startswith("ocm_gateway_http_requests_total{")}
    for door, method, code in [("try", "GET", c) for c in (200, 403, 409, 500)] + [("passthrough", "other", 200)]:
        assert any(f'"{door}"' in line and f'"{method}"' in line and f'"{code}"' in line for line in counts), counts
    assert "ocm_gateway_http_requests_in_flight 0.0" in lines


async def test_names_of_files_are_not_in_the_usual_log(client):
    """The line of a request has its door, method and status; what was asked for stands in the debug line alone."""
    with capture_logs() as logs:
        await client.get("/try/private-name")
    usual = [line for line in logs if line["log_level"] != "debug"]
    assert [line["event"] for line in usual] == ["request"]
    assert "private-name" not in str(usual)


async def test_another_spelling_of_a_door_is_nothing(client):
    """A door that is spelled in another way is not served and not passed on; guards of browsers are on its answers."""
    assert (await client.get("/try/a")).headers["X-Content-Type-Options"] == "nosniff"

    assert (await client.get(URL("/%74ry/a", encoded=True))).status == 404
