import asyncio
import socket

import aiohttp
import pytest

from gateway.peers.guard import AddressRefused, Guard, GuardedResolver, guarded_session, tls_context
from support.certificates import Authority
from support.fakepeer import FakePeer, Reply
from support.peerrig import LOOPBACK, OPEN_GUARD, ScriptedResolver

CLOSED = Guard(allow_http=True)


async def status_of(session, url):
    async with session.get(url) as response:
        return response.status


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0"])
async def test_ip_literal_is_refused(peer, host):
    """An IP literal is checked although no name is looked up."""
    port = peer.host.partition(":")[2]
    async with guarded_session(CLOSED) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="is not public"):
            await status_of(session, f"http://{host}:{port}/")
    assert not peer.received


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.localhost"])
async def test_name_of_loopback_is_refused(peer, name):
    """A name of this machine is refused, however it is written."""
    port = peer.host.partition(":")[2]
    async with guarded_session(CLOSED) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await status_of(session, f"http://{name}:{port}/")
    assert isinstance(caught.value.os_error, AddressRefused)
    assert not peer.received


async def test_name_that_leads_to_loopback_is_refused(peer):
    """A public name whose address is loopback is refused."""
    async with guarded_session(CLOSED, resolver=ScriptedResolver(["127.0.0.1"])) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await status_of(session, f"http://public.test:{peer.host.partition(':')[2]}/")
    assert isinstance(caught.value.os_error, AddressRefused)
    assert not peer.received


@pytest.mark.parametrize("name", ["2130706433", "127.1", "017700000001"])
async def test_old_spelling_of_an_address_is_refused(peer, name):
    """A number that some resolvers read as an address goes nowhere."""
    async with guarded_session(CLOSED) as session:
        with pytest.raises(aiohttp.ClientError):
            await status_of(session, f"http://{name}:{peer.host.partition(':')[2]}/")
    assert not peer.received


async def test_address_checked_is_address_dialled(peer):
    """A name that answered with a public address before is refused when it leads to loopback at the dial."""
    names = ScriptedResolver(["93.184.216.34"], ["127.0.0.1"])
    async with guarded_session(CLOSED, resolver=names) as session:
        before = await GuardedResolver(CLOSED, names).resolve("rebind.test", 80)
        assert [entry["host"] for entry in before] == ["93.184.216.34"]
        with pytest.raises(aiohttp.ClientConnectorError):
            await status_of(session, f"http://rebind.test:{peer.host.partition(':')[2]}/")
    assert not peer.received


async def test_socket_is_refused_whatever_was_resolved():
    """The last check is on the very address that is dialled, even if a resolver let it pass."""
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))
    with pytest.raises(AddressRefused):
        CLOSED.socket_for(info)
    OPEN_GUARD.socket_for(info).close()


async def test_mixed_answer_keeps_only_what_is_open():
    """Of a name with public and private addresses only the public ones are dialled."""
    names = GuardedResolver(CLOSED, ScriptedResolver(["10.0.0.1", "1.1.1.1", "fe80::1"]))
    assert [entry["host"] for entry in await names.resolve("mixed.test", 443)] == ["1.1.1.1"]


async def test_number_of_addresses_is_bounded():
    """A name with very many addresses does not make us dial them all."""
    names = GuardedResolver(CLOSED, ScriptedResolver([f"1.1.1.{number}" for number in range(200)]))
    assert len(await names.resolve("many.test", 443)) == 8


async def test_localhost_names_need_no_name_service(peer):
    """Names below `localhost` lead to loopback without asking anybody, where loopback is allowed."""
    names = ScriptedResolver(["1.1.1.1"])
    async with guarded_session(OPEN_GUARD, resolver=names) as session:
        assert await status_of(session, f"http://cloud.localhost:{peer.host.partition(':')[2]}/.well-known/ocm") == 200
    assert not names.asked


async def test_tls_name_stays(tmp_path):
    """The certificate is checked against the name although the address was looked up by us."""
    authority = Authority(tmp_path)
    async with FakePeer.running("right.test", tls=authority.server_context("right.test")) as peer:
        port = int(peer.host.partition(":")[2])
        names = ScriptedResolver(["127.0.0.1"], port=port)
        guard = Guard(allow_cidr=LOOPBACK)
        async with guarded_session(guard, resolver=names, tls=tls_context(authority.ca_file)) as session:
            assert await status_of(session, "https://right.test/.well-known/ocm") == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await status_of(session, "https://wrong.test/.well-known/ocm")


async def test_unknown_authority_is_refused(tmp_path):
    """A certificate of an authority that is not ours is refused."""
    async with FakePeer.running("localhost", tls=Authority(tmp_path).server_context("localhost")) as peer:
        async with guarded_session(OPEN_GUARD) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await status_of(session, peer.url)
        assert not peer.received


async def test_no_cookies_are_kept(peer):
    """A cookie that a peer sets never comes back to it."""
    peer.replies["/"] = Reply(headers={"Set-Cookie": "track=1"})
    async with guarded_session(OPEN_GUARD) as session:
        await status_of(session, peer.url)
        await status_of(session, peer.url)
    assert "Cookie" not in peer.received[1].headers


async def test_proxy_variables_are_not_heeded(peer, monkeypatch):
    """A proxy in the environment does not get what we say to peers."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    async with guarded_session(OPEN_GUARD) as session:
        assert await status_of(session, f"{peer.url}/.well-known/ocm") == 200


async def test_bodies_stay_packed(peer):
    """A packed body is handed on as it came and never unpacked."""
    peer.replies["/"] = Reply(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})
    async with guarded_session(OPEN_GUARD) as session, session.get(peer.url) as response:
        assert await response.read() == b"not gzip at all"


async def test_silent_server_ends_in_time(peer):
    """The total time-out bounds an exchange."""
    peer.replies["/"] = Reply(is_silent=True)
    async with guarded_session(OPEN_GUARD, total_seconds=0.05) as session:
        with pytest.raises(asyncio.TimeoutError):
            await status_of(session, peer.url)
