from __future__ import annotations

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.address import ADDRESS_MAX_CHARS, Host, OcmAddress
from gateway.ocm.sharerequest import RESOURCE_MAX_CHARS, AskedShare, parse, parse_notification, render

ASKED = AskedShare(
    owner=OcmAddress("alice", Host("alpha.example")),
    share_with=OcmAddress("bob", Host("beta.example")),
    resource="https://data.example/project",
)
DOCUMENT = {"owner": "alice@alpha.example", "shareWith": "bob@beta.example", "share": "https://data.example/project"}
FAULTS = [
    ({"owner": None}, ["owner"]),
    ({"owner": "alice"}, ["owner"]),
    ({"owner": "a" * 2000 + "@alpha.example"}, ["owner"]),
    ({"shareWith": 7}, ["shareWith"]),
    ({"shareWith": "b" * 2000 + "@beta.example"}, ["shareWith"]),
    ({"share": ""}, ["share"]),
    ({"share": "x" * 2049}, ["share"]),
    ({"owner": None, "shareWith": None, "share": None}, ["owner", "shareWith", "share"]),
]


@pytest.mark.req("REQ-1")
def test_there_and_back():
    """What is written is what is read, and nothing else is in it."""
    assert parse(DOCUMENT) == ASKED
    assert render(ASKED) == DOCUMENT


@pytest.mark.parametrize("resource", ["", "x" * 2049])
def test_a_resource_that_cannot_be_named(resource):
    """Nothing and too much are refused before they are sent."""
    with pytest.raises(GatewayError) as refused:
        render(AskedShare(owner=ASKED.owner, share_with=ASKED.share_with, resource=resource))
    assert refused.value.kind is Kind.INVALID
    assert refused.value.public == "Name what you ask for, in up to 2048 characters."


def test_longest_addresses():
    """Addresses may be as long as addresses are anywhere."""
    longest = {name: DOCUMENT[name].rjust(ADDRESS_MAX_CHARS, "x") for name in ("owner", "shareWith")}
    assert render(parse(DOCUMENT | longest)) == DOCUMENT | longest


def test_shortest_and_longest_resource():
    """A resource may be named with one character, and with as many as are announced."""
    assert render(parse(DOCUMENT | {"share": "x"})) == DOCUMENT | {"share": "x"}
    longest = "x" * RESOURCE_MAX_CHARS
    assert parse(DOCUMENT | {"share": longest}).resource == longest
    assert len(str(render(parse(DOCUMENT | {"share": longest}))["share"])) == 2048


@pytest.mark.parametrize(("members", "names"), FAULTS)
def test_every_fault_is_told(members, names):
    """Each member that is missing or wrong is named, in either form of the request."""
    document = DOCUMENT | members
    with pytest.raises(GatewayError) as refused:
        parse(document)
    assert [fault.name for fault in refused.value.faults] == names
    assert (refused.value.kind, refused.value.public[:12]) == (Kind.INVALID, "This request")
    with pytest.raises(GatewayError) as refused:
        parse_notification({"notificationType": "REQUEST_SHARE", "notification": document})
    assert [fault.name for fault in refused.value.faults] == [f"notification.{name}" for name in names]


@pytest.mark.req("REQ-1")
@pytest.mark.parametrize("member", ["notificationType", "type"])
def test_the_same_as_a_notification(member):
    """The later spelling of the same request is read alike."""
    assert parse_notification({member: "REQUEST_SHARE", "resourceType": "file", "notification": DOCUMENT}) == ASKED


@pytest.mark.parametrize("kind", ["REQUEST_RESHARE", "request_share", None, ["REQUEST_SHARE"], 7])
def test_other_notifications_are_none_of_it(kind):
    """Whatever else a notification is about is left to its own reader."""
    assert parse_notification({"notificationType": kind, "notification": DOCUMENT}) is None


@pytest.mark.parametrize("content", [None, [], {}])
def test_a_notification_without_content(content):
    """A request that says nothing lacks all three members."""
    with pytest.raises(GatewayError) as refused:
        parse_notification({"notificationType": "REQUEST_SHARE", "notification": content})
    assert [fault.name for fault in refused.value.faults] == [f"notification.{name}" for name in DOCUMENT]


def test_a_notification_with_another_content():
    """What is no object is told as that."""
    with pytest.raises(GatewayError) as refused:
        parse_notification({"notificationType": "REQUEST_SHARE", "notification": "please"})
    assert "notification has to be an object" in refused.value.public
