from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, OcmAddress
from gateway.model.peer import Discovery, Peer, ResourceOffer
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.session import Session
from gateway.model.share import (
    AccessType,
    Message,
    MessageKind,
    Permission,
    ReceivedShare,
    Requirement,
    SentShare,
    WebdavOffer,
)
from gateway.store.codec import Codec
from support.redisserver import SEALER

SENT = SentShare(
    provider_id="p1",
    owner="alice",
    owner_display_name="Alice",
    recipient=OcmAddress("bob", Host("b.example")),
    name="docs",
    storage="main",
    root=ResourcePath(("caf\udce9", "x")),
    kind=EntryKind.FOLDER,
    permissions=frozenset({Permission.READ, Permission.WRITE}),
    requirements=frozenset({Requirement.MUST_EXCHANGE_TOKEN}),
    secret=Secret("s3cret-value"),
    created_at=12.5,
    expires_at=99,
    outbox=(Message(kind=MessageKind.SHARE, due=13.0),),
)
RECEIVED = ReceivedShare(
    share_id="r1",
    peer=Host("a.example"),
    provider_id="p1",
    recipient="bob",
    owner=OcmAddress("alice", Host("a.example")),
    owner_display_name="Alice",
    sender=OcmAddress("alice", Host("a.example")),
    sender_display_name="Alice",
    name="docs",
    resource_type="file",
    webdav=WebdavOffer(uri="", secret=Secret("other-secret"), access_types=frozenset({AccessType.DATATX})),
    is_signed=True,
    received_at=5.0,
)
PEER = Peer(
    host=Host("a.example"),
    discovery=Discovery(
        enabled=True,
        api_version="1.1",
        end_point="https://a.example/ocm",
        resource_types=(ResourceOffer(name="file", share_types=("user",), protocols={"webdav": "/dav/"}),),
        capabilities=frozenset({"http-sig"}),
        public_key=("id", "pem"),
    ),
)
SESSION = Session(
    session_id="h", user="alice", display_name="A", csrf=Secret("c"), created_at=1, seen_at=1, expires_at=2
)


def codec(kind, *, version=1, table="t"):
    return Codec(kind, table=table, version=version, sealer=SEALER)


def unavailable():
    return pytest.raises(GatewayError, check=lambda error: error.kind is Kind.UNAVAILABLE)


@pytest.mark.parametrize(
    "record",
    [SENT, replace(SENT, expires_at=None), RECEIVED, PEER, Peer(host=Host("x.example")), SESSION],
)
def test_records_come_back_equal(record):
    """Every record that we keep is read back equal to what was written."""
    document = codec(type(record)).encode("k", record)

    assert codec(type(record)).decode("k", document) == record


@given(
    st.lists(
        st.text(
            st.characters(min_codepoint=33, blacklist_categories=["Cs"], blacklist_characters="/\\\x7f"), min_size=1
        ),
        max_size=3,
    )
)
def test_any_name_survives(parts):
    """Names of any characters, lone surrogates too, are read back as they were."""
    parts = tuple(part for part in parts if part not in (".", ".."))
    record = replace(SENT, root=ResourcePath(parts))

    assert codec(SentShare).decode("k", codec(SentShare).encode("k", record)).root.parts == parts


def test_secrets_are_sealed():
    """No document shows a secret, however deep it lies."""
    assert b"s3cret-value" not in codec(SentShare).encode("k", SENT)
    assert b"other-secret" not in codec(ReceivedShare).encode("k", RECEIVED)


@pytest.mark.parametrize(("table", "key"), [("t", "other"), ("other", "k")])
def test_a_secret_opens_only_in_its_place(table, key):
    """A document moved to another key or table does not open."""
    document = codec(SentShare).encode("k", SENT)

    with unavailable():
        codec(SentShare, table=table).decode(key, document)


def test_a_secret_opens_only_in_its_field():
    """A sealed value moved to another field does not open."""
    document = json.loads(codec(Session).encode("k", replace(SESSION, password=Secret("p"))))
    document["d"]["csrf"] = document["d"]["password"]

    with unavailable():
        codec(Session).decode("k", json.dumps(document).encode())


def test_a_newer_version_is_unavailable():
    """A record of a newer gateway is an outage, not an absent record."""
    with unavailable():
        codec(SentShare).decode("k", codec(SentShare, version=2).encode("k", SENT))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"v":1}', b'{"v":1,"d":{}}', b'{"v":1,"d":{"host":5}}', b'{"v":"1","d":{}}']
)
def test_damage_is_unavailable(data):
    """A damaged document is an outage, not an absent record and not a crash."""
    with unavailable():
        codec(Peer).decode("k", data)


def test_fields_may_come_and_go():
    """A field that is missing takes its default, and one that we do not know is left out."""
    document = json.loads(codec(Peer).encode("k", PEER))
    del document["d"]["failures"]
    document["d"]["new_field"] = 1

    assert codec(Peer).decode("k", json.dumps(document).encode()) == PEER


class Word(StrEnum):
    ONE = "one"


@dataclass(frozen=True)
class Shapes:
    pair: tuple[str, int]
    words: frozenset[Word] = frozenset()
    secrets: tuple[Secret, ...] = ()
    by_name: dict[str, Secret] = field(default_factory=dict)


def test_every_shape_of_field():
    """Pairs, sets, lists and maps, with secrets in them, are read back equal."""
    shapes = Shapes(("a", 1), frozenset(Word), (Secret("x"), Secret("y")), {"n": Secret("z")})
    document = codec(Shapes).encode("k", shapes)

    assert codec(Shapes).decode("k", document) == shapes
    assert json.loads(document)["d"]["words"] == ["one"]


def test_what_cannot_be_kept_is_refused():
    """A field of a kind that could not be read back is refused when it is written."""

    @dataclass(frozen=True)
    class Odd:
        odd: object

    with pytest.raises(TypeError):
        codec(Odd).encode("k", Odd(b"bytes"))
