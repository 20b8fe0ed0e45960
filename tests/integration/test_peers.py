"""Peers over the real store: what one replica learns of a peer, the other knows."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.crypto.httpsig import SignedHead, find_signature, verify
from gateway.crypto.refusal import SignatureError
from gateway.errors import GatewayError, Kind
from gateway.peers.asking import verification_deadline
from gateway.peers.guard import guarded_session
from gateway.store.binary import find_server
from gateway.store.tables import PEERS
from support.fakepeer import FakePeer, Reply
from support.peerrig import OPEN_GUARD, Rig
from support.redisserver import make_store, private_server


@pytest.fixture(scope="module")
def server_url():
    """Run a private store server."""
    with private_server(find_server()) as url:
        yield url


@pytest.fixture
async def replicas(server_url):
    """Run two replicas of our side on one store."""
    async with make_store(server_url) as store, guarded_session(OPEN_GUARD) as session:
        first = Rig(session, table=store.table(PEERS))
        yield first, Rig(session, table=store.table(PEERS), clock=first.clock, ring=first.ring)


@pytest.fixture
async def peer():
    """Run a peer."""
    async with FakePeer.running() as running:
        yield running


@pytest.mark.req("DISC-7")
async def test_document_and_keys_are_shared(replicas, peer):
    """What one replica has fetched the other takes from the store, word for word."""
    one, two = replicas
    assert await one.resolver.with_keys(peer.host) == await two.resolver.with_keys(peer.host)
    assert await two.resolver.key(peer.host, peer.key_id)
    assert (len(peer.at("/.well-known/ocm")), len(peer.at("/jwks"))) == (1, 1)


async def test_replicas_meet_a_new_peer_at_once(replicas, peer):
    """Two replicas that meet a peer at the same moment both get its keys, and make one record."""
    keys = await asyncio.gather(*(ours.resolver.key(peer.host, peer.key_id) for ours in replicas for _ in range(5)))
    assert all(keys)


@pytest.mark.req("DISC-7")
async def test_rest_is_shared(replicas, peer):
    """A peer that failed one replica is left in peace by the other, until it signs to either."""
    one, two = replicas
    peer.replies["/ocm/shares"] = Reply(503)
    await one.client.post_json(peer.host, "shares", {})
    with pytest.raises(GatewayError) as caught:
        await two.client.post_json(peer.host, "shares", {})
    assert (caught.value.kind, caught.value.retry_after) == (Kind.UNAVAILABLE, 600)
    await two.records.mark_signed(peer.host)
    peer.replies.clear()
    assert (await one.client.post_json(peer.host, "shares", {})).is_success


@pytest.mark.req("SIG-9")
async def test_once_signed_is_shared(replicas, peer):
    """A peer to which one replica has signed gets signed messages from the other."""
    one, two = replicas
    await one.client.post_json(peer.host, "shares", {})
    peer.discovery |= {"jwksUri": "", "capabilities": []}
    peer.jwks = {"keys": []}
    one.clock.pass_by(7200)
    await two.client.post_json(peer.host, "shares", {})
    assert peer.at("/ocm/shares")[1].signature


@asynccontextmanager
async def verifying_server(ours, host):
    """Run a server that answers 201 to what `host` has signed, else with the reason."""

    async def take(request):
        body = await request.read()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        try:
            claimed = find_signature(headers)
            if claimed is None:
                return web.Response(status=401, text="unsigned")
            jwk = await ours.resolver.key(host, claimed.unverified_key_id, deadline=verification_deadline())
            if jwk is None:
                return web.Response(status=401, text="unknown key")
            head = SignedHead(method=request.method, target_uri=str(server.make_url("/shares")), headers=headers)
            verify(claimed, head, body, jwk=jwk, now=ours.clock())
        except SignatureError as error:
            return web.Response(status=401, text=str(error))
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post("/shares", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/shares"))


@pytest.mark.req("SIG-5")
async def test_signed_message_of_a_peer_is_verified(replicas, peer):
    """A peer's signed message holds against the key found through its discovery document."""
    async with verifying_server(replicas[0], peer.host) as url:
        assert (await peer.post_signed(url, {"a": 1})).status == 201
        assert (await peer.post_signed(url, {"a": 1}, components=("@method", "@target-uri"))).status == 401
        assert (await peer.post_signed(url, {"a": 1}, signed_url=url + "x")).status == 401
        assert (await peer.post_signed(url, {"a": 1}, signed_body=json.dumps({"a": 2}).encode())).status == 401
        assert (await peer.post_signed(url, {"a": 1}, created=0)).status == 401
        assert (await peer.post_signed(url, {"a": 1}, key_id=f"{peer.url}/ocm#other")).text == "unknown key"
        assert (await peer.post_signed(url, {"a": 1}, signature=b"x" * 64)).status == 401
        assert (await peer.post_signed(url, {"a": 1}, alg="ed25519")).status == 201
        assert (await peer.post_signed(url, {"a": 1}, tag=None)).status == 201
        assert (await peer.post(url, {"a": 1})).text == "unsigned"
