import base64
import logging

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.peers.answer import Answer, parse_retry_after
from support.fakepeer import FakePeer, Reply
from support.peerrig import OUR_URL

SHARES = "/ocm/shares"
DOCUMENT = {"name": "spéc.yaml", "protocol": {"webdav": {"sharedSecret": "very-secret-code"}}}
UNSIGNED = {"jwksUri": "", "capabilities": []}


@pytest.fixture
def silent_peer(peer):
    """Return a peer that knows nothing of signatures."""
    peer.discovery |= UNSIGNED
    peer.jwks = {"keys": []}
    return peer


async def refusal(awaitable):
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value


@pytest.mark.req("SIG-1")
@pytest.mark.req("SIG-2")
async def test_signed_message_is_accepted(rig, peer):
    """A strict peer that trusts our keys accepts our message."""
    peer.trust(rig.ring.jwks())
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert (answer.status, answer.document) == (201, {"recipientDisplayName": "Marie Curie"})
    (received,) = peer.at(SHARES)
    assert received.json == DOCUMENT
    assert set(received.signature.components) == {
        "@method",
        "@target-uri",
        "content-digest",
        "content-length",
        "date",
    }
    assert str(received.signature.parameters["keyid"]).startswith(f"{OUR_URL}/ocm#")
    assert received.headers["Content-Type"] == "application/json"


async def test_strict_peer_refuses_a_stranger(rig, peer):
    """The strict peer of these tests does check: it refuses a key that it does not trust."""
    other = type(rig.ring).generate(OUR_URL, rig.clock())
    peer.trust(other.jwks())
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert (answer.status, peer.at(SHARES)[0].signature.refusal) == (401, "unknown key")


@pytest.mark.req("SIG-1")
async def test_odd_end_point_is_signed_as_it_is_sent(rig, peer):
    """The signature is over the very URL that goes out, whatever its escapes."""
    peer.trust(rig.ring.jwks())
    peer.discovery["endPoint"] = f"{peer.url}/a%2fb/%41/x//"
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    received = peer.received[-1]
    assert received.target == "/a%2fb/%41/x/shares"
    assert received.signature.refusal == ""


@pytest.mark.req("SIG-9")
async def test_peer_without_keys_gets_no_signature(rig, silent_peer):
    """A peer without a key set that announces nothing gets an unsigned message."""
    answer = await rig.client.post_json(silent_peer.host, "shares", DOCUMENT)
    assert answer.is_success
    assert silent_peer.at(SHARES)[0].signature is None
    assert not rig.table.records[silent_peer.host].we_signed_to


@pytest.mark.req("SIG-9")
async def test_key_set_alone_makes_us_sign(rig, peer):
    """A peer that only has a key set at the usual place gets signed messages."""
    peer.discovery |= UNSIGNED
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert peer.at(SHARES)[0].signature


@pytest.mark.req("SIG-1")
async def test_announcement_alone_makes_us_sign(rig, peer):
    """A peer that announces `http-sig` gets signed messages even while its keys cannot be had."""
    peer.replies["/jwks"] = Reply(503)
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert peer.at(SHARES)[0].signature


@pytest.mark.req("SIG-1")
async def test_demand_alone_makes_us_sign(rig, silent_peer):
    """A peer that demands signatures gets them although it has no keys itself."""
    silent_peer.discovery["criteria"] = ["must-use-http-sig"]
    await rig.client.post_json(silent_peer.host, "shares", DOCUMENT)
    assert silent_peer.at(SHARES)[0].signature


@pytest.mark.req("SIG-9")
async def test_once_signed_always_signed(rig, peer):
    """A peer to which we have signed gets signed messages even when its keys and promises are gone."""
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert rig.table.records[peer.host].we_signed_to
    peer.discovery |= UNSIGNED
    peer.jwks = {"keys": []}
    rig.clock.pass_by(100)
    await rig.resolver.discover(peer.host, max_age=1)
    await rig.client.post_json(peer.host, "notifications", {})
    assert peer.at("/ocm/notifications")[0].signature


@pytest.mark.req("SIG-9")
async def test_signing_needs_no_keys_of_a_peer_that_knows_ours(rig, peer):
    """A peer to which we have signed gets signed messages although its own keys cannot be had for days."""
    peer.discovery |= UNSIGNED
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    peer.replies["/.well-known/jwks.json"] = Reply(503)
    rig.clock.pass_by(3 * 86_400)
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert peer.at(SHARES)[1].signature


