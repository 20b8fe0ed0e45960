from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.access import SshAccess
from gateway.model.address import Host, OcmAddress
from gateway.model.dialect import Payload
from gateway.model.peer import Discovery, ResourceOffer
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import AccessType, Permission, Requirement, SentShare, ShareType, WebdavOffer
from gateway.ocm.fields import Fields
from gateway.ocm.jsontext import parse_object
from gateway.ocm.protocol import parse_ssh_uri, render_protocol
from gateway.ocm.share import (
    ShareAnswer,
    ShareNotification,
    parse,
    parse_answer,
    read_resource_type,
    render,
    render_answer,
    render_error,
)
from support import captures
from support.anyjson import broken
from support.outcome import outcome

READ, WRITE, SHARE = Permission
ALICE = OcmAddress("alice", Host("alpha.example"))
DOCUMENT: dict[str, object] = {
    "shareWith": "bob@beta.example",
    "name": "Plans",
    "description": "for\nMay",
    "providerId": "p1",
    "owner": "alice@alpha.example",
    "ownerDisplayName": "Alice",
    "sender": "amy@alpha.example",
    "senderDisplayName": "Amy",
    "shareType": "user",
    "resourceType": "folder",
    "expiration": 2_000_000_000,
    "protocol": {
        "name": "multi",
        "webdav": {
            "uri": "https://alpha.example/ocm/dav/p1",
            "sharedSecret": "hush",
            "permissions": ["read", "write"],
            "accessTypes": ["remote", "datatx"],
            "requirements": ["must-exchange-token"],
            "size": 17,
        },
    },
}
A_B_C = ResourcePath(("a b", "c"))
NAMES = ("sharedBy", "sharedByDisplayName", "code", "ownerDisplayName")


def share(**members: object) -> dict[str, object]:
    return {name: value for name, value in (DOCUMENT | members).items() if value is not None}


def protocol(name: str | None = "multi", **members: object) -> dict[str, object]:
    return share(protocol=({} if name is None else {"name": name}) | members)


def webdav(**members: object) -> dict[str, object]:
    entry = {"uri": "x", "sharedSecret": "hush", "permissions": ["read"]} | members
    return protocol(webdav={name: value for name, value in entry.items() if value is not None})


def refusal(document: dict[str, object]) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        parse(document)
    return refused.value


def read(body: bytes) -> ShareNotification:
    return parse(parse_object(body, max_bytes=10_000))


def legacy_share(host: str, user: str, **members: object) -> ShareNotification:
    owner = OcmAddress(user, Host(host))
    facts = {
        "owner": owner,
        "sender": owner,
        "owner_display_name": user,
        "sender_display_name": user,
        "share_type": ShareType.USER,
        "resource_type": "file",
    }
    return ShareNotification(**(facts | members))


def legacy_offer(secret: str) -> WebdavOffer:
    return WebdavOffer(uri="", secret=Secret(secret), permissions=frozenset({READ, WRITE}))


# Reading: the draft and what deployed senders write


@pytest.mark.req("SHARE-1", "SHARE-3")
def test_whole_share():
    """Every member of the draft's share is read."""
    assert parse(DOCUMENT) == ShareNotification(
        share_with="bob@beta.example",
        name="Plans",
        provider_id="p1",
        owner=ALICE,
        owner_display_name="Alice",
        sender=OcmAddress("amy", Host("alpha.example")),
        sender_display_name="Amy",
        share_type=ShareType.USER,
        resource_type="folder",
        webdav=WebdavOffer(
            uri="https://alpha.example/ocm/dav/p1",
            secret=Secret("hush"),
            permissions=frozenset({READ, WRITE}),
            access_types=frozenset(AccessType),
            requirements=frozenset({Requirement.MUST_EXCHANGE_TOKEN}),
            size=17,
        ),
        description="for\nMay",
        expires_at=2_000_000_000,
    )


