"""What is peculiar in a deployed server's discovery document is read, noted, and written where it is needed."""

import pytest

from gateway.model.peer import Shape
from gateway.ocm.dialects.documents import (
    public_key,
    resource_entries,
    shapes,
    with_legacy_version,
    with_strings_only,
)
from gateway.ocm.fields import Fields

FILE = {"name": "file", "protocols": {"webdav": "/dav/"}}


def faults_of(document):
    return [(fault.name, fault.message) for fault in document.faults]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, set()),
        ({"resourceTypes": [FILE]}, set()),
        ({"shareTypes": [FILE]}, {Shape.SHARE_TYPES}),
        ({"resourceTypes": None, "shareTypes": [FILE]}, {Shape.SHARE_TYPES}),
        ({"resourceTypes": [FILE], "shareTypes": [FILE]}, set()),
        ({"resourceTypes": {"file": FILE}}, {Shape.OBJECT_TYPES}),
        ({"shareTypes": {"file": FILE}}, {Shape.SHARE_TYPES}),
        ({"version": "1.1"}, {Shape.VERSION}),
        ({"version": ""}, set()),
        ({"version": "1.1", "shareTypes": [FILE]}, {Shape.VERSION, Shape.SHARE_TYPES}),
    ],
)
def test_shapes(members, found):
    """A second version, types as an object, and types under their old name only where the new one is missing, show."""
    assert shapes(Fields(members)) == found


@pytest.mark.parametrize(
    ("members", "entries"),
    [
        ({}, []),
        ({"resourceTypes": [FILE]}, [FILE]),
        ({"shareTypes": [FILE]}, [FILE]),
        ({"resourceTypes": [FILE], "shareTypes": []}, [FILE]),
        ({"resourceTypes": FILE}, [FILE]),
        ({"resourceTypes": {"file": {"protocols": {}}}}, [{"name": "file", "protocols": {}}]),
        ({"resourceTypes": {"0": FILE}}, [FILE]),
    ],
)
def test_resource_entries(members, entries):
    """Types come as a list, as one object, or as an object whose names are theirs where they have none of their own."""
    document = Fields(members)

    assert [entry.members for entry in resource_entries(document)] == entries
    assert document.faults == []


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("file", ("resourceTypes", "has to be a list of objects")),
        (7, ("resourceTypes", "has to be a list of objects")),
        (["file"], ("resourceTypes[0]", "has to be an object")),
        ([FILE, None], ("resourceTypes[1]", "has to be an object")),
        ({"file": "x"}, ("resourceTypes[file]", "has to be an object")),
    ],
)
def test_wrong_resource_entries(value, fault):
    """What is no resource type is named by its place."""
    document = Fields({"resourceTypes": value})
    resource_entries(document)

    assert faults_of(document) == [fault]


def test_faults_of_an_entry_name_its_place():
    """A fault inside an entry is the document's, and says in which entry it is."""
    document = Fields({"resourceTypes": [FILE, {"name": 1}]})
    resource_entries(document)[1].text("name")

    assert faults_of(document) == [("resourceTypes[1].name", "has to be a string")]


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({}, None),
        ({"publicKey": "PEM\n"}, ("", "PEM\n")),
        ({"publicKey": ""}, None),
        ({"publicKey": {"keyId": "k", "publicKeyPem": "PEM"}}, ("k", "PEM")),
        ({"publicKey": {"publicKeyPem": "PEM"}}, ("", "PEM")),
        ({"publicKey": {"keyId": "k"}}, None),
        ({"publicKeys": [7, {"keyId": "k", "publicKeyPem": "PEM"}, {"keyId": "l"}]}, ("k", "PEM")),
        ({"publicKeys": "PEM"}, None),
        ({"publicKey": {"publicKeyPem": "A"}, "publicKeys": [{"publicKeyPem": "B"}]}, ("", "A")),
    ],
)
def test_public_key(members, key):
    """A key comes bare, as an object, or as the first of a list; without a PEM text there is none."""
    document = Fields(members)

    assert public_key(document) == key
    assert document.faults == []


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"publicKey": 7}, ("publicKey", "has to be an object")),
        ({"publicKey": "\0"}, ("publicKey", "holds control characters")),
        ({"publicKey": {"publicKeyPem": 7}}, ("publicKey.publicKeyPem", "has to be a string")),
        ({"publicKey": {"publicKeyPem": "P", "keyId": 7}}, ("publicKey.keyId", "has to be a string")),
        ({"publicKeys": [{"publicKeyPem": 7}]}, ("publicKeys.publicKeyPem", "has to be a string")),
    ],
)
def test_wrong_public_key(members, fault):
    """A key that cannot be read is a fault."""
    document = Fields(members)
    public_key(document)

    assert faults_of(document) == [fault]


def test_strings_only():
    """Readers of strings get only the protocols that are strings, and the capability of their drafts; ours stays."""
    ours = {
        "apiVersion": "1.4.0",
        "capabilities": ["invites"],
        "resourceTypes": [{"name": "file", "protocols": {"webdav": "/dav/", "webdav-receive": {"uri": "absolute"}}}],
    }

    assert with_strings_only(ours) == {
        "apiVersion": "1.4.0",
        "capabilities": ["invites", "webdav-uri"],
        "resourceTypes": [{"name": "file", "protocols": {"webdav": "/dav/"}}],
    }
    assert ours["capabilities"] == ["invites"]


def test_legacy_version():
    """Old readers get the version that they compare with, and the true one beside it."""
    assert with_legacy_version({"apiVersion": "1.4.0", "enabled": True}) == {
        "apiVersion": "1.0-proposal1",
        "version": "1.1",
        "enabled": True,
    }
