"""Who may open what was received, and what the others are told."""

import dataclasses

import pytest

from gateway.errors import GatewayError, Kind
from gateway.flows.use_remote import UseRemote
from gateway.model.address import Host, OcmAddress
from gateway.model.secret import Secret
from gateway.model.share import AccessType, ReceivedShare, ReceivedState, Requirement, WebdavOffer
from gateway.model.user import LocalUser

NOW = 1000.0
ALICE = OcmAddress("alice", Host("alpha.example"))
OFFER = WebdavOffer(uri="x", secret=Secret("hush"), access_types=frozenset({AccessType.DATATX}))
SHARE = ReceivedShare(
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
    webdav=OFFER,
    is_signed=True,
    received_at=1.0,
    state=ReceivedState.ACCEPTED,
)
BOB = LocalUser(identifier="bob", display_name="Bob")


def told(user=BOB, **changes):
    """Return what a user is told who wants to transfer a share with changes; nothing if he may."""
    flow = UseRemote(resolver=None, keys=None, backend=None, which_door=None, check_url=None, now=lambda: NOW)
    try:
        flow.check_transfer(user, dataclasses.replace(SHARE, **changes))
    except GatewayError as error:
        return error.kind, error.public
    return None


def test_an_accepted_share_may_be_used():
    """What was accepted and has not ended is used."""
    assert told() is None
    assert told(expires_at=NOW + 1) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": ReceivedState.PENDING}, "accept it first"),
        ({"state": ReceivedState.DECLINED}, "You have declined"),
        ({"state": ReceivedState.UNSHARED}, "withdrawn"),
        ({"state": ReceivedState.EXPIRED}, "has expired"),
        ({"expires_at": int(NOW)}, "has expired"),
    ],
)
def test_the_reason_is_told(changes, words):
    """Each state in which a share does not open is told as what it is."""
    kind, public = told(**changes)

    assert kind is Kind.CONFLICT
    assert words in public


@pytest.mark.req("ACC-4")
def test_a_second_factor_is_asked_for():
    """Where the sender requires it, the user must have logged in with a second factor (ACC-4)."""
    webdav = dataclasses.replace(OFFER, requirements=frozenset({Requirement.MUST_USE_MFA}))

    assert told(webdav=webdav)[0] is Kind.FORBIDDEN
    assert told(dataclasses.replace(BOB, has_second_factor=True), webdav=webdav) is None


@pytest.mark.req("ACC-5")
def test_what_may_be_used_in_place_only_is_not_transferred():
    """Without the access type `datatx` nothing is copied."""
    assert told(webdav=dataclasses.replace(OFFER, access_types=frozenset({AccessType.REMOTE})))[0] is Kind.FORBIDDEN
