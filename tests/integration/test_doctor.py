"""The self-test finds what breaks federations: planted by a proxy or a setting, and tells the remedy."""

from email.utils import formatdate
from unittest.mock import patch

import pytest
from aiohttp import web

from gateway.app.doctor import examine
from gateway.crypto.jws import new_private_key, public_pem
from gateway.errors import unavailable
from gateway.store.redis_health import RedisHealth
from support.doctorproxy import FaultyProxy
from support.fakepeer import FakePeer
from support.pair import Clock, folder_storage, side


@pytest.fixture
async def gateway(tmp_path):
    """Run a gateway before a folder."""
    async with side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice")) as running:
        yield running


@pytest.fixture
async def proxy(gateway):
    """Run a proxy before it, which does no harm yet."""
    async with FaultyProxy.running(gateway.config.http.port) as running:
        yield running


async def examined(gateway, proxy, **options):
    return await examine(gateway.config, via=proxy.place, user="alice", **options)


def told(report, name, state="failed"):
    """Return what a report says under a name in a state, as one text."""
    found = [one for one in report.findings if one.name == name and one.result.state == state]
    assert found, report.text()
    return "\n".join(one.text() for one in found)


async def test_a_healthy_gateway_is_in_order(gateway, proxy):
    """Behind a proxy that does no harm nothing fails, and the status is 0."""
    report = await examined(gateway, proxy)
    assert [one.text() for one in report.findings if one.result.state == "failed"] == []
    assert report.status(strict=False) == 0


async def test_end_point_with_another_host(gateway, proxy):
    """An end point that names another host than people's addresses is found."""
    ours = gateway.config.public_url.encode()
    proxy.rewrite = lambda body: body.replace(b'"endPoint": "' + ours, b'"endPoint": "https://inside.example.org')
    report = await examined(gateway, proxy)
    assert "endPoint says inside.example.org" in told(report, "one-name")
    assert "public_url" in told(report, "one-name")
    assert report.status(strict=False) == 1


async def test_prefix_stripped(gateway, proxy):
    """A proxy that takes our prefix off the path is found, with the line that does it."""
    proxy.target = lambda target: target.removeprefix("/ocm") or "/"
    report = await examined(gateway, proxy)
    assert "proxy_pass http://gateway:8080;" in told(report, "jwks")
    assert "proxy_pass http://gateway:8080;" in told(report, "signature")


async def test_slashes_merged(gateway, proxy):
    """A proxy that decodes or merges what stands in a path is found."""
    proxy.target = lambda target: target.replace("//", "/").replace("%2F", "/")
    words = told(await examined(gateway, proxy), "target")
    assert "/ocm/doctor/a//b arrives as /ocm/doctor/a/b" in words
    assert "/ocm/doctor/a%2Fb arrives as /ocm/doctor/a/b" in words
    assert "nocanon" in words


@pytest.mark.parametrize("path", ["/.well-known/ocm", "/ocm-provider/"])
async def test_discovery_answered_by_a_page(gateway, proxy, path):
    """A page where the document should be is found, at whichever of the paths."""
    page = web.Response(text="<html>Log in</html>", content_type="text/html", headers={"Server": "proxy"})
    proxy.pages[path] = page
    words = told(await examined(gateway, proxy), "discovery")
    assert f"{path} does not answer with a document: 200 (text/html) by something before it" in words
    assert f"let the proxy pass {path} to the gateway" in words


async def test_discovery_redirected(gateway, proxy):
    """A redirect where the document should be is found."""
    proxy.pages["/ocm-provider"] = web.Response(status=301, headers={"Location": "/ocm-provider/"})
    words = told(await examined(gateway, proxy), "discovery")
    assert "/ocm-provider does not answer with a document: 301 and a redirect to '/ocm-provider/'" in words
    assert "let the proxy leave the path as it is" in words


async def test_clock_of_the_gateway_off(gateway, proxy):
    """A gateway whose clock is ten minutes ahead is found, by its clock and by its signatures."""
    gateway.clock.ahead = 600
    report = await examined(gateway, proxy)
    assert "the gateway is 10 min ahead" in told(report, "clock")
    assert "NTP" in told(report, "signature")


async def test_own_clock_off(gateway, proxy):
    """A machine whose own clock is ten minutes behind is found by the answers of the others."""
    gateway.clock.ahead = -600
    report = await examined(gateway, proxy, now=gateway.clock)
    assert "the public answer is 10 min ahead; the gateway agrees" in told(report, "clock")


async def test_all_of_our_clocks_off(tmp_path):
    """Where this machine, the gateway and the proxy are all an hour wrong, a directory outside tells it."""
    storage = folder_storage(tmp_path / "files", "alice")
    key = tmp_path / "directory.pem"
    key.write_text(public_pem(new_private_key()))
    async with FakePeer.running() as registry:
        source = {"url": f"{registry.url}/list", "keys_file": str(key)}
        peers = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"], "directories": [source]}
        clock = Clock(ahead=-3600)
        async with (
            side(tmp_path, "alice", "alice", storage, peers=peers, clock=clock) as gateway,
            FaultyProxy.running(gateway.gateway.port) as proxy,
        ):
            proxy.answer_fields = {"Date": formatdate(clock(), usegmt=True)}
            words = told(await examined(gateway, proxy, now=clock), "clock")
            assert f"the directory at {registry.host} is 60 min ahead" in words
            assert "the public answer agrees; the gateway agrees" in words


