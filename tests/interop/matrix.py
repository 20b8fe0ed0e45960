"""The cells of the matrix of peers, and what each of them means."""

from __future__ import annotations

from interop.rows import RECEIVER_ROWS

RECEIVER_STEPS = {
    "discovery": "it finds us with its own reader",
    "stranger": "who wants an invitation or a listed provider refuses us without, and the owner is told",
    "error": "its refusal is understood as one",
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
    "share": "its share arrives, with the answer that it wants",
    "initiator": "owner and sender are read, however they are written",
    "stranger": "an unknown recipient is refused in words",
    "accept": "it hears that our user accepted",
    "list": "our user lists the share",
    "read": "our user reads a file",
    "write": "our user writes, overwrites and makes a folder",
    "rename": "our user renames and deletes",
    "outage": "its storage is away: the share stays",
    "rotation": "it changes its keys: we go on taking its messages",
    "unsigned": "unsigned messages are refused from who signs, and taken from who never does",
    "leave": "it hears that our user left the share",
    "unshare": "its share ends, by its word or because its storage refuses",
    "revoked": "our user is told that the share is over",
    "always signed": "once signed to, it never gets anything unsigned",
}

# Storages that open to Basic alone.
_BASIC = ("Nextcloud 31", "Nextcloud 33", "ownCloud 10", "Seafile")
# What is not built: (peer, direction, cell) and why.
OPEN = {
    (product, "sender", cell): "received shares are opened with Bearer only"
    for product in _BASIC
    for cell in ("list", "read", "write", "rename", "outage")
}


def cells(direction: str) -> tuple[str, ...]:
    """Return the names of the cells of one direction."""
    return (*RECEIVER_STEPS, *RECEIVER_ROWS) if direction == "receiver" else tuple(SENDER_STEPS)
