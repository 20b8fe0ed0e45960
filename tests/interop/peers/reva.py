"""The family around reva: oCIS, OpenCloud and CERNBox. Strict about `protocol`, lax about the rest; no signatures.

They read an object for each protocol and refuse what else is there, answer 200 in the type text/plain (not CERNBox),
and open a share as a bearer at its `uri`. They differ in who may share: oCIS and CERNBox want an invitation that was
accepted, and oCIS and OpenCloud list their providers in a file. Sources: `dialects.md` 5 to 7. They speak plain http
here as their switches for tests allow.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from interop.peers.base import OWNER, Offer, Peer, demand
from interop.peers.davclients import CernboxMount, RevaMount, basic, bearer


def _faulty(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


class Reva(Peer):
    """What the three have in common.

    Attributes:
        contacts: whose invitations were accepted.
        providers: the hosts that its administrator listed.
    """

    needs_contact = True
    needs_listing = True
    protocols = frozenset({"name", "options", "webdav", "webapp", "datatx"})
    dav_path = "/dav/ocm/"
    mount_class = RevaMount
    tells_accept = False
    tells_decline = False
    wanted = frozenset({200, 201})
    has_invites = True
    bad_invite = 404

    def __init__(self, url: str) -> None:
        self.contacts: set[str] = set()
        self.providers: set[str] = set()
        super().__init__(url)

    def content_type(self, status: int) -> str:
        """The body is written before the status, so both come out as the library guesses."""
        return "text/plain" if status == 200 else "application/json"

    def list_provider(self, host: str) -> None:
        """Let its administrator list a provider."""
        self.providers.add(host)

    async def accept_invitation(self, token: str) -> str:
        """Who invited is a contact from now on, under the very words of the answer."""
        address = await super().accept_invitation(token)
        self.contacts.add(address)
        return address

    def introduce(self, address: str) -> None:
        """Let it know somebody, and their server."""
        self.list_provider(address.rpartition("@")[2])
        self.contacts.add(address)

    def take_share(self, received) -> tuple[int, object]:
        """Check the members, then the provider, the contact and the recipient (section 5)."""
        share = received.json
        for name in ("shareWith", "name", "providerId", "owner", "sender", "shareType", "resourceType", "protocol"):
            demand(share.get(name), 400, _faulty("INVALID_PARAMETER", f"missing {name}"))
        demand(isinstance(share["providerId"], str), 400, _faulty("INVALID_PARAMETER", "providerId"))
        demand(isinstance(share.get("expiration", 0), int), 400, _faulty("INVALID_PARAMETER", "expiration"))
        demand(share["shareType"] in ("user", "group"), 400, _faulty("INVALID_PARAMETER", "shareType"))
        demand(share["resourceType"] in ("file", "folder"), 400, _faulty("INVALID_PARAMETER", "resourceType"))
        self.check_protocol(share["protocol"])
        host = share["sender"].rpartition("@")[2]
        if self.needs_listing:
            demand(host in self.providers, 401, _faulty("UNAUTHENTICATED", "provider not authorized"))
        user = share["shareWith"].rpartition("@")[0].partition("@")[0]
        demand(user in self.users, 404, _faulty("NOT_FOUND", "user not found"))
        if self.needs_contact:
            unknown = _faulty("UNAUTHENTICATED", "no accepted invite for this sender")
            demand(share["sender"] in self.contacts, 401, unknown)
        self.keep(share)
        return self.taken(user)

    def taken(self, user: str) -> tuple[int, object]:
        """Answer a share that was taken."""
        return 200, {"recipientDisplayName": user}

    def check_protocol(self, protocol: dict[str, Any]) -> None:
        """Refuse the old form and every key that is not known."""
        for name in protocol:
            demand(name in self.protocols, 400, _faulty("INVALID_PARAMETER", f"protocol {name} not recognised"))
        self.check_options(protocol.get("options") or {})
        webdav = protocol.get("webdav")
        demand(webdav, 400, _faulty("INVALID_PARAMETER", "no protocol"))
        self.check_uri(webdav.get("uri") or webdav.get("url") or "")
        demand(webdav.get("sharedSecret"), 400, _faulty("INVALID_PARAMETER", "sharedSecret"))
        known = set(webdav.get("permissions") or ()) <= {"read", "write", "share"}
        demand(webdav.get("permissions") and known, 400, _faulty("INVALID_PARAMETER", "permissions"))

    def check_options(self, options: dict[str, Any]) -> None:
        """Refuse the old form."""
        demand(not options, 400, _faulty("INVALID_PARAMETER", "protocol options not supported"))

    def check_uri(self, uri: str) -> None:
        """Demand an absolute address."""
        parts = urlsplit(uri)
        demand(parts.scheme in ("http", "https") and parts.netloc, 400, _faulty("INVALID_PARAMETER", "uri"))

    async def mount(self, provider_id: str) -> RevaMount:
        """As a bearer of the secret at `uri`."""
        webdav = self.incoming[provider_id]["protocol"]["webdav"]
        return self.mount_class(self.session, webdav["uri"].rstrip("/") + "/", bearer(webdav["sharedSecret"]))

    def payload(self, share_with: str, offer: Offer) -> dict[str, Any]:
        """An absolute address, and the folder by its name."""
        sender = self.sender()
        webdav = {
            "sharedSecret": offer.secret,
            "permissions": ["read", "write"],
            "uri": f"{self.url}{self.dav_path}{offer.provider_id}",
        }
        return {
            "shareWith": share_with,
            "name": "reva",
            "description": "",
            "providerId": offer.provider_id,
            "owner": sender,
            "sender": sender,
            "ownerDisplayName": "Alice",
            "senderDisplayName": "Alice",
            "shareType": "user",
            "resourceType": "folder",
            "protocol": {"name": "multi", "options": {}, "webdav": webdav},
        }

    def sender(self) -> str:
        """Return how it writes its user's address."""
        return f"{OWNER}@{self.host}"

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Bearer with the secret at the share's own path; Basic the same."""
        return self.in_path(request, user)


