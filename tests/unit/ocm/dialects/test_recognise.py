"""Deployed peers are recognised by their own documents, and each is spoken to as it needs (dialects.md 2, 14.2)."""

import json

import pytest

from gateway.model.dialect import ChangeNotice, Payload
from gateway.model.share import Requirement
from gateway.ocm.dialects.recognise import UNKNOWN, recognise
from gateway.ocm.discovery import DiscoveryOffer, parse, render
from support import captures

OPTIONS, NAMED, MULTI = Payload.OPTIONS, Payload.NAMED, Payload.MULTI


def document(webdav="/dav/", **members):
    """Return a document with one resource type."""
    types = [{"name": "file", "shareTypes": ["user"], "protocols": {"webdav": webdav}}]
    return {"enabled": True, "apiVersion": "1.1.0", "endPoint": "https://h/ocm", "resourceTypes": types} | members


# As `dialects.md` 3 to 8 describes the documents; the first four are recorded bytes.
DOCUMENTS = {
    "NC31": (json.loads(captures.NC31_DISCOVERY), "Nextcloud", (OPTIONS, NAMED)),
    "NC32": (json.loads(captures.NC32_DISCOVERY), "Nextcloud", (OPTIONS, NAMED)),
    "OC10": (json.loads(captures.OC10_DISCOVERY), "ownCloud 10", (OPTIONS,)),
    "STUB": (json.loads(captures.STUB_DISCOVERY), "OCM 1.0", (OPTIONS, MULTI)),
    "NC35": (
        document("/public.php/webdav/", apiVersion="1.4.0", provider="Nextcloud 35", jwksUri="https://h/jwks"),
        "Nextcloud",
        (OPTIONS, NAMED),
    ),
    "oCIS": (document("/dav/ocm", capabilities=["/invite-accepted"]), "oCIS", (MULTI,)),
    "OpenCloud": (
        document(
            "/dav/ocm",
            apiVersion="1.2.0",
            capabilities=["invites", "webdav-uri", "protocol-object", "invite-wayf"],
            inviteAcceptDialog="https://h/open-cloud-mesh/accept-invite",
        ),
        "OpenCloud",
        (MULTI,),
    ),
    "CERNBox": (
        document("/remote.php/dav/ocm/", apiVersion="1.3.0", capabilities=["invites", "protocol-object"]),
        "CERNBox",
        (MULTI,),
    ),
    "ocmgo": (
        document(
            apiVersion="1.4.0",
            capabilities=["http-sig", "exchange-token", "invites", "notifications"],
            criteria=["must-use-http-sig", "must-exchange-token", "must-invite"],
            tokenEndPoint="https://h/ocm/token",
        ),
        "opencloudmesh-go",
        (MULTI,),
    ),
    "ocmgo with the least criteria": (
        document(criteria=["must-use-http-sig", "must-exchange-token"]),
        "opencloudmesh-go",
        (MULTI,),
    ),
    "a receiver": (
        document()
        | {"resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": {"webdav-receive": "absolute"}}]},
        "the draft",
        (MULTI, OPTIONS),
    ),
    "Seafile": (document("seafdav", apiVersion="1.0-proposal1"), "Seafile", (OPTIONS,)),
    "Seafile library": (
        document() | {"resourceTypes": {"name": "library", "shareTypes": ["user"], "protocols": {"seafile": "/x"}}},
        "Seafile",
        (OPTIONS,),
    ),
    "ourselves": (
        render(DiscoveryOffer(public_url="https://a.example", prefix="/ocm", provider="University")),
        "the draft",
        (MULTI, OPTIONS),
    ),
}


@pytest.mark.parametrize(("found", "name", "payloads"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_kind(found, name, payloads):
    """Each deployed document is known for what it is, with a reason for people, and gets the forms that it reads."""
    dialect = recognise(parse(found))
    assert (dialect.name, dialect.payloads) == (name, payloads)
    assert dialect.why


@pytest.mark.parametrize(
    ("marks", "name"),
    [
        ({"publicKey": {"keyId": "k", "publicKeyPem": "PEM"}}, "Nextcloud"),
        ({"version": "1.1"}, "Nextcloud"),
        ({"provider": "Nextcloud 36"}, "Nextcloud"),
        ({"provider": "Not Nextcloud"}, ""),
        ({}, ""),
    ],
)
def test_nextcloud_by_one_mark(marks, name):
    """On the common path a key alone, a second version alone or the name tells Nextcloud; the path alone does not."""
    assert recognise(parse(document("/public.php/webdav/", **marks))).name == name


@pytest.mark.parametrize("found", [None, document(), document(""), document("dav/ocmX"), document("Xdav/ocm")])
def test_unknown(found):
    """Who cannot be told from others is tried in the oldest form first."""
    assert recognise(None if found is None else parse(found)) == UNKNOWN
    assert UNKNOWN.payloads == (OPTIONS, MULTI)


@pytest.mark.parametrize(
    ("name", "takes", "notice", "announces", "at_owner"),
    [
        ("NC31", False, ChangeNotice.NONE, True, False),
        ("OC10", False, ChangeNotice.RESHARE, True, True),
        ("oCIS", True, ChangeNotice.SHARE, True, False),
        ("OpenCloud", True, ChangeNotice.NONE, False, False),
        ("CERNBox", True, ChangeNotice.NONE, False, False),
        ("ocmgo", False, ChangeNotice.NONE, True, False),
        ("Seafile", False, ChangeNotice.NONE, True, False),
        ("ourselves", True, ChangeNotice.RESEND, True, False),
    ],
)
def test_traits(name, takes, notice, announces, at_owner):
    """Folders, notices of changes, and the end of shares are as the matrix has them."""
    dialect = recognise(parse(DOCUMENTS[name][0]))
    assert (dialect.takes_folders, dialect.change_notice) == (takes, notice)
    assert (dialect.announces_end, dialect.serves_at_owner) == (announces, at_owner)


@pytest.mark.req("SHARE-6")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_required_is_always_said(name):
    """A share that requires something is never sent in the form that cannot say it, whatever was taken before."""
    dialect = recognise(parse(DOCUMENTS[name][0]))
    for remembered in (None, *Payload):
        assert OPTIONS not in dialect.forms({Requirement.MUST_EXCHANGE_TOKEN}, remembered)
        assert set(dialect.forms(frozenset(), remembered)) <= set(dialect.payloads)


def test_remembered_form_is_the_only_one():
    """What a peer took the last time is not tried against another form; what its kind never reads is forgotten."""
    dialect = recognise(parse(document()))
    assert dialect.forms(frozenset(), MULTI) == (MULTI,)
    assert dialect.forms(frozenset(), NAMED) == (OPTIONS, MULTI)
