"""The doors of the protocol itself: discovery, key set, share and notification (DISC-1, KEYS-1, SHARE-7, NOTE-1).

Each message is read whole and bounded, parsed tolerantly, and handed to its flow with a proven or an unsigned peer.
Which host a message may come from is decided here, from what it says (SIG-5): a share from its owner and sender, a
notification from its key id, an opaque one only from peers that we share something with under that id.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from aiohttp import web

from gateway.crypto import hostkeys
from gateway.crypto.keys import key_id_host
from gateway.errors import GatewayError, Kind
from gateway.flows.notify import Notify
from gateway.flows.receive_share import ReceiveShare
from gateway.model.address import Host
from gateway.model.peer import AnyPeer
from gateway.model.share import ReceivedShare, SentShare
from gateway.ocm import notification as notification_text
from gateway.ocm import share as share_text
from gateway.ocm import sharerequest as request_text
from gateway.ocm.dialects.variants import choose_variant
from gateway.ocm.discovery import DiscoveryOffer, render
from gateway.ocm.jsontext import parse_object
from gateway.ocm.sharerequest import AskedShare
from gateway.store.base import Table
from gateway.web.doors import Door, Handler, Lock, Style
from gateway.web.peergate import PeerGate

JSON_TYPE = "application/json"
DISCOVERY_MAX_AGE_SECONDS = 300
# An opaque key id is tried against at most so many peers that hold the share it speaks of (DESIGN 8).
OPAQUE_KEY_HOSTS = 5
DISCOVERY_PATHS = ("/.well-known/ocm", "/ocm-provider", "/ocm-provider/", "/ocm-provider/index.php")
_ABOUT = {
    "discovery": "who this provider is, and what it can do (DISC-1)",
    "keys": "our public keys (KEYS-1)",
    "ssh-host-keys": "a signed statement of the SSH door's host keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmDoors:
    """Handlers of the OCM end points.

    Attributes:
        public_key: `(keyId, PEM)` of the RSA key that we sign with to peers of an older kind.
        requested: takes in a request for a share (REQ-1), which may come as a notification.
        host_keys: makes the signed statement of the SSH door's host keys; None if there is no such door.
    """

    gate: PeerGate
    offer: DiscoveryOffer
    jwks: Callable[[], dict[str, list[dict[str, str]]]]
    public_key: Callable[[], tuple[str, str]]
    receive_share: ReceiveShare
    notify: Notify
    sent: Table[SentShare]
    received: Table[ReceivedShare]
    requested: Callable[[web.Request, bytes, AskedShare], Awaitable[web.Response]]
    json_depth: int
    host_keys: Callable[[], str] | None = None

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        prefix = self.offer.prefix
        return (
            *(self._open("discovery", path, self.discovery) for path in DISCOVERY_PATHS),
            *(self._open("keys", path, self.key_set) for path in ("/.well-known/jwks.json", f"{prefix}/jwks")),
            self._open("ssh-host-keys", f"{prefix}/ssh-host-keys", self.ssh_host_keys),
            self._peer("shares", f"{prefix}/shares", "a peer shares with us (SHARE-7)", self.share),
            self._peer("notifications", f"{prefix}/notifications", "news of a share (NOTE-1)", self.notification),
        )

    async def discovery(self, request: web.Request) -> web.Response:
        """Serve the discovery document in the variant that the reader can read."""
        variant = choose_variant(request.path, request.headers.get("User-Agent", ""))
        # Servers may have been blocked since the gateway started: what is announced is what is enforced (DISC-5).
        offer = replace(self.offer, criteria=self.gate.rules.criteria)
        return _public_json(render(offer, variant, public_key=self.public_key()), vary="User-Agent")

    async def key_set(self, _request: web.Request) -> web.Response:
        """Serve our JWK set."""
        return _public_json(self.jwks())

    async def ssh_host_keys(self, _request: web.Request) -> web.Response:
        """Serve the signed statement of the SSH door's host keys.

        Raises:
            GatewayError: `NOT_FOUND` if there is no such door.
        """
        if self.host_keys is None:
            raise GatewayError(Kind.NOT_FOUND, "There is no SSH door here.")
        headers = {"Cache-Control": f"public, max-age={DISCOVERY_MAX_AGE_SECONDS}"}
        return web.Response(text=self.host_keys(), content_type=hostkeys.CONTENT_TYPE, headers=headers)

    async def share(self, request: web.Request) -> web.Response:
        """Take in a share (SHARE-7)."""
        body = await self.gate.read(request)
        document = parse_object(body, max_bytes=self.gate.max_bytes, max_depth=self.json_depth)
        notification = share_text.parse(document)

        async def claim(_key_id: str | None) -> tuple[Host, ...]:
            return tuple(dict.fromkeys((notification.sender.host, notification.owner.host)))

        async def answer(peer: AnyPeer) -> web.Response:
            receipt = await self.receive_share.receive(peer, notification)
            document = share_text.render_answer(receipt.recipient_display_name, receipt.public_keys)
            return web.json_response(document, status=201)

        return await self.gate.admit(request, body, claim, answer)

    async def notification(self, request: web.Request) -> web.Response:
        """Take in a notification (NOTE-1)."""
        body = await self.gate.read(request)
        document = parse_object(body, max_bytes=self.gate.max_bytes, max_depth=self.json_depth)
        asked = request_text.parse_notification(document)
        if asked is not None:
            return await self.requested(request, body, asked)
        notification = notification_text.parse(document)

        async def claim(key_id: str | None) -> tuple[Host, ...]:
            if key_id is None:
                return ()
            named = key_id_host(key_id)
            return (named,) if named else await self._hosts_of(notification.provider_id)

        async def answer(peer: AnyPeer) -> web.Response:
            return web.json_response(await self.notify.receive(peer, notification), status=201)

        return await self.gate.admit(request, body, claim, answer)

    def _open(self, name: str, path: str, handler: Handler) -> Door:
        about = _ABOUT[name]
        return Door(name=name, method="GET", path=path, lock=Lock.OPEN, style=Style.OCM, about=about, handler=handler)

    def _peer(self, name: str, path: str, about: str, handler: Handler) -> Door:
        return Door(name=name, method="POST", path=path, lock=Lock.PEER, style=Style.OCM, about=about, handler=handler)

    async def _hosts_of(self, provider_id: str) -> tuple[Host, ...]:
        hosts: dict[Host, None] = {}
        share = await self.sent.get(provider_id)
        if share is not None:
            hosts[share.recipient.host] = None
        page = await self.received.page("by_provider_id", provider_id, limit=OPAQUE_KEY_HOSTS)
        for record in page.records:
            hosts[record.peer] = None
        return tuple(hosts)[:OPAQUE_KEY_HOSTS]


def _public_json(document: object, *, vary: str = "") -> web.Response:
    headers = {"Cache-Control": f"public, max-age={DISCOVERY_MAX_AGE_SECONDS}", "Access-Control-Allow-Origin": "*"}
    if vary:
        headers["Vary"] = vary
    return web.Response(text=json.dumps(document), content_type=JSON_TYPE, headers=headers)