class Ocis(Reva):
    """oCIS: discovers nobody, tells the recipient's address in its notices, never a secret."""

    product = "oCIS"

    def document(self) -> dict[str, Any]:
        """The slash behind its path is dropped."""
        return {
            "enabled": True,
            "apiVersion": "1.1.0",
            "endPoint": f"{self.url}/ocm",
            "provider": "oCIS",
            "resourceTypes": [
                {"name": "file", "shareTypes": ["user"], "protocols": {"webdav": self.dav_path.rstrip("/")}},
            ],
            "capabilities": ["/invite-accepted"],
        }

    def sender(self) -> str:
        """The id of its user names the host of its log-in service, too."""
        return f"{self.inviter_id()}@{self.host}"

    def inviter_id(self) -> str:
        """The same id, without the provider."""
        return f"b1f74ec4@idp.{self.host.partition(':')[0]}"

    def guest_id(self) -> str:
        """Another one of the same form."""
        return f"4c510ada@idp.{self.host.partition(':')[0]}"

    def take_note(self, received) -> tuple[int, object]:
        """Two types, and the grantee (section 5)."""
        note = received.json
        kind, content = note["notificationType"], note.get("notification")
        faulty = {"message": "BAD_REQUEST", "validationErrors": [{"name": "notificationType"}]}
        demand(kind in ("SHARE_UNSHARED", "SHARE_CHANGE_PERMISSION"), 400, faulty)
        demand(content and content.get("grantee"), 400, {"message": "BAD_REQUEST", "validationErrors": []})
        self.told.append(kind)
        if kind == "SHARE_UNSHARED":
            self.incoming.pop(note["providerId"], None)
        else:
            webdav = content["protocol"]["webdav"]
            self.incoming[note["providerId"]]["protocol"]["webdav"]["permissions"] = webdav["permissions"]
        return 201, {}

    def end_note(self, kind: str, offer: Offer, recipient: str, **more: Any) -> dict[str, Any]:
        """Return a notice to the recipient of a share of its own."""
        content = {"grantee": recipient} | more
        return {
            "notificationType": kind,
            "resourceType": "file",
            "providerId": offer.provider_id,
            "notification": content,
        }

    async def unshare(self, offer: Offer, recipient: str) -> int:
        """Tell without a secret."""
        offer.is_ended = True
        return (await self.say("/notifications", self.end_note("SHARE_UNSHARED", offer, recipient)))[0]

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Basic takes one word for both the share's id and its secret, which we do not have."""
        return self.in_path(request, user) if scheme == "bearer" else (None, self.dav_path)


