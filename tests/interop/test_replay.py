"""Each captured request is sent again, byte for byte, and finds and causes what it has to."""

import json
import re

import pytest
from interop import captured, replays
from interop.captured_table import REPLAYS

OUR_PATH = (b"/dav/", b"/ocm/dav/")


@pytest.mark.req("KEYS-3")
@pytest.mark.req("SHARE-9")
@pytest.mark.parametrize("replay", REPLAYS, ids=lambda replay: f"{replay.who} {replay.what}")
async def test_captured_request(tmp_path, replay):
    """The answer has the expected status, and the gateway is afterwards as it should be."""
    request, documents = replay.request.replace(*OUR_PATH), captured.DOCUMENTS
    if replay.is_part:
        request, documents = captured.signed_anew(request, replay.at), captured.documents_anew()
    async with replays.stage(tmp_path, replay.authority, replay.at, documents) as stage:
        if replay.before is not None:
            await replay.before(stage)
        status, body = await stage.send(request)
        assert status == replay.status, body
        await replay.after(stage, body)


@pytest.mark.req("NOTE-2")
@pytest.mark.parametrize(
    "replay", [replay for replay in REPLAYS if replay.is_part], ids=lambda replay: f"{replay.who} {replay.what}"
)
async def test_notice_that_lost_its_signature(tmp_path, replay):
    """The secret in it proves a notice also without its signature, as long as its server has never signed to us."""
    async with replays.stage(tmp_path, replay.authority, replay.at) as stage:
        await replay.before(stage)
        status, body = await stage.send(replay.request)
        assert status == replay.status, body
        await replay.after(stage, body)


RECORDED_LENGTHS = {398, 463, 322, 225, 162, 156, 469, 22, 438, 573, 123, 166}


def test_captured_requests_are_whole():
    """Each request is as long as its own `Content-Length` says, and all lengths that were recorded are there."""
    lengths = set()
    for replay in REPLAYS:
        head, _, body = replay.request.partition(b"\r\n\r\n")
        told = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        assert len(body) == (int(told[1]) if told else 0), replay.what
        lengths.add(len(body))
    assert lengths >= RECORDED_LENGTHS


@pytest.mark.parametrize("path", ["/ocs-provider/", "/status.php", "/index.php/apps/files_sharing/shareinfo?t=x"])
async def test_what_older_servers_look_for_besides(tmp_path, path):
    """The doors of other products that old servers try when something is wrong are not there."""
    async with replays.stage(tmp_path, "localhost:9444", replays.NC31_AT) as stage:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:9444\r\n\r\n"
        assert (await stage.send(head.encode()))[0] == 404


async def test_a_signed_request_is_of_its_time(tmp_path):
    """Six minutes later the very same signed share is refused, and nothing is kept."""
    replay = next(replay for replay in REPLAYS if replay.what == "shares, signed")
    async with replays.stage(tmp_path, replay.authority, replay.at) as stage:
        stage.clock.at += 360
        assert (await stage.send(replay.request))[0] == 401
        assert await stage.received("anna") == []


@pytest.mark.parametrize("change", [(b"nc.txt", b"nd.txt"), (b"rsa-sha512", b"rsa-sha256")])
async def test_a_changed_request_is_refused(tmp_path, change):
    """One other byte in the body, or another algorithm, and the signature does not hold any more."""
    replay = next(replay for replay in REPLAYS if replay.what == "shares, signed")
    changed = replay.request.replace(*change)
    async with replays.stage(tmp_path, replay.authority, replay.at) as stage:
        status, _ = await stage.send(changed)
        assert status == 401


@pytest.mark.req("INV-2")
async def test_an_invitation_accepted_in_the_old_way(tmp_path):
    """With the token of an open invitation in it, ocm-stub's message makes its user a contact."""
    replay = next(replay for replay in REPLAYS if "invitation" in replay.what)
    async with replays.stage(tmp_path, replay.authority, replay.at) as stage:
        _, invite = await stage.ours.rest("POST", "invites", json={})
        token = invite["plain"].partition("@")[0].encode()
        longer = 166 + len(token) - len(b"tok123")
        request = replay.request.replace(b"tok123", token).replace(b": 166", b": %d" % longer)
        status, body = await stage.send(request)
        assert status == 200, body
        assert {"userID", "email", "name"} <= set(json.loads(body))
        (shown,) = (await stage.ours.rest("GET", "invites"))[1]["invites"]
        assert shown["accepted_by"] == "marie@stub2.docker"


@pytest.mark.req("SHARE-2")
async def test_odd_share_without_its_odd_signature(tmp_path):
    """ocm-stub's share has two forms at once, a capital `URI` and a stray `code`; it is understood all the same."""
    replay = next(replay for replay in REPLAYS if "a signature of its own kind" in replay.what)
    lines = [line for line in replay.request.split(b"\r\n") if not line.startswith((b"signature:", b"digest:"))]
    async with replays.stage(tmp_path, replay.authority, replay.at) as stage:
        status, body = await stage.send(b"\r\n".join(lines))
        assert (status, json.loads(body)) == (201, {"recipientDisplayName": "Marie"})
        (record,) = await stage.received("marie")
        assert (record.webdav.secret.reveal(), record.webdav.uri) == (
            "shareMeNot",
            "https://localhost/webdav-api/file.txt",
        )