async def test_no_clock_outside(gateway, proxy):
    """Where nobody outside was asked for the time, that is told, since our clocks may be wrong together."""
    assert "name a peer" in told(await examined(gateway, proxy), "clock", "info")


async def test_embedded_store_without_an_operations_port(gateway, proxy):
    """The running gateway tells of its embedded store by its own door, where it has no operations port."""
    assert "The embedded store answers" in told(await examined(gateway, proxy), "store", "ok")
    with patch.object(RedisHealth, "check_marker", side_effect=unavailable("The store was emptied.")):
        words = told(await examined(gateway, proxy), "store")
    assert "The store was emptied." in words
    assert "ocm-gateway store init" in words


async def test_body_limit(gateway, proxy):
    """A proxy that takes only 16 KiB is found, with what passes and what does not."""
    proxy.max_bytes = 16 * 1024
    words = told(await examined(gateway, proxy), "size")
    assert "A body of 65536 bytes does not pass" in words
    assert "one of 8192 does" in words
    assert "client_max_body_size 0;" in words


async def test_fields_stripped(gateway, proxy):
    """Each field that does not pass is named, and the others are not."""
    lost = ("Authorization", "Signature", "Signature-Input", "Digest", "Depth", "Destination", "If")
    proxy.lost = {name.lower() for name in lost}
    words = told(await examined(gateway, proxy), "fields")
    assert f"do not arrive: {', '.join(sorted(lost, key=words.index))}." in words
    assert "proxy_set_header Authorization" in words


async def test_field_changed(gateway, proxy):
    """A field that arrives with another value is named, and the value is not shown."""
    proxy.lost = {"authorization"}
    proxy.added = {"Authorization": "Basic c2VzYW1lOm9wZW4="}
    report = await examined(gateway, proxy)
    assert "arrive with another value: Authorization" in told(report, "fields")
    assert "c2VzYW1l" not in report.text()


async def test_other_host_passed_on(gateway, proxy):
    """A proxy that tells the gateway another host is found."""
    proxy.lost = {"host"}
    words = told(await examined(gateway, proxy), "fields", "warning")
    assert "proxy_set_header Host $http_host;" in words


async def test_signature_stripped_is_a_missing_signature(gateway, proxy):
    """Without its field a signature is told to be missing, in both ways of signing."""
    proxy.lost = {"signature"}
    words = told(await examined(gateway, proxy), "signature")
    assert words.count("does not arrive") == 2


async def test_method_blocked(gateway, proxy):
    """A method that the proxy refuses is named."""
    proxy.blocked = {"PROPFIND"}
    words = told(await examined(gateway, proxy), "methods")
    assert "PROPFIND with 405" in words
    assert "MKCOL" not in words
    assert "limit_except" in words


async def test_status_page_answered(gateway, proxy):
    """A page that makes peers take us for another product is found."""
    proxy.pages["/status.php"] = web.json_response({"installed": True, "version": "31.0.0"})
    words = told(await examined(gateway, proxy), "probes")
    assert "/status.php with 200" in words
    assert "return 404" in words


async def test_address_that_is_not_in_the_name_service(tmp_path):
    """An address that we are seen from, and that is none of the public name's, is found."""
    trusting = {"http": {"port": 0, "drain_seconds": "1s", "trusted_proxies": ["127.0.0.1"]}}

    async def lookup(_name):
        return ("192.0.2.7",)

    storage = folder_storage(tmp_path / "files", "alice")
    async with (
        side(tmp_path, "alice", "alice", storage, **trusting) as gateway,
        FaultyProxy.running(gateway.gateway.port) as proxy,
    ):
        proxy.added = {"X-Forwarded-For": "8.8.8.8"}
        report = await examined(gateway, proxy, lookup=lookup)
        words = told(report, "egress", "warning")
        assert "We are seen from 8.8.8.8, but alice.localhost leads to 192.0.2.7." in words
        assert "The proxy at 127.0.0.1 is believed" in told(report, "proxies", "ok")
        proxy.added = {"X-Forwarded-For": "192.0.2.7"}
        assert "seen from 192.0.2.7" in told(await examined(gateway, proxy, lookup=lookup), "egress", "ok")


async def test_proxy_that_is_not_trusted(gateway, proxy):
    """A proxy that names the client without being trusted is told with the very line to add."""
    proxy.added = {"X-Forwarded-For": "192.0.2.7"}
    words = told(await examined(gateway, proxy), "proxies", "warning")
    assert 'http.trusted_proxies: ["127.0.0.1/32"]' in words


async def test_several_faults_at_once(gateway, proxy):
    """Many faults at once are all told, in one report that says how many there are."""
    proxy.max_bytes = 16 * 1024
    proxy.blocked = {"PROPFIND", "LOCK"}
    proxy.pages["/status.php"] = web.json_response({})
    report = await examined(gateway, proxy)
    assert {one.name for one in report.findings if one.result.state == "failed"} == {"size", "methods", "probes"}
    assert "does not work as it should: 3 things to mend" in report.verdict
    assert report.document["is_good"] is False


async def test_gateway_away(gateway, proxy):
    """A proxy that does not reach the gateway is told once, and the other checks are not run."""
    for path in ("/.well-known/ocm", "/ocm/jwks"):
        proxy.pages[path] = web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
    report = await examined(gateway, proxy)
    assert "start the gateway" in told(report, "answer")
    assert "not run" in told(report, "outside", "info")
    assert "jwks" not in {one.name for one in report.findings}
