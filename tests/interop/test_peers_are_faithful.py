"""The stand-ins answer as the products did, or do by their source: so what they take from us is worth something.

The rows for Nextcloud and ownCloud are those of live-captures.md 4 (31.0.6) and 5 (10.15.2); where a product broke down
with a page of HTML, any refusal will do. The others' rows are those of `dialects.md` 2 and 5 to 8.
"""

import json
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from interop.peers.base import SECRET, first_key
from interop.peers.nextcloud import Nextcloud31
from interop.peers.others import OpencloudmeshGo, Seafile
from interop.peers.owncloud import OwnCloud10
from interop.peers.reva import Cernbox, Ocis, OpenCloud, Reva

from support import cavagewire
from support.fakepeer import FakePeer, Reply

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
MULTI = protocol("multi", webdav=WEBDAV)
OLD_FORM = protocol(options=OPTIONS)
TOKEN = {"requirements": ["must-exchange-token"]}
REVA = [
    ("the draft's form", MULTI, 200),
    ("the old form", OLD_FORM, 400),
    ("both forms", protocol("multi", webdav=WEBDAV, options=OPTIONS), 400),
    ("a key that is not known", protocol("multi", webdav=WEBDAV, ssh={"uri": "a@h/x"}), 400),
    ("folder", MULTI | {"resourceType": "folder"}, 200),
    ("providerId integer", MULTI | {"providerId": 7}, 400),
    ("no sender", MULTI | {"sender": None}, 400),
    ("unknown user", MULTI | {"shareWith": "nobody@{peer}"}, 404),
    ("requirement that it does not know", protocol("multi", webdav=WEBDAV | TOKEN), 200),
]
OCIS = [
    *REVA,
    ("relative uri", protocol("multi", webdav=WEBDAV | {"uri": "1"}), 400),
    ("sender who is no contact", MULTI | {"sender": "eve@{us}"}, 401),
    ("server that is not listed", MULTI | {"sender": "marie@elsewhere.example"}, 401),
]
TAKEN_HERE = ("the old form", "both forms")
CERNBOX = [
    *((what, change, 201 if status == 200 or what in TAKEN_HERE else status) for what, change, status in REVA[:-1]),
    ("relative uri", protocol("multi", webdav=WEBDAV | {"uri": "1"}), 201),
    ("must-exchange-token", protocol("multi", webdav=WEBDAV | TOKEN), 201),
    ("must-use-mfa", protocol("multi", webdav=WEBDAV | {"requirements": ["must-use-mfa"]}), 400),
    ("sender who is no contact", MULTI | {"sender": "eve@{us}"}, 401),
]
OCMGO = [
    ("unsigned", protocol("multi", webdav=WEBDAV | TOKEN | {"uri": "1"}) | {"unsigned": True}, 401),
    ("what it takes", protocol("multi", webdav=WEBDAV | TOKEN | {"uri": "1"}) | {"rfc9421": True}, 201),
    ("no token demanded", protocol("multi", webdav=WEBDAV | {"uri": "1"}) | {"rfc9421": True}, 400),
    ("folder", MULTI | {"rfc9421": True, "resourceType": "folder"}, 501),
    ("group", MULTI | {"rfc9421": True, "shareType": "group"}, 501),
    ("the old form", OLD_FORM | {"rfc9421": True}, 400),
]
SEAFILE = [
    ("the old form", protocol(options=OPTIONS | {"permissions": "x"}), 201),
    ("without permissions", OLD_FORM, 400),
    ("the draft's form", MULTI, 400),
    ("no sharedBy", protocol(options=OPTIONS | {"permissions": "x"}) | {"sharedBy": None}, 400),
]
TABLES = (
    (Nextcloud31, NEXTCLOUD),
    (OwnCloud10, OWNCLOUD),
    (Ocis, OCIS),
    (OpenCloud, REVA),
    (Cernbox, CERNBOX),
    (OpencloudmeshGo, OCMGO),
    (Seafile, SEAFILE),
)


class Sender:
    """Somebody with a key, who shares in more and less correct ways."""

    def __init__(self, fake):
        self.fake = fake
        self.key_id = f"{fake.url}/ocm#signature"
        file = fake.discovery["resourceTypes"][0]
        fake.discovery["resourceTypes"].append(file | {"name": "folder"})
        fake.replies["/ocm-provider"] = Reply(200, fake.discovery)
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
            "sharedBy": us,
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
        if isinstance(peer, Reva):
            peer.introduce(f"marie@{fake.host}")
        us = SimpleNamespace(config=SimpleNamespace(public_url=fake.url, authority=fake.host))
        async with peer.knowing(us):
            if change.get("first"):
                assert await sender.post(peer, {}) == 201
            return await sender.post(peer, change)


@pytest.mark.parametrize(
    ("kind", "change", "status"),
    [
        pytest.param(kind, change, status, id=f"{kind.product}: {what}")
        for kind, rows in TABLES
        for what, change, status in rows
    ],
)
async def test_answers_as_the_product(kind, change, status):
    """A stand-in answers this share as the product answers it."""
    given = await answered(kind, change)
    assert given >= 400 if status == BROKE_DOWN else given == status
