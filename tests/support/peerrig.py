"""Our own side of a federation in a test: everything in `gateway.peers`, wired as `app` does it, over a moved clock."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.crypto.ring import KeyRing
from gateway.peers.addresses import parse_networks
from gateway.peers.asking import Asking
from gateway.peers.backoff import Backoff
from gateway.peers.client import PeerClient
from gateway.peers.fetch import Fetcher
from gateway.peers.guard import Guard, guarded_session
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver
from gateway.peers.signing import MessageSigner
from gateway.peers.statements import Statements
from support.memtable import MemoryTable

OUR_URL = "https://gateway.test"
LOOPBACK = parse_networks(["127.0.0.0/8", "::1"])
OPEN_GUARD = Guard(allow_cidr=LOOPBACK, allow_http=True)


class Clock:
    """A clock that a test moves; it starts at the real time, so that signatures are of now."""

    def __init__(self):
        self.time = time.time()

    def __call__(self):
        return self.time

    def pass_by(self, seconds):
        self.time += seconds


class Lists:
    """Allow and deny lists: notes who was asked for, and refuses whom a test has put into `denied`."""

    def __init__(self):
        self.asked = []
        self.denied = {}

    def __call__(self, host):
        self.asked.append(host)
        if host in self.denied:
            raise self.denied[host]


class ScriptedResolver(AbstractResolver):
    """Answers each look-up with the next of the given lists of addresses, the last one for ever.

    `port` stands in for the port of the URL, so that a name without a port leads to a test server.
    """

    def __init__(self, *answers, port=None):
        self._answers = list(answers)
        self._port = port
        self.asked = []

    async def resolve(self, host, port=0, family=0):
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=self._port or port, family=0, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self):
        pass


@dataclass
class Rig:
    """What tests of peers hold in their hands."""

    session: object
    clock: Clock = field(default_factory=Clock)
    lists: Lists = field(default_factory=Lists)
    table: MemoryTable = field(default_factory=MemoryTable)
    ring: KeyRing = field(default_factory=lambda: KeyRing.generate(OUR_URL, time.time()))
    allow_http: bool = True

    def __post_init__(self):
        nonces = itertools.count()
        self.records = PeerRecords(table=self.table, now=self.clock)
        self.fetcher = Fetcher(session=self.session, allow_http=self.allow_http, seconds=5.0)
        self.resolver = PeerResolver(
            records=self.records,
            statements=Statements(fetcher=self.fetcher, may_contact=self.lists),
            asking=Asking(self.clock),
            may_contact=self.lists,
            now=self.clock,
        )
        self.client = PeerClient(
            session=self.session,
            resolver=self.resolver,
            records=self.records,
            backoff=Backoff(records=self.records, now=self.clock, chance=lambda: 0.5),
            may_contact=self.lists,
            signer=MessageSigner(keys=lambda: self.ring, nonce=lambda: f"nonce-{next(nonces)}"),
            now=self.clock,
            allow_http=self.allow_http,
        )


@asynccontextmanager
async def rig(guard=OPEN_GUARD, **session_options):
    """Run a `Rig` over a guarded session."""
    async with guarded_session(guard, **session_options) as session:
        yield Rig(session, allow_http=guard.allow_http)
