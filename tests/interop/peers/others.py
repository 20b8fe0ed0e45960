"""opencloudmesh-go, Seafile over WebDAV, and speakers of three drafts.

opencloudmesh-go demands what the draft lets it demand: signatures, exchanged tokens, addresses relative to our root.
Seafile finds us by `sharedBy`, and pads its Basic credential with colons. The drafts' speakers do what the text of
their time says and nothing more. Sources: `dialects.md` 8.1, 8.3, 9, 10.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

from interop.peers.base import OWNER, Offer, Peer, Refused, Signing, demand
from interop.peers.davclients import RevaMount, SeafileMount, bearer


class Draft(Peer):
    """A speaker of -07: a key set by `jwksUri`, a signature with the tag `ocm`, tokens where both sides have them."""

    product = "draft -07"
    reader = "draft"
    signing = Signing.RFC9421
    dav_path = "/dav/"
    mount_class = RevaMount
    api_version = "1.4.0"
    components = ("@method", "@target-uri", "content-digest", "content-length")
    label, tag = "sig1", "ocm"
    has_invites = True

    def document(self) -> dict[str, Any]:
        """Objects for the roles of a receiver."""
        protocols = {"webdav": self.dav_path, "webdav-receive": {"uri": "absolute"}}
        return {
            "enabled": True,
            "apiVersion": self.api_version,
            "endPoint": f"{self.url}/ocm",
            "provider": "a server of the draft",
            "resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": protocols}],
            "capabilities": ["http-sig", "exchange-token", "notifications", "protocol-object", "invites"],
            "criteria": [],
            "jwksUri": f"{self.url}/jwks",
            "tokenEndPoint": f"{self.url}/ocm/token",
        }

    def sign(self, method, url, body, **faults):
        """Sign what this draft wants signed."""
        own = {"components": self.components, "label": self.label, "tag": self.tag}
        return super().sign(method, url, body, **own | faults)

    def check_signature(self, received) -> None:
        """Who advertises `http-sig` signs."""
        demand(received.signature is not None, 401, {"message": "unsigned"})
        demand(not received.signature.refusal, 401, {"message": received.signature.refusal})
        demand(set(self.components) <= set(received.signature.components), 401, {"message": "components"})
        if self.label == "ocm":
            demand(received.headers["Signature-Input"].startswith("ocm="), 401, {"message": "label"})
        self.was_signed_to = True

    def take_share(self, received) -> tuple[int, object]:
        """Check what the draft demands of every share."""
        share = received.json
        for name in ("shareWith", "name", "providerId", "owner", "sender", "shareType", "resourceType", "protocol"):
            demand(share.get(name), 400, {"message": f"{name} is missing", "validationErrors": [{"name": name}]})
        demand(share["shareType"] == "user", 501, {"message": "shareType"})
        demand(share["resourceType"] == "file", 501, {"message": "resourceType"})
        self.check_protocol(share["protocol"])
        user, _, host = share["shareWith"].rpartition("@")
        demand(host == self.host and user in self.users, 400, {"message": "no such user"})
        self.keep(share)
        return 201, {"recipientDisplayName": "Bob"}

    def check_protocol(self, protocol: dict[str, Any]) -> None:
        """An object for WebDAV, with an address, a secret and permissions."""
        webdav = protocol.get("webdav") or {}
        demand(protocol.get("name") == "multi", 400, {"message": "name"})
        demand(webdav.get("uri") and webdav.get("sharedSecret"), 400, {"message": "webdav"})
        demand(webdav.get("permissions"), 400, {"message": "permissions"})

    def take_note(self, received) -> tuple[int, object]:
        """Three types, for a share that is known."""
        note = received.json
        kinds = ("SHARE_ACCEPTED", "SHARE_DECLINED", "SHARE_UNSHARED")
        demand(note["notificationType"] in kinds, 400, {"message": "notificationType"})
        self.told.append(note["notificationType"])
        if note["notificationType"] == "SHARE_UNSHARED":
            self.incoming.pop(note["providerId"], None)
        return 201, {}

    def note(self, kind: str, provider_id: str, secret: str, **more: Any) -> dict[str, Any]:
        """The signature proves it; the secret is not told again."""
        return {"notificationType": kind, "resourceType": "file", "providerId": provider_id, "notification": {}}

    async def mount(self, provider_id: str) -> RevaMount:
        """With an exchanged token at `uri`."""
        webdav = self.incoming[provider_id]["protocol"]["webdav"]
        token = await self.exchanged(webdav["sharedSecret"], is_signed=True)
        return RevaMount(self.session, self.resolved(webdav["uri"]), bearer(token))

    def resolved(self, uri: str) -> str:
        """Return the address of a share: as it is, or below our root on the host of our end point."""
        if "://" in uri:
            return uri.rstrip("/") + "/"
        end_point = urlsplit(self.found.end_point)
        return f"{end_point.scheme}://{end_point.netloc}{self.found.webdav}{uri}/"

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """An object for WebDAV with an absolute address; the token is demanded."""
        owner = f"{OWNER}@{self.host}"
        webdav = {
            "uri": self.uri(offer),
            "sharedSecret": offer.secret,
            "permissions": ["read", "write"],
            "requirements": ["must-exchange-token"],
        }
        return {
            "shareWith": share_with,
            "name": "Project",
            "providerId": offer.provider_id,
            "owner": owner,
            "ownerDisplayName": "Alice",
            "sender": owner,
            "senderDisplayName": "Alice",
            "shareType": "user",
            "resourceType": "file",
            "protocol": {"name": "multi", "webdav": webdav},
        }

    def uri(self, offer: Offer) -> str:
        """Return where a share of its own is."""
        return f"{self.url}{self.dav_path}{offer.provider_id}"

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Tokens only."""
        return self.in_path(request, user, tokens_only=True)


