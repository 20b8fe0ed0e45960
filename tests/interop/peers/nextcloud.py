"""Nextcloud as it was seen on the wire (31.0.6, 32.0.1), read (33), and as its next releases are announced (34, 35).

Up to 33 a share is a secret: it is found under the common WebDAV path by the user name of Basic, and says nothing of
folders. Every message is signed in the way before RFC 9421, and who has signed once has to go on signing. 35 takes and
sends RFC 9421 with ECDSA, and exchanges tokens. Sources: `dialects.md` 3, live-captures.md 2 to 5.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from interop.peers.base import OWNER, Offer, Peer, Refused, Signing, demand, first_key
from interop.peers.davclients import PhpMount, basic, bearer

from support import cavagewire
from support.fakepeer import REQUIRED

_USER = re.compile(r"[a-zA-Z0-9 _.@'-]+")
_PERMISSIONS = "{http://open-cloud-mesh.org/ns}share-permissions"


def _faulty(message: str) -> dict[str, Any]:
    return {"message": message, "validationErrors": []}


class Nextcloud31(Peer):
    """31.0.6: discovers at `/ocm-provider/` only, takes exactly 201."""

    product = "Nextcloud 31"
    reader = "Nextcloud 31"
    signing = Signing.CAVAGE
    note_wanted = frozenset({201})
    agent = "Nextcloud Server Crawler"
    escapes_slashes = True
    mount_class = PhpMount
    version = "1.1"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.keys: dict[str, str] = {}

    def document(self) -> dict[str, Any]:
        """As recorded."""
        return {
            "enabled": True,
            "apiVersion": "1.0-proposal1",
            "version": self.version,
            "endPoint": f"{self.url}/ocm",
            "publicKey": self.shown_key(),
            "resourceTypes": [
                {"name": "file", "shareTypes": ["user", "group"], "protocols": {"webdav": self.dav_path}},
            ],
        }

    # As a recipient.

    def check_signature(self, received) -> None:
        """A signature has to hold; none is taken only from who never signed."""
        has_key = self.found is not None and self.found.document.get("publicKey") is not None
        if not has_key or "signature" not in {name.lower() for name in received.headers}:
            # Of a sender whose document shows no key, a signature counts as none.
            why = "instance is supposed to sign its request"
            demand(not self.was_signed_to, 400, _faulty(why))
            return
        fault = self.check_cavage(received)
        demand(not fault, 400, _faulty(f"Invalid signature ({fault})"))
        shown = self.found.document["publicKey"]
        # Another key is fine under another name only (3.7).
        kept = self.keys.setdefault(shown["keyId"], shown["publicKeyPem"])
        demand(kept == shown["publicKeyPem"], 400, _faulty("Invalid signature (conflict of keys)"))
        self.was_signed_to = True

    def take_share(self, received) -> tuple[int, object]:
        """Take the form of OCM 1.0 only (3.4)."""
        share = received.json
        host = share["owner"].rpartition("@")[2].removeprefix(f"{self.gateway_url.partition(':')[0]}://")
        if self.was_signed_to:
            demand(host == self.authority, 400, _faulty("share initiation from different instance"))
        named = [share.get(name) for name in ("shareWith", "name", "providerId", "resourceType", "shareType")]
        self.check_protocol(share, named)
        demand(share["resourceType"] == "file", 501, {"message": 'Share type "user" not implemented'})
        demand(share["shareType"] in ("user", "group"), 501, {"message": "Share type not implemented"})
        user, at, _ = share["shareWith"].partition("@")
        demand(at, 500, "<html>Internal Server Error</html>")
        demand(user in self.users, 400, _faulty(f'User "{user}" does not exists at {self.url}'))
        demand("/" not in share["name"], 501, {"message": "The mountpoint name contains invalid characters."})
        truthy = [share.get(name) for name in ("ownerDisplayName", "providerId", "name")]
        demand(all(value not in (None, "", "0", 0) for value in truthy), 501, {"message": "missing"})
        for name in {"owner", "sharedBy"} & set(share):
            demand(_USER.fullmatch(share[name].partition("@")[0]), 400, _faulty("Internal error"))
        self.keep(share)
        return 201, {"recipientDisplayName": user, "recipientUserId": user}

    def check_protocol(self, share: dict[str, Any], named: list[Any]) -> None:
        """Only a secret under `options`, of the protocol webdav."""
        protocol = share.get("protocol") or {}
        secret = (protocol.get("options") or {}).get("sharedSecret")
        demand(None not in [*named, protocol.get("name"), secret], 400, _faulty("Missing arguments"))
        demand(protocol["name"] == "webdav", 501, {"message": "Unsupported protocol for data exchange."})
        demand(secret.isascii() and secret.isalnum(), 400, _faulty("Missing arguments"))

    def take_note(self, received) -> tuple[int, object]:
        """Find the share by its secret and its id; know four types (3.5)."""
        note = received.json
        content = note.get("notification") or {}
        if not content.get("sharedSecret"):
            raise Refused(503, {"message": "missing"})
        kinds = {"SHARE_ACCEPTED", "SHARE_DECLINED", "SHARE_UNSHARED", "REQUEST_RESHARE", "RESHARE_UNDO"}
        demand(note["notificationType"] in kinds, 400, {"message": "RESOURCE_NOT_FOUND"})
        demand(note.get("resourceType") == "file", 501, {"message": "not implemented"})
        self.told.append(note["notificationType"])
        if note["notificationType"] == "SHARE_UNSHARED":
            share = self.incoming.get(note["providerId"])
            demand(share is None or self.held(note["providerId"]) == content["sharedSecret"], 400, {"message": "entry"})
            self.incoming.pop(note["providerId"], None)
        else:
            demand(self.by_secret(content["sharedSecret"]), 400, {"message": "entry  does not contain @"})
        return 201, []

    def held(self, provider_id: str) -> str:
        """Only the secret of the old form is kept."""
        return self.incoming[provider_id]["protocol"]["options"]["sharedSecret"]

    async def mount(self, provider_id: str) -> PhpMount:
        """At the host of our end point and the path of our document: the secret alone says which share."""
        secret = self.held(provider_id)
        found = await self.look()
        return PhpMount(self.session, found.webdav, basic(secret), discover=self.look)

    # As a sender.

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """As recorded: a scheme in `shareWith`, a number as id, no `sender`."""
        owner = f"{OWNER}@{self.host}"
        user, _, host = share_with.rpartition("@")
        return {
            "shareWith": f"{user}@{self.gateway_url.partition(':')[0]}://{host}",
            "shareType": "user",
            "name": "nc",
            "resourceType": "file",
            "description": "",
            "providerId": int(offer.provider_id),
            "owner": owner,
            "ownerDisplayName": OWNER,
            "sharedBy": owner,
            "sharedByDisplayName": OWNER,
            "protocol": {"name": "webdav", "options": {"sharedSecret": offer.secret, "permissions": _PERMISSIONS}},
        }

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Basic with the secret as user, at the root; Bearer is refused (live-captures.md 2, 28)."""
        return (self.by_secret(user) if scheme == "basic" else None), self.dav_path


