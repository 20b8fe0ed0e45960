from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.address import Host, OcmAddress
from gateway.model.dialect import ChangeNotice
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import MessageKind, Permission, SentShare
from gateway.ocm.jsontext import parse_object
from gateway.ocm.notification import Notification, parse, render, render_change, render_shared_on
from support import captures
from support.anyjson import broken
from support.outcome import outcome

DOCUMENT = {
    "notificationType": "SHARE_UNSHARED",
    "resourceType": "folder",
    "providerId": "p1",
    "notification": {"sharedSecret": "hush", "grantee": "bob@beta.example", "message": "over\nnow"},
}


def read(body: bytes) -> Notification:
    return parse(parse_object(body, max_bytes=10_000))


def refusal(document: dict[str, object]) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        parse(document)
    return refused.value


@pytest.mark.req("NOTE-1")
def test_whole_notification():
    """Every member of a notification is read."""
    assert parse(DOCUMENT) == Notification(
        kind="SHARE_UNSHARED",
        provider_id="p1",
        resource_type="folder",
        claimed_secret=Secret("hush"),
        grantee="bob@beta.example",
        message="over\nnow",
        raw=DOCUMENT["notification"],
    )


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize("number", ["p2", 2])
def test_id_in_its_later_place(number):
    """The id of the share may stand in an object about the file; where it stands in both places the older counts."""
    content = {"sharedSecret": "hush", "file": {"providerId": number}}
    later = {"notificationType": "SHARE_UNSHARED", "resourceType": "file", "notification": content}
    assert parse(later).provider_id == str(number)
    assert parse(later | {"providerId": None}).provider_id == str(number)
    assert parse(later | {"providerId": "p1"}).provider_id == "p1"
    assert parse(later | {"providerId": "p1", "notification": {"file": "a.txt"}}).provider_id == "p1"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, Fault("providerId", "is missing")),
        ({"file": None}, Fault("providerId", "is missing")),
        ({"file": {}}, Fault("notification.file.providerId", "is missing")),
        ({"file": {"providerId": ["p"]}}, Fault("notification.file.providerId", "has to be a string")),
    ],
)
def test_no_id_in_either_place(content, fault):
    """Where the id is missing, the place is named in which it was looked for."""
    document = {"notificationType": "SHARE_UNSHARED", "resourceType": "file", "notification": content}
    assert refusal(document).faults == (fault,)


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize(
    ("body", "kind", "provider_id", "secret"),
    [
        (captures.NC31_ACCEPTED, "SHARE_ACCEPTED", "bobf", Secret("SECRETbob")),
        (captures.NC31_DECLINED, "SHARE_DECLINED", "x1", Secret("SEC-x1")),
        (captures.NC31_UNSHARED, "SHARE_UNSHARED", "3", Secret("15Cji9om2V98efq")),
        (captures.OC10_UNSHARED, "SHARE_UNSHARED", "1", Secret("S8255HY6ie4F3qv")),
        (captures.STUB_ACCEPTED, "SHARE_ACCEPTED", "p2", None),
    ],
)
def test_captured(body, kind, provider_id, secret):
    """What deployed servers send is read."""
    notification = read(body)

    assert (notification.kind, notification.provider_id, notification.claimed_secret) == (kind, provider_id, secret)
    assert notification.resource_type == "file"


@pytest.mark.req("NOTE-2")
def test_grantee_without_secret():
    """A notification may name the grantee and no secret, as oCIS writes it."""
    notification = parse(DOCUMENT | {"notification": {"grantee": "bob@beta.example"}})

    assert notification.claimed_secret is None
    assert notification.grantee == "bob@beta.example"
    assert notification.message == ""


@pytest.mark.parametrize("content", [{}, {"notification": None}, {"notification": {}}, {"notification": []}])
def test_without_content(content):
    """A notification may say nothing beyond its type."""
    document = {"notificationType": "SHARE_DECLINED", "providerId": 7} | content

    assert parse(document) == Notification(kind="SHARE_DECLINED", provider_id="7", resource_type="file")


@pytest.mark.parametrize("address", ["carol@gamma.example", "a" * 1024])
def test_whom_to_share_on_to(address):
    """A request to share something on says with whom, in at most 1024 characters."""
    request = {"notificationType": "REQUEST_RESHARE", "notification": {"sharedSecret": "hush", "shareWith": address}}

    assert parse(DOCUMENT | request).new_recipient == address


@pytest.mark.parametrize(
    ("content", "permissions"),
    [
        ({"permission": ["read"]}, {Permission.READ}),
        ({"permission": ["read", "update"]}, {Permission.READ, Permission.WRITE}),
        ({"permission": ["create"]}, {Permission.WRITE}),
        ({"permission": ["delete"]}, {Permission.WRITE}),
        ({"permission": ["fly"]}, set()),
        ({"protocol": {"webdav": {"permissions": ["share"]}}}, {Permission.SHARE}),
        ({"protocol": {"webdav": {}}}, set()),
        ({"protocol": {}}, set()),
        ({"permission": ["read"], "protocol": {"webdav": {"permissions": ["share"]}}}, {"read", "share"}),
    ],
)
def test_new_permissions(content, permissions):
    """What is allowed from now on stands as words or under a protocol; words that nobody knows are passed over."""
    assert parse(DOCUMENT | {"notification": content}).permissions == permissions


def test_unknown_type_is_read():
    """Whether a type is known is decided by who acts on it."""
    assert parse(DOCUMENT | {"notificationType": "RESHARE_UNDO"}).kind == "RESHARE_UNDO"


