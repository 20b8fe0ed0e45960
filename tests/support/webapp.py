"""The doors for local users over a real store, real folders and the real flows; only the other provider is a stand-in.

`UserApp` listens on a port of its own. `peer` says what the provider at the other end answers, and keeps what it was
told; its storage is the folder `remote`.
"""

from __future__ import annotations

import base64
import itertools
import re
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from gateway.backends.local import LocalBackend
from gateway.backends.storages import LocalStorage
from gateway.crypto.secrets import new_secret
from gateway.errors import unavailable
from gateway.flows.answer_share import AnswerShare
from gateway.flows.change_share import ChangeShare
from gateway.flows.contacts import Contacts
from gateway.flows.deliver import DeliverReceived, DeliverSent
from gateway.flows.end_share import EndShare
from gateway.flows.ladder import Ladder
from gateway.flows.outbox import Outbox, RetryRule
from gateway.flows.remote_keys import RemoteKeys
from gateway.flows.send_share import SendShare
from gateway.flows.use_remote import UseRemote
from gateway.flows.which_door import WhichDoor
from gateway.identity.base import Identity
from gateway.identity.file import FileLogIn, hash_password
from gateway.identity.throttle import Throttle
from gateway.metrics import Metrics
from gateway.model.address import Host, OcmAddress
from gateway.model.peer import Discovery, Peer, ResourceOffer
from gateway.model.policy import PeerRules
from gateway.model.secret import Secret
from gateway.model.share import AccessType, Permission, ReceivedShare, WebdavOffer
from gateway.peers.answer import Answer
from gateway.store.tables import CONTACTS, KNOWN_USERS, RECEIVED_SHARES, SENT_SHARES, SESSIONS
from gateway.web.api import ApiDoors
from gateway.web.apiparts import ApiParts
from gateway.web.doors import mount
from gateway.web.middleware import stamp, watch
from gateway.web.ui import UiDoors
from gateway.web.usergate import UserGate

PASSWORD = "correct horse"
HASH = hash_password(Secret(PASSWORD))
FAR = Host("cloud.example.net")
_OFFER = ResourceOffer(name="file", share_types=("user",), protocols={"webdav": "/dav/", "webdav-receive": ""})


def basic(user, password=PASSWORD):
    """The header by which a program shows a name and pass word."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.time = time.time()

    def __call__(self):
        return self.time


@dataclass
class StandInPeer:
    """The other provider: resolver and client in one."""

    is_away: bool = False
    status: int = 201
    document: dict = field(default_factory=lambda: {"recipientDisplayName": "Ada Lovelace"})
    told: list = field(default_factory=list)

    async def discover(self, host, **_options):
        if self.is_away or host != FAR:
            raise unavailable(f"{host} does not answer as an OCM provider.")
        discovery = Discovery(
            enabled=True,
            api_version="1.2.2",
            end_point=f"https://{FAR}/ocm",
            provider="Example Cloud",
            resource_types=(_OFFER,),
            capabilities=frozenset({"http-sig"}),
        )
        return Peer(host=FAR, discovery=discovery)

    async def post_json(self, host, name, document, **_options):
        self.told.append((name, document))
        if self.is_away:
            raise unavailable(f"{host} does not answer.")
        return Answer(host=host, status=self.status, document=self.document)

    async def change(self, _host, _change):
        """Keep nothing of what is learnt about the peer."""


class SilentQueue:
    async def wake(self, task, key, *, at=None):
        pass


@dataclass
class UserApp:
    """A running app and what a test needs to look behind it."""

    url: str
    folder: Path
    remote: Path
    peer: StandInPeer
    clock: Clock
    store: object
    api: ApiDoors
    gate: UserGate

    async def receive(self, name="Spectra", *, share_id="r1", may_write=True, **changes):
        """Put a share from the other provider into Alice's list."""
        facts = {
            "share_id": share_id,
            "peer": FAR,
            "provider_id": f"p-{share_id}",
            "recipient": "alice",
            "owner": OcmAddress("ada", FAR),
            "owner_display_name": "Ada Lovelace",
            "sender": OcmAddress("ada", FAR),
            "sender_display_name": "Ada Lovelace",
            "name": name,
            "resource_type": "folder",
            "webdav": WebdavOffer(
                uri="x",
                secret=Secret(f"secret-{share_id}"),
                permissions=frozenset({Permission.READ} | ({Permission.WRITE} if may_write else set())),
                access_types=frozenset({AccessType.REMOTE}),
            ),
            "is_signed": True,
            "received_at": self.clock(),
        }
        share = ReceivedShare(**{**facts, **changes})
        await self.api.received.create(share)
        return share