class Nextcloud33(Nextcloud31):
    """32 and 33: asks the well-known path first, writes `sender` too and the id as a text."""

    product = "Nextcloud 33"
    reader = "Nextcloud 33"
    version = "1.1.0"
    has_invites = True
    # As recorded: the draft's `userID` alone broke it down (live-captures.md 2, 29).
    guest_member = "userId"

    def recipient_provider(self) -> str:
        """The bare host, without its port (3.10)."""
        return self.host.partition(":")[0]

    async def accept_invitation(self, token: str) -> str:
        """Only if our document says that we know invitations."""
        found = await self.look()
        assert {"invites", "invite-accepted", "/invite-accepted"} & set(found.document["capabilities"])
        return await super().accept_invitation(token)

    def document(self) -> dict[str, Any]:
        """As recorded of 32, with the provider's name of 33."""
        more = {"provider": "Nextcloud", "capabilities": ["/invite-accepted", "/notifications", "/shares"]}
        return super().document() | more

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """As recorded of 32."""
        share = super().payload(share_with, offer)
        names = {"sender": share["sharedBy"], "senderDisplayName": share["sharedByDisplayName"]}
        return share | names | {"providerId": offer.provider_id}


class Ecdsa:
    """A key on P-256 that signs as RFC 9421 wants it: R and S, nothing around them."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        """Return the signature."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def jwk(self, kid: str) -> dict[str, str]:
        """Return the public key."""
        numbers = self._key.public_key().public_numbers()
        x, y = (base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y}