@pytest.mark.req("SHARE-1")
def test_least_share():
    """What is optional may be missing: then names are the identifiers, and the share never ends."""
    document = share(
        description=None, ownerDisplayName=None, senderDisplayName=None, expiration=None, sender="amy@alpha.example"
    )

    notification = parse(document)

    assert (notification.owner_display_name, notification.sender_display_name) == ("alice", "amy")
    assert (notification.description, notification.expires_at) == ("", None)


@pytest.mark.req("SHARE-2")
def test_nextcloud_31():
    """Nextcloud 31 names no sender, writes numbers as ids and schemes into addresses."""
    assert read(captures.NC31_SHARE) == legacy_share(
        "localhost:9443",
        "alice",
        share_with="anna@https://localhost:9444",
        name="nc.txt",
        provider_id="3",
        webdav=legacy_offer("15Cji9om2V98efq"),
    )


@pytest.mark.req("SHARE-2")
def test_nextcloud_32():
    """Nextcloud 32 names the sender twice."""
    assert read(captures.NC32_SHARE) == legacy_share(
        "localhost:9446",
        "alice",
        share_with="marie@https://localhost:9444",
        name="nc32.txt",
        provider_id="1",
        webdav=legacy_offer("bBiXxjg3ogtbxtH"),
    )


@pytest.mark.req("SHARE-2")
def test_owncloud_10():
    """OwnCloud 10 writes a scheme into owner and sender, and no permissions."""
    assert read(captures.OC10_SHARE) == legacy_share(
        "localhost:9448",
        "alice",
        share_with="marie@localhost:9444",
        name="oc.txt",
        provider_id="1",
        webdav=legacy_offer("S8255HY6ie4F3qv"),
    )


@pytest.mark.req("SHARE-2")
def test_ocm_stub():
    """Where both forms are there the newer one counts, whatever it calls the address."""
    assert read(captures.STUB_SHARE) == legacy_share(
        "localhost:9447",
        "einstein",
        share_with="marie@localhost:9449",
        name="Test share from stub",
        provider_id="localhost:9447",
        webdav=WebdavOffer(uri="https://localhost/webdav-api/file.txt", secret=Secret("shareMeNot")),
    )


@pytest.mark.parametrize(
    ("members", "sender", "display_name"),
    [
        ({"sender": "amy@alpha.example", "senderDisplayName": "Amy", "sharedBy": "x@y.example"}, "amy", "Amy"),
        ({"sharedBy": "amy@alpha.example", "sharedByDisplayName": "A."}, "amy", "A."),
        ({"sharedBy": "amy@alpha.example"}, "amy", "amy"),
        ({"sharedBy": "alice@alpha.example"}, "alice", "Alice"),
        ({}, "alice", "Alice"),
    ],
)
def test_sender(members, sender, display_name):
    """The sender is `sender`, else `sharedBy`, else the owner."""
    document = {name: value for name, value in DOCUMENT.items() if not name.startswith("sender")} | members

    notification = parse(document)

    assert notification.sender == OcmAddress(sender, Host("alpha.example"))
    assert notification.sender_display_name == display_name


@pytest.mark.parametrize(("value", "expires_at"), [(0, None), (None, None), (1, 1), (253_402_300_799, 253_402_300_799)])
def test_expiration(value, expires_at):
    """An expiration of 0 means none, as Seafile writes it."""
    assert parse(share(expiration=value)).expires_at == expires_at


@pytest.mark.req("SHARE-2")
@pytest.mark.parametrize(
    ("document", "uri"),
    [
        (webdav(), "x"),
        (protocol("webdav", webdav={"uri": "x", "sharedSecret": "hush"}), "x"),
        (protocol(None, webdav={"uri": "x", "sharedSecret": "hush"}), "x"),
        (protocol("multi", webdav={"uri": "x", "sharedSecret": "hush"}, options={}), "x"),
        (protocol("multi", webdav={"uri": "x", "sharedSecret": "hush"}, options=[]), "x"),
        (protocol("multi", webdav={"uri": "x"}, options={"sharedSecret": "hush"}), "x"),
        (protocol("webdav", webdav={"url": "y", "sharedSecret": "hush"}), "y"),
        (protocol("webdav", webdav={"URI": "z", "sharedSecret": "hush"}), "z"),
        (protocol("webdav", webdav={"uri": "x", "url": "y", "sharedSecret": "hush"}), "x"),
        (protocol("webdav", webdav={"sharedSecret": "hush"}), ""),
        (protocol("webdav", webdav={"uri": "", "sharedSecret": "hush"}), ""),
    ],
)
def test_spellings(document, uri):
    """The offer is found in every spelling; without permissions it is to be read."""
    assert parse(document).webdav == WebdavOffer(uri=uri, secret=Secret("hush"))


