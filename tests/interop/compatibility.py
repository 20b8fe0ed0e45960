"""Prints docs/compatibility.md from the matrix of peers, the captured requests and the table of dialects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from interop import matrix
from interop.captured_table import REPLAYS
from interop.matrix import RECEIVER_STEPS, SENDER_STEPS, Evidence
from interop.peers.base import Peer
from interop.peers.every import PEERS
from interop.rows import RECEIVER_ROWS, SENDER_ROWS

from gateway.model.dialect import Dialect
from gateway.ocm.dialects import recognise

PAGE = Path(__file__).parents[2] / "docs/compatibility.md"
_MARKS = {Evidence.CAPTURED: "**c**", Evidence.SOURCE: "s", Evidence.DRAFT: "d", Evidence.NONE: "?"}

_HEAD = """\
# Compatibility

How the gateway gets along with deployed servers, and how we know. This page is printed from the tests by `make docs`;
each letter in the first four tables is one test, and all of them pass.

What the tests speak to are **stand-ins**: one small strict peer for each product (`tests/interop/peers`), written from
what the product was seen or read to do and never from the gateway's own parsers. None of the products themselves runs
in these tests. The letter in a cell says how the product's side of it is known:

- **c**: *captured bytes*. The product was running, and its requests and answers were recorded: Nextcloud 31.0.6,
  Nextcloud 32.0.1 and ownCloud 10.15.2. The stand-ins of the first and the last are themselves held to the recorded
  answers, the others to what was read of them (`tests/interop/test_peers_are_faithful.py`).
- s: *source-read rules*. Read in the product's source, not seen on the wire.
- d: *the draft's text*, for servers that speak a draft of Open Cloud Mesh and nothing else.
- ?: *not proven*. The product is announced or in development; the stand-in does what is known of it.
- -: there is nothing to try: the product has no such step.

The column "Nextcloud 33" stands for 32 and 33, "Nextcloud 35" for 34 and 35.
"""
_LIMITS = """
## What is not shown here

- That a release which differs from the one captured or read behaves as its stand-in does.
- How a product's user interface shows what happened; only what goes over the wire is tried.
- TLS between the two: the stand-ins speak plain http, as their switches for tests allow; only the recorded peers below
  are reached over TLS.
- Groups and federated groups, web apps (`webapp`) and SSH, with any of them.
- oCIS and CERNBox take shares from accepted contacts only, and oCIS from listed servers only: the cells show that our
  user is told so. The entry in their list is made on their side.
- Seafile's own protocol between its servers; the column is Seafile over WebDAV.
"""


def page() -> str:
    """Return the page."""
    lines = [_HEAD, "## They receive our shares", ""]
    lines += _matrix("receiver", RECEIVER_STEPS)
    lines += ["", "What the share that they get looks like, as each of them needs it:", ""]
    lines += _matrix("receiver", dict.fromkeys(RECEIVER_ROWS, ""))
    lines += ["", "## They send shares to us", ""]
    lines += _matrix("sender", SENDER_STEPS)
    lines += ["", "What the share that we get looks like, and what we make of it:", ""]
    lines += _matrix("sender", dict.fromkeys(SENDER_ROWS, ""))
    lines += ["", "## How they are known and spoken to", "", *_dialects()]
    lines += ["", "## Captured requests, sent again byte for byte", "", *_replays()]
    return "\n".join(lines) + "\n" + _LIMITS


def _matrix(direction: str, cells: Mapping[str, str]) -> Iterable[str]:
    yield "| step | " + " | ".join(peer.product for peer in PEERS) + " |"
    yield "|---|" + "---|" * len(PEERS)
    for cell, meaning in cells.items():
        marks = [_mark(peer, direction, cell) for peer in PEERS]
        name = f"{cell}: {meaning}" if meaning else f"`{cell}`"
        yield f"| {name} | {' | '.join(marks)} |"


def _mark(peer: type[Peer], direction: str, cell: str) -> str:
    has_it = matrix.applies(peer, direction, cell)
    return _MARKS[matrix.evidence(peer.product, direction, cell)] if has_it else "-"


def _dialects() -> Iterable[str]:
    yield "A server is known by its discovery document alone, by the first row that fits. A form of a share that it"
    yield "refuses as such is followed by one try with the next, and what it took is remembered."
    yield ""
    yield "| kind | known because | forms of a share | folders | told of changed permissions | tells ends |"
    yield "|---|---|---|---|---|---|"
    for dialect in (*(kind.dialect for kind in recognise._KINDS), recognise.UNKNOWN):
        yield _dialect(dialect)
    yield ""
    yield "`options` is the form of OCM 1.0 (only a secret), `named` is `{name: webdav, webdav: {…}}`, `multi` is that"
    yield "of the draft."


def _dialect(dialect: Dialect) -> str:
    forms = ", ".join(f"`{form.value}`" for form in dialect.payloads)
    folders = "by that name" if dialect.takes_folders else "as files, unless its document lists them"
    notice = {"none": "looks at the storage", "resend": "the share again"}.get(dialect.change_notice.value)
    ends = "yes" if dialect.announces_end else "no, so we look"
    told = notice or f"`{dialect.change_notice.value}`"
    return f"| {dialect.name or 'unknown'} | {dialect.why} | {forms} | {folders} | {told} | {ends} |"


def _replays() -> Iterable[str]:
    yield "The gateway stands where the recording peer stood: the same public URL, the same time, and the recorded"
    yield "documents served over TLS. Only our own WebDAV path, which a peer takes from our document, is put in place"
    yield "of the recorded one. Of the notices marked * only the bodies were recorded; they are signed anew in the way"
    yield "of Nextcloud 31, with a key that is put in place of the recorded one. ownCloud signs nothing: its notices"
    yield "all have the head of the one that was recorded whole. Of the fall-back to the old interface `Host` was not"
    yield "recorded; it is added."
    yield ""
    yield "| who | request | answer | effect |"
    yield "|---|---|---|---|"
    for replay in REPLAYS:
        mark = " *" if replay.is_part else ""
        yield f"| {replay.who} | {replay.what}{mark} | {replay.status} | {replay.effect} |"
