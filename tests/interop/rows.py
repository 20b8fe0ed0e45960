"""The rows of the two tables of `dialects.md` 2: what our shares look like to those who get them, and theirs to us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interop.peers.base import Peer, Signing
from interop.peers.nextcloud import Nextcloud31, Nextcloud33, Nextcloud35
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


@dataclass(frozen=True)
class Arrived:
    """A share of a peer's: its message, what we keep of it, and what we answered."""

    message: dict[str, Any]
    kept: Any
    status: int


def _share_with(peer: Peer, share: Arrived) -> None:
    assert ("://" in share.message["shareWith"]) == isinstance(peer, Nextcloud31)
    assert share.kept.recipient == "bob"


def _initiator(peer: Peer, share: Arrived) -> None:
    names = {"sender", "sharedBy"} & set(share.message)
    has_both = isinstance(peer, (Nextcloud33, Seafile))
    assert names == (
        {"sender", "sharedBy"} if has_both else {"sharedBy" if isinstance(peer, Nextcloud31) else "sender"}
    )
    assert share.kept.sender == share.kept.owner
    assert share.kept.sender.host == peer.host


def _payload(peer: Peer, share: Arrived) -> None:
    protocol, kept = share.message["protocol"], share.kept.webdav
    is_old = isinstance(peer, OLD) and not isinstance(peer, Nextcloud35)
    assert bool(protocol.get("options")) == is_old
    assert kept.secret.reveal() == (protocol["options"] if is_old else protocol["webdav"])["sharedSecret"]
    assert kept.uri == ("" if is_old else protocol["webdav"]["uri"])
    assert set(kept.requirements) == set(protocol.get("webdav", {}).get("requirements", ()))
    assert {"read", "write"} == set(kept.permissions)


def _their_id(peer: Peer, share: Arrived) -> None:
    is_number = isinstance(peer, Nextcloud31) and not isinstance(peer, Nextcloud33)
    assert isinstance(share.message["providerId"], int) == is_number
    assert share.kept.provider_id == "17"


def _their_success(peer: Peer, share: Arrived) -> None:
    assert share.status == 201
    assert share.status in peer.wanted


SENDER_ROWS: dict[str, Callable[[Peer, Arrived], None]] = {
    "scheme in shareWith": _share_with,
    "initiator field": _initiator,
    "payload": _payload,
    "providerId": _their_id,
    "success code wanted": _their_success,
}