@pytest.mark.req("SHARE-2")
@pytest.mark.parametrize(
    "document",
    [
        protocol("webdav", options={"sharedSecret": "hush"}),
        protocol("multi", options={"sharedSecret": "hush"}),
        protocol(None, options={"sharedSecret": "hush"}),
        protocol("webdav", options={"sharedSecret": "hush", "permissions": ["read"]}),
        protocol("webdav", options={"permissions": "x"}) | {"code": "hush"},
    ],
)
def test_old_form(document):
    """The old form says neither where nor what is allowed: the storage does."""
    assert parse(document).webdav == legacy_offer("hush")


@pytest.mark.parametrize(
    ("document", "secret"),
    [
        (webdav(sharedSecret="a") | {"code": "c"}, "a"),
        (protocol(webdav={"sharedSecret": "a"}, options={"sharedSecret": "b"}) | {"code": "c"}, "a"),
        (protocol(webdav={"sharedSecret": ""}, options={"sharedSecret": "b"}) | {"code": "c"}, "b"),
        (webdav(sharedSecret=None) | {"code": "c"}, "c"),
    ],
)
def test_places_of_the_secret(document, secret):
    """The secret is the offer's own, else that of the old form, else the message's code."""
    assert parse(document).webdav.secret == Secret(secret)


@pytest.mark.req("SHARE-3")
@pytest.mark.parametrize(
    ("members", "permissions", "requirements"),
    [
        ({}, {READ}, set()),
        ({"permissions": None}, {READ}, set()),
        ({"permissions": ["write"]}, {WRITE}, set()),
        ({"permissions": ["share", "read", "write"]}, {READ, WRITE, SHARE}, set()),
        ({"permissions": ["read", "fly"]}, {READ}, set()),
        ({"permissions": {"0": "read", "1": "share"}}, {READ, SHARE}, set()),
        ({"permissions": ["read", "mfa-enforced"]}, {READ}, {"must-use-mfa"}),
        ({"requirements": []}, {READ}, set()),
        ({"requirements": ["must-exchange-token", "must-use-mfa"]}, {READ}, {"must-exchange-token", "must-use-mfa"}),
        ({"requirements": ["use-code"]}, {READ}, {"must-exchange-token"}),
        ({"requirements": ["mfa-enforced"]}, {READ}, {"must-use-mfa"}),
    ],
)
def test_permissions_and_requirements(members, permissions, requirements):
    """Permissions and requirements are read in all their spellings."""
    offer = parse(webdav(**members)).webdav

    assert offer.permissions == permissions
    assert offer.requirements == requirements


@pytest.mark.req("SHARE-3")
@pytest.mark.parametrize(
    ("words", "access_types"),
    [
        (None, {"remote"}),
        (["datatx"], {"datatx"}),
        (["remote", "datatx"], {"remote", "datatx"}),
        (["remote", "x"], {"remote"}),
    ],
)
def test_access_types(words, access_types):
    """Without access types a share is used in place."""
    assert parse(webdav(accessTypes=words)).webdav.access_types == access_types


def test_other_protocols_are_noted():
    """What is offered besides WebDAV is noted and not used."""
    document = protocol(options={}, webapp={"x": 1}, ssh={}, webdav={"sharedSecret": "hush"})

    notification = parse(document)

    assert notification.unused_protocols == ("webapp", "ssh")
    assert notification.webdav.secret == Secret("hush")


