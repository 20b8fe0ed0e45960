from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, OcmAddress
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import (
    STANDING,
    Message,
    MessageKind,
    Permission,
    ReceivedShare,
    ReceivedState,
    SentShare,
    SentState,
    WebdavOffer,
    next_due,
)

ALICE = OcmAddress("alice", Host("alpha.example"))
BOB = OcmAddress("bob", Host("beta.example"))
NOTE = Message(kind=MessageKind.SHARE, due=5.0)
SENT = SentShare(
    provider_id="p1",
    owner="alice",
    owner_display_name="Alice",
    recipient=BOB,
    name="Plans",
    storage="main",
    root=ResourcePath(("Plans",)),
    kind=EntryKind.FOLDER,
    permissions=frozenset({Permission.READ}),
    secret=Secret("hush"),
    created_at=1.0,
    outbox=(NOTE,),
)
RECEIVED = ReceivedShare(
    share_id="s1",
    peer=Host("alpha.example"),
    provider_id="p1",
    recipient="bob",
    owner=ALICE,
    owner_display_name="Alice",
    sender=ALICE,
    sender_display_name="Alice",
    name="Plans",
    resource_type="folder",
    webdav=WebdavOffer(uri="", secret=Secret("hush")),
    is_signed=True,
    received_at=1.0,
    outbox=(NOTE,),
)

D, N, A, X, F, R, E = (
    SentState.DELIVERING,
    SentState.DELIVERED,
    SentState.ACCEPTED,
    SentState.DECLINED,
    SentState.REFUSED,
    SentState.REVOKED,
    SentState.EXPIRED,
)
SENT_ALLOWED = {(D, N), (D, A), (D, X), (D, F), (D, R), (D, E), (N, A), (N, X), (N, R), (N, E), (A, X), (A, R), (A, E)}
P, Y, Z, U, T = (
    ReceivedState.PENDING,
    ReceivedState.ACCEPTED,
    ReceivedState.DECLINED,
    ReceivedState.UNSHARED,
    ReceivedState.EXPIRED,
)
RECEIVED_ALLOWED = {(P, Y), (P, Z), (P, U), (P, T), (Y, Z), (Y, U), (Y, T), (Z, U)}


@pytest.mark.req("NOTE-3")
@pytest.mark.parametrize("old", SentState)
@pytest.mark.parametrize("new", SentState)
def test_sent_steps(old, new):
    """A sent share takes exactly the steps of the table; every other is a conflict."""
    share = replace(SENT, state=old, closed_reason="before")
    if (old, new) in SENT_ALLOWED:
        assert share.step(new) == replace(SENT, state=new, outbox=(), closed_reason="")
        return

    with pytest.raises(GatewayError) as refused:
        share.step(new)
    assert refused.value.kind is Kind.CONFLICT
    assert refused.value.public == f"This share is {old.value}; it cannot become {new.value}."


@pytest.mark.req("NOTE-3")
@pytest.mark.parametrize("old", ReceivedState)
@pytest.mark.parametrize("new", ReceivedState)
def test_received_steps(old, new):
    """A received share takes exactly the steps of the table; every other is a conflict."""
    share = replace(RECEIVED, state=old)
    if (old, new) in RECEIVED_ALLOWED:
        assert share.step(new) == replace(RECEIVED, state=new, outbox=())
        return

    with pytest.raises(GatewayError) as refused:
        share.step(new)
    assert refused.value.kind is Kind.CONFLICT
    assert refused.value.public == f"This share is {old.value}; it cannot become {new.value}."


def test_step_writes_outbox_and_reason():
    """A step carries the duty to announce it, and the reason, in the same record."""
    unshared = Message(kind=MessageKind.UNSHARED, due=9.0)

    revoked = SENT.step(SentState.REVOKED, reason="enough", outbox=(unshared,))

    assert (revoked.state, revoked.closed_reason, revoked.outbox) == (SentState.REVOKED, "enough", (unshared,))
    assert RECEIVED.step(ReceivedState.ACCEPTED, outbox=(unshared,)).outbox == (unshared,)


@pytest.mark.parametrize("state", SentState)
def test_standing(state):
    """A grant stands from its creation until it ends, accepted or not."""
    assert replace(SENT, state=state).stands(1e12) is (state in {D, N, A})
    assert (state in STANDING) is (state in {D, N, A})


@pytest.mark.req("SHARE-1")
def test_standing_until_expiry():
    """A grant opens nothing from the second of its expiry on."""
    share = replace(SENT, expires_at=100)

    assert share.stands(99.9)
    assert not share.stands(100.0)
    assert not share.stands(101.0)


def test_next_due():
    """The next message due is the earliest one."""
    assert next_due(()) is None
    assert next_due((replace(NOTE, due=7.0), NOTE, replace(NOTE, due=6.0))) == 5.0


def test_defaults_of_an_offer():
    """An offer that says nothing is to be read, in place, without conditions."""
    offer = WebdavOffer(uri="", secret=Secret("x"))

    assert offer.permissions == {"read"}
    assert offer.access_types == {"remote"}
    assert offer.requirements == frozenset()
    assert offer.size is None
