"""What Windows is told of the folders above the mount, with and without a service behind us."""

from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.metrics import Metrics
from gateway.web.parents import Parents
from gateway.web.passthrough import Elsewhere
from gateway.web.places import Places
from support.passrig import passing

WINDOWS = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045"}
OFFICE = {"User-Agent": "Microsoft Office Existence Discovery"}


@asynccontextmanager
async def elsewhere(status=None):
    """Serve what is not a door's, before a service that answers everything with `status`, if any."""

    async def answer(_request):
        return web.Response(status=status, text="the service", headers={"DAV": "of the service"})

    old = web.Application()
    old.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(old) as service, aiohttp.ClientSession() as session:
        behind = passing(str(service.make_url("/")).rstrip("/"), Metrics())
        here = Elsewhere(
            behind=None if status is None else behind,
            parents=Parents("/ocm/received"),
            places=Places(prefix="/ocm", pass_probes=False),
        )
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", here.answer)
        async with TestServer(app) as server:

            async def ask(method, path, headers):
                async with session.request(method, server.make_url(path), headers=headers) as answer:
                    return answer.status, answer.headers, await answer.text()

            yield ask
        behind.pool.close()


@pytest.mark.parametrize("agent", [WINDOWS, OFFICE])
@pytest.mark.parametrize("path", ["/", "/ocm", "/ocm/"])
async def test_each_folder_above_speaks_webdav(agent, path):
    """OPTIONS and PROPFIND of Windows and its office programs find a folder, with the next one in it."""
    async with elsewhere() as ask:
        status, headers, _ = await ask("OPTIONS", path, agent)
        assert (status, headers["DAV"], headers["MS-Author-Via"]) == (200, "1, 2", "DAV")
        status, headers, alone = await ask("PROPFIND", path, {**agent, "Depth": "0"})
        assert (status, headers["Content-Type"]) == (207, "application/xml; charset=utf-8")
        assert alone.count("<d:collection/>") == 1
        _, _, both = await ask("PROPFIND", path, {**agent, "Depth": "1"})
        below = "/ocm/" if path == "/" else "/ocm/received/"
        assert both.count("<d:collection/>") == 2
        assert f"<d:href>{below}</d:href>" in both


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PROPFIND", "/", {"User-Agent": "gvfs/1.50"}),
        ("OPTIONS", "/ocm", {}),
        ("PROPFIND", "/ocm/receive", WINDOWS),
        ("PROPFIND", "/other", WINDOWS),
        ("GET", "/ocm", WINDOWS),
        ("DELETE", "/", WINDOWS),
    ],
)
async def test_nobody_else_finds_anything(method, path, headers):
    """Other programs, other paths and other methods get what they always got: nothing is here."""
    async with elsewhere() as ask:
        assert (await ask(method, path, headers))[0] == 404


@pytest.mark.parametrize("status", [200, 207, 301, 403, 500])
async def test_a_service_that_answers_has_its_say(status):
    """What a service behind us answers at `/` stands, to Windows too."""
    async with elsewhere(status) as ask:
        answered, headers, _ = await ask("PROPFIND", "/", WINDOWS)
        assert (answered, headers["DAV"]) == (status, "of the service")


@pytest.mark.parametrize("status", [401, 404, 405])
async def test_a_service_without_webdav_is_stood_in_for(status):
    """Where the service knows nothing of WebDAV, Windows alone is told of a folder."""
    async with elsewhere(status) as ask:
        assert (await ask("PROPFIND", "/", WINDOWS))[0] == 207
        assert (await ask("OPTIONS", "/", WINDOWS))[1]["DAV"] == "1, 2"
        answered, headers, text = await ask("PROPFIND", "/", {})
        assert (answered, headers["DAV"], text) == (status, "of the service", "the service")