@pytest.mark.req("SHARE-4")
def test_ssh_is_read_beside_webdav_and_alone():
    """SSH may stand beside WebDAV or alone; alone it has to say where, beside it what cannot be used is left out."""
    beside = parse(protocol(options={}, webdav={"sharedSecret": "hush"}, ssh={"uri": "u@host:22/a"}))
    assert (beside.ssh.address, beside.unused_protocols) == ("host:22", ())
    alone = parse(protocol("ssh", ssh={"uri": "u@host:22", "accessTypes": ["datatx"]}))
    assert (alone.ssh.access_types, alone.webdav.is_offered) == ({"datatx"}, False)
    for wrong in ({"uri": "x"}, {}):
        error = refusal(protocol("ssh", ssh=wrong))
        assert (error.kind, [fault.name for fault in error.faults]) == (Kind.INVALID, ["protocol.ssh.uri"])


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("uri", "access"),
    [
        ("bob.x@[2001:DB8::1]:1/a%20b/c", SshAccess(user="bob.x", host="2001:db8::1", port=1, path=A_B_C)),
        ("u@Xhost.EXAMPLEX:65535", SshAccess(user="u", host="xhost.examplex", port=65535, path=ResourcePath())),
        ("u@host:22/", SshAccess(user="u", host="host", port=22, path=ResourcePath())),
    ],
)
def test_ssh_uri(uri, access):
    """User, host, port and path are told apart; hosts are written small, and IPv6 without its brackets."""
    assert parse_ssh_uri(uri) == access


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    "uri",
    [
        "host:22",
        "u@host",
        "u@host:0",
        "u@host:65536",
        "u@host:22x",
        "u@ho st:22",
        "-oProxyCommand=x@host:22",
        "u@-host:22",
        "ssh://u@host:22",
    ],
)
def test_ssh_uri_refused(uri):
    """What is not exactly user, host and port, or could be taken for an option of a program, leads nowhere."""
    with pytest.raises(GatewayError) as refused:
        parse_ssh_uri(uri)
    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, "it is not user@host:port/path")


# Refusing


@pytest.mark.req("SHARE-7")
@pytest.mark.parametrize("word", ["group", "federation", "room"])
def test_share_type(word):
    """Shares for others than users are not implemented."""
    error = refusal(share(shareType=word))

    assert (error.kind, error.public) == (Kind.NOT_IMPLEMENTED, "Only shares for single users are taken here.")


@pytest.mark.req("SHARE-7")
@pytest.mark.parametrize("word", ["calendar", "ro-crate", "talk-room"])
def test_resource_type(word):
    """Resources other than files and folders are not implemented."""
    error = refusal(share(resourceType=word))

    assert (error.kind, error.public) == (Kind.NOT_IMPLEMENTED, "Resources of this type are not taken here.")


@pytest.mark.req("SHARE-7", "SHARE-8")
@pytest.mark.parametrize(
    "document",
    [
        protocol("multi", webapp={"uri": "x"}),
        protocol("talk", options={"sharedSecret": "hush"}),
        protocol("talk"),
        webdav(requirements=["must-fly"]),
        webdav(requirements=["must-exchange-token", "must-fly"]),
    ],
)
def test_nothing_usable(document):
    """A share whose protocols or requirements are not known here is not implemented."""
    error = refusal(document)

    public = "Nothing in the protocol of this share can be used here."
    assert (error.kind, error.public) == (Kind.NOT_IMPLEMENTED, public)


