"""The cells of the matrix of peers: what each of them means, and how the peer's side of it is known."""

from __future__ import annotations

from enum import StrEnum

from interop.peers.base import Peer, Signing
from interop.rows import OLD, RECEIVER_ROWS, SENDER_ROWS


class Evidence(StrEnum):
    """How it is known that a product behaves as its stand-in does."""

    CAPTURED = "captured"
    SOURCE = "source"
    DRAFT = "draft"
    NONE = "not proven"


RECEIVER_STEPS = {
    "discovery": "it finds us with its own reader",
    "provider list": "where it takes shares of listed servers only, our user is told so",
    "prior invite": "where it takes shares of contacts only, our user is told so",
    "invite": "our user invites, its user accepts, and both are contacts",
    "error": "its refusal reaches our user in its own words",
    "share": "it takes our share, and we take its answer for success",
    "accept": "its user accepts, in its own words or without a word",
    "list": "it lists the share",
    "read": "it reads a file",
    "write": "it writes, overwrites and makes a folder",
    "rename": "it renames and deletes",
    "one file": "it opens a share of a single file at its root",
    "permissions": "it finds and obeys changed permissions",
    "outage": "our storage is away: it keeps its mount",
    "rotation": "we change our keys: it goes on taking our messages",
    "leave": "its user leaves the share, where it tells",
    "unshare": "it takes our word that the share ended",
    "revoked": "nothing opens any more, by a plain 401",
    "always signed": "once signed to, it never gets anything unsigned",
}
SENDER_STEPS = {
    "discovery": "it finds us with its own reader",
    "invite": "its user invites, ours accepts, and its shares come from a contact",
    "share": "its share arrives, with the answer that it wants",
    "addresses": "owner and sender are read, however they are written",
    "unknown recipient": "an unknown recipient is refused in words",
    "accept": "it hears that our user accepted",
    "list": "our user lists the share",
    "read": "our user reads a file",
    "write": "our user writes, overwrites and makes a folder",
    "rename": "our user renames and deletes",
    "our credential": "we open its storage in the way that it takes",
    "one file": "our user opens a share of a single file",
    "outage": "its storage is away: the share stays",
    "rotation": "it changes its keys: we go on taking its messages",
    "unsigned": "unsigned messages are refused from who signs, and taken from who never does",
    "leave": "it hears that our user left the share",
    "unshare": "its share ends, by its word or because its storage refuses",
    "revoked": "our user is told that the share is over",
    "always signed": "once signed to, it never gets anything unsigned",
}


def cells(direction: str) -> tuple[str, ...]:
    """Return the names of the cells of one direction."""
    return (*RECEIVER_STEPS, *RECEIVER_ROWS) if direction == "receiver" else (*SENDER_STEPS, *SENDER_ROWS)


# What was not seen on the wire of a product whose traffic was captured, but read in its source.
_READ_ONLY = {
    "Nextcloud 31": {"sender": {"outage", "rotation"}, "receiver": {"rotation"}},
    "ownCloud 10": {
        "sender": {"outage", "write", "rename", "one file"},
        "receiver": {"outage", "revoked", "permissions"},
    },
}
# What was seen of 32.0.1; the rest of "Nextcloud 33" was read.
_SEEN_OF_32 = {
    "sender": {"share", "invite", "addresses", *SENDER_ROWS},
    "receiver": {"share", "error", "list", "read", "rotation", "signature", "success code", "protocol.name"},
}
_DRAFTS = ("draft -03", "draft -05", "draft -07")


def applies(peer: type[Peer], direction: str, cell: str) -> bool:
    """Tell whether a product has this step at all."""
    is_new = not issubclass(peer, OLD)
    there = {
        ("receiver", "provider list"): peer.needs_listing,
        ("receiver", "prior invite"): peer.needs_contact,
        ("receiver", "leave"): peer.tells_decline,
        ("receiver", "rotation"): peer.signing is not Signing.NONE,
        ("receiver", "uri"): is_new,
        ("receiver", "invite"): peer.has_invites,
        ("sender", "invite"): peer.has_invites,
        ("sender", "rotation"): peer.signing is not Signing.NONE,
    }
    return there.get((direction, cell), True)


def evidence(product: str, direction: str, cell: str) -> Evidence:
    """Return how the peer's side of a cell is known."""
    if product in _DRAFTS:
        return Evidence.DRAFT
    if product == "Nextcloud 35":
        return Evidence.NONE
    if product == "Nextcloud 33":
        return Evidence.CAPTURED if cell in _SEEN_OF_32[direction] else Evidence.SOURCE
    if product in _READ_ONLY and cell not in _READ_ONLY[product][direction]:
        return Evidence.CAPTURED
    return Evidence.SOURCE
