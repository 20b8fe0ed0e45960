from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.peer import Discovery, ResourceOffer, Shape
from gateway.ocm.discovery import DiscoveryOffer, Variant, parse, render, webdav_path
from gateway.ocm.jsontext import parse_object
from support import captures
from support.anyjson import VALUES, broken
from support.outcome import outcome

OFFER = DiscoveryOffer(public_url="https://gw.example:8443", prefix="/ocm", provider="Example")
DRAFT = {
    "enabled": True,
    "apiVersion": "1.4.0",
    "endPoint": "https://cloud.example.org/ocm",
    "provider": "MyCloudStorage",
    "resourceTypes": [
        {
            "name": "file",
            "shareTypes": ["user"],
            "protocols": {
                "webdav": "/remote/dav/ocm/",
                "webdav-receive": {"uri": "absolute"},
                "webapp": {},
                "webapp-receive": {"targets": ["blank", "iframe"]},
                "ssh": "cloud.example.org:22",
            },
        }
    ],
    "capabilities": ["exchange-token", "protocol-object"],
    "criteria": ["must-use-http-sig"],
    "inviteAcceptDialog": "/accept",
    "jwksUri": "https://cloud.example.org/ocm/jwks",
    "tokenEndPoint": "https://cloud.example.org/ocm/token",
}
NAMES = (*DRAFT, "shareTypes", "publicKey", "publicKeys", "endpoint", "version")


def read(body: bytes) -> Discovery:
    return parse(parse_object(body, max_bytes=10_000))


def minimal(**members: object) -> dict[str, object]:
    return {"enabled": True, "apiVersion": "1.4.0", "endPoint": "https://h.example/ocm", "resourceTypes": []} | members


def refusal(document: dict[str, object]) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        parse(document)
    return refused.value


def webdav_types(path: str, *share_types: str) -> tuple[ResourceOffer, ...]:
    return (ResourceOffer(name="file", share_types=share_types, protocols={"webdav": path}),)


# Reading what deployed peers write


@pytest.mark.req("DISC-1", "DISC-2", "DISC-3", "DISC-4")
def test_draft_document():
    """The draft's example is read whole."""
    protocols = {
        "webdav": "/remote/dav/ocm/",
        "webdav-receive": "absolute",
        "webapp": "",
        "webapp-receive": "",
        "ssh": "cloud.example.org:22",
    }

    assert parse(DRAFT) == Discovery(
        enabled=True,
        api_version="1.4.0",
        end_point="https://cloud.example.org/ocm",
        provider="MyCloudStorage",
        resource_types=(ResourceOffer(name="file", share_types=("user",), protocols=protocols),),
        capabilities=frozenset({"exchange-token", "protocol-object"}),
        criteria=frozenset({"must-use-http-sig"}),
        jwks_uri="https://cloud.example.org/ocm/jwks",
        token_end_point="https://cloud.example.org/ocm/token",
    )


def test_nextcloud_31():
    """Nextcloud 31's document is read, its draft-cavage key included."""
    assert read(captures.NC31_DISCOVERY) == Discovery(
        enabled=True,
        api_version="1.0-proposal1",
        end_point="https://localhost:9443/ocm",
        resource_types=webdav_types("/public.php/webdav/", "user", "group"),
        public_key=("https://localhost:9443/ocm#signature", captures.PEM),
        shapes=frozenset({Shape.VERSION}),
    )


def test_nextcloud_32():
    """Nextcloud 32's capabilities have a leading slash."""
    document = read(captures.NC32_DISCOVERY)

    assert document.capabilities == {"invites", "notifications", "/shares"}
    assert document.public_key == ("https://localhost:9446/ocm#signature", captures.PEM)


def test_owncloud_10():
    """OwnCloud 10 lists its types under `shareTypes` and names no share types."""
    assert read(captures.OC10_DISCOVERY) == Discovery(
        enabled=True,
        api_version="1.0-proposal1",
        end_point="https://localhost:9448/apps/federatedfilesharing",
        resource_types=webdav_types("/public.php/webdav/", "user"),
        notes=("Its resource types stand under shareTypes.",),
        shapes=frozenset({Shape.SHARE_TYPES}),
    )