class Draft05(Draft):
    """A speaker of -05: the label `ocm` and the date count, the key set has its well-known place."""

    product = "draft -05"
    components = ("@method", "@target-uri", "content-digest", "content-length", "date")
    label, tag = "ocm", None

    def document(self) -> dict[str, Any]:
        """The key set is not announced."""
        document = super().document()
        del document["jwksUri"]
        return document


class Draft03(Draft):
    """A speaker of -03 (1.3.0): strings for protocols, no signatures yet, tokens optional."""

    product = "draft -03"
    signing = Signing.NONE
    api_version = "1.3.0"

    def document(self) -> dict[str, Any]:
        """Of 1.3.0."""
        document = super().document() | {"capabilities": ["protocol-object", "notifications", "webdav-uri", "invites"]}
        document["resourceTypes"] = [
            {"name": "file", "shareTypes": ["user"], "protocols": {"webdav": self.dav_path}},
        ]
        for name in ("jwksUri", "tokenEndPoint", "criteria"):
            del document[name]
        return document

    def check_signature(self, received) -> None:
        """It looks at none."""

    def take_note(self, received) -> tuple[int, object]:
        """The secret proves who speaks."""
        assert received.json["notification"]["sharedSecret"]
        return super().take_note(received)

    def note(self, kind: str, provider_id: str, secret: str, **more: Any) -> dict[str, Any]:
        """Proven by the secret."""
        return Peer.note(self, kind, provider_id, secret, **more)

    async def mount(self, provider_id: str) -> RevaMount:
        """As a bearer of the secret."""
        webdav = self.incoming[provider_id]["protocol"]["webdav"]
        return RevaMount(self.session, self.resolved(webdav["uri"]), bearer(webdav["sharedSecret"]))

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """Without requirements, and with an address relative to its root."""
        share = super().payload(share_with, offer)
        del share["protocol"]["webdav"]["requirements"]
        return share

    def uri(self, offer: Offer) -> str:
        """Relative to the discovered path."""
        return offer.provider_id

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """The secret as a bearer."""
        return self.in_path(request, user)


