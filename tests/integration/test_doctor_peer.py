"""With a peer the self-test says how the two get along, in plain words, and changes nothing there."""

import pytest

from gateway.app.doctor import examine
from support import cavagewire
from support.fakepeer import FakePeer, Reply
from support.pair import folder_storage, side


@pytest.fixture
async def gateway(tmp_path):
    """Run a gateway before a folder."""
    async with side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice")) as running:
        yield running


@pytest.fixture
async def peer(gateway):
    """Run a strict peer that trusts our keys."""
    async with FakePeer.running("peer.localhost") as running:
        async with gateway.session.get(f"{gateway.local}/ocm/jwks") as answer:
            running.trust(await answer.json())
        running.replies["/dav/"] = Reply(401)
        running.replies["/ocm/token"] = Reply(400, {"error": "invalid_grant"})
        running.replies["/ocm/notifications"] = unknown_share(running)
        yield running


def unknown_share(peer):
    """Answer news of a share that does not exist as the draft has it, after a look at the signature."""

    def answer(received):
        refusal = peer._refusal(received)
        return Reply(401, {"message": refusal}) if refusal else Reply(400, {"message": "no such share"})

    return answer


async def examined(gateway, peer, **options):
    return await examine(gateway.config, peer=peer.host, user="alice", **options)


def told(report, name, state):
    """Return what a report says under a name in a state, as one text."""
    found = [one.text() for one in report.findings if (one.name, one.result.state) == (name, state)]
    assert found, report.text()
    return "\n".join(found)


async def test_a_good_peer(gateway, peer):
    """With a peer that does all as the draft says nothing fails, and both ways are told in plain words."""
    report = await examined(gateway, peer)
    assert [one.text() for one in report.findings if one.result.state == "failed"] == []
    assert "taken for the draft" in told(report, "peer-kind", "ok")
    assert "signed by RFC 9421" in told(report, "peer-kind", "ok")
    assert "its signature was not refused" in told(report, "peer-message", "ok")
    meaning = " ".join(report.meaning)
    assert "should arrive at peer.localhost" in meaning
    assert "should arrive and open here" in meaning
    assert "list of servers cannot be seen" in meaning
    assert report.subject == f"{gateway.config.authority} with {peer.host}"


async def test_nothing_changes_at_the_peer(gateway, peer):
    """The peer hears of one share that does not exist, with a secret that opens nothing, and of no other."""
    await examined(gateway, peer)
    (news,) = peer.at("/ocm/notifications")
    assert news.json["notificationType"] == "SHARE_ACCEPTED"
    assert news.json["providerId"].startswith("doctor-")
    assert peer.at("/ocm/shares") == []
    assert {received.method for received in peer.received} == {"GET", "POST", "PROPFIND"}


async def test_two_gateways(gateway, tmp_path):
    """Two gateways of this kind get along."""
    async with side(tmp_path, "bob", "bob", folder_storage(tmp_path / "more", "bob")) as other:
        report = await examine(gateway.config, peer=other.config.authority, user="alice")
    assert [one.text() for one in report.findings if one.result.state in ("failed", "warning")] == [
        told(report, "tls", "warning")
    ]


async def test_keys_that_the_peer_does_not_know(gateway, peer):
    """A peer that does not accept our signature is told, with what may be the reason."""
    peer.trust({"keys": [peer.jwk(kid="another")]})
    report = await examined(gateway, peer)
    words = told(report, "peer-message", "warning")
    assert "refuses us" in words
    assert "ask its operator" in words


async def test_peer_of_the_older_kind_that_refuses_our_signature(gateway, peer):
    """The words of a deployed server for a wrong signature are read as that."""
    key = cavagewire.new_key()
    shown = {"keyId": f"{peer.url}/ocm#signature", "publicKeyPem": cavagewire.pem(key)}
    kind = {"resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": {"webdav": "/public.php/webdav/"}}]}
    peer.discovery |= {"publicKey": shown, "jwksUri": "", "capabilities": [], "version": "1.1"} | kind
    peer.jwks = {"keys": []}
    peer.replies["/public.php/webdav/"] = Reply(401)
    peer.replies["/ocm/notifications"] = Reply(400, {"message": "Invalid signature", "validationErrors": []})
    report = await examined(gateway, peer)
    assert "signed in the older way" in told(report, "peer-kind", "ok")
    assert "does not accept our signature" in told(report, "peer-message", "failed")
    assert report.meaning[0].startswith("Sending to peer.localhost")
    assert "fails now" in report.meaning[0]
    assert report.status(strict=False) == 1
    peer.replies["/ocm/notifications"] = Reply(400, {"message": "entry  does not contain @"})
    assert "its signature was not refused" in told(await examined(gateway, peer), "peer-message", "ok")


async def test_each_miss_of_discovery_is_told(gateway, peer):
    """A peer without a document is told path by path."""
    peer.replies["/.well-known/ocm"] = Reply(404, {"message": "ocm not supported"})
    peer.replies["/ocm-provider/"] = Reply(200, "<html>Log in</html>", {"Content-Type": "text/html"})
    report = await examined(gateway, peer)
    words = told(report, "peer", "failed")
    assert "/.well-known/ocm: its server answered 404" in words
    assert "/ocm-provider/: its server did not send a JSON object" in words
    assert report.meaning == (f"Nothing can be shared with {peer.host} now.",)


async def test_older_path_only(gateway, peer):
    """A peer that has its document only at the older path is found, and the miss is told."""
    peer.replies["/.well-known/ocm"] = Reply(404)
    assert "/.well-known/ocm: its server answered 404" in told(await examined(gateway, peer), "peer", "info")


async def test_doors_of_the_peer_that_do_not_answer(gateway, peer):
    """Files without a credential, a token end point that is not there, and end points elsewhere are told."""
    peer.replies["/dav/"] = Reply(200)
    peer.replies["/ocm/token"] = Reply(404)
    peer.replies["/ocm/notifications"] = Reply(404)
    report = await examined(gateway, peer)
    assert "answers 200 where it should ask for a credential" in told(report, "peer-files", "warning")
    assert "answers 404 to a code" in told(report, "peer-token", "warning")
    assert "takes no news of shares" in told(report, "peer-message", "warning")
    assert "doubtful" in report.meaning[0]


async def test_end_point_of_the_peer_elsewhere(gateway, peer):
    """An end point at another host than the peer's users have in their addresses is told."""
    peer.discovery["endPoint"] = peer.url.replace("peer.localhost", "inside.localhost") + "/ocm"
    assert "inside.localhost" in told(await examined(gateway, peer), "peer", "warning")


async def test_clock_of_the_peer(gateway, peer):
    """A peer whose clock is ten minutes off is told with the size and direction."""
    peer.replies["/ocm"] = Reply(404, headers={"Date": "Tue, 01 Jan 2030 00:10:00 GMT"})
    report = await examined(gateway, peer, now=lambda: 1893456000.0)
    assert "10.0 min ahead" in told(report, "peer-clock", "failed")


async def test_denied_peer(tmp_path):
    """A peer on our own list of denied servers is not asked, and the option is named."""
    lists = {"peers": {"allow_http": True, "allow_cidr": ["127.0.0.0/8"], "deny": ["bad.localhost"]}}
    async with side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice"), **lists) as gateway:
        report = await examine(gateway.config, peer="bad.localhost", user="alice")
    assert "peers.deny" in told(report, "peer", "failed")


async def test_switched_off_peer(gateway, peer):
    """A peer that has switched sharing off is told so."""
    peer.discovery["enabled"] = False
    assert "switched Open Cloud Mesh off" in told(await examined(gateway, peer), "peer", "failed")
