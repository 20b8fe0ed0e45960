"""What a received share is opened with: each kind of sender takes us in by another way, none is tried twice in vain."""

import base64
import time

import pytest

from support.fakepeer import FakePeer, Reply
from support.pair import folder_storage, side

SECRET = "s17"
BEARER, BASIC, TOKEN = f"Bearer {SECRET}", "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode(), "Bearer token"
SHARES, NOTES = "/ocm/shares", "/ocm/notifications"
FILE = """<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>{href}</d:href><d:propstat><d:prop>
<d:resourcetype/><d:getcontentlength>5</d:getcontentlength><d:getetag>"1"</d:getetag></d:prop>
<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"""


class Sender:
    """A peer with one shared file in its storage, which it opens only by `takes`."""

    def __init__(self, peer, gateway):
        self.peer, self.gateway = peer, gateway
        self.takes = {BEARER}
        self.status = None
        peer.discovery |= {"jwksUri": "", "capabilities": [], "tokenEndPoint": ""}
        peer.jwks = {"keys": []}

    def serve(self, path):
        """Serve the file at a path."""
        self.path = path
        self.peer.replies[path] = self._answer

    def _answer(self, received):
        if self.status is not None:
            return Reply(self.status)
        if received.headers.get("Authorization") not in self.takes:
            return Reply(401, headers={"WWW-Authenticate": "Basic"})
        if received.method == "PROPFIND":
            return Reply(207, FILE.format(href=received.target), {"Content-Type": "application/xml; charset=utf-8"})
        return Reply(200, b"hello", {"ETag": '"1"'})

    async def share(self, protocol):
        """Share the file with Bob, and let him accept it."""
        owner = f"alice@{self.peer.host}"
        document = {
            "shareWith": self.gateway.address,
            "name": "x",
            "providerId": "17",
            "owner": owner,
            "sender": owner,
            "shareType": "user",
            "resourceType": "file",
            "protocol": protocol,
        }
        assert (await self.peer.post(self.gateway.local + SHARES, document)).status == 201
        return await self.gateway.accepted()

    async def read(self, share_id):
        """Let Bob read the file."""
        return await self.gateway.rest("GET", f"received/{share_id}/files/")

    def shown(self):
        """Return the credentials that were shown, in their order."""
        return [request.headers.get("Authorization") for request in self.peer.at(self.path)]


@pytest.fixture
async def bob(tmp_path):
    """A gateway with Bob, which looks at silent providers' shares once an hour."""
    jobs = {"sweep_seconds": "100s", "look_seconds": "1h"}
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob"), jobs=jobs) as running:
        yield running


@pytest.fixture
async def sender(bob):
    """A sender without signatures and tokens."""
    async with FakePeer.running() as peer:
        yield Sender(peer, bob)


OPTIONS = {"name": "webdav", "options": {"sharedSecret": SECRET, "permissions": "{x}y"}}


def multi(uri, **more):
    """Return the draft's form of an offer."""
    return {"name": "multi", "webdav": {"uri": uri, "sharedSecret": SECRET, "permissions": ["read"]} | more}


@pytest.mark.req("ACC-1", "ACC-2")
async def test_oldest_senders_want_basic_at_their_root(sender):
    """A share without a URL is at the sender's WebDAV root, with the secret as the user name of Basic, at once."""
    sender.takes = {BASIC}
    sender.serve("/dav/")
    share_id = await sender.share(OPTIONS)
    assert await sender.read(share_id) == (200, b"hello")
    assert set(sender.shown()) == {BASIC}


@pytest.mark.req("ACC-2")
async def test_other_senders_want_a_bearer_at_their_url(sender):
    """A share with a URL of its own opens there with the secret as a bearer, at once."""
    sender.serve("/dav/ocm/17")
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    assert await sender.read(share_id) == (200, b"hello")
    assert set(sender.shown()) == {BEARER}