@pytest.mark.req("SHARE-7")
@pytest.mark.parametrize(
    ("document", "name", "message"),
    [
        (share(shareWith=None), "shareWith", "is missing"),
        (share(shareWith=1), "shareWith", "has to be a string"),
        (share(shareWith="b" * 1025), "shareWith", "has more than 1024 characters"),
        (share(name=None), "name", "is missing"),
        (share(name="a/b"), "name", "has to be the name of a file or folder, not a path"),
        (share(name=".."), "name", "has to be the name of a file or folder, not a path"),
        (share(name="."), "name", "has to be the name of a file or folder, not a path"),
        (share(name="a\0"), "name", "holds control characters"),
        (share(name="n" * 256), "name", "has more than 255 characters"),
        (share(providerId=None), "providerId", "is missing"),
        (share(providerId=True), "providerId", "has to be a string"),
        (share(providerId="a\nb"), "providerId", "holds control characters"),
        (share(owner=None), "owner", "is missing"),
        (share(owner="alice"), "owner", "cannot be read: An OCM address has the form user@host"),
        (share(owner=7), "owner", "has to be a string"),
        (share(owner="a" * 1012 + "@alpha.example"), "owner", "has more than 1024 characters"),
        (share(sender="alice@"), "sender", "cannot be read: This is not a host name or address with an optional port"),
        (share(sender=None, sharedBy="x"), "sharedBy", "cannot be read: An OCM address has the form user@host"),
        (share(ownerDisplayName=1), "ownerDisplayName", "has to be a string"),
        (share(senderDisplayName=[]), "senderDisplayName", "has to be a string"),
        (share(description={}), "description", "has to be a string"),
        (share(description="d" * 4097), "description", "has more than 4096 characters"),
        (share(shareType=None), "shareType", "is missing"),
        (share(shareType=1), "shareType", "has to be a string"),
        (share(resourceType=None), "resourceType", "is missing"),
        (share(resourceType=1), "resourceType", "has to be a string"),
        (share(expiration=-1), "expiration", "has to be a whole number from 0 to 253402300799"),
        (share(expiration="1"), "expiration", "has to be a whole number from 0 to 253402300799"),
        (share(expiration=253_402_300_800), "expiration", "has to be a whole number from 0 to 253402300799"),
        (share(protocol=None), "protocol", "is missing"),
        (share(protocol="webdav"), "protocol", "has to be an object"),
        (share(protocol={}), "protocol.webdav", "is missing"),
        (share(protocol=[]), "protocol.webdav", "is missing"),
        (protocol("multi"), "protocol.webdav", "is missing"),
        (protocol("webdav"), "protocol.webdav", "is missing"),
        (protocol("webdav", options={}), "protocol.webdav", "is missing"),
        (share(protocol={"name": 1, "webdav": {"sharedSecret": "x"}}), "protocol.name", "has to be a string"),
        (protocol(webdav="x"), "protocol.webdav", "has to be an object"),
        (protocol("webdav", options={"a": 1}), "protocol.options.sharedSecret", "is missing"),
        (protocol(webdav={}), "protocol.webdav.sharedSecret", "is missing"),
        (webdav(sharedSecret=""), "protocol.webdav.sharedSecret", "is missing"),
        (webdav(sharedSecret=None), "protocol.webdav.sharedSecret", "is missing"),
        (webdav(sharedSecret=5), "protocol.webdav.sharedSecret", "has to be a string"),
        (webdav(sharedSecret="a b"), "protocol.webdav.sharedSecret", "may hold visible ASCII characters only"),
        (webdav(sharedSecret="s" * 1025), "protocol.webdav.sharedSecret", "has more than 1024 characters"),
        (webdav(sharedSecret=None) | {"code": 1}, "code", "has to be a string"),
        (webdav(uri=1), "protocol.webdav.uri", "has to be a string"),
        (webdav(uri="u" * 2049), "protocol.webdav.uri", "has more than 2048 characters"),
        (webdav(uri="https://a@h.example/x"), "protocol.webdav.uri", "cannot be used"),
        (webdav(uri="ftp://h.example/x"), "protocol.webdav.uri", "cannot be used"),
        (webdav(uri=None, url="x y"), "protocol.webdav.url", "cannot be used"),
        (webdav(permissions="read"), "protocol.webdav.permissions", "has to be a list of strings"),
        (webdav(permissions=[]), "protocol.webdav.permissions", "has to hold at least one of read, write, share"),
        (webdav(permissions=["fly"]), "protocol.webdav.permissions", "has to hold at least one of read, write, share"),
        (webdav(accessTypes=1), "protocol.webdav.accessTypes", "has to be a list of strings"),
        (webdav(accessTypes=["x"]), "protocol.webdav.accessTypes", "has to hold at least one of remote, datatx"),
        (webdav(requirements="x"), "protocol.webdav.requirements", "has to be a list of strings"),
        (webdav(size=-1), "protocol.webdav.size", f"has to be a whole number from 0 to {2**63 - 1}"),
        (webdav(size=1.5), "protocol.webdav.size", f"has to be a whole number from 0 to {2**63 - 1}"),
    ],
)
def test_faults(document, name, message):
    """Each wrong member is named, with what is wrong about it, and never repeated."""
    error = refusal(document)

    assert (error.kind, error.faults) == (Kind.INVALID, (Fault(name, message),))
    assert error.public == f"This share is not valid: {name} {message}."