def test_ocm_stub():
    """A key may be a bare PEM text."""
    document = read(captures.STUB_DISCOVERY)

    assert document.public_key == (
        "",
        "-----BEGIN RSA PUBLIC KEY-----\nMIIB\n-----END RSA PUBLIC KEY-----\n",
    )
    assert document.webdav_path() == "/webdav-api/"


@pytest.mark.parametrize(
    ("types", "offers"),
    [
        ([], ()),
        ({}, ()),
        (
            {"name": "file", "shareTypes": ["user"], "protocols": {"webdav": "seafdav"}},
            webdav_types("seafdav", "user"),
        ),
        (
            {"file": {"shareTypes": ["user", "group"], "protocols": {"webdav": "/d/"}}},
            webdav_types("/d/", "user", "group"),
        ),
        ({"x": {"name": "file", "protocols": {"webdav": "/d/"}, "y": 1}}, webdav_types("/d/", "user")),
        ([{"name": "file", "protocols": []}], (ResourceOffer(name="file", share_types=("user",), protocols={}),)),
        ([{"name": "file"}], (ResourceOffer(name="file", share_types=("user",), protocols={}),)),
        (
            [
                {
                    "name": "file",
                    "protocols": {"a": {"uri": "x"}, "b": {"uri": 1}, "c": 1, "d": None, "e": ["x"], "f": "y"},
                }
            ],
            (
                ResourceOffer(
                    name="file",
                    share_types=("user",),
                    protocols={"a": "x", "b": "", "c": "", "d": "", "e": "", "f": "y"},
                ),
            ),
        ),
    ],
)
def test_resource_types(types, offers):
    """Resource types are read as a list or an object, and roles as text whatever their value."""
    assert parse(minimal(resourceTypes=types)).resource_types == offers


def test_several_resource_types():
    """Each entry of the list is one type; the WebDAV path of another type serves where a type has none."""
    document = parse(
        minimal(
            resourceTypes=[
                {"name": "talk-room", "protocols": {"talk": "/t/"}},
                {"name": "file", "protocols": {"webdav": "/f/"}},
                {"name": "folder", "protocols": {"webdav": "/d/"}},
            ]
        )
    )

    assert [offer.name for offer in document.resource_types] == ["talk-room", "file", "folder"]
    assert document.webdav_path() == "/f/"
    assert document.webdav_path("folder") == "/d/"
    assert document.webdav_path("talk-room") == "/f/"
    assert parse(minimal()).webdav_path() is None


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({}, None),
        ({"publicKey": None}, None),
        ({"publicKey": ""}, None),
        ({"publicKey": {}}, None),
        ({"publicKey": []}, None),
        ({"publicKey": {"keyId": "k"}}, None),
        ({"publicKey": {"publicKeyPem": "P"}}, ("", "P")),
        ({"publicKey": {"keyId": "k", "publicKeyPem": "P"}}, ("k", "P")),
        ({"publicKeys": [{"keyId": "k", "publicKeyPem": "P"}, {"keyId": "l", "publicKeyPem": "Q"}]}, ("k", "P")),
        ({"publicKeys": ["x", {"keyId": "k", "publicKeyPem": "P"}]}, ("k", "P")),
        ({"publicKeys": []}, None),
        ({"publicKeys": "x"}, None),
        ({"publicKey": {"publicKeyPem": "P"}, "publicKeys": [{"publicKeyPem": "Q"}]}, ("", "P")),
    ],
)
def test_public_key(members, key):
    """The key of a draft-cavage peer is read in all its forms; without a PEM text there is none."""
    assert parse(minimal(**members)).public_key == key


@pytest.mark.parametrize(
    ("members", "end_point"),
    [
        ({"endPoint": "https://h.example/ocm/"}, "https://h.example/ocm"),
        ({"endPoint": "https://h.example/ocm//"}, "https://h.example/ocm"),
        ({"endPoint": "https://h.example"}, "https://h.example"),
        ({"endPoint": "https://h.example/X"}, "https://h.example/X"),
        ({"endPoint": "http://h.example:8080/"}, "http://h.example:8080"),
        ({"endPoint": "https://h.example/a", "endpoint": "https://h.example/b"}, "https://h.example/a"),
        ({"endPoint": None, "endpoint": "https://h.example/b/"}, "https://h.example/b"),
    ],
)
def test_end_point(members, end_point):
    """The end point is read in both spellings, its trailing slashes removed."""
    assert parse(minimal(**members)).end_point == end_point