async def test_what_was_refused_is_not_shown_again(sender):
    """A sender that refuses the bearer gets Basic; from then on only that."""
    sender.takes = {BASIC}
    sender.serve("/dav/ocm/17")
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    assert await sender.read(share_id) == (200, b"hello")
    assert await sender.read(share_id) == (200, b"hello")
    assert sender.shown().count(BEARER) == 1


async def test_url_that_is_the_root_means_basic(sender):
    """A URL that is no more than the sender's root chooses nothing, so the secret goes where such senders look."""
    sender.takes = {BASIC}
    sender.serve("/dav/")
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/"))
    assert await sender.read(share_id) == (200, b"hello")
    assert set(sender.shown()) == {BASIC}


@pytest.mark.req("ACC-3")
async def test_token_first_where_it_is_offered(sender):
    """Where a token can be had it is used; if the exchange fails, the secret opens the share."""
    sender.peer.discovery["tokenEndPoint"] = f"{sender.peer.url}/ocm/token"
    sender.takes = {TOKEN, BASIC}
    sender.serve("/dav/")
    share_id = await sender.share(OPTIONS)
    assert await sender.read(share_id) == (200, b"hello")
    assert set(sender.shown()) == {TOKEN}


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_exchange_that_fails_is_no_end(sender, status):
    """However the exchange is refused, the share opens with its secret where no token is required."""
    sender.peer.discovery["tokenEndPoint"] = f"{sender.peer.url}/ocm/token"
    sender.peer.replies["/ocm/token"] = Reply(status, {"error": "invalid_grant"})
    sender.takes = {BASIC}
    sender.serve("/dav/")
    share_id = await sender.share(OPTIONS)
    assert await sender.read(share_id) == (200, b"hello")


@pytest.mark.req("ACC-3")
async def test_required_token_is_the_only_way(sender):
    """Where a token is required, the secret is never shown to the storage."""
    sender.peer.discovery["tokenEndPoint"] = f"{sender.peer.url}/ocm/token"
    sender.peer.replies["/ocm/token"] = Reply(400, {"error": "invalid_grant"})
    sender.takes = {BASIC, BEARER}
    sender.serve("/dav/ocm/17")
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17", requirements=["must-exchange-token"]))
    status, _ = await sender.read(share_id)
    assert status >= 400
    assert sender.shown() == []


def issuing(sender, seconds):
    """Let a sender give a token of its own at each exchange, and open only to those that have not ended."""
    ends = {}
    path = "/ocm/token"

    def exchange(_received):
        token = f"token-{len(ends)}"
        ends[f"Bearer {token}"] = sender.gateway.clock() + seconds
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})

    def answer(received):
        sender.takes = {token for token, end in ends.items() if end > sender.gateway.clock()}
        return sender._answer(received)

    sender.peer.discovery["tokenEndPoint"] = f"{sender.peer.url}{path}"
    sender.peer.replies[path] = exchange
    sender.serve("/dav/ocm/17")
    sender.peer.replies["/dav/ocm/17"] = answer
    return ends


@pytest.mark.req("ACC-2", "TOK-2", "TOK-4")
@pytest.mark.parametrize(("life", "kept", "renewed"), [(600, 530, 15), (3600, 3530, 15), (40, 15, 10)])
async def test_a_token_is_renewed_before_it_ends(sender, bob, life, kept, renewed):
    """A token is used for most of its life and exchanged anew a while before its end: none is shown that has ended."""
    ends = issuing(sender, life)
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17", requirements=["must-exchange-token"]))
    assert await sender.read(share_id) == (200, b"hello")
    bob.clock.ahead += kept
    assert await sender.read(share_id) == (200, b"hello")
    assert len(ends) == 1
    bob.clock.ahead += renewed
    assert await sender.read(share_id) == (200, b"hello")
    assert len(ends) == 2
    assert sender.shown()[-1] == "Bearer token-1"
    bob.clock.ahead += 30 * 86_400
    assert await sender.read(share_id) == (200, b"hello")
    assert [shown for shown in sender.shown() if shown not in ends] == []
    assert "Bearer token-0" not in sender.shown()[sender.shown().index("Bearer token-1") :]


