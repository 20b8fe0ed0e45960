"""The rows of the table of receivers (`dialects.md` 2): what each of our shares looks like to the peer that gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interop.peers.base import Peer, Signing
from interop.peers.nextcloud import Nextcloud31
from interop.peers.others import OpencloudmeshGo, Seafile
from interop.peers.owncloud import OwnCloud10
from interop.peers.reva import Cernbox, Reva

OLD = (Nextcloud31, OwnCloud10, Seafile)
_TOKENS = {"must-exchange-token"}


def _name(peer: Peer, share: dict[str, Any]) -> None:
    assert share["protocol"]["name"] == ("webdav" if isinstance(peer, OLD) else "multi")


def _secret(peer: Peer, share: dict[str, Any]) -> None:
    assert bool(share["protocol"].get("options")) == isinstance(peer, OLD)


def _webdav(peer: Peer, share: dict[str, Any]) -> None:
    # Side by side they would be two shares to one of them, and a fault to another.
    assert ("webdav" in share["protocol"]) != bool(share["protocol"].get("options"))


def _uri(peer: Peer, share: dict[str, Any]) -> None:
    if "webdav" in share["protocol"]:
        is_relative = "://" not in share["protocol"]["webdav"]["uri"]
        assert is_relative == isinstance(peer, OpencloudmeshGo)


def _keys(peer: Peer, share: dict[str, Any]) -> None:
    assert set(share["protocol"]) <= {"name", "options", "webdav"}


def _requirements(peer: Peer, share: dict[str, Any]) -> None:
    told = set((share["protocol"].get("webdav") or {}).get("requirements") or ())
    assert told == (_TOKENS if isinstance(peer, OpencloudmeshGo) else set())


def _resource_type(peer: Peer, share: dict[str, Any]) -> None:
    # It is a folder; who does not know the word, or never said so, gets `file` and finds out.
    assert share["resourceType"] == ("folder" if isinstance(peer, Reva) else "file")


def _share_type(peer: Peer, share: dict[str, Any]) -> None:
    assert share["shareType"] == "user"


def _sender(peer: Peer, share: dict[str, Any]) -> None:
    assert share["sender"] == share["owner"] == share["sharedBy"]
    assert share["senderDisplayName"]
    assert share["ownerDisplayName"]


def _provider_id(peer: Peer, share: dict[str, Any]) -> None:
    assert isinstance(share["providerId"], str)
    assert isinstance(share["description"], str)
    assert isinstance(share.get("expiration", 0), int)


def _success(peer: Peer, share: dict[str, Any]) -> None:
    taken = [one.status for one in peer.messages("shares") if not one.why]
    is_200 = isinstance(peer, Reva) and not isinstance(peer, Cernbox)
    assert set(taken) == {200 if is_200 else 201}


def _signature(peer: Peer, share: dict[str, Any]) -> None:
    fields = {name.lower() for name in peer.messages("shares")[-1].message.headers}
    assert ("signature" in fields) == (peer.signing is not Signing.NONE)
    assert ("signature-input" in fields) == (peer.signing is Signing.RFC9421)


def _attempts(peer: Peer, share: dict[str, Any]) -> None:
    # Known peers are spoken to in their own form at once: no form was tried on them in vain.
    last = peer.messages("shares")[-1]
    tries = [
        one for one in peer.messages("shares") if one.message.json["providerId"] == last.message.json["providerId"]
    ]
    assert len(tries) == 1


RECEIVER_ROWS: dict[str, Callable[[Peer, dict[str, Any]], None]] = {
    "protocol.name": _name,
    "options.sharedSecret": _secret,
    "webdav": _webdav,
    "uri": _uri,
    "protocol keys": _keys,
    "requirements": _requirements,
    "resourceType": _resource_type,
    "shareType": _share_type,
    "sender": _sender,
    "providerId": _provider_id,
    "success code": _success,
    "signature": _signature,
    "first form fits": _attempts,
}