@pytest.mark.parametrize(
    ("members", "version"),
    [
        ({}, "1.4.0"),
        ({"apiVersion": None, "version": "1.1"}, "1.1"),
        ({"version": "1.1"}, "1.4.0"),
        ({"apiVersion": None}, ""),
    ],
)
def test_version(members, version):
    """The version is `apiVersion`, else `version`, and may be missing."""
    assert parse(minimal(**members)).api_version == version


@pytest.mark.parametrize(
    ("document", "notes"),
    [
        (minimal(), ()),
        (
            {"endpoint": "https://h.example"},
            (
                "It does not say whether it is enabled.",
                "It does not say its version.",
                "It names no resource types.",
                "Its end point has an old spelling.",
            ),
        ),
        (minimal(version="1.1", shareTypes=[]), ()),
        ({"enabled": True, "version": "1.1", "endPoint": "https://h.example", "resourceTypes": []}, ()),
    ],
)
def test_notes(document, notes):
    """What had to be tolerated is noted for people, and a server that does not say otherwise is enabled."""
    assert parse(document).notes == notes
    assert parse(document).enabled is True


def test_switched_off():
    """A server may say that OCM is off and still name its end point."""
    assert parse(minimal(enabled=False)).enabled is False


@pytest.mark.parametrize("members", [{"endPoint": None}, {"endPoint": ""}])
def test_switched_off_without_end_point(members):
    """A server that says that OCM is off and names no end point is told as such."""
    error = refusal(minimal(enabled=False, **members))

    assert (error.kind, error.code) == (Kind.INVALID, "ocm-off")
    assert error.public == "Open Cloud Mesh is switched off at this server."


@pytest.mark.req("DISC-6")
@pytest.mark.parametrize(
    ("members", "name", "message"),
    [
        ({"enabled": "yes"}, "enabled", "has to be true or false"),
        ({"apiVersion": 1.4}, "apiVersion", "has to be a string"),
        ({"endPoint": None}, "endPoint", "is missing"),
        ({"endPoint": ""}, "endPoint", "is missing"),
        ({"endPoint": 7}, "endPoint", "has to be a string"),
        ({"endPoint": "/ocm"}, "endPoint", "cannot be read: it is not an absolute URL"),
        ({"endPoint": "ftp://h.example"}, "endPoint", "cannot be read: it is not an absolute URL"),
        ({"endPoint": "https://[::1/"}, "endPoint", "cannot be read: it is not an absolute URL"),
        ({"endPoint": "https://h.example/" + "a" * 2031}, "endPoint", "has more than 2048 characters"),
        ({"provider": []}, "provider", "has to be a string"),
        ({"resourceTypes": "file"}, "resourceTypes", "has to be a list of objects"),
        ({"resourceTypes": ["file"]}, "resourceTypes[0]", "has to be an object"),
        ({"resourceTypes": [{"name": "x"}, 1]}, "resourceTypes[1]", "has to be an object"),
        ({"resourceTypes": {"file": 1}}, "resourceTypes[file]", "has to be an object"),
        ({"resourceTypes": [{}]}, "resourceTypes[0].name", "is missing"),
        ({"resourceTypes": {"protocols": {}}}, "resourceTypes[0].name", "is missing"),
        ({"resourceTypes": [{"name": 1}]}, "resourceTypes[0].name", "has to be a string"),
        (
            {"resourceTypes": [{"name": "x", "shareTypes": "user"}]},
            "resourceTypes[0].shareTypes",
            "has to be a list of strings",
        ),
        ({"resourceTypes": [{"name": "x", "protocols": "/d"}]}, "resourceTypes[0].protocols", "has to be an object"),
        ({"capabilities": "http-sig"}, "capabilities", "has to be a list of strings"),
        ({"criteria": [1]}, "criteria", "has to be a list of strings"),
        ({"jwksUri": {}}, "jwksUri", "has to be a string"),
        ({"jwksUri": "x" * 2049}, "jwksUri", "has more than 2048 characters"),
        ({"tokenEndPoint": 1}, "tokenEndPoint", "has to be a string"),
        ({"tokenEndPoint": "x" * 2049}, "tokenEndPoint", "has more than 2048 characters"),
        ({"publicKey": 1}, "publicKey", "has to be an object"),
        ({"publicKey": {"keyId": 1, "publicKeyPem": "P"}}, "publicKey.keyId", "has to be a string"),
        ({"publicKey": {"publicKeyPem": 1}}, "publicKey.publicKeyPem", "has to be a string"),
        ({"publicKeys": [{"publicKeyPem": 1}]}, "publicKeys.publicKeyPem", "has to be a string"),
    ],
)
def test_faults(members, name, message):
    """A document with a wrong member is refused with its name."""
    error = refusal(minimal(**members))

    assert (error.kind, error.faults) == (Kind.INVALID, (Fault(name, message),))
    assert error.public == f"This discovery document is not valid: {name} {message}."