def test_own_spelling_goes_first():
    """The draft's name of the type counts before an old one."""
    assert parse(DOCUMENT | {"type": "OTHER"}).kind == "SHARE_UNSHARED"


def test_secret_does_not_show():
    """A notification can be printed without its secret."""
    assert "hush" not in repr(parse(DOCUMENT))


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize("word", ["calendar", "talk-room", "FILE"])
def test_unknown_resource_type(word):
    """A notification about a resource type that we do not know is not implemented."""
    error = refusal(DOCUMENT | {"resourceType": word})

    assert (error.kind, error.public) == (Kind.NOT_IMPLEMENTED, "Resources of this type are not taken here.")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"notificationType": None}, Fault("notificationType", "is missing")),
        ({"notificationType": 1}, Fault("notificationType", "has to be a string")),
        ({"providerId": None}, Fault("providerId", "is missing")),
        ({"providerId": "a\nb"}, Fault("providerId", "holds control characters")),
        ({"resourceType": 1}, Fault("resourceType", "has to be a string")),
        ({"notification": "x"}, Fault("notification", "has to be an object")),
        ({"notification": {"sharedSecret": 1}}, Fault("notification.sharedSecret", "has to be a string")),
        ({"notification": {"grantee": 1}}, Fault("notification.grantee", "has to be a string")),
        ({"notification": {"grantee": "a" * 1025}}, Fault("notification.grantee", "has more than 1024 characters")),
        ({"notification": {"message": 1}}, Fault("notification.message", "has to be a string")),
        ({"notification": {"shareWith": 1}}, Fault("notification.shareWith", "has to be a string")),
        ({"notification": {"shareWith": "a" * 1025}}, Fault("notification.shareWith", "has more than 1024 characters")),
    ],
)
def test_faults(change, fault):
    """A wrong member is named."""
    error = refusal(DOCUMENT | change)

    assert (error.kind, error.faults) == (Kind.INVALID, (fault,))
    assert error.public == f"This notification is not valid: {fault.name} {fault.message}."


def test_all_faults_at_once():
    """All faults are told at once."""
    assert {fault.name for fault in refusal({"notification": {"message": 1}}).faults} == {
        "notificationType",
        "providerId",
        "notification.message",
    }


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize(
    ("kind", "word", "message"),
    [
        (MessageKind.ACCEPTED, "SHARE_ACCEPTED", "The recipient accepted the share."),
        (MessageKind.DECLINED, "SHARE_DECLINED", "The recipient declined the share or gave it back."),
        (MessageKind.UNSHARED, "SHARE_UNSHARED", "The resource is no longer shared."),
        (
            MessageKind.TRANSFERRED,
            "SHARE_TRANSFERRED",
            "The recipient has transferred the resource and needs it no longer.",
        ),
    ],
)
def test_render(kind, word, message):
    """What we send holds what every kind of reader looks for, and we can read it."""
    document = render(kind, provider_id="p1", resource_type="file", secret=Secret("hush"), grantee="bob@beta.example")

    assert document == {
        "notificationType": word,
        "providerId": "p1",
        "resourceType": "file",
        "notification": {"sharedSecret": "hush", "grantee": "bob@beta.example", "message": message},
    }
    assert parse(document) == Notification(
        kind=kind,
        provider_id="p1",
        resource_type="file",
        claimed_secret=Secret("hush"),
        grantee="bob@beta.example",
        message=message,
        raw=document["notification"],
    )


SENT = SentShare(
    provider_id="p1",
    owner="alice",
    owner_display_name="Alice",
    recipient=OcmAddress("bob", Host("beta.example")),
    name="Plans",
    storage="main",
    root=ResourcePath(("Plans",)),
    kind=EntryKind.FOLDER,
    permissions=frozenset({Permission.WRITE, Permission.READ}),
    secret=Secret("hush"),
    created_at=1.0,
)
CHANGED = {"sharedSecret": "hush", "grantee": "bob@beta.example"} | {
    "message": "The owner changed what the recipient may do."
}


@pytest.mark.req("NOTE-1")
@pytest.mark.parametrize(
    ("notice", "told"),
    [
        (ChangeNotice.RESHARE, {"permission": ["read", "write"]}),
        (ChangeNotice.SHARE, {"protocol": {"name": "multi", "webdav": {"permissions": ["read", "write"]}}}),
    ],
)
def test_render_change(notice, told):
    """New permissions are told in the two ways that are deployed, as words or as a protocol, and we can read both."""
    protocol = {"name": "multi", "webdav": {"permissions": ["read", "write"]}}
    document = render_change(notice, SENT, protocol)

    assert document == {
        "notificationType": notice.value,
        "providerId": "p1",
        "resourceType": "folder",
        "notification": CHANGED | told,
    }
    assert parse(document).permissions == SENT.permissions


def test_a_change_repeats_the_announced_type():
    """A server that was told of a file hears of the same file again, though it is a folder."""
    assert render_change(ChangeNotice.RESHARE, replace(SENT, announced_type="file"), {})["resourceType"] == "file"


def test_render_shared_on():
    """Who asks to share something on gets the new secret under the name that its family of servers reads."""
    assert render_shared_on(SENT) == {"token": "hush", "sharedSecret": "hush", "providerId": "p1"}


@given(broken(DOCUMENT, ("type", "notification")))
def test_any_document(document):
    """Any object is a notification or refused."""
    notification = outcome(lambda: parse(document))

    if isinstance(notification, GatewayError):
        assert notification.kind in {Kind.INVALID, Kind.NOT_IMPLEMENTED}