async def test_connections_are_not_kept(rig, peer):
    """A message never goes out on an old connection, which the peer may be closing just now."""
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert peer.at(SHARES)[0].headers["Connection"] == "close"


@pytest.mark.req("SIG-9")
async def test_signing_is_noted_before_the_message_leaves(rig, peer):
    """That we sign is in the store even if the peer's answer never comes."""
    peer.replies[SHARES] = Reply(is_cut=True)
    await refusal(rig.client.post_json(peer.host, "shares", DOCUMENT))
    assert rig.table.records[peer.host].we_signed_to


async def test_each_message_has_its_own_nonce(rig, peer):
    """Two messages never carry the same signature."""
    for _ in range(2):
        await rig.client.post_json(peer.host, "shares", DOCUMENT)
    first, second = peer.at(SHARES)
    assert first.signature.parameters["nonce"] != second.signature.parameters["nonce"]


@pytest.mark.req("TOK-1")
async def test_token_request_is_a_signed_form(rig, peer):
    """The token end point gets a signed form."""
    peer.trust(rig.ring.jwks())
    form = {"grant_type": "authorization_code", "client_id": "gateway.test", "code": "a+b&c=ü"}
    answer = await rig.client.post_token(peer.host, f"{peer.url}/ocm/token", form)
    assert (answer.status, answer.document["expires_in"]) == (200, 600)
    (received,) = peer.at("/ocm/token")
    assert received.form == form
    assert received.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.req("TOK-3")
async def test_refused_token_request_is_readable(rig, peer):
    """A refusal of the token end point comes back with its OAuth code, and is permanent."""
    peer.replies["/ocm/token"] = Reply(400, {"error": "invalid_grant"})
    answer = await rig.client.post_token(peer.host, f"{peer.url}/ocm/token", {})
    assert (answer.document, answer.is_temporary) == ({"error": "invalid_grant"}, False)


@pytest.mark.req("TOK-1")
@pytest.mark.parametrize("url", ["ftp://x/", "/token", "http://user:pass@localhost/token", ""])
async def test_unusable_token_end_point(rig, peer, url):
    """A token end point that we would not use gets nothing."""
    assert (await refusal(rig.client.post_token(peer.host, url, {"code": "x"}))).kind is Kind.INVALID


@pytest.mark.req("DISC-8")
async def test_denied_peer_gets_nothing(rig, peer):
    """A denied peer gets neither a question nor a message, also when its end point is on a denied host."""
    denied = GatewayError(Kind.FORBIDDEN, "not on our list")
    async with FakePeer.running() as other:
        peer.discovery["endPoint"] = f"{other.url}/ocm"
        rig.lists.denied[other.host] = denied
        assert await refusal(rig.client.post_json(peer.host, "shares", DOCUMENT)) is denied
        assert await refusal(rig.client.post_json(other.host, "shares", DOCUMENT)) is denied
        assert await refusal(rig.client.post_token(peer.host, f"{other.url}/t", {})) is denied
        assert not other.received


async def test_redirect_is_not_followed(rig, peer):
    """A signed message does not travel on to where a redirect points; that is temporary."""
    peer.replies[SHARES] = Reply(307, headers={"Location": f"{peer.url}/elsewhere"})
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert (answer.status, answer.is_temporary) == (307, True)
    assert not peer.at("/elsewhere")


async def test_moved_end_point_is_found(rig, peer):
    """If the end point is gone and a fresh document names another, the message goes there."""
    await rig.client.post_json(peer.host, "shares", DOCUMENT)
    peer.discovery["endPoint"] = f"{peer.url}/new"
    peer.replies |= {SHARES: Reply(404), "/new/shares": Reply(201, {})}
    rig.clock.pass_by(61)
    assert (await rig.client.post_json(peer.host, "shares", DOCUMENT)).status == 201


@pytest.mark.parametrize("body", [b"[]", b"", b"ok", b"\xff\xfe", '"x"', "{" * 5000])
async def test_answer_that_is_no_object(rig, peer, body):
    """Deployed peers answer `[]`, text or nothing: that is a success without a document."""
    peer.replies[SHARES] = Reply(201, body)
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert (answer.is_success, answer.document) == (True, None)