def browser(app):
    """A client with a cookie jar, at the root of the pages, which follows redirects."""
    jar = aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(f"{app.url}/ocm/ui/", cookie_jar=jar)


async def log_in(session, user="alice", password=PASSWORD):
    """Log a browser in; return the status and text of the page that it sees then."""
    async with session.post("log-in", data={"user": user, "password": password}) as response:
        return response.status, await response.text()


async def token(session):
    """Return the token that the session's forms carry."""
    async with session.get("address") as response:
        return re.search(r'name="csrf" value="([^"]+)"', await response.text())[1]


def alice_and_bob(folder):
    """Write a users file and return its path."""
    path = folder / "users.yaml"
    people = (("alice", "Alice Adams"), ("bob", "Bob Brown"))
    lines = [f'  {name}:\n    password: "{HASH}"\n    display_name: {known}\n' for name, known in people]
    path.write_text("users:\n" + "".join(lines))
    return path


class OneStorage:
    """The only storage, as the flows ask for it."""

    def __init__(self, storage):
        self.as_user = storage.as_user
        self._storage = storage

    def name_for(self, _user):
        return "main"

    def as_service(self, owner, _storage):
        return self._storage.as_service(owner)


@asynccontextmanager
async def user_app(store, folder, *, prefix="/ocm", host="127.0.0.1", failures=15, backend=None):
    """Serve the doors of local users; `folder` gets one home for each user, and the other provider's storage."""
    for name in ("alice", "bob", "remote"):
        (folder / name).mkdir()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    authority, url = Host(f"{host}:{port}"), f"http://{host}:{port}"
    clock, peer, queue = Clock(), StandInPeer(), SilentQueue()
    sent, received = store.table(SENT_SHARES), store.table(RECEIVED_SHARES)
    near = OneStorage(LocalStorage(root=f"{folder}/{{user}}", folder=lambda path: LocalBackend(path, is_durable=False)))

    def outbox(table, task):
        return Outbox(shares=table, task=task, queue=queue, retry=RetryRule(), now=clock, chance=lambda: 0.5)

    ladder = Ladder(resolver=peer, client=peer, records=peer, authority=authority, public_url=url, prefix=prefix)
    tell_sent = DeliverSent(outbox=outbox(sent, "sent"), ladder=ladder, client=peer, max_keys=10)
    tell_received = DeliverReceived(outbox=outbox(received, "received"), client=peer, authority=authority)

    async def nothing(_what):
        pass

    names = itertools.count(1)
    identity = Identity(
        providers=[FileLogIn(alice_and_bob(folder))],
        known=store.table(KNOWN_USERS),
        throttle=Throttle(counter=store.counter, failures=failures),
        now=clock,
    )
    gate = UserGate(
        identity=identity,
        sessions=store.table(SESSIONS),
        authority=authority,
        public_url=url,
        prefix=prefix,
        now=clock,
        idle_seconds=3600,
        max_seconds=7200,
    )
    api = ApiDoors(
        parts=ApiParts(gate=gate, prefix=prefix, max_bytes=64 * 1024, json_depth=32),
        storages=near,
        send_share=SendShare(
            ssh_address=None,
            shares=sent,
            storages=near,
            resolver=peer,
            deliver=tell_sent,
            authority=authority,
            root_sharing=frozenset(),
            must_exchange_token=False,
            default_life_seconds=0,
            now=clock,
            new_id=lambda: f"s{next(names)}",
            new_secret=new_secret,
            contacts=Contacts(table=store.table(CONTACTS), authority=authority, now=clock),
            rules=PeerRules(),
        ),
        change_share=ChangeShare(shares=sent, tell_ended=nothing, release_locks=nothing, deliver=tell_sent, now=clock),
        end_share=EndShare(shares=sent, tell_ended=nothing, release_locks=nothing, deliver=tell_sent, now=clock),
        answer_share=AnswerShare(shares=received, deliver=tell_received, now=clock),
        use_remote=UseRemote(
            resolver=peer,
            keys=RemoteKeys(client=peer, authority=authority, now=clock),
            backend=lambda _url, _authorize, _renew: (backend or LocalBackend)(folder / "remote"),
            check_url=lambda _url: None,
            which_door=WhichDoor(now=clock),
            now=clock,
        ),
        sent=sent,
        received=received,
        authority=authority,
    )
    app = web.Application(middlewares=[watch(Metrics())], client_max_size=1024)
    app.on_response_prepare.append(stamp)
    ui = UiDoors(api=api, provider_name="Test Storage")
    ui.set_up(app)
    mount(app, (*api.doors(), *ui.doors()))
    runner = web.AppRunner(app, auto_decompress=False, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield UserApp(url, folder, folder / "remote", peer, clock, store, api, gate)
    finally:
        await runner.cleanup()