@pytest.mark.req("TOK-2")
async def test_a_token_that_is_refused_early_is_exchanged_anew(sender, bob):
    """A sender may end a token before its time, as Nextcloud does at the next exchange: another is asked for."""
    ends = issuing(sender, 3600)
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17", requirements=["must-exchange-token"]))
    assert await sender.read(share_id) == (200, b"hello")
    bob.clock.ahead += 60
    ends["Bearer token-0"] = 0.0
    assert await sender.read(share_id) == (200, b"hello")
    assert list(ends) == ["Bearer token-0", "Bearer token-1"]


async def test_refusal_of_everything_loses_nothing(sender):
    """A sender that refuses all of it for a while is an outage for our user: the share stays, and opens again."""
    sender.serve("/dav/ocm/17")
    share_id = await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    for status in (401, 403, 404, 500, 503):
        sender.status = status
        assert (await sender.read(share_id))[0] >= 400
    assert (await sender.gateway.received())[0]["state"] == "accepted"
    sender.status = None
    assert await sender.read(share_id) == (200, b"hello")


async def test_storage_at_the_host_of_the_owner(sender):
    """A sender of the kind that serves at the owner's host is asked there, wherever its end point is."""
    sender.peer.discovery["shareTypes"] = sender.peer.discovery.pop("resourceTypes")
    sender.peer.discovery["endPoint"] = f"{sender.peer.url.replace('localhost', '127.0.0.1')}/apps/sharing"
    sender.takes = {BASIC}
    sender.serve("/dav/")
    share_id = await sender.share(OPTIONS)
    assert await sender.read(share_id) == (200, b"hello")
    assert {request.headers["Host"] for request in sender.peer.at("/dav/")} == {sender.peer.host}


# Looking at shares whose end nobody tells.


def never_tells(peer):
    """Let a peer look like one of the kind that does not tell when a share ends."""
    peer.discovery |= {"capabilities": ["protocol-object"]}
    peer.discovery["resourceTypes"][0]["protocols"]["webdav"] = "/dav/ocm"


async def hours_later(gateway, hours):
    """Move the clock and do what is due."""
    gateway.clock.ahead += hours * 3600
    await gateway.gateway.tasks.sweep()
    return (await gateway.received())[0]["state"]


@pytest.mark.req("NOTE-2")
async def test_silent_end_is_found_by_a_second_look(sender, bob):
    """A share that nobody ended aloud ends when the storage refuses it twice, an hour apart; once is not enough."""
    never_tells(sender.peer)
    sender.serve("/dav/ocm/17")
    await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    assert await hours_later(bob, 1.1) == "accepted"
    looks = len(sender.shown())
    assert looks > 0
    sender.takes = set()
    assert await hours_later(bob, 1.1) == "accepted"
    assert await hours_later(bob, 0.5) == "accepted"
    assert await hours_later(bob, 0.6) == "unshared"


async def test_refusal_that_passes_is_forgotten(sender, bob):
    """A look that finds the share open again forgets the refusal before it; an outage tells nothing."""
    never_tells(sender.peer)
    sender.serve("/dav/ocm/17")
    await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    for status, hours in ((404, 1.1), (None, 1.1), (404, 1.1), (503, 1.1), (None, 1.1)):
        sender.status = status
        assert await hours_later(bob, hours) == "accepted"


async def test_who_tells_is_not_asked(sender, bob):
    """A sender that announces the end of its shares is left in peace."""
    sender.serve("/dav/ocm/17")
    await sender.share(multi(f"{sender.peer.url}/dav/ocm/17"))
    assert await hours_later(bob, 1.1) == "accepted"
    assert await hours_later(bob, 24) == "accepted"
    assert sender.shown() == []
    assert bob.clock() > time.time()
