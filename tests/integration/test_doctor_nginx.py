"""A real proxy, set up as our page says and as people set it up, is told apart by the self-test."""

import asyncio

import pytest

from gateway.app.doctor import Place, examine
from support.nginxproxy import documented, nginx_before
from support.pair import folder_storage, side

USUAL = "server { listen 443 ssl; location / { proxy_pass http://127.0.0.1:8080/; } }"


@pytest.fixture
async def gateway(tmp_path):
    """Run a gateway before a folder, which trusts the proxies of this machine."""
    http = {"http": {"port": 0, "drain_seconds": "1s", "trusted_proxies": ["127.0.0.1"]}}
    async with side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice"), **http) as running:
        yield running


async def examined(gateway, server):
    def start():
        return nginx_before(gateway.gateway.port, server)

    running = start()
    port = await asyncio.to_thread(running.__enter__)
    try:
        return await examine(gateway.config, via=Place("127.0.0.1", port), user="alice")
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def test_as_our_page_says(gateway):
    """The proxy of our page for operators leaves everything as it should be."""
    report = await examined(gateway, documented())
    assert [one.text() for one in report.findings if one.result.state == "failed"] == []
    assert "is believed" in next(one.text() for one in report.findings if one.name == "proxies")


async def test_as_people_set_it_up(gateway):
    """The usual few lines limit bodies to 1 MiB, rewrite targets and pass on another host: each is found."""
    report = await examined(gateway, USUAL)
    words = {one.name: one.text() for one in report.findings if one.result.state in ("failed", "warning")}
    assert "one of 65536 does" in words["size"]
    assert "/ocm/doctor/a%2Fb arrives as /ocm/doctor/a/b" in words["target"]
    assert "proxy_set_header Host $http_host;" in words["fields"]
