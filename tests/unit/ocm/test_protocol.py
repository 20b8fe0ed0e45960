"""SSH beside WebDAV in the `protocol` of a share: reading is bounded, and writing says what was asked for."""

import pytest

from gateway.model.access import SshAccess
from gateway.model.dialect import Payload
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import AccessType, WebdavOffer
from gateway.ocm.fields import Fields
from gateway.ocm.protocol import read_ssh, render_protocol

REMOTE, DATATX = AccessType
LONGEST = "u@host:22/" + "a" * 2038


def offered(**members):
    return Fields({"protocol": {"name": "multi", **members}})


def faults_of(share):
    return [(fault.name, fault.message) for fault in share.faults]


def offer(*access_types):
    return WebdavOffer(uri="p1", secret=Secret("hush"), access_types=frozenset(access_types))


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize(
    ("entry", "access_types"),
    [
        ({}, {REMOTE}),
        ({"accessTypes": ["datatx"]}, {DATATX}),
        ({"accessTypes": ["later", "remote", "datatx"]}, {REMOTE, DATATX}),
    ],
)
def test_ssh_is_read(is_alone, entry, access_types):
    """An offer over SSH is read beside another and alone, and without access types it is for use in place."""
    share = offered(ssh={"uri": "u@host:22/a"} | entry)

    assert read_ssh(share, is_alone=is_alone) == SshAccess(
        user="u", host="host", port=22, path=ResourcePath(("a",)), access_types=frozenset(access_types)
    )
    assert share.faults == []


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({}, ("protocol.ssh.uri", "is missing")),
        ({"uri": 7}, ("protocol.ssh.uri", "has to be a string")),
        ({"uri": "host"}, ("protocol.ssh.uri", "cannot be read: it is not user@host:port/path")),
        ({"uri": LONGEST + "a"}, ("protocol.ssh.uri", "has more than 2048 characters")),
        (
            {"uri": "u@host:22", "accessTypes": ["later"]},
            ("protocol.ssh.accessTypes", "has to hold at least one of remote, datatx"),
        ),
    ],
)
def test_wrong_ssh(entry, fault):
    """An offer over SSH that cannot be used is a fault where it is the only one, and passed over beside another."""
    alone, beside = offered(ssh=entry), offered(ssh=entry)

    assert read_ssh(alone, is_alone=True) is None
    assert faults_of(alone) == [fault]
    assert read_ssh(beside, is_alone=False) is None
    assert beside.faults == []


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("members", [{}, {"ssh": None}, {"ssh": "u@host:22"}, {"ssh": []}])
def test_no_ssh(is_alone, members):
    """What is no object offers nothing over SSH."""
    share = offered(**members)

    assert read_ssh(share, is_alone=is_alone) is None
    assert share.faults == []


@pytest.mark.req("SHARE-4")
def test_no_protocol():
    """A share without a protocol offers nothing over SSH."""
    assert read_ssh(Fields({}), is_alone=True) is None


@pytest.mark.req("SHARE-4")
def test_longest_ssh_uri():
    """An address over SSH may have 2048 characters."""
    access = read_ssh(offered(ssh={"uri": LONGEST}), is_alone=True)

    assert access is not None
    assert access.path == ResourcePath(("a" * 2038,))


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("access_types", "told"),
    [
        ((REMOTE,), {}),
        ((DATATX,), {"accessTypes": ["datatx"]}),
        ((REMOTE, DATATX), {"accessTypes": ["remote", "datatx"]}),
    ],
)
def test_ssh_is_written(access_types, told):
    """The draft's form says where SSH leads, and for which use where that is not use in place alone."""
    written = render_protocol(offer(*access_types), ssh_uri="u@host:22/a")

    assert list(written) == ["name", "webdav", "ssh"]
    assert (written["name"], written["ssh"]) == ("multi", {"uri": "u@host:22/a"} | told)
    assert read_ssh(Fields({"protocol": written}), is_alone=False) == SshAccess(
        user="u", host="host", port=22, path=ResourcePath(("a",)), access_types=frozenset(access_types)
    )


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("form", "ssh_uri"), [(Payload.MULTI, ""), (Payload.NAMED, "u@host:22/a"), (Payload.OPTIONS, "u@host:22/a")]
)
def test_no_ssh_is_written(form, ssh_uri):
    """Without an address, and in the forms of older receivers, nothing is said of SSH."""
    assert "ssh" not in render_protocol(offer(REMOTE), form, ssh_uri=ssh_uri)