@pytest.mark.req("SHARE-7")
def test_all_faults_at_once():
    """All faults of a share are told at once."""
    names = [fault.name for fault in refusal({"expiration": "soon", "protocol": {"webdav": {"size": -1}}}).faults]

    assert sorted(names) == [
        "expiration",
        "name",
        "owner",
        "protocol.webdav.sharedSecret",
        "protocol.webdav.size",
        "providerId",
        "resourceType",
        "sender",
        "shareType",
        "shareWith",
    ]


def test_options_of_the_wrong_kind():
    """Options that are no object are no offer either."""
    assert refusal(protocol("webdav", options="x")).faults == (
        Fault("protocol.options", "has to be an object"),
        Fault("protocol.webdav", "is missing"),
    )


@given(broken(DOCUMENT, NAMES) | broken({**DOCUMENT, "protocol": {"name": "webdav", "options": {"sharedSecret": "x"}}}))
def test_any_document(document):
    """Any object is a share or refused as invalid or not implemented."""
    notification = outcome(lambda: parse(document))

    if isinstance(notification, GatewayError):
        assert notification.kind in {Kind.INVALID, Kind.NOT_IMPLEMENTED}
        assert bool(notification.faults) is (notification.kind is Kind.INVALID)
    else:
        assert notification.webdav.secret


# Writing

SENT = SentShare(
    provider_id="p1",
    owner="alice",
    owner_display_name="Alice",
    recipient=OcmAddress("bob", Host("beta.example:8443")),
    name="Plans",
    storage="main",
    root=ResourcePath(("home", "Plans")),
    kind=EntryKind.FOLDER,
    permissions=frozenset({READ, WRITE}),
    secret=Secret("hush"),
    created_at=1.0,
)


def rendered(sent: SentShare = SENT, peer: Discovery | None = None, **form: object) -> dict[str, object]:
    ours = {"authority": Host("alpha.example"), "public_url": "https://alpha.example", "prefix": "/ocm"}
    return render(sent, peer=peer, **ours, **form)


def peer_with(**forms: str) -> Discovery:
    types = tuple(
        ResourceOffer(name=name, share_types=("user",), protocols={"webdav-receive": form} if form else {})
        for name, form in forms.items()
    )
    return Discovery(enabled=True, api_version="1.4.0", end_point="https://beta.example/ocm", resource_types=types)


@pytest.mark.req("SHARE-1", "SHARE-2", "SHARE-3")
def test_render():
    """A share is written as the draft has it, with the names that older readers look for."""
    assert rendered() == {
        "shareWith": "bob@beta.example:8443",
        "name": "Plans",
        "description": "",
        "providerId": "p1",
        "owner": "alice@alpha.example",
        "sender": "alice@alpha.example",
        "sharedBy": "alice@alpha.example",
        "ownerDisplayName": "Alice",
        "senderDisplayName": "Alice",
        "sharedByDisplayName": "Alice",
        "shareType": "user",
        "resourceType": "folder",
        "protocol": {
            "name": "multi",
            "webdav": {
                "uri": "https://alpha.example/ocm/dav/p1",
                "sharedSecret": "hush",
                "permissions": ["read", "write"],
            },
        },
    }


