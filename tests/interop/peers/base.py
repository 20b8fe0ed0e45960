"""What all the peers of this folder have in common: a server with a key, shares it was sent and shares it sends.

A peer plays both roles. As the receiver of our shares it finds us with its own reader, judges our message by its own
rules, answers in its own words, and opens the share in its own way. As a sender it writes its own payload, serves its
own storage to its own credentials, and has its own idea of a good answer. What is peculiar stands in the peer's module;
here is what they share. None of the gateway's code is used.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from interop import readers
from interop.peers.davclients import Mount
from interop.peers.davtree import Tree
from yarl import URL

from support import cavagewire
from support.fakepeer import FakePeer, Received

RECIPIENT = "bob"
OWNER = "alice"
SECRET = "Sekret0123456789abcd"


class Signing(StrEnum):
    """How a peer signs, and what it demands of us."""

    NONE = "none"
    CAVAGE = "draft-cavage"
    RFC9421 = "RFC 9421"


@dataclass
class Judged:
    """What a peer made of a message of ours; `why` is empty if it took it."""

    message: Received
    status: int
    why: str = ""


@dataclass
class Offer:
    """A share that a peer sends: its storage, and the credential that opens it."""

    provider_id: str
    secret: str
    tree: Tree = field(default_factory=lambda: Tree({"hello.txt": b"hello from afar", "sub": None}))
    tokens: set[str] = field(default_factory=set)
    is_ended: bool = False


class Refused(Exception):  # noqa: N818 - it is what that server says
    """A peer refuses a message, with a status and a body of its own."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(json.dumps(body))
        self.status = status
        self.body = body


def demand(is_so: object, status: int, body: object) -> None:
    """Refuse where that server would."""
    if not is_so:
        raise Refused(status, body)


@cache
def first_key():
    """Return the key that every peer of the older kind begins with; making one takes long."""
    return cavagewire.new_key()


