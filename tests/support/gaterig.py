"""The lock PEER at one door over http, with a real store and a real peer that signs, so that a test sees each refusal.

async with gate_rig(store_url) as rig:
answered = await rig.post(rig.signed())                # signed by `rig.peer`
error = await rig.refusal(rig.signed(key_id="other"))  # what a message that is not taken ends in
rig.heard                                              # whom the door took for the sender, each time
rig.kept()                                             # the signatures that the store remembers
"""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
from aiohttp import web
from redis import Redis
from yarl import URL

from gateway.errors import GatewayError
from gateway.model.policy import PeerRules
from gateway.web.peergate import PeerGate
from support import cavagewire
from support.fakepeer import Answered, FakePeer
from support.peerrig import Rig
from support.peerrig import rig as peer_rig
from support.redisserver import make_store

MAX_BYTES = 1000
BURST = 4
PER_SECOND = 0.001
BODY = b"{}"
TARGET = "/ocm/shares?page=1"
_names = itertools.count()


@dataclass
class GateRig:
    """A door with its lock, and who knocks."""

    url: str
    peer: FakePeer
    ours: Rig
    store_url: str
    prefix: str
    gate: PeerGate
    claims: tuple = ()
    heard: list = field(default_factory=list)
    asked_of: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    answers: object = None

    async def serve(self, request):
        """Be the door: read the message, and have the gate say whose it is."""
        try:
            return await self.gate.admit(request, await self.gate.read(request), self._claim, self._answer)
        except GatewayError as error:
            self.errors.append(error)
            return web.Response(status=400)

    async def _claim(self, key_id):
        self.asked_of.append(key_id)
        return self.claims

    async def _answer(self, peer):
        self.heard.append(peer)
        made = self.answers or (lambda: web.json_response({"number": len(self.heard)}, status=201))
        answer = made()
        return answer if isinstance(answer, web.Response) else await answer

    @property
    def older_key_id(self):
        """The name under which the peer would show an RSA key."""
        return f"{self.peer.url}/ocm#signature"

    def demand(self, **rules):
        """Have the operator demand something of peers from now on."""
        self.gate = replace(self.gate, rules=PeerRules(**rules))

    def signed(self, body=BODY, **faults):
        """Return the header fields of a message that the peer signs; faults as for `FakePeer.sign`."""
        return self.peer.sign("POST", self.url + TARGET, body, **faults)

    def signed_as_before(self, key, **faults):
        """Return the header fields of a message that is signed in the way before RFC 9421."""
        host = self.url.partition("://")[2]
        return cavagewire.sign(key, self.older_key_id, TARGET, host, BODY, **faults)

    async def post(self, headers, body=BODY, *, source="127.0.0.1"):
        """Post a message with these header fields from an address of this machine."""
        connector = aiohttp.TCPConnector(local_addr=(source, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(URL(self.url + TARGET, encoded=True), data=body, headers=headers) as response,
        ):
            return Answered(response.status, dict(response.headers), await response.text())

    async def refusal(self, headers, body=BODY, **options):
        """Return the error of a message that is not taken, and see that it reached nobody and left nothing."""
        heard, kept = len(self.heard), self.kept()
        await self.post(headers, body, **options)
        assert len(self.heard) == heard, "a refused message was handled"
        assert kept.keys() == self.kept().keys(), "a refused message is remembered"
        return self.errors.pop()

    def kept(self):
        """Return the signatures that the store remembers, each with the seconds for which it will."""
        return self._seconds_left("once")

    def counted(self):
        """Return the buckets in which messages were counted."""
        return list(self._seconds_left("rate"))

    def _seconds_left(self, family):
        with Redis.from_url(self.store_url) as client:
            return {key: client.pttl(key) / 1000 for key in client.keys(f"{self.prefix}:{family}:*")}


@asynccontextmanager
async def gate_rig(store_url):
    """Run a `GateRig`."""
    prefix = f"gate{os.getpid()}-{next(_names)}"
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with make_store(store_url, prefix=prefix) as store, FakePeer.running() as peer, peer_rig() as ours:
        gate = PeerGate(
            resolver=ours.resolver,
            rules=PeerRules(),
            once=store.once,
            counter=store.counter,
            public_url=url,
            now=ours.clock,
            max_bytes=MAX_BYTES,
            verification_seconds=5.0,
            messages_per_second=PER_SECOND,
            messages_burst=BURST,
        )
        rig = GateRig(url, peer, ours, store_url, prefix, gate, claims=(peer.host,))
        app = web.Application(client_max_size=1)
        app.router.add_route("*", "/{path:.*}", rig.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield rig
        finally:
            await runner.cleanup()