def test_old_list_faults():
    """Faults in ownCloud's list carry its name."""
    document = {"endPoint": "https://h.example", "shareTypes": [{"name": "file"}, "x"]}

    assert refusal(document).faults == (Fault("shareTypes[1]", "has to be an object"),)


@pytest.mark.req("SHARE-4")
def test_where_the_host_keys_are():
    """The address of the SSH host keys is read up to 2048 characters, and refused beyond."""
    longest = "https://h.example/" + "k" * 2030

    assert parse(minimal(sshHostKeys=longest)).ssh_host_keys == longest
    assert refusal(minimal(sshHostKeys=longest + "k")).faults == (
        Fault("sshHostKeys", "has more than 2048 characters"),
    )


@given(st.dictionaries(st.sampled_from(NAMES), VALUES) | broken(DRAFT, NAMES))
def test_any_document(document):
    """Any object is a document or refused as INVALID, and nothing else ever happens."""
    read_back = outcome(lambda: parse(document))

    assert isinstance(read_back, Discovery) or read_back.kind is Kind.INVALID


# Writing ours


@pytest.mark.req("DISC-1", "DISC-2", "DISC-3", "DISC-4")
def test_full():
    """The whole document says what the draft asks for."""
    protocols = {"webdav": "/ocm/dav/", "webdav-receive": {"uri": "absolute"}}

    assert render(OFFER) == {
        "enabled": True,
        "apiVersion": "1.4.0",
        "endPoint": "https://gw.example:8443/ocm",
        "provider": "Example",
        "resourceTypes": [
            {"name": "file", "shareTypes": ["user"], "protocols": protocols},
            {"name": "folder", "shareTypes": ["user"], "protocols": protocols},
        ],
        "capabilities": [
            "exchange-token",
            "http-sig",
            "invite-accepted",
            "invites",
            "notifications",
            "protocol-object",
        ],
        "criteria": [],
        "jwksUri": "https://gw.example:8443/ocm/jwks",
        "tokenEndPoint": "https://gw.example:8443/ocm/token",
    }
    assert render(OFFER, Variant.FULL) == render(OFFER)


@pytest.mark.req("DISC-3")
def test_strings():
    """For readers that expect strings there are only strings, and the capability that they look for."""
    expected = render(OFFER) | {
        "resourceTypes": [
            {"name": name, "shareTypes": ["user"], "protocols": {"webdav": "/ocm/dav/"}} for name in ("file", "folder")
        ],
        "capabilities": [*render(OFFER)["capabilities"], "webdav-uri"],
    }

    assert render(OFFER, Variant.STRINGS) == expected


@pytest.mark.req("DISC-1")
def test_legacy():
    """For the oldest readers the version is the pair that they compare with."""
    expected = render(OFFER, Variant.STRINGS) | {"apiVersion": "1.0-proposal1", "version": "1.1"}

    assert render(OFFER, Variant.LEGACY) == expected