class NearResolver(AbstractResolver):
    """Leads every name to this machine."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        """Return the loopback address."""
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""


class Peer(FakePeer):
    """A deployed server. Make it with `running`, and `meet` the gateway.

    Attributes:
        product: its name, as the compatibility page has it.
        reader: the name of its reader of discovery documents, if it reads any.
        signing: how it signs.
        knows_signatures: whether it checks ours.
        end_point, dav_path: its own paths.
        accepts_with: the message by which it tells that its user accepted, if it tells.
        tells_decline, tells_unshare: whether it tells that its user left, or that its owner ended a share.
        wanted: the statuses that it takes for success of a share.
        has_invites: whether its users can meet ours by invitations.
        bad_invite: what it answers to a token that it does not know.
        keeps_keys: whether it reads our keys no more, having read them once.
        guest_member: the member in which it looks for who accepted.
        needs_listing, needs_contact: whether it takes shares only of servers that its administrator listed, and only of
            people whose invitation was accepted.
    """

    product = ""
    reader = ""
    signing = Signing.NONE
    end_point = "/ocm"
    dav_path = "/public.php/webdav/"
    tells_accept = True
    tells_decline = True
    tells_unshare = True
    needs_listing = False
    needs_contact = False
    has_invites = False
    bad_invite = 400
    note_wanted = frozenset({200, 201})
    wanted = frozenset({201})
    agent = "test"
    escapes_slashes = False
    keeps_keys = False
    mount_class: type[Mount] = Mount

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.session: aiohttp.ClientSession = None
        self.found: readers.Found | None = None
        self.rsa = first_key() if self.signing is Signing.CAVAGE else None
        self.rsa_id = f"{url}/ocm#signature"
        self.discovery = self.document()
        self.judged: list[Judged] = []
        self.incoming: dict[str, dict[str, Any]] = {}
        self.offers: dict[str, Offer] = {}
        self.users = {RECIPIENT, OWNER}
        self.was_signed_to = False
        self.told: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.opened_by: set[str] = set()
        self.invites: dict[str, str | None] = {}
        self.gateway_url = ""

    # How it comes and goes.

    @classmethod
    def name(cls) -> str:
        """Return the name of its host."""
        return re.sub(r"[^a-z0-9]", "", cls.product.lower()) + ".localhost"

    @classmethod
    @asynccontextmanager
    async def meeting(cls, gateway):
        """Run this peer, and let it know where the gateway is."""
        async with cls.running(cls.name()) as peer, peer.knowing(gateway):
            yield peer

    @asynccontextmanager
    async def knowing(self, gateway):
        """Let a running peer know where the gateway is."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=NearResolver(), force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as self.session:
            self.gateway_url = gateway.config.public_url
            self.authority = gateway.config.authority
            yield self

    @property
    def address(self) -> str:
        """The address of its user."""
        return f"{RECIPIENT}@{self.host}"

    def document(self) -> dict[str, Any]:
        """Return its discovery document."""
        raise NotImplementedError

    def shown_key(self) -> dict[str, str]:
        """Return its RSA key as its document shows it."""
        return {"keyId": self.rsa_id, "publicKeyPem": cavagewire.pem(self.rsa)}

    async def look(self) -> readers.Found | None:
        """Read our discovery document as it does, and remember our keys."""
        reader = next((reader for reader in readers.READERS if reader.name == self.reader), None)
        if reader is None:
            return None
        self.found = await readers.discover(reader, self.session, self.gateway_url)
        if self.signing is Signing.RFC9421:
            async with self.session.get(self.found.document["jwksUri"], raise_for_status=True) as answer:
                keys = json.loads(await answer.read())
            assert all("alg" in key and "kid" in key for key in keys["keys"])
            self.trust(keys)
        return self.found

    # What it is told.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(self.dav_path):
            return await self.serve_file(request)
        if request.method == "POST" and not self.keeps_keys:
            # Keys are looked up when they are needed: at each message.
            await self.look()
        return await super()._serve(request)

    def _answer(self, received: Received, path: str) -> web.Response:
        shown = {"/.well-known/ocm": self.discovery, "/ocm-provider/": self.discovery, "/ocm-provider": self.discovery}
        if self.signing is Signing.RFC9421:
            shown |= {"/jwks": self.jwks, "/.well-known/jwks.json": self.jwks}
        takers = {
            f"{self.end_point}/shares": self.take_share,
            f"{self.end_point}/notifications": self.take_note,
            f"{self.end_point}/token": self.take_token,
        }
        if self.has_invites:
            takers[f"{self.end_point}/invite-accepted"] = self.take_acceptance
        if received.method == "GET" and path in shown:
            return self._text(200, shown[path])
        if received.method == "POST" and path in takers:
            return self._judge(received, takers[path])
        return self._text(404, {"message": "not found"})

    def _judge(self, received: Received, take) -> web.Response:
        try:
            self.check_signature(received)
            status, body = take(received)
        except Refused as refusal:
            self.judged.append(Judged(received, refusal.status, str(refusal)))
            return self._text(refusal.status, refusal.body)
        self.judged.append(Judged(received, status))
        return self._text(status, body)

    def _text(self, status: int, body: object) -> web.Response:
        return web.Response(status=status, text=self.dumped(body), content_type=self.content_type(status))

    def dumped(self, document: object) -> str:
        """Return JSON as its library writes it."""
        text = json.dumps(document, separators=(",", ":"))
        return text.replace("/", r"\/") if self.escapes_slashes else text

    def content_type(self, status: int) -> str:
        """Return what it calls its answers."""
        return "application/json"

    def check_signature(self, received: Received) -> None:
        """Refuse what is not signed as it wants it; by default it looks at no signature."""

    def check_cavage(self, received: Received) -> str:
        """Return what is wrong with the older kind of signature, as strictly as Nextcloud 31."""
        shown = self.found.document.get("publicKey") if self.found else None
        return cavagewire.check(
            received.headers, received.method, received.target, received.body, own_host=self.host, shown=shown
        )

    def take_share(self, received: Received) -> tuple[int, object]:
        """Judge a share of ours and return the answer; raise `Refused`."""
        raise NotImplementedError

    def take_note(self, received: Received) -> tuple[int, object]:
        """Judge a notification of ours and return the answer; raise `Refused`."""
        raise NotImplementedError

    def take_token(self, received: Received) -> tuple[int, object]:
        """Give an access token for the secret of one of its own shares."""
        form = received.form
        offer = next((offer for offer in self.offers.values() if offer.secret == form.get("code")), None)
        demand(form.get("grant_type") == "authorization_code", 400, {"error": "unsupported_grant_type"})
        demand(offer is not None and not offer.is_ended, self.bad_grant, {"error": "invalid_grant"})
        offer.tokens.add(token := f"token{len(offer.tokens)}of{offer.provider_id}")
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    bad_grant = 400

    def take_acceptance(self, received: Received) -> tuple[int, object]:
        """Take in that somebody of ours accepts an invitation of its user's; tell who invited."""
        message = received.json
        for name in ("recipientProvider", "token", self.guest_member, "email", "name"):
            demand(message.get(name), 400, {"message": f"{name} is missing"})
        demand(message["token"] in self.invites, self.bad_invite, {"message": "invite not found"})
        demand(self.invites[message["token"]] is None, 409, {"message": "Invite already accepted", "error": True})
        self.invites[message["token"]] = f"{message[self.guest_member]}@{message['recipientProvider']}"
        return 200, {"userID": self.inviter_id(), "email": "alice@example.test", "name": "Alice"}

    guest_member = "userID"

    def inviter_id(self) -> str:
        """Return how it names its user who invites."""
        return OWNER

    def keep(self, document: dict[str, Any]) -> None:
        """Keep a share that it took."""
        self.incoming[str(document["providerId"])] = document

    def messages(self, end: str) -> list[Judged]:
        """Return what it was told at one of its end points."""
        return [one for one in self.judged if one.message.target.endswith(f"/{end}")]

    @property
    def share_told(self) -> dict[str, Any]:
        """Return the last share that it took."""
        return next(one.message.json for one in reversed(self.messages("shares")) if not one.why)

    # What it does with a share.

    async def mount(self, provider_id: str) -> Any:
        """Return a share of ours as it opens it."""
        raise NotImplementedError

    async def exchanged(self, secret: str, *, is_signed: bool, client_id: str = "") -> str:
        """Exchange a secret for a token, at the end point that our document names."""
        found = await self.look()
        url = found.document["tokenEndPoint"]
        form = f"grant_type=authorization_code&client_id={client_id or self.host}&code={secret}".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if is_signed:
            headers |= self.sign("POST", url, form)
        async with self.session.post(url, data=form, headers=headers) as answer:
            told = json.loads(await answer.read())
        assert answer.status == 200, told
        assert told["token_type"].lower() == "bearer"
        assert isinstance(told["expires_in"], int)
        assert told["expires_in"] > 0
        return told["access_token"]

    # What it says.

    async def say(self, path: str, document: object, *, is_signed: bool = True) -> tuple[int, str]:
        """Post a message to our end point, in its own words and with its own signature."""
        found = await self.look()
        url = (found.end_point if found else f"{self.gateway_url}/ocm") + path
        body = self.dumped(document).encode()
        headers = {"Content-Type": "application/json", "User-Agent": self.agent}
        if is_signed and self.signing is Signing.CAVAGE:
            headers |= cavagewire.sign(self.rsa, self.rsa_id, URL(url).raw_path, self.authority, body)
        elif is_signed and self.signing is Signing.RFC9421:
            headers |= self.sign("POST", url, body)
        async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status, (await answer.read()).decode()

    async def share(self, share_with: str, offer: Offer, *, is_signed: bool = True) -> tuple[int, str]:
        """Send a share of its own."""
        self.offers[offer.provider_id] = offer
        self.sent.append(self.payload(share_with, offer))
        return await self.say("/shares", self.sent[-1], is_signed=is_signed)

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """Return the message that announces a share of its own."""
        raise NotImplementedError

    def note(self, kind: str, provider_id: str, secret: str, **more: Any) -> dict[str, Any]:
        """Return a notification as it writes it."""
        content = {"sharedSecret": secret, "message": "news"} | more
        return {"notificationType": kind, "resourceType": "file", "providerId": provider_id, "notification": content}

    async def accept(self, provider_id: str) -> int:
        """Tell that its user accepted a share of ours."""
        return (await self.say("/notifications", self.note("SHARE_ACCEPTED", provider_id, self.held(provider_id))))[0]

    async def accept_invitation(self, token: str) -> str:
        """Let its user accept an invitation of one of ours; return the address that it enters into its contacts."""
        message = {
            "recipientProvider": self.recipient_provider(),
            "token": token,
            "userID": self.guest_id(),
            "email": "bob@example.test",
            "name": "Bob",
        }
        status, body = await self.say("/invite-accepted", message)
        demand(status == 200, status, body)
        told = json.loads(body)
        for name in ("userID", "email", "name"):
            assert told[name], f"{name} is empty"
        return f"{told['userID']}@{self.authority}"

    def recipient_provider(self) -> str:
        """Return how it names itself to who invites."""
        return self.host

    def guest_id(self) -> str:
        """Return how it names its user who accepts."""
        return RECIPIENT

    async def leave(self, provider_id: str) -> int:
        """Tell that its user declined or left a share of ours."""
        return (await self.say("/notifications", self.note("SHARE_DECLINED", provider_id, self.held(provider_id))))[0]

    async def unshare(self, offer: Offer, recipient: str) -> int:
        """End a share of its own, and tell it."""
        offer.is_ended = True
        return (await self.say("/notifications", self.note("SHARE_UNSHARED", offer.provider_id, offer.secret)))[0]

    def held(self, provider_id: str) -> str:
        """Return the secret of a share of ours."""
        protocol = self.incoming[provider_id]["protocol"]
        return (protocol.get("webdav") or protocol["options"])["sharedSecret"]

    def rotate(self) -> None:
        """Sign with another key from now on, and show only that."""
        if self.signing is Signing.CAVAGE:
            self.rsa = cavagewire.new_key()
            self.discovery["publicKey"] = self.shown_key()
        else:
            self.new_key(f"key{time.time_ns()}")

    # What it serves.

    async def serve_file(self, request: web.Request) -> web.Response:
        """Answer at its storage; 401 where no share of its own is opened."""
        offer, root = self.opened(request, *credentials(request))
        if offer is None or offer.is_ended:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        self.opened_by.add(credentials(request)[0])
        return await offer.tree.answer(request, root)

    def opened(self, request: web.Request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Return the share that a credential opens, and the URL path of its root."""
        raise NotImplementedError

    def by_secret(self, secret: str) -> Offer | None:
        """Return the share of its own with this secret."""
        return next((offer for offer in self.offers.values() if offer.secret == secret), None)

    def in_path(self, request: web.Request, credential: str, *, tokens_only: bool = False) -> tuple[Offer | None, str]:
        """Return the share named in the path, if the credential is its own."""
        provider_id = request.path.removeprefix(self.dav_path).partition("/")[0]
        offer = self.offers.get(provider_id)
        allowed = (offer.tokens if tokens_only else offer.tokens | {offer.secret}) if offer else set()
        return (offer if credential in allowed else None), f"{self.dav_path}{provider_id}/"


def credentials(request: web.Request) -> tuple[str, str]:
    """Return the scheme, in lower case, and the token or user name that a request shows."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return "basic", base64.b64decode(rest).decode().partition(":")[0]
    return scheme.lower(), rest
