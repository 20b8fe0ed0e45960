"""ownCloud 10 as it was seen on the wire (10.15.2): no signatures, no tokens, and a mount that goes away at a 401.

Its document lists its types under `shareTypes`, its end point has a path of its own, and its storage is looked for at
the host of the share's owner. Sources: `dialects.md` 4, live-captures.md 2 (items 21 to 24), 3 and 5.
"""

from __future__ import annotations

from typing import Any

from interop.peers.base import OWNER, Offer, Peer, demand
from interop.peers.davclients import OwnCloudMount, basic

_KINDS = {"SHARE_ACCEPTED", "SHARE_DECLINED", "SHARE_UNSHARED", "REQUEST_RESHARE", "RESHARE_CHANGE_PERMISSION"}


class OwnCloud10(Peer):
    """10.15.2."""

    product = "ownCloud 10"
    reader = "ownCloud 10"
    end_point = "/apps/federatedfilesharing"
    note_wanted = frozenset({201})
    agent = "ownCloud Server Crawler"
    escapes_slashes = True
    mount_class = OwnCloudMount

    def document(self) -> dict[str, Any]:
        """As recorded."""
        return {
            "enabled": True,
            "apiVersion": "1.0-proposal1",
            "endPoint": f"{self.url}{self.end_point}",
            "shareTypes": [{"name": "file", "protocols": {"webdav": self.dav_path}}],
        }

    # As a recipient.

    def take_share(self, received) -> tuple[int, object]:
        """Take files for users, with a secret (live-captures.md 5)."""
        share = received.json
        protocol = share.get("protocol") or {}
        secret = (protocol.get("options") or {}).get("sharedSecret")
        needed = [share.get(name) for name in ("shareWith", "name", "providerId", "owner", "shareType", "resourceType")]
        missing = {"message": "server can not add federated share, missing parameter"}
        demand(None not in [*needed, protocol.get("name"), protocol.get("options")], 400, missing)
        demand(protocol["name"] == "webdav", 501, {"message": f"Protocol {protocol['name']} is not supported"})
        kind, share_type = share["resourceType"], share["shareType"]
        demand(share_type == "user", 501, {"message": f"ShareType {share_type} is not supported"})
        demand(kind == "file", 501, {"message": f"ResourceType {kind} is not supported"})
        demand(secret, 400, missing)
        demand("/" not in share["name"], 400, {"message": "The mountpoint name contains invalid characters."})
        user = share["shareWith"].rpartition("@")[0]
        demand(user in self.users, 400, {"message": f"User {user} does not exist"})
        self.keep(share)
        return 201, []

    def take_note(self, received) -> tuple[int, object]:
        """The id a text, the secret right (live-captures.md 2, 21)."""
        note = received.json
        kind, provider_id, content = note["notificationType"], note["providerId"], note.get("notification") or {}
        demand(isinstance(provider_id, str), 400, {"message": f"Share with id {provider_id} does not exist"})
        demand(kind in _KINDS, 501, {"message": "Notification of type is not supported"})
        self.told.append(kind)
        if kind in ("SHARE_UNSHARED", "RESHARE_CHANGE_PERMISSION"):
            known = provider_id in self.incoming
            demand(known, 400, {"message": f"Share with id {provider_id} does not exist"})
            demand(self.held(provider_id) == content.get("sharedSecret"), 403, {"message": "wrong secret"})
        else:
            offer = self.offers.get(provider_id)
            demand(offer is not None, 400, {"message": f"Share with id {provider_id} does not exist"})
            demand(offer.secret == content.get("sharedSecret"), 403, {"message": "wrong secret"})
        if kind == "SHARE_UNSHARED":
            self.incoming.pop(provider_id)
        if kind == "RESHARE_CHANGE_PERMISSION":
            demand(isinstance(content.get("permission"), list), 400, {"message": "no permission"})
        return 201, []

    async def mount(self, provider_id: str) -> OwnCloudMount:
        """At the host of the owner; a 401 at the root removes the mount."""
        share = self.incoming[provider_id]
        found = await self.look()
        scheme, _, rest = found.webdav.partition("://")
        host = share["owner"].rpartition("@")[2]
        root = f"{scheme}://{host}/{rest.partition('/')[2]}"
        return OwnCloudMount(self.session, root, basic(self.held(provider_id)), removes_on=frozenset({401}))

    # As a sender.

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """As recorded: a scheme in the owner's address, no description, only a secret."""
        owner = f"{OWNER}@{self.url}"
        return {
            "shareWith": share_with.lower(),
            "name": "oc",
            "providerId": offer.provider_id,
            "owner": owner,
            "ownerDisplayName": OWNER,
            "sender": owner,
            "senderDisplayName": OWNER,
            "shareType": "user",
            "resourceType": "file",
            "protocol": {"name": "webdav", "options": {"sharedSecret": offer.secret}},
        }

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Basic with the secret as user; Bearer is refused (live-captures.md 2, 28)."""
        return (self.by_secret(user) if scheme == "basic" else None), self.dav_path