class OpenCloud(Reva):
    """OpenCloud: takes shares of anybody, listens to no notice, and tells none."""

    product = "OpenCloud"
    reader = "OpenCloud"
    needs_contact = False
    needs_listing = False
    tells_unshare = False
    protocols = frozenset({"name", "options", "webdav", "webapp"})

    def document(self) -> dict[str, Any]:
        """Of 1.2."""
        return {
            "enabled": True,
            "apiVersion": "1.2.0",
            "endPoint": f"{self.url}/ocm",
            "provider": "OpenCloud",
            "resourceTypes": [
                {"name": "file", "shareTypes": ["user"], "protocols": {"webdav": self.dav_path}},
            ],
            "capabilities": ["invites", "webdav-uri", "protocol-object", "invite-wayf"],
            "inviteAcceptDialog": f"{self.url}/open-cloud-mesh/accept-invite",
        }

    def inviter_id(self) -> str:
        """With the address of its log-in service in it (section 6)."""
        return f"{OWNER}@{self.url}"

    def guest_id(self) -> str:
        """With the address of its log-in service in it."""
        return f"bob@{self.url}"

    def check_uri(self, uri: str) -> None:
        """It stores anything; what it can use later is absolute, so that is what has to come."""
        assert urlsplit(uri).netloc, "stored, and of no use later"

    def take_note(self, received) -> tuple[int, object]:
        """Everything is fine, and nothing happens."""
        self.told.append(received.json["notificationType"])
        return 201, {}


class Cernbox(Reva):
    """CERNBox: finds us at every share, wants what is shared in our document, exchanges tokens without a signature."""

    product = "CERNBox"
    reader = "CERNBox"
    needs_listing = False
    tells_unshare = False
    dav_path = "/remote.php/dav/ocm/"
    mount_class = CernboxMount
    protocols = frozenset({"name", "options", "webdav", "webapp", "embedded"})

    def document(self) -> dict[str, Any]:
        """With folders, and with objects for the roles of a receiver."""
        protocols = {"webdav": self.dav_path, "webdav-receive": {"uri": "absolute"}}
        return {
            "enabled": True,
            "apiVersion": "1.3.0",
            "endPoint": f"{self.url}/ocm",
            "provider": "CERNBox",
            "resourceTypes": [
                {"name": name, "shareTypes": ["user"], "protocols": protocols} for name in ("file", "folder")
            ],
            "capabilities": ["invites", "protocol-object", "invite-wayf"],
            "criteria": ["must-invite"],
            "inviteAcceptDialog": f"{self.url}/invite",
        }

    def taken(self, user: str) -> tuple[int, object]:
        """The only one of the three that says 201."""
        return 201, {"recipientDisplayName": user}

    def check_protocol(self, protocol: dict[str, Any]) -> None:
        """The old form is a share by itself, beside another one; only one requirement is known."""
        if not protocol.get("options") or "webdav" in protocol:
            super().check_protocol(protocol)
        wanted = set((protocol.get("webdav") or {}).get("requirements") or ())
        demand(wanted <= {"must-exchange-token"}, 400, _faulty("INVALID_PARAMETER", "requirements"))

    def check_options(self, options: dict[str, Any]) -> None:
        """A secret is enough."""
        demand(not options or options.get("sharedSecret"), 400, _faulty("INVALID_PARAMETER", "sharedSecret"))

    def check_uri(self, uri: str) -> None:
        """Relative ones are resolved by our document."""

    def take_share(self, received) -> tuple[int, object]:
        """Our document has to have an entry for this type with a path for each protocol."""
        share = received.json
        kind = share["resourceType"]
        entries = [one for one in self.found.document["resourceTypes"] if one["name"] == kind]
        offered = entries[0]["protocols"] if entries else {}
        for protocol in set(share["protocol"]) & {"webdav", "webapp", "embedded"}:
            demand(protocol in offered, 400, _faulty("INVALID_PARAMETER", f"{kind} over {protocol} is not offered"))
        return super().take_share(received)

    def take_note(self, received) -> tuple[int, object]:
        """It is written to the log."""
        self.told.append(received.json["notificationType"])
        return 201, {}

    async def mount(self, provider_id: str) -> RevaMount:
        """With a token where one is demanded, under the host of its user's log-in service; never signed."""
        webdav = self.incoming[provider_id]["protocol"]["webdav"]
        mount = await super().mount(provider_id)
        if "must-exchange-token" in (webdav.get("requirements") or ()):
            token = await self.exchanged(webdav["sharedSecret"], is_signed=False, client_id="auth.cern.example")
            mount.headers = bearer(token)
        return mount

    async def old_mount(self, provider_id: str) -> RevaMount:
        """When a bearer is refused: Basic, on the path without the share's id."""
        webdav = self.incoming[provider_id]["protocol"]["webdav"]
        found = await self.look()
        origin = found.end_point.removesuffix(urlsplit(found.end_point).path)
        return self.mount_class(self.session, origin + found.webdav, basic(webdav["sharedSecret"]))

    def opened(self, request, scheme: str, user: str) -> tuple[Offer | None, str]:
        """Bearer at the share's own path, Basic at the root of all."""
        return self.in_path(request, user) if scheme == "bearer" else (self.by_secret(user), self.dav_path)