class OpencloudmeshGo(Draft):
    """opencloudmesh-go with its defaults (8.1)."""

    product = "opencloudmesh-go"
    dav_path = "/webdav/ocm/"

    def document(self) -> dict[str, Any]:
        """Everything is demanded."""
        document = super().document()
        document["criteria"] = ["must-use-http-sig", "must-exchange-token"]
        document["resourceTypes"][0]["protocols"]["webdav-receive"] = {"uri": "relative"}
        return document

    def take_share(self, received) -> tuple[int, object]:
        """It says why in a member of its own."""
        try:
            return super().take_share(received)
        except Refused as refusal:
            body = refusal.body if "reason" in refusal.body else {"reason": refusal.body["message"]}
            raise Refused(refusal.status, body) from refusal

    def check_protocol(self, protocol: dict[str, Any]) -> None:
        """Read at least, and the token demanded."""
        super().check_protocol(protocol)
        webdav = protocol["webdav"]
        demand(webdav.get("requirements") == ["must-exchange-token"], 400, {"reason": "requirements"})
        demand("read" in webdav["permissions"], 400, {"reason": "permissions"})
        demand("://" not in webdav["uri"], 400, {"reason": "relative uri expected"})


class Seafile(Peer):
    """Seafile over WebDAV (8.3)."""

    product = "Seafile"
    reader = "Seafile"
    dav_path = "/seafdav/"
    note_wanted = frozenset({201})
    agent = "python-requests/2.32.3"
    mount_class = SeafileMount

    def document(self) -> dict[str, Any]:
        """A path without a slash in front."""
        return {
            "enabled": True,
            "apiVersion": "1.0-proposal1",
            "endPoint": f"{self.url}/ocm",
            "resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": {"webdav": "seafdav"}}],
        }

    def take_share(self, received) -> tuple[int, object]:
        """Find the sender by `sharedBy`; need a secret and something called permissions."""
        share = received.json
        options = (share.get("protocol") or {}).get("options") or {}
        for name in ("shareWith", "name", "providerId", "owner", "sharedBy", "shareType", "resourceType"):
            demand(share.get(name), 400, {"error_msg": f"{name} invalid."})
        demand(share["protocol"].get("name") == "webdav", 400, {"error_msg": "protocol invalid."})
        demand(options.get("sharedSecret") and options.get("permissions"), 400, {"error_msg": "options invalid."})
        demand(share["resourceType"] == "file", 400, {"error_msg": "resourceType invalid."})
        user = share["shareWith"].partition("@")[0]
        demand(user in self.users, 400, {"error_msg": f"user {user} not found"})
        self.keep(share)
        return 201, {"recipientDisplayName": user}

    def take_note(self, received) -> tuple[int, object]:
        """By the secret."""
        note = received.json
        assert isinstance(note["providerId"], str)
        demand((note.get("notification") or {}).get("sharedSecret"), 400, {"error_msg": "sharedSecret invalid."})
        self.told.append(note["notificationType"])
        if note["notificationType"] == "SHARE_UNSHARED":
            self.incoming.pop(note["providerId"], None)
        return 201, {}

    def held(self, provider_id: str) -> str:
        """The secret of the old form."""
        return self.incoming[provider_id]["protocol"]["options"]["sharedSecret"]

    async def mount(self, provider_id: str) -> SeafileMount:
        """At the host of `sharedBy`; the credential is padded with colons to a length that base64 likes."""
        found = await self.look()
        secret = self.held(provider_id)
        padded = secret + ":" * (3 - len(secret) % 3)
        packed = base64.b64encode(padded.encode()).decode()
        host = self.incoming[provider_id]["sharedBy"].rpartition("@")[2]
        root = f"{self.gateway_url.partition('://')[0]}://{host}/{found.webdav.strip('/')}/"
        return SeafileMount(self.session, root, {"Authorization": f"Basic {packed}"})

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """Both names of the sender, an end of 0, and a secret in base64."""
        owner = f"{OWNER}@{self.host}"
        names = dict.fromkeys(("owner", "sender", "sharedBy"), owner)
        shown = dict.fromkeys(("ownerDisplayName", "senderDisplayName", "sharedByDisplayName"), "Alice")
        return (
            names
            | shown
            | {
                "shareWith": share_with,
                "name": "library",
                "description": "",
                "providerId": offer.provider_id,
                "expiration": 0,
                "shareType": "user",
                "resourceType": "file",
                "protocol": {"name": "webdav", "options": {"sharedSecret": offer.secret, "permissions": "rw"}},
            }
        )

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Basic with the secret as user, at the root."""
        return (self.by_secret(user) if scheme == "basic" else None), self.dav_path