@pytest.mark.req("DISC-4", "DISC-5")
def test_configured():
    """What is advertised is what is configured."""
    offer = DiscoveryOffer(
        public_url="https://gw.example",
        prefix="/fed",
        provider="",
        capabilities=frozenset({"notifications"}),
        criteria=frozenset({"must-use-http-sig", "allowlist"}),
        has_token_end_point=False,
    )

    document = render(offer)

    assert document["endPoint"] == "https://gw.example/fed"
    assert document["jwksUri"] == "https://gw.example/fed/jwks"
    assert document["capabilities"] == ["notifications"]
    assert document["criteria"] == ["allowlist", "must-use-http-sig"]
    assert "tokenEndPoint" not in document
    assert webdav_path("/fed") == "/fed/dav/"


@pytest.mark.req("DISC-4")
def test_exchange_needs_token_end_point():
    """Token exchange is not advertised without a token end point."""
    with pytest.raises(GatewayError) as refused:
        DiscoveryOffer(public_url="https://gw.example", prefix="/ocm", provider="", has_token_end_point=False)

    assert refused.value.kind is Kind.CONFIGURATION
    assert refused.value.public == "Token exchange needs a token end point."


@pytest.mark.req("DISC-5")
def test_demand_needs_capability():
    """Token exchange is not demanded of others without being offered."""
    with pytest.raises(GatewayError) as refused:
        DiscoveryOffer(
            public_url="https://gw.example",
            prefix="/ocm",
            provider="",
            capabilities=frozenset(),
            criteria=frozenset({"must-exchange-token"}),
        )

    assert refused.value.kind is Kind.CONFIGURATION
    assert refused.value.public == "Demanding token exchange needs the capability for it."


@pytest.mark.parametrize("variant", Variant)
def test_what_is_not_built_is_not_offered(variant):
    """Nothing is advertised that this gateway does not do."""
    text = json.dumps(render(OFFER, variant))

    assert not any(word in text for word in ("publicKey", "ssh", "webapp", "enforce-mfa"))


@pytest.mark.req("KEYS-3")
@pytest.mark.parametrize("variant", Variant)
def test_key_for_older_peers(variant):
    """In every form the RSA key stands with its name where peers that know only older signatures look for it."""
    document = render(OFFER, variant, public_key=("https://gw.example/ocm#rsa-1", "PEM"))

    assert document["publicKey"] == {"keyId": "https://gw.example/ocm#rsa-1", "publicKeyPem": "PEM"}
    assert parse(document).public_key == ("https://gw.example/ocm#rsa-1", "PEM")


@pytest.mark.req("SHARE-4")
def test_ssh_is_offered():
    """The address of the SSH door stands under the protocols, and beside them where its host keys are stated."""
    document = render(replace(OFFER, ssh_address="gw.example:22"))

    assert document["sshHostKeys"] == parse(document).ssh_host_keys == "https://gw.example:8443/ocm/ssh-host-keys"
    for entry in document["resourceTypes"]:
        assert entry["protocols"]["ssh"] == "gw.example:22"
        assert "ssh-receive" not in entry["protocols"]


@pytest.mark.req("SHARE-4")
def test_ssh_is_taken():
    """That shares over SSH are used here is said on its own, as an empty object."""
    document = render(replace(OFFER, receives_ssh=True))

    assert [entry["protocols"]["ssh-receive"] for entry in document["resourceTypes"]] == [{}, {}]
    assert "sshHostKeys" not in document


@pytest.mark.req("DISC-3")
@pytest.mark.parametrize("variant", [Variant.STRINGS, Variant.LEGACY])
def test_decoder_of_string_maps(variant):
    """A decoder that types every protocol value as a string reads our document."""
    document = json.loads(json.dumps(render(OFFER, variant)))

    for entry in document["resourceTypes"]:
        assert {type(value) for value in entry["protocols"].values()} == {str}


@pytest.mark.parametrize("variant", Variant)
def test_round_trip(variant):
    """What we write, we read."""
    document = parse(render(OFFER, variant))

    assert document.end_point == "https://gw.example:8443/ocm"
    # The two words for invitations mean the same to a reader.
    assert document.capabilities >= OFFER.capabilities - {"invite-accepted"}
    assert document.webdav_path("folder") == "/ocm/dav/"
    assert document.jwks_uri == "https://gw.example:8443/ocm/jwks"
    assert document.token_end_point == "https://gw.example:8443/ocm/token"
    assert document.public_key is None
    assert document.notes == ()
