import json

import pytest

from gateway.errors import GatewayError, Kind
from gateway.peers import fetch
from gateway.peers.fetch import Fetcher, Found, Miss
from support.fakepeer import FakePeer, Reply
from support.peerrig import Guard, rig

pytestmark = pytest.mark.req("DISC-6")

PATH = "/.well-known/ocm"


def moved(location, status=302):
    return Reply(status, headers={"Location": location})


async def test_object_is_found(rig, peer):
    """A JSON object answered with 200 is found."""
    peer.replies[PATH] = Reply(body={"a": [1]})
    assert await rig.fetcher.get(peer.url + PATH) == Found({"a": [1]})


@pytest.mark.parametrize(
    ("reply", "is_temporary"),
    [
        (Reply(404, {"message": "ocm not supported"}), False),
        (Reply(401), False),
        (Reply(204), False),
        (Reply(501), False),
        (Reply(503), True),
        (Reply(429), True),
        (Reply(200, "<html>log in</html>", {"Content-Type": "text/html"}), False),
        (Reply(200, [1]), False),
        (Reply(200, b""), False),
        (Reply(200, b"\xff{}"), False),
        (Reply(200, '{"a":' * 100 + "1" + "}" * 100), False),
        (Reply(200, {"a": "x" * fetch.DOCUMENT_MAX_BYTES}), False),
        (Reply(is_endless=True), False),
        (Reply(200, b"{}", {"Content-Encoding": "gzip"}), False),
    ],
)
async def test_what_is_no_object_is_a_miss(rig, peer, reply, is_temporary):
    """An answer that is no JSON object, too large, too deep or packed is a miss with a reason."""
    peer.replies[PATH] = reply
    outcome = await rig.fetcher.get(peer.url + PATH)
    assert isinstance(outcome, Miss)
    assert outcome.reason
    assert outcome.is_temporary is is_temporary


async def test_same_host_redirect_is_followed(rig, peer):
    """Up to three redirects on the same host are followed, absolute or relative."""
    peer.replies |= {PATH: moved("/1"), "/1": moved(peer.url + "/2", 301), "/2": moved("3?x=%20", 308)}
    peer.replies["/3"] = Reply(body={"here": True})
    assert await rig.fetcher.get(peer.url + PATH) == Found({"here": True})
    assert peer.received[-1].target == "/3?x=%20"


async def test_fourth_redirect_is_not_followed(rig, peer):
    """After three redirects no more is followed."""
    peer.replies |= {PATH: moved("/1"), "/1": moved("/2"), "/2": moved("/3"), "/3": moved("/4")}
    assert await rig.fetcher.get(peer.url + PATH) == Miss("redirects too often")
    assert not peer.at("/4")


@pytest.mark.parametrize("location", ["", "http://", "ftp://localhost/", "//127.0.0.1/x", "http://user@{host}/", "h t"])
async def test_odd_redirect_is_a_miss(rig, peer, location):
    """A redirect to another place, or to no place, is not followed."""
    peer.replies[PATH] = moved(location.format(host=peer.host))
    assert isinstance(await rig.fetcher.get(peer.url + PATH), Miss)
    assert len(peer.received) <= 4


async def test_redirect_to_another_host_is_not_followed(rig, peer):
    """A redirect to another host is not followed, even to one that we could reach."""
    async with FakePeer.running() as other:
        peer.replies[PATH] = moved(other.url + PATH)
        assert isinstance(await rig.fetcher.get(peer.url + PATH), Miss)
        assert not other.received


async def test_redirect_away_from_tls_is_not_followed(rig):
    """From https no redirect leads to http, although http is allowed."""
    fetcher = Fetcher(session=rig.session, allow_http=True)
    outcome = fetcher._redirect(fetch.checked_url("https://h.example/", allow_http=True), "http://h.example/")
    assert str(outcome) == "http://h.example/"
    assert fetch.is_safe_step(fetch.checked_url("http://h.example/", allow_http=True), fetch.URL("https://h.example/"))
    assert not fetch.is_safe_step(fetch.URL("https://h.example/"), fetch.URL("http://h.example/"))


async def test_silent_server_is_unavailable(peer, rig):
    """A server that never answers is unavailable after the time we give it."""
    peer.replies[PATH] = Reply(is_silent=True)
    fetcher = Fetcher(session=rig.session, allow_http=True, seconds=0.05)
    with pytest.raises(GatewayError, match="did not answer in time") as caught:
        await fetcher.get(peer.url + PATH)
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_cut_connection_is_unavailable(peer, rig):
    """A server that drops the connection is unavailable."""
    peer.replies[PATH] = Reply(is_cut=True)
    with pytest.raises(GatewayError, match="broke the connection off") as caught:
        await rig.fetcher.get(peer.url + PATH)
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_nobody_there_is_unavailable(peer, rig):
    """A port where nobody listens is unavailable."""
    with pytest.raises(GatewayError, match="cannot be reached") as caught:
        await rig.fetcher.get("http://localhost:1/")
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_closed_address_is_forbidden(peer):
    """An address that is not public is refused for good, and the public sentence does not name it."""
    async with rig(Guard(allow_http=True)) as ours:
        with pytest.raises(GatewayError) as caught:
            await ours.fetcher.get(peer.url.replace("localhost", "a.localhost") + PATH)
    assert (caught.value.kind, caught.value.code) == (Kind.FORBIDDEN, "address-refused")
    assert "127.0.0.1" not in caught.value.public
    assert not peer.received


async def test_no_credentials_are_sent(rig, peer):
    """A fetch carries no cookies, no authorisation and asks for nothing packed."""
    await rig.fetcher.get(peer.url + PATH)
    headers = {name.lower(): value for name, value in peer.received[0].headers.items()}
    assert headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization"} & set(headers)
    assert json.dumps(headers).count("ocm-gateway/") == 1
