from __future__ import annotations

from dataclasses import fields, replace

import pytest

from gateway.app.background import PASSING
from gateway.model.address import Host, OcmAddress
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import (
    Message,
    MessageKind,
    Permission,
    ReceivedShare,
    ReceivedState,
    SentShare,
    SentState,
    WebdavOffer,
)
from gateway.model.user import KnownUser
from gateway.store import tables
from gateway.store.base import TableSpec
from gateway.store.tables import KNOWN_USERS, RECEIVED_SHARES, SENT_SHARES, identity_of

SENT = SentShare(
    provider_id="p1",
    owner="alice",
    owner_display_name="Alice",
    recipient=OcmAddress("bob", Host("b.example")),
    name="docs",
    storage="main",
    root=ResourcePath(("docs",)),
    kind=EntryKind.FOLDER,
    permissions=frozenset({Permission.READ}),
    secret=Secret("secret"),
    created_at=5.0,
)
RECEIVED = ReceivedShare(
    share_id="r1",
    peer=Host("a.example"),
    provider_id="p1",
    recipient="bob",
    owner=OcmAddress("alice", Host("a.example")),
    owner_display_name="",
    sender=OcmAddress("alice", Host("a.example")),
    sender_display_name="",
    name="docs",
    resource_type="file",
    webdav=WebdavOffer(uri="", secret=Secret("secret")),
    is_signed=False,
    received_at=5.0,
)
WAITING = (Message(kind=MessageKind.SHARE, due=30.0), Message(kind=MessageKind.UNSHARED, due=20.0))


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ({}, ()),
        ({"outbox": WAITING}, (("", 20.0),)),
        ({"expires_at": 50}, (("", 50.0),)),
        ({"expires_at": 10, "outbox": WAITING}, (("", 10.0),)),
        ({"expires_at": 50, "outbox": WAITING}, (("", 20.0),)),
        ({"expires_at": 10, "state": "ended"}, ()),
        ({"expires_at": 10, "state": "ended", "outbox": WAITING}, (("", 20.0),)),
    ],
)
@pytest.mark.parametrize(
    ("spec", "share", "ended"),
    [(SENT_SHARES, SENT, SentState.REVOKED), (RECEIVED_SHARES, RECEIVED, ReceivedState.UNSHARED)],
)
def test_a_share_is_due_at_the_first_thing_to_do(spec, share, ended, change, due):
    """A share is due at its next message, or when it expires while it stands, and not at all otherwise."""
    change = change | ({"state": ended} if "state" in change else {})

    assert spec.indexes["due"](replace(share, **change)) == due


def test_sent_shares_are_found():
    """A sent share is found by secret, owner and root."""
    assert SENT_SHARES.key(SENT) == "p1"
    assert SENT_SHARES.lookups["secret"](SENT) == ("secret",)
    assert SENT_SHARES.indexes["owner"](SENT) == (("alice", 5.0),)
    assert SENT_SHARES.indexes["root"](SENT) == (("main\nalice", 5.0),)


def test_received_shares_are_found():
    """A received share is found by recipient, by its id at the peer, and by that id alone."""
    assert RECEIVED_SHARES.indexes["recipient"](RECEIVED) == (("bob", 5.0),)
    assert RECEIVED_SHARES.indexes["by_peer"](RECEIVED) == (("a.example\np1", 5.0),)
    assert RECEIVED_SHARES.indexes["by_provider_id"](RECEIVED) == (("p1", 5.0),)


@pytest.mark.parametrize(
    "change",
    [
        {"peer": Host("c.example")},
        {"provider_id": "p2"},
        {"recipient": "carol"},
        {"webdav": WebdavOffer(uri="", secret=Secret("x"))},
    ],
)
def test_shares_that_differ_are_not_the_same(change):
    """Only peer, id, recipient and secret together make two notifications the same share."""
    assert identity_of(replace(RECEIVED, **change)) != identity_of(RECEIVED)
    assert identity_of(replace(RECEIVED, name="other", share_id="r2")) == identity_of(RECEIVED)


def test_known_users_are_listed_in_any_case():
    """A user is listed under the folded form of the identifier."""
    assert KNOWN_USERS.indexes["folded"](KnownUser(identifier="AliceX", display_name="")) == (("alicex", 0.0),)


def test_what_ends_by_itself_is_cleared_away():
    """Each table whose records expire has a sweep for the entries that led to them, or nothing leads to them."""
    never = next(field.default for field in fields(TableSpec) if field.name == "expires_at")
    specs = [one for one in vars(tables).values() if isinstance(one, TableSpec) and one.expires_at is not never]
    led_to = {spec.name for spec in specs if spec.indexes or spec.lookups}

    # Peers and transfers have sweeps of their own.
    assert led_to - {"peers", "transfers", "transfer_batches"} == {spec.name for spec in PASSING}
