"""Each captured request with its expected status and effect; docs/compatibility.md prints this table."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

from interop import captured
from interop.peers.davclients import OC, OCS
from interop.replays import NC31_LATER, NC32_AT, STUB_AT, Replay, Stage

STUB_AUTHORITY = "localhost:9449"
NC31 = "Nextcloud 31.0.6"
NC32 = "Nextcloud 32.0.1"
OC10 = "ownCloud 10.15.2"
STUB = "ocm-stub"


async def _readable(stage: Stage, body: bytes) -> None:
    document = json.loads(body)
    assert (document["apiVersion"], document["version"]) == ("1.0-proposal1", "1.1")
    assert document["endPoint"] == "https://localhost:9444/ocm"
    assert document["resourceTypes"][0]["protocols"] == {"webdav": "/ocm/dav/"}


def _arrived(user: str, provider_id: str, secret: str, sender: str, *, is_signed: bool):
    async def after(stage: Stage, body: bytes) -> None:
        assert json.loads(body) == {"recipientDisplayName": user.title()}
        (record,) = await stage.received(user)
        assert (record.provider_id, record.webdav.secret.reveal()) == (provider_id, secret)
        assert str(record.sender) == str(record.owner) == sender
        assert record.is_signed is is_signed

    return after


async def _nothing_stored(stage: Stage, body: bytes) -> None:
    assert [*await stage.received("marie"), *await stage.received("anna")] == []


def _sent(provider_id: str, secret: str, recipient: str):
    async def before(stage: Stage) -> None:
        await stage.share(provider_id, secret, recipient)

    return before


def _became(provider_id: str, state: str):
    async def after(stage: Stage, body: bytes) -> None:
        assert json.loads(body) == {}
        assert await stage.state(provider_id) == state

    return after


def _unsigned(request: bytes) -> bytes:
    """Return a signed share without its signature."""
    return re.sub(rb"\r\n(?i:digest|signature|date): [^\r]*", b"", request)


def _got(request: bytes, user: str):
    async def before(stage: Stage) -> None:
        assert (await stage.send(_unsigned(request)))[0] == 201
        assert len(await stage.received(user)) == 1

    return before


def _ended(user: str):
    async def after(stage: Stage, body: bytes) -> None:
        assert [record.state.value for record in await stage.received(user)] == ["unshared"]

    return after


def _described(tag: str, letters: str, mask: str):
    async def after(stage: Stage, body: bytes) -> None:
        (response,) = ET.fromstring(body).findall("{DAV:}response")
        assert response.findtext("{DAV:}href") == "/ocm/dav/"
        props = response.find("{DAV:}propstat/{DAV:}prop")
        assert props.find("{DAV:}resourcetype/{DAV:}collection") is not None
        assert len(props.findtext("{DAV:}getetag").strip('"')) <= 40
        assert (props.findtext(OC), props.findtext(OCS)) == (letters, mask)
        assert (props.find("{DAV:}quota-available-bytes") is not None) is (tag == NC31)

    return after


def _file(path: str, content: bytes | None, gone: str = ""):
    async def after(stage: Stage, body: bytes) -> None:
        project = _project(stage)
        assert (project / path).is_dir() if content is None else (project / path).read_bytes() == content
        assert not gone or not (project / gone).exists()

    return after


def _project(stage: Stage):
    return stage.ours.config.data_dir.parent / "files/marie/Project"


async def _with_new(stage: Stage) -> None:
    await _BOBF(stage)
    (_project(stage) / "new.txt").write_bytes(b"uploaded via nextcloud")


async def _content(stage: Stage, body: bytes) -> None:
    assert body == b"hello"


async def _hint(stage: Stage, body: bytes) -> None:
    assert await stage.state("p2") == "delivered"


_BOBF = _sent("bobf", "SECRETbob", "bob@localhost:9443")
_OC_BOBF = _sent("bobf", "SECbobf", "bob@localhost:9448")
_DAV = {"before": _BOBF}
_ALICE_31, _ALICE_32, _ALICE_OC = (f"alice@localhost:{port}" for port in (9443, 9446, 9448))

REPLAYS = (
    Replay(
        who="Nextcloud 31 and 32",
        what="discovers us",
        request=captured.NC_DISCOVERS,
        status=200,
        effect="our document with the old pair of versions and strings only",
        after=_readable,
    ),
    Replay(
        who=OC10,
        what="discovers us",
        request=captured.OC_DISCOVERS,
        status=200,
        effect="the same document",
        after=_readable,
    ),
    Replay(
        who=NC31,
        what="shares, signed",
        request=captured.NC31_SHARES,
        status=201,
        effect="Anna has a share that counts as signed; the number 3 is its id",
        after=_arrived("anna", "3", "15Cji9om2V98efq", _ALICE_31, is_signed=True),
    ),
    Replay(
        who=NC32,
        what="shares, signed",
        request=captured.NC32_SHARES,
        status=201,
        effect="Marie has a share that counts as signed",
        at=NC32_AT,
        after=_arrived("marie", "1", "bBiXxjg3ogtbxtH", _ALICE_32, is_signed=True),
    ),
    Replay(
        who=OC10,
        what="shares",
        request=captured.OC10_SHARES,
        status=201,
        effect="Marie has a share that counts as unsigned; the scheme in its addresses is gone",
        after=_arrived("marie", "1", "S8255HY6ie4F3qv", _ALICE_OC, is_signed=False),
    ),
    Replay(
        who=NC31,
        what="falls back to its old interface",
        request=captured.NC31_FALLS_BACK,
        status=404,
        effect="nothing is stored; its user is told that we cannot be reached",
        after=_nothing_stored,
    ),
    Replay(
        who=NC31,
        what="accepts, signed",
        request=captured.NC31_ACCEPTS,
        status=201,
        effect="our share counts as accepted",
        at=NC31_LATER,
        before=_BOBF,
        after=_became("bobf", "accepted"),
    ),
    Replay(
        who=NC31,
        what="declines or leaves",
        request=captured.NC31_DECLINES,
        status=201,
        effect="our share counts as declined, and opens no more",
        before=_sent("x1", "SEC-x1", "bob@localhost:9443"),
        after=_became("x1", "declined"),
        is_part=True,
    ),
    Replay(
        who=NC31,
        what="unshares",
        request=captured.NC31_UNSHARES,
        status=201,
        effect="the share that Anna received has ended",
        before=_got(captured.NC31_SHARES, "anna"),
        after=_ended("anna"),
        is_part=True,
    ),
    Replay(
        who=OC10,
        what="accepts",
        request=captured.OC10_ACCEPTS,
        status=201,
        effect="our share counts as accepted",
        before=_OC_BOBF,
        after=_became("bobf", "accepted"),
    ),
    Replay(
        who=OC10,
        what="leaves",
        request=captured.OC10_LEAVES,
        status=201,
        effect="our share counts as declined, and opens no more",
        before=_OC_BOBF,
        after=_became("bobf", "declined"),
    ),
    Replay(
        who=OC10,
        what="unshares",
        request=captured.OC10_UNSHARES,
        status=201,
        effect="the share that Marie received has ended",
        before=_got(captured.OC10_SHARES, "marie"),
        after=_ended("marie"),
    ),
    Replay(
        who=NC31,
        what="PROPFIND of a folder's root",
        request=captured.NC31_PROPFIND,
        status=207,
        effect="a folder that may be written, a short tag, a quota; no id of a share in the path",
        **_DAV,
        after=_described(NC31, "GCK", "15"),
    ),
    Replay(
        who=NC31,
        what="GET",
        request=captured.NC31_GET,
        status=200,
        effect="the file",
        **_DAV,
        after=_content,
    ),
    Replay(
        who=NC31,
        what="PUT",
        request=captured.NC31_PUT,
        status=201,
        effect="a new file",
        **_DAV,
        after=_file("new.txt", b"uploaded via nextcloud"),
    ),
    Replay(
        who=NC31,
        what="MKCOL",
        request=captured.NC31_MKCOL,
        status=201,
        effect="a folder",
        **_DAV,
        after=_file("made", None),
    ),
    Replay(
        who=NC31,
        what="MOVE",
        request=captured.NC31_MOVE,
        status=201,
        effect="the file under its new name",
        before=_with_new,
        after=_file("renamed.txt", b"uploaded via nextcloud", gone="new.txt"),
    ),
    Replay(
        who=OC10,
        what="PROPFIND of a folder's root",
        request=captured.OC10_PROPFIND,
        status=207,
        effect="the same, without a quota, which it does not ask for",
        before=_OC_BOBF,
        after=_described(OC10, "GCK", "15"),
    ),
    Replay(
        who=STUB,
        what="shares, with a signature of its own kind",
        request=captured.STUB_SHARES,
        status=401,
        effect="nothing is stored: what claims to be a signature has to hold",
        at=STUB_AT,
        authority=STUB_AUTHORITY,
        after=_nothing_stored,
    ),
    Replay(
        who=STUB,
        what="accepts, without the secret",
        request=captured.STUB_ACCEPTS,
        status=201,
        effect="heard, and nothing changes: it proves nothing",
        at=STUB_AT,
        authority=STUB_AUTHORITY,
        before=_sent("p2", "SECp2", "einstein@localhost:9447"),
        after=_hint,
    ),
    Replay(
        who=STUB,
        what="accepts an invitation, in an old way",
        request=captured.STUB_ACCEPTS_INVITE,
        status=400,
        effect="understood, and refused: no invitation of ours has this token",
        at=STUB_AT,
        authority=STUB_AUTHORITY,
        after=_nothing_stored,
    ),
)