@pytest.mark.req("SHARE-3", "SHARE-6")
def test_render_everything():
    """What differs from the usual is said: expiry, description, requirements and access types."""
    sent = replace(
        SENT,
        kind=EntryKind.FILE,
        description="for May",
        expires_at=2_000_000_000,
        owner_display_name="",
        requirements=frozenset(Requirement),
        access_types=frozenset(AccessType),
    )

    document = rendered(sent)

    assert document["resourceType"] == "file"
    assert document["description"] == "for May"
    assert document["expiration"] == 2_000_000_000
    assert document["ownerDisplayName"] == document["senderDisplayName"] == "alice"
    assert document["protocol"]["webdav"]["requirements"] == ["must-exchange-token", "must-use-mfa"]
    assert document["protocol"]["webdav"]["accessTypes"] == ["remote", "datatx"]


@pytest.mark.req("SHARE-3")
@pytest.mark.parametrize(
    ("peer", "uri"),
    [
        (None, "https://alpha.example/ocm/dav/p1"),
        (peer_with(), "https://alpha.example/ocm/dav/p1"),
        (peer_with(file=""), "https://alpha.example/ocm/dav/p1"),
        (peer_with(file="absolute"), "https://alpha.example/ocm/dav/p1"),
        (peer_with(file="relative"), "p1"),
        (peer_with(file="relative", folder=""), "p1"),
        (peer_with(file="absolute", folder="relative"), "p1"),
        (peer_with(file="relative", folder="absolute"), "https://alpha.example/ocm/dav/p1"),
    ],
)
def test_form_of_the_uri(peer, uri):
    """The address is absolute, unless the recipient's server says that it reads relative ones."""
    assert rendered(peer=peer)["protocol"]["webdav"]["uri"] == uri


def test_id_in_the_uri():
    """An id is one segment of the address, whatever it holds."""
    uri = rendered(replace(SENT, provider_id="a/b c"))["protocol"]["webdav"]["uri"]

    assert uri == "https://alpha.example/ocm/dav/a%2Fb%20c"


@pytest.mark.req("SHARE-3")
def test_secret_is_not_in_the_uri():
    """The secret stands in its own member and nowhere else."""
    document = rendered()
    entry = document["protocol"]["webdav"]
    assert entry.pop("sharedSecret") == "hush"

    assert "hush" not in str(document)


@pytest.mark.req("SHARE-3")
def test_render_offer():
    """An offer tells the size where it is known; it stands under the name of its form."""
    offer = WebdavOffer(uri="x", secret=Secret("hush"), permissions=frozenset({SHARE, READ}), size=0)
    webdav = {"uri": "x", "sharedSecret": "hush", "permissions": ["read", "share"], "size": 0}

    assert render_protocol(offer) == {"name": "multi", "webdav": webdav}
    assert render_protocol(offer, Payload.NAMED) == {"name": "webdav", "webdav": webdav}


@pytest.mark.req("SHARE-4")
def test_render_where_ssh_leads():
    """A share that is offered over SSH says where beside its WebDAV."""
    protocol = rendered(replace(SENT, ssh_uri="p1@alpha.example:22/Plans"))["protocol"]

    assert protocol["ssh"] == {"uri": "p1@alpha.example:22/Plans"}
    assert "ssh" not in rendered()["protocol"]


@pytest.mark.req("SHARE-2")
def test_render_the_oldest_form():
    """The form of OCM 1.0 holds a secret and the member that some readers want to see, and nothing else."""
    protocol = rendered(form=Payload.OPTIONS)["protocol"]

    assert protocol == {
        "name": "webdav",
        "options": {
            "sharedSecret": "hush",
            "permissions": "{http://open-cloud-mesh.org/ns}share-permissions",
        },
    }
    assert rendered(form=Payload.OPTIONS)["resourceType"] == "file"


def test_folder_for_those_who_do_not_know_the_word():
    """Who does not know folders is told of a file, in every form."""
    assert rendered(form=Payload.MULTI, takes_folders=False)["resourceType"] == "file"
    assert rendered(form=Payload.NAMED)["resourceType"] == "folder"


