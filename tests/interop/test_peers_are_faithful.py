"""The stand-ins answer as the products did: each row of the recorded tables of shares that were sent to them.

The rows are those of live-captures.md 4 (Nextcloud 31.0.6) and 5 (ownCloud 10.15.2). Where a product broke down with a
page of HTML, any refusal will do.
"""

import json
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from interop.peers.base import SECRET, first_key
from interop.peers.nextcloud import Nextcloud31
from interop.peers.owncloud import OwnCloud10

from support import cavagewire
from support.fakepeer import FakePeer

STALE = formatdate(time.time() - 900, usegmt=True)
ORDER = cavagewire.ORDER
WEBDAV = {"uri": "https://h/dav/1", "sharedSecret": SECRET, "permissions": ["read"]}
OPTIONS = {"sharedSecret": SECRET}
BROKE_DOWN = 500


def protocol(name="webdav", **parts):
    """Return a change of the member `protocol`."""
    return {"protocol": {"name": name, **parts}}


def wire(**faults):
    """Return a way of signing with faults."""
    return {"signed": faults}


# What was sent, how it departs from the share that is taken, what was answered.
NEXTCLOUD = [
    ("unsigned legacy from peer without key", {"unsigned": True, "keyless": True}, 201),
    ("signed legacy rsa-sha512", {}, 201),
    ("unsigned after signed from same host", {"first": True, "unsigned": True}, 400),
    ("signed legacy rsa-sha256/SHA-256", wire(algorithm="rsa-sha256", digest="SHA-256"), 201),
    ("request-target not first", wire(order=(*ORDER[1:], ORDER[0])), 400),
    ("comma-space separators", wire(separator=", "), 400),
    ("multi only (spec shape)", protocol("multi", webdav=WEBDAV), 400),
    ("multi + options (both)", protocol("multi", options=OPTIONS, webdav=WEBDAV), 501),
    ("resourceType folder", {"resourceType": "folder"}, 501),
    ("RFC 9421 signature only", {"rfc9421": True}, 400),
    ("owner host != key host", {"owner": "marie@elsewhere.example"}, 400),
    ("unknown user", {"shareWith": "nobody@{peer}"}, 400),
    ("bare user shareWith", {"shareWith": "bob"}, BROKE_DOWN),
    ("shareWith with scheme", {"shareWith": "bob@https://{peer}"}, 201),
    ("shareWith wrong host", {"shareWith": "bob@elsewhere.example"}, 201),
    ("stale date", wire(date=STALE), 400),
    ("shareType federation", {"shareType": "federation"}, 501),
    ("name=webdav with options AND webdav.uri", protocol(options=OPTIONS, webdav=WEBDAV), 201),
    ("signed by peer whose discovery has no key", {"keyless": True}, 201),
    ("providerId integer", {"providerId": 7}, 201),
    ("cavage with unquoted created=", wire(extra=",created=1"), BROKE_DOWN),
    ("host without port in signing string", wire(host="localhost"), 400),
    ("no description", {"description": None}, 201),
    ("no owner", {"owner": None}, BROKE_DOWN),
    ("name with slash", {"name": "a/b"}, 501),
    (
        "must-exchange-token requirement in webdav, name=webdav",
        protocol(options=OPTIONS, webdav=WEBDAV | {"requirements": ["must-exchange-token"]}),
        201,
    ),
    ("exact duplicate of an existing share", {"first": True}, 201),
]
OWNCLOUD = [
    ("legacy", {}, 201),
    ("legacy int providerId", {"providerId": 7}, 201),
    ("multi only", protocol("multi", webdav=WEBDAV), 400),
    ("multi + options", protocol("multi", options=OPTIONS, webdav=WEBDAV), 501),
    ("name=webdav, options + webdav", protocol(options=OPTIONS, webdav=WEBDAV), 201),
    ("resourceType folder", {"resourceType": "folder"}, 501),
    ("cavage-signed", wire(), 201),
    ("rfc9421-signed", {"rfc9421": True}, 201),
    ("unknown user", {"shareWith": "nobody@{peer}"}, 400),
    ("bare user", {"shareWith": "bob"}, 400),
    ("wrong host", {"shareWith": "bob@elsewhere.example"}, 201),
    ("owner with scheme", {"owner": "marie@https://{us}"}, 201),
    ("shareType group", {"shareType": "group"}, 501),
    ("no display names", {"ownerDisplayName": None, "senderDisplayName": None}, 201),
    ("no sender", {"sender": None, "sharedBy": None}, 201),
]


class Sender:
    """Somebody with a key, who shares in more and less correct ways."""

    def __init__(self, fake):
        self.fake = fake
        self.key_id = f"{fake.url}/ocm#signature"
        fake.discovery["publicKey"] = {"keyId": self.key_id, "publicKeyPem": cavagewire.pem(first_key())}

    def message(self, peer, changes):
        """Return the share with changes; a member that is None is left out."""
        us = f"marie@{self.fake.host}"
        share = {
            "shareWith": f"bob@{peer.host}",
            "name": "a.txt",
            "description": "",
            "providerId": "7",
            "owner": us,
            "ownerDisplayName": "Marie",
            "sender": us,
            "senderDisplayName": "Marie",
            "shareType": "user",
            "resourceType": "file",
            "protocol": {"name": "webdav", "options": OPTIONS},
        } | changes
        places = {"{peer}": peer.host, "{us}": self.fake.host}
        text = json.dumps({name: value for name, value in share.items() if value is not None})
        for place, value in places.items():
            text = text.replace(place, value)
        return text.encode()

    async def post(self, peer, change):
        """Send the share and return the status."""
        how = {"unsigned", "keyless", "first", "rfc9421", "signed"}
        body = self.message(peer, {name: value for name, value in change.items() if name not in how})
        target = f"{peer.end_point}/shares"
        faults = dict(change.get("signed", {}))
        host = faults.pop("host", peer.host)
        fields = cavagewire.sign(first_key(), self.key_id, target, host, body, **faults)
        if change.get("rfc9421"):
            fields = self.fake.sign("POST", peer.url + target, body)
        local = f"http://127.0.0.1:{peer.host.rpartition(':')[2]}{target}"
        answer = await self.fake.post(local, body, headers={} if change.get("unsigned") else fields)
        return answer.status


async def answered(kind, change):
    """Return what a stand-in answers to a share that departs in this way."""
    async with FakePeer.running() as fake, kind.running(kind.name()) as peer:
        sender = Sender(fake)
        if change.get("keyless"):
            del fake.discovery["publicKey"]
        us = SimpleNamespace(config=SimpleNamespace(public_url=fake.url, authority=fake.host))
        async with peer.knowing(us):
            if change.get("first"):
                assert await sender.post(peer, {}) == 201
            return await sender.post(peer, change)


@pytest.mark.parametrize(
    ("kind", "change", "status"),
    [
        pytest.param(kind, change, status, id=f"{kind.product}: {what}")
        for kind, rows in ((Nextcloud31, NEXTCLOUD), (OwnCloud10, OWNCLOUD))
        for what, change, status in rows
    ],
)
async def test_answers_as_recorded(kind, change, status):
    """A stand-in answers this share as the product answered it."""
    given = await answered(kind, change)
    assert given >= 400 if status == BROKE_DOWN else given == status
