"""What a naive reading of the draft fails at, in twelve tests: the numbers are those of `dialects.md` 14.9."""

import json
from contextlib import asynccontextmanager

import pytest
from interop import readers
from interop.peers.base import SECRET, Offer, Refused
from interop.peers.davclients import basic, bearer
from interop.peers.nextcloud import Nextcloud31
from interop.peers.others import Draft, Draft05, Seafile
from interop.peers.owncloud import OwnCloud10
from interop.peers.reva import Cernbox, Ocis, OpenCloud
from interop.story import as_receiver

from gateway.model.address import Host
from gateway.model.peer import Peer as PeerRecord
from gateway.model.peer import Scheme
from gateway.peers.signing import scheme_for
from support.pair import folder_storage, side

ALL_PROPERTIES = '<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:allprop/></d:propfind>'


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice's project behind it."""
    async with side(tmp_path, "here", "alice", folder_storage(tmp_path / "files", "alice")) as running:
        yield running


@pytest.fixture
async def bob(tmp_path):
    """A gateway with Bob."""
    async with side(tmp_path, "here", "bob", folder_storage(tmp_path / "files", "bob")) as running:
        yield running


def unlike_itself(kind, change):
    """Return a product whose document tells nothing of it: `change` edits the document."""

    class Disguised(kind):
        def document(self):
            document = super().document()
            change(document)
            return document

    return Disguised


@asynccontextmanager
async def shared_with(alice, kind, **options):
    """Share the project with a peer's user; give the peer and the share."""
    async with kind.meeting(alice) as peer:
        if hasattr(peer, "introduce"):
            peer.introduce(alice.address)
        yield peer, await alice.share("/Project", peer.address, **options)