NAME = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=20)


@given(
    st.builds(
        SentShare,
        provider_id=st.text("abcdef0123456789-", min_size=1),
        owner=st.text("abcXYZ._-", min_size=1, max_size=10),
        owner_display_name=NAME,
        recipient=st.builds(OcmAddress, NAME, st.just(Host("beta.example"))),
        name=NAME.filter(lambda name: name not in (".", "..")),
        storage=st.just("main"),
        root=st.just(ResourcePath()),
        kind=st.sampled_from(EntryKind),
        permissions=st.frozensets(st.sampled_from(Permission), min_size=1),
        access_types=st.frozensets(st.sampled_from(AccessType), min_size=1),
        requirements=st.frozensets(st.sampled_from(Requirement)),
        secret=st.text("abcXYZ019", min_size=1).map(Secret),
        description=NAME | st.just(""),
        created_at=st.just(1.0),
        expires_at=st.none() | st.integers(1, 4_000_000_000),
    )
)
def test_round_trip(sent):
    """What we write, we read: nothing of a share is lost on its way."""
    owner = OcmAddress(sent.owner, Host("alpha.example"))

    assert parse(rendered(sent)) == ShareNotification(
        share_with=str(sent.recipient),
        name=sent.name,
        provider_id=sent.provider_id,
        owner=owner,
        owner_display_name=sent.owner_display_name,
        sender=owner,
        sender_display_name=sent.owner_display_name,
        share_type=ShareType.USER,
        resource_type=sent.kind.value,
        webdav=WebdavOffer(
            uri=f"https://alpha.example/ocm/dav/{sent.provider_id}",
            secret=sent.secret,
            permissions=sent.permissions,
            access_types=sent.access_types,
            requirements=sent.requirements,
        ),
        description=sent.description,
        expires_at=sent.expires_at,
    )


# Answers


@pytest.mark.req("SHARE-7")
def test_answer():
    """The answer tells the recipient's display name."""
    assert render_answer("Bob") == {"recipientDisplayName": "Bob"}
    assert parse_answer(render_answer("Bob")).display_name == "Bob"


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"recipientDisplayName": None},
        {"recipientDisplayName": 1},
        {"recipientDisplayName": "a\nb"},
        {"recipientDisplayName": "n" * 256},
    ],
)
def test_answer_without_name(document):
    """An answer need not tell a name; an impossible one is passed over."""
    assert parse_answer(document) == ShareAnswer()


@pytest.mark.req("SHARE-4", "SHARE-7")
@pytest.mark.parametrize(
    ("keys", "read"), [(["a", 1, "b"], ("a", "b")), ("a", ("a",)), ([], ()), ({"a": 1}, ()), (None, ())]
)
def test_keys_in_an_answer(keys, read):
    """An answer may tell public keys, a list or a single one; what is no text is passed over."""
    assert parse_answer({"recipientPublicKeys": keys}) == ShareAnswer(public_keys=read)


@pytest.mark.req("SHARE-4", "SHARE-7")
def test_answer_with_keys():
    """Our own answer tells the keys beside the name, where there are any."""
    assert render_answer("Bob", ("a", "b")) == {"recipientDisplayName": "Bob", "recipientPublicKeys": ["a", "b"]}


@pytest.mark.req("SHARE-7")
def test_error():
    """An error tells what is wrong member by member, and nothing of what the log may hold."""
    error = GatewayError(Kind.INVALID, "No.", log="internal", faults=(Fault("a", "is bad"), Fault("b.c", "is missing")))

    assert render_error(error) == {
        "message": "No.",
        "validationErrors": [{"name": "a", "message": "is bad"}, {"name": "b.c", "message": "is missing"}],
    }
    assert render_error(GatewayError(Kind.FORBIDDEN, "No.")) == {"message": "No.", "validationErrors": []}


def test_resource_type_may_be_missing():
    """Where a resource type need not be told, a file is meant."""
    assert read_resource_type(Fields({})) == "file"
    assert read_resource_type(Fields({"resourceType": "folder"})) == "folder"