@pytest.mark.parametrize("reply", [Reply(201, b"x" * 100_000), Reply(is_endless=True)])
async def test_long_answer_is_left_unread(rig, peer, reply):
    """Of an answer that is too long only the status counts."""
    peer.replies[SHARES] = reply
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert (answer.is_success, answer.text) == (True, "")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_statuses_that_may_pass(rig, peer, status):
    """After such an answer the message may be taken later, and the peer rests as long as it asked for."""
    peer.replies[SHARES] = Reply(status, headers={"Retry-After": "1000"})
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert answer.is_temporary
    assert (answer.error().kind, answer.error().retry_after) == (Kind.UNAVAILABLE, 1000)
    assert rig.table.records[peer.host].quiet_until == rig.clock() + 1000


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.INVALID),
        (401, Kind.FORBIDDEN),
        (403, Kind.FORBIDDEN),
        (404, Kind.NOT_FOUND),
        (413, Kind.TOO_LARGE),
        (422, Kind.INVALID),
        (501, Kind.NOT_IMPLEMENTED),
    ],
)
async def test_statuses_that_stay(rig, peer, status, kind):
    """After such an answer trying again is no use; the peer's words are told, and it does not rest."""
    peer.replies[SHARES] = Reply(status, {"message": "no such\n user."})
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    assert not answer.is_temporary
    assert answer.error().kind is kind
    assert answer.error().public == f"{peer.host} refused this ({status}): no such user."
    assert rig.table.records[peer.host].quiet_until == 0


def test_words_of_a_peer_are_bounded():
    """What a peer says about its refusal is cut and cleaned before anybody reads it."""
    answer = Answer(host=Host("h.test"), status=400, document={"message": "x\x1b[31m" + "y" * 10_000})
    assert len(answer.error().public) < 300
    assert "\x1b" not in answer.error().public
    assert Answer(host=Host("h.test"), status=400, document={"message": 7}).error().public.endswith("(400).")


async def test_unreachable_peer_is_unavailable_and_rests(rig, peer):
    """A peer that breaks off is unavailable in words for the user, and then left in peace."""
    await rig.resolver.with_keys(peer.host)
    peer.replies[SHARES] = Reply(is_cut=True)
    error = await refusal(rig.client.post_json(peer.host, "shares", DOCUMENT))
    assert (error.kind, error.public) == (Kind.UNAVAILABLE, f"{peer.host} broke the connection off.")
    asked = len(peer.received)
    assert (await refusal(rig.client.post_json(peer.host, "shares", DOCUMENT))).retry_after == 600
    assert len(peer.received) == asked
    peer.replies.clear()
    assert (await rig.client.post_json(peer.host, "shares", DOCUMENT, interactive=True)).is_success
    assert (await rig.client.post_json(peer.host, "shares", DOCUMENT)).is_success


async def test_peer_that_switched_ocm_off_is_left_alone(rig, peer):
    """A peer whose document says `enabled: false` gets no message."""
    peer.discovery["enabled"] = False
    assert (await refusal(rig.client.post_json(peer.host, "shares", DOCUMENT))).kind is Kind.UNAVAILABLE
    assert not peer.at(SHARES)


async def test_secrets_stay_out_of_logs_and_repr(rig, peer, capsys, caplog):
    """Neither what we send nor what comes back shows in logs or in the answer's own words."""
    caplog.set_level(logging.DEBUG)
    peer.replies[SHARES] = Reply(201, {"access_token": "returned-secret"})
    answer = await rig.client.post_json(peer.host, "shares", DOCUMENT)
    printed = capsys.readouterr()
    seen = printed.out + printed.err + caplog.text + repr(answer)
    assert "told peer" in seen
    assert "very-secret-code" not in seen
    assert "returned-secret" not in seen


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("7", 7),
        ("0", 0),
        ("99999999999999999999", 86_400),
        ("-5", None),
        ("²", None),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 50),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Thu, 99 Jan 1970 00:01:00 GMT", None),
        ("soon", None),
    ],
)
def test_retry_after(text, seconds):
    """`Retry-After` is read in both forms and bounded by a day."""
    assert parse_retry_after(text, now=10.0) == seconds


async def test_fake_peer_signs_as_the_vector_says(peer):
    """The fake peer's own signature has the components and parameters that the draft asks for."""
    headers = peer.sign("POST", "https://gateway.test/ocm/shares", b"{}")
    assert headers["Signature-Input"].startswith(
        'ocm=("@method" "@target-uri" "content-digest" "content-length" "date")'
    )
    assert len(base64.b64decode(headers["Signature"].removeprefix("ocm=:").removesuffix(":"))) == 64