class Nextcloud35(Nextcloud33):
    """34 and 35 as far as it is known: signs by RFC 9421 with ECDSA and exchanges tokens (3.3, 3.8, 3.9; [F], [P]).

    Of 35.0.1 others have told what it calls itself, its versions, that its key of the older kind is still shown, and
    that its signatures leave the date out.
    """

    product = "Nextcloud 35"
    reader = "Nextcloud 35"
    signing = Signing.RFC9421
    agent = "Nextcloud-Server-Crawler/35.0.1"
    bad_grant = 401

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.new_key("ecdsa-p256-sha256-1")

    def new_key(self, name: str) -> None:
        """Sign with a new ECDSA key."""
        self._private = Ecdsa()
        self.key_id = f"{self.url}/ocm#{name}"
        self.jwks = {"keys": [self._private.jwk(self.key_id)]}

    def document(self) -> dict[str, Any]:
        """With both kinds of keys; the older is for others than us."""
        return {
            "enabled": True,
            "apiVersion": "1.0-proposal1",
            "version": "1.1.2",
            "endPoint": f"{self.url}/ocm",
            "publicKey": {"keyId": f"{self.url}/ocm#signature", "publicKeyPem": cavagewire.pem(first_key())},
            "provider": "Nextcloud",
            "resourceTypes": [
                {"name": "file", "shareTypes": ["user", "group"], "protocols": {"webdav": self.dav_path}},
            ],
            "capabilities": ["invite-accepted", "notifications", "shares", "http-sig", "exchange-token"],
            "jwksUri": f"{self.url}/jwks",
            "tokenEndPoint": f"{self.url}/ocm/token",
        }

    def sign(self, method: str, url: str, body: bytes, **faults: Any) -> dict[str, str]:
        """Leave the date out of what is signed."""
        return super().sign(method, url, body, **{"components": REQUIRED} | faults)

    def check_signature(self, received) -> None:
        """Label and tag, the five parts, no algorithm of its own choice."""
        if received.signature is None:
            demand(not self.was_signed_to, 400, _faulty("instance is supposed to sign its request"))
            return
        demand(not received.signature.refusal, 400, _faulty(f"Invalid signature ({received.signature.refusal})"))
        demand("date" in received.signature.components, 400, _faulty("Invalid signature (date)"))
        demand(received.headers["Signature-Input"].startswith("ocm="), 400, _faulty("Invalid signature (label)"))
        self.was_signed_to = True

    def check_protocol(self, share: dict[str, Any], named: list[Any]) -> None:
        """A secret in either place."""
        protocol = share.get("protocol") or {}
        secret = (protocol.get("webdav") or protocol.get("options") or {}).get("sharedSecret")
        demand(None not in [*named, protocol.get("name"), secret], 400, _faulty("Missing arguments"))
        demand(protocol["name"] in ("webdav", "multi"), 501, {"message": "Unsupported protocol"})

    def held(self, provider_id: str) -> str:
        """The secret of either place."""
        return Peer.held(self, provider_id)

    async def mount(self, provider_id: str) -> PhpMount:
        """An exchanged token at the common path, without the share's id."""
        token = await self.exchanged(self.held(provider_id), is_signed=True)
        found = await self.look()
        return PhpMount(self.session, found.webdav, bearer(token), discover=self.look)

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """To us, who exchange tokens: an object that demands it, and the root of all shares as `uri`."""
        webdav = {
            "uri": f"{self.url}{self.dav_path}",
            "sharedSecret": offer.secret,
            "permissions": ["read", "write"],
            "requirements": ["must-exchange-token"],
        }
        return super().payload(share_with, offer) | {"protocol": {"name": "webdav", "webdav": webdav}}

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Bearer with a token, at the root; once exchanged, the secret opens nothing (3.9)."""
        if scheme != "bearer":
            return None, self.dav_path
        return next((offer for offer in self.offers.values() if user in offer.tokens), None), self.dav_path