@pytest.mark.req("DISC-1")
async def test_01_old_path_of_discovery(alice):
    """`/ocm-provider/` answers 200 and JSON: without it Nextcloud up to 31, ownCloud 10 and Seafile never find us."""
    for kind in (Nextcloud31, OwnCloud10, Seafile):
        reader = next(reader for reader in readers.READERS if reader.name == kind.reader)
        assert "/.well-known/ocm" not in reader.paths
        assert (await readers.discover(reader, alice.session, alice.local)).end_point.endswith("/ocm")
    async with alice.session.get(f"{alice.local}/ocm-provider/", allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")


@pytest.mark.req("SHARE-2")
async def test_02_the_draft_s_form_to_nextcloud_31(alice):
    """Where Nextcloud is taken for a server of the draft, it refuses the first form with 400, and takes the old one."""

    def draws_a_blank(document):
        document.update({"capabilities": ["protocol-object"], "provider": "behind a proxy"})
        document["resourceTypes"][0]["protocols"]["webdav"] = "/public.php/webdav/x"

    async with shared_with(alice, unlike_itself(Nextcloud31, draws_a_blank)) as (peer, share):
        first, second = peer.messages("shares")
        assert (first.status, first.message.json["protocol"]["name"]) == (400, "multi")
        assert (second.status, second.message.json["protocol"]["name"]) == (201, "webdav")
        assert share["state"] == "delivered"
        again = await alice.share("/Project/hello.txt", peer.address)
        assert again["state"] == "delivered"
        assert len(peer.messages("shares")) == 3  # What was taken is remembered.


@pytest.mark.req("SHARE-2")
async def test_03_the_old_form_to_ocis(alice):
    """Where oCIS is taken for an old server, it refuses options with 400, and takes the draft's form with 200."""

    def draws_a_blank(document):
        document.update({"capabilities": [], "apiVersion": "1.0-proposal1"})
        document["resourceTypes"][0]["protocols"]["webdav"] = "/elsewhere"

    async with shared_with(alice, unlike_itself(Ocis, draws_a_blank)) as (peer, share):
        first, second = peer.messages("shares")
        assert (first.status, "options not supported" in first.why) == (400, True)
        assert (second.status, share["state"]) == (200, "delivered")


@pytest.mark.req("SHARE-1")
async def test_04_nextcloud_share_without_sender(bob):
    """Without `sender`, with a scheme in `shareWith` and a folder called a file, the share arrives as it is meant."""
    async with Nextcloud31.meeting(bob) as peer:
        message = peer.payload(bob.address, Offer("3", SECRET))
        assert "sender" not in message
        assert message["shareWith"] == f"bob@http://{bob.config.authority}"
        status, body = await peer.share(bob.address, Offer("3", SECRET))
        assert (status, json.loads(body)) == (201, {"recipientDisplayName": "Bob"})
        (share,) = await bob.received()
        assert share["sender"] == share["owner"] == f"alice@{peer.host}"


@pytest.mark.req("ACC-2")
async def test_05_basic_at_the_root_without_an_id(alice):
    """The secret as user name opens the root of all shares, whatever the pass word is, with and without a depth."""
    async with shared_with(alice, Nextcloud31) as (peer, share):
        secret = peer.held(share["id"])
        for password in ("", ":", "::", ":::"):
            for depth in ({}, {"Depth": "1"}):
                headers = basic(secret, password) | depth
                url = f"{alice.local}/ocm/dav/"
                async with alice.session.request("PROPFIND", url, data=ALL_PROPERTIES, headers=headers) as answer:
                    assert (answer.status, b"hello.txt" in await answer.read()) == (207, True)


@pytest.mark.req("ACC-6")
async def test_06_outage_keeps_the_mount_of_owncloud_10(tmp_path):
    """While our storage is away ownCloud 10 is told 503 and no more, so it keeps its mount; a real end is a 401."""
    told = await as_receiver(OwnCloud10, tmp_path)
    assert (told.outcomes["outage"], told.outcomes["revoked"]) == (None, None)


@pytest.mark.req("SIG-9")
async def test_07_never_unsigned_after_signed(alice):
    """Once a message was signed for Nextcloud none goes unsigned, even when its document shows no key any more."""
    async with shared_with(alice, Nextcloud31) as (peer, share):
        del peer.discovery["publicKey"]
        await alice.gateway.tasks.deliver_sent.ladder.resolver.discover(Host(peer.host), max_age=0)
        assert (await alice.share("/Project/hello.txt", peer.address))["state"] == "delivered"
        await alice.rest("DELETE", f"shares/{share['id']}")
        assert [one.why for one in peer.judged] == ["", "", ""]
        assert all("Signature" in one.message.headers for one in peer.judged)


@pytest.mark.req("SIG-9")
@pytest.mark.parametrize("scheme", list(Scheme))
def test_07_policy(scheme):
    """The rule itself: who was signed to is signed to, in the same scheme, whatever it shows now."""
    assert scheme_for(PeerRecord(host=Host("cloud.example.org"))) is None
    assert scheme_for(PeerRecord(host=Host("cloud.example.org"), we_signed_to=True, scheme=scheme)) is scheme


@pytest.mark.req("SIG-1")
@pytest.mark.parametrize("kind", [Draft05, Draft])
async def test_08_one_signature_for_both_drafts(alice, kind):
    """The very same message holds for a verifier of -05 (label, date) and for one of -07 (tag, key set announced)."""
    async with shared_with(alice, kind) as (peer, share):
        assert share["state"] == "delivered"
        message = peer.judged[-1].message
        Draft05.check_signature(peer, message)
        Draft.check_signature(peer, message)
        assert message.signature.parameters["tag"] == "ocm"
        message.headers["Signature-Input"] = message.headers["Signature-Input"].replace("ocm=", "sig1=", 1)
        if kind is Draft05:
            with pytest.raises(Refused):
                Draft05.check_signature(peer, message)


@pytest.mark.req("DISC-3")
async def test_09_opencloud_decodes_our_document(alice):
    """A decoder that takes every protocol value for a string reads our document, which has objects for others."""
    reader = next(reader for reader in readers.READERS if reader.name == OpenCloud.reader)
    found = await readers.discover(reader, alice.session, alice.local)
    assert found.webdav == "/ocm/dav/"
    async with alice.session.get(f"{alice.local}/.well-known/ocm", headers={"User-Agent": "x"}) as answer:
        with pytest.raises(readers.Unreadable):
            readers.opencloud(await answer.json())


@pytest.mark.req("DISC-3")
@pytest.mark.parametrize("path", ["/Project", "/Project/hello.txt"])
async def test_10_our_document_names_what_we_share(alice, path):
    """For each share that CERNBox gets, our own document has an entry of its type with a path for its protocol."""
    async with Cernbox.meeting(alice) as peer:
        peer.introduce(alice.address)
        share = await alice.share(path, peer.address)
        assert share["state"] == "delivered"
        told = peer.share_told
        entry = next(e for e in peer.found.document["resourceTypes"] if e["name"] == told["resourceType"])
        assert set(told["protocol"]) - {"name", "options"} <= set(entry["protocols"])


@pytest.mark.req("TOK-1")
async def test_11_unsigned_exchange_under_a_foreign_name(alice):
    """CERNBox exchanges unsigned and calls itself by its log-in service; it gets a token that opens the share."""
    async with shared_with(alice, Cernbox) as (peer, share):
        secret = peer.held(share["id"])
        token = await peer.exchanged(secret, is_signed=False, client_id="auth.cern.example")
        assert token != secret
        url = f"{alice.local}/ocm/dav/{share['id']}/hello.txt"
        async with alice.session.get(url, headers=bearer(token)) as answer:
            assert (answer.status, await answer.read()) == (200, b"hello")


@pytest.mark.req("NOTE-2")
@pytest.mark.parametrize("is_listed", [True, False])
async def test_12_grantee_without_a_secret(tmp_path, is_listed):
    """OCIS proves its notice of a change by nothing; it counts only where the operator named that server."""
    storage = folder_storage(tmp_path / "files", "bob")
    peers = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]}
    async with Ocis.running(Ocis.name()) as peer:
        rules = peers | ({"allow": [peer.host]} if is_listed else {})
        async with side(tmp_path, "here", "bob", storage, peers=rules) as bob, peer.knowing(bob):
            await _notice_of_a_change(bob, peer, expected=["read"] if is_listed else ["read", "write"])


async def _notice_of_a_change(bob, peer, *, expected):
    offer = Offer("17", SECRET)
    await peer.share(bob.address, offer)
    changed = {"protocol": {"name": "multi", "webdav": {"permissions": ["read"]}}}
    stranger = peer.end_note("SHARE_CHANGE_PERMISSION", offer, "eve@elsewhere.example.org", **changed)
    assert (await peer.say("/notifications", stranger))[0] == 201
    assert (await bob.received())[0]["permissions"] == ["read", "write"]
    note = peer.end_note("SHARE_CHANGE_PERMISSION", offer, bob.address, **changed)
    assert (await peer.say("/notifications", note))[0] == 201
    assert (await bob.received())[0]["permissions"] == expected
