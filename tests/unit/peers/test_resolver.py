import asyncio

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.peers.guard import tls_context
from gateway.peers.resolver import announces_signatures, has_key_set
from support.certificates import Authority
from support.fakepeer import DISCOVERY_PATHS, FakePeer, Reply
from support.peerrig import LOOPBACK, Guard, ScriptedResolver
from support.peerrig import rig as running_rig

WELL_KNOWN, OLD = DISCOVERY_PATHS
DENIED = GatewayError(Kind.FORBIDDEN, "not on our list")


def documents(peer):
    return len(peer.at(WELL_KNOWN)) + len(peer.at(OLD))


async def refusal(awaitable):
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value


@pytest.mark.req("DISC-1")
async def test_document_is_found_and_kept(rig, peer):
    """The document is asked for once and then served from the record while it is fresh."""
    first = await rig.resolver.discover(peer.host)
    assert first.discovery.end_point == f"{peer.url}/ocm"
    rig.clock.pass_by(3600)
    assert await rig.resolver.discover(peer.host) == first
    assert documents(peer) == 1


@pytest.mark.req("DISC-7")
async def test_stale_document_is_asked_for_again(rig, peer):
    """A document older than its bound is fetched again."""
    await rig.resolver.discover(peer.host)
    peer.discovery["endPoint"] = f"{peer.url}/new"
    rig.clock.pass_by(3601)
    assert (await rig.resolver.discover(peer.host)).discovery.end_point == f"{peer.url}/new"


async def test_caller_may_want_it_fresher(rig, peer):
    """A caller with less patience for age gets a new copy."""
    await rig.resolver.discover(peer.host)
    rig.clock.pass_by(10)
    await rig.resolver.discover(peer.host, max_age=5)
    assert documents(peer) == 2


@pytest.mark.parametrize(
    "reply",
    [Reply(404), Reply(200, "<html>", {"Content-Type": "text/html"}), Reply(302, headers={"Location": "/login"})],
)
@pytest.mark.req("DISC-1")
async def test_old_place_is_tried(rig, peer, reply):
    """A peer without a document at the well-known place is asked at the old one."""
    peer.replies[WELL_KNOWN] = reply
    assert (await rig.resolver.discover(peer.host)).discovery


@pytest.mark.parametrize(
    "change",
    [{"endPoint": "/ocm"}, {"endPoint": "ftp://x/"}, {"endPoint": ""}, {"endPoint": "http://h.example/?a=b"}],
)
async def test_document_without_usable_end_point_is_none(rig, peer, change):
    """A document whose end point we would not use is not a document."""
    peer.discovery |= change
    error = await refusal(rig.resolver.discover(peer.host))
    assert (error.kind, error.code) == (Kind.NOT_FOUND, "peer-without-ocm")


async def test_unusable_other_urls_are_dropped(rig, peer):
    """Of a document with a good end point, other URLs that we would not use are left out."""
    peer.discovery |= {"jwksUri": "file:///etc/passwd", "tokenEndPoint": "http://user@h.example/"}
    document = (await rig.resolver.discover(peer.host)).discovery
    assert (document.jwks_uri, document.token_end_point) == ("", "")


async def test_no_document_is_not_found_for_a_while(rig, peer):
    """A host without OCM says so, and is not asked again by the next stranger."""
    peer.replies |= {WELL_KNOWN: Reply(404), OLD: Reply(404)}
    assert (await refusal(rig.resolver.discover(peer.host))).kind is Kind.NOT_FOUND
    asked = len(peer.received)
    assert (await refusal(rig.resolver.discover(peer.host))).kind is Kind.NOT_FOUND
    assert len(peer.received) == asked
    assert not rig.table.records


async def test_outage_is_unavailable(rig, peer):
    """A server that is out of order is unavailable, not without OCM."""
    peer.replies |= {WELL_KNOWN: Reply(503), OLD: Reply(404)}
    assert (await refusal(rig.resolver.discover(peer.host))).kind is Kind.UNAVAILABLE


async def test_user_asks_again(rig, peer):
    """A user who waits makes us ask also a host that failed a moment ago."""
    peer.replies |= {WELL_KNOWN: Reply(503), OLD: Reply(503)}
    await refusal(rig.resolver.discover(peer.host))
    peer.replies.clear()
    assert (await refusal(rig.resolver.discover(peer.host))).kind is Kind.UNAVAILABLE
    assert (await rig.resolver.discover(peer.host, interactive=True)).discovery


@pytest.mark.req("DISC-7")
async def test_last_good_document_serves_for_a_bounded_time(rig, peer):
    """While a peer cannot answer, its last good document serves, but not for ever."""
    known = await rig.resolver.discover(peer.host)
    peer.replies |= {WELL_KNOWN: Reply(500), OLD: Reply(500)}
    rig.clock.pass_by(7 * 86_400 - 1)
    assert await rig.resolver.discover(peer.host) == known
    rig.clock.pass_by(2)
    assert (await refusal(rig.resolver.discover(peer.host))).kind is Kind.UNAVAILABLE


@pytest.mark.req("DISC-7")
async def test_calls_at_the_same_time_are_one_fetch(rig, peer):
    """Many messages of one new peer at the same time make us ask once."""
    await asyncio.gather(*(rig.resolver.discover(peer.host) for _ in range(20)))
    assert documents(peer) == 1
    await asyncio.gather(*(rig.resolver.key(peer.host, peer.key_id) for _ in range(20)))
    assert len(peer.at("/jwks")) == 1


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("ask", ["discover", "with_keys", "look_again", "key"])
async def test_lists_come_before_any_request(rig, peer, ask):
    """A denied host gets no request, whatever is asked of it."""
    rig.lists.denied[peer.host] = DENIED
    arguments = (peer.host, peer.key_id) if ask == "key" else (peer.host,)
    assert await refusal(getattr(rig.resolver, ask)(*arguments)) is DENIED
    assert not peer.received


@pytest.mark.req("DISC-8")
async def test_lists_hold_for_cached_documents_too(rig, peer):
    """A host that is denied later is refused although its document is known."""
    await rig.resolver.key(peer.host, peer.key_id)
    rig.lists.denied[peer.host] = DENIED
    assert await refusal(rig.resolver.discover(peer.host)) is DENIED
    assert await refusal(rig.resolver.key(peer.host, peer.key_id)) is DENIED


@pytest.mark.req("DISC-8")
async def test_lists_hold_for_the_place_of_keys(rig, peer):
    """Keys are not fetched from a denied host that an allowed peer names."""
    async with FakePeer.running() as other:
        peer.discovery["jwksUri"] = f"{other.url}/jwks"
        rig.lists.denied[other.host] = DENIED
        assert (await refusal(rig.resolver.key(peer.host, peer.key_id))).kind is Kind.FORBIDDEN
        assert not other.received


@pytest.mark.req("DISC-6")
async def test_tls_first_and_http_only_by_leave(peer):
    """Without leave for http a peer that speaks only http is unavailable; https was tried."""
    async with running_rig(Guard(allow_cidr=LOOPBACK)) as ours:
        assert (await refusal(ours.resolver.discover(peer.host))).kind is Kind.UNAVAILABLE
    assert not peer.received


@pytest.mark.req("DISC-6")
async def test_peer_behind_tls(tmp_path):
    """A peer with a plain host name is asked at port 443 by TLS, and its keys as well."""
    authority = Authority(tmp_path)
    async with FakePeer.running("peer.test", tls=authority.server_context("peer.test")) as peer:
        names = ScriptedResolver(["127.0.0.1"], port=int(peer.host.partition(":")[2]))
        peer.discovery |= {"endPoint": "https://peer.test/ocm", "jwksUri": "https://peer.test/jwks"}
        peer.jwks = {"keys": [peer.jwk(kid="https://peer.test/ocm#1")]}
        tls = tls_context(authority.ca_file)
        async with running_rig(Guard(allow_cidr=LOOPBACK), resolver=names, tls=tls) as ours:
            assert await ours.resolver.key(Host("peer.test"), "https://peer.test/ocm#1")


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize("jwks_uri", ["{url}/jwks", ""])
async def test_key_is_found(rig, peer, jwks_uri):
    """The key is found where `jwksUri` says, else at the well-known place."""
    peer.discovery["jwksUri"] = jwks_uri.format(url=peer.url)
    jwk = await rig.resolver.key(peer.host, peer.key_id)
    assert jwk["x"] == peer.jwk()["x"]
    assert len(peer.at("/jwks" if jwks_uri else "/.well-known/jwks.json")) == 1


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize("kid", ["https://other.test/ocm#key1", "other.test#key1"])
async def test_key_id_of_another_host_makes_no_request(rig, peer, kid):
    """A key id that names another host is no key of this host, and nobody is asked."""
    peer.jwks = {"keys": [peer.jwk(kid=kid)]}
    assert await rig.resolver.key(peer.host, kid) is None
    assert not peer.received


@pytest.mark.req("SIG-5")
async def test_opaque_key_id_counts_inside_its_set(rig, peer):
    """An opaque key id is looked up in the set of the host it is claimed for."""
    peer.jwks = {"keys": [peer.jwk(kid="key1")]}
    assert await rig.resolver.key(peer.host, "key1")
    async with FakePeer.running() as other:
        other.jwks = {"keys": [other.jwk(kid="key2")]}
        assert await rig.resolver.key(other.host, "key1") is None


@pytest.mark.req("DISC-7")
async def test_unknown_key_id_asks_again_once_in_a_while(rig, peer):
    """A new key is found after rotation, but unknown ids make at most one fetch a minute."""
    await rig.resolver.key(peer.host, peer.key_id)
    peer.new_key("key2")
    for number in range(5):
        rig.clock.pass_by(10)
        assert await rig.resolver.key(peer.host, f"{peer.url}/ocm#forged{number}") is None
    assert len(peer.at("/jwks")) == documents(peer) == 1
    rig.clock.pass_by(11)
    assert await rig.resolver.key(peer.host, peer.key_id)
    assert await rig.resolver.key(peer.host, f"{peer.url}/ocm#forged") is None
    assert len(peer.at("/jwks")) == 2


async def test_unknown_key_is_found_at_a_new_place(rig, peer):
    """For an unknown key the document is asked for again as well: the keys may have moved."""
    await rig.resolver.key(peer.host, peer.key_id)
    peer.discovery["jwksUri"] = f"{peer.url}/moved"
    peer.new_key("key2")
    peer.replies |= {"/moved": Reply(body=peer.jwks), "/jwks": Reply(body={"keys": []})}
    rig.clock.pass_by(61)
    assert await rig.resolver.key(peer.host, peer.key_id)


@pytest.mark.req("KEYS-1")
async def test_withdrawn_key_ends_with_the_copy(rig, peer):
    """A key that the peer has withdrawn is gone as soon as the copy is stale."""
    old = peer.key_id
    await rig.resolver.key(peer.host, old)
    peer.new_key("key2")
    rig.clock.pass_by(3601)
    assert await rig.resolver.key(peer.host, old) is None


@pytest.mark.req("SIG-5")
@pytest.mark.parametrize(
    "reply", [Reply(503), Reply(404), Reply(200, "<html>"), Reply(is_cut=True), Reply(is_endless=True)]
)
async def test_keys_that_cannot_be_had_are_unavailable(rig, peer, reply):
    """If the announced keys cannot be had that is an outage, not an unknown key."""
    peer.replies["/jwks"] = reply
    assert (await refusal(rig.resolver.key(peer.host, peer.key_id))).kind is Kind.UNAVAILABLE


async def test_peer_that_is_down_is_unavailable(rig, peer):
    """If the peer cannot be reached at all, its keys are unavailable."""
    error = await refusal(rig.resolver.key(Host("localhost:1"), "http://localhost:1/#k"))
    assert (error.kind, error.retry_after is not None) == (Kind.UNAVAILABLE, True)


async def test_known_key_serves_through_an_outage(rig, peer):
    """While the peer is down its last keys serve for a day; an unknown key is an outage meanwhile."""
    await rig.resolver.key(peer.host, peer.key_id)
    peer.replies["/jwks"] = Reply(503)
    rig.clock.pass_by(86_400)
    assert await rig.resolver.key(peer.host, peer.key_id)
    assert (await refusal(rig.resolver.key(peer.host, f"{peer.url}/ocm#new"))).kind is Kind.UNAVAILABLE
    rig.clock.pass_by(1)
    assert (await refusal(rig.resolver.key(peer.host, peer.key_id))).kind is Kind.UNAVAILABLE


async def test_host_without_ocm_has_no_keys(rig, peer):
    """A host that answers, but without OCM, has no keys: the signature is wrong, not the network."""
    peer.replies |= {WELL_KNOWN: Reply(404), OLD: Reply(404)}
    assert await rig.resolver.key(peer.host, peer.key_id) is None


async def test_verification_keeps_its_deadline(rig, peer):
    """A peer that stays silent costs one verification no more than its deadline."""
    peer.replies[WELL_KNOWN] = Reply(is_silent=True)
    deadline = asyncio.get_running_loop().time() + 0.1
    async with asyncio.timeout(2):
        error = await refusal(rig.resolver.key(peer.host, peer.key_id, deadline=deadline))
    assert error.kind is Kind.UNAVAILABLE


@pytest.mark.req("SIG-9")
async def test_key_set_is_noticed(rig, peer):
    """A peer with a usable set has a key set, also if it announces nothing."""
    peer.discovery |= {"jwksUri": "", "capabilities": []}
    record = await rig.resolver.with_keys(peer.host)
    assert has_key_set(record)
    assert not announces_signatures(record)


@pytest.mark.parametrize(
    "jwks", [{"keys": []}, {"keys": [{"kid": "k", "kty": "oct", "k": "AAAA", "alg": "HS256"}]}, {"keys": 1}, {}]
)
async def test_set_without_usable_key_is_none(rig, peer, jwks):
    """A set without a key that we can use is no key set."""
    peer.jwks = jwks
    assert not has_key_set(await rig.resolver.with_keys(peer.host))


@pytest.mark.parametrize("reply", [Reply(404), Reply(500), Reply(200, "<html>")])
async def test_peer_without_keys_is_asked_once(rig, peer, reply):
    """A peer that announces no keys and has none at the usual place is one without; that is remembered."""
    peer.discovery |= {"jwksUri": "", "capabilities": []}
    peer.replies["/.well-known/jwks.json"] = reply
    for _ in range(3):
        assert not has_key_set(await rig.resolver.with_keys(peer.host))
    assert len(peer.at("/.well-known/jwks.json")) == 1


@pytest.mark.req("SIG-9")
@pytest.mark.parametrize("has_signed", [False, True])
async def test_outage_at_the_usual_place(rig, peer, has_signed):
    """A signer whose keys cannot be had just now is not taken for a peer without keys."""
    peer.discovery |= {"jwksUri": "", "capabilities": [] if has_signed else ["http-sig"]}
    peer.replies["/.well-known/jwks.json"] = Reply(503)
    if has_signed:
        await rig.records.mark_signed(peer.host)
    assert (await refusal(rig.resolver.with_keys(peer.host))).kind is Kind.UNAVAILABLE


async def test_keys_announced_later_are_asked_for_at_once(rig, peer):
    """A peer that had no keys and now names a place for them is asked at once."""
    peer.discovery |= {"jwksUri": "", "capabilities": []}
    peer.replies["/.well-known/jwks.json"] = Reply(404)
    await rig.resolver.with_keys(peer.host)
    peer.discovery["jwksUri"] = f"{peer.url}/jwks"
    rig.clock.pass_by(60)
    await rig.resolver.discover(peer.host, max_age=1)
    assert has_key_set(await rig.resolver.with_keys(peer.host))


async def test_known_signer_is_not_taken_for_unsigned(rig, peer):
    """A key set that vanishes from one day to the next counts as an outage while the last copy lives."""
    peer.discovery |= {"jwksUri": "", "capabilities": []}
    await rig.resolver.with_keys(peer.host)
    peer.replies["/.well-known/jwks.json"] = Reply(404)
    rig.clock.pass_by(3601)
    assert has_key_set(await rig.resolver.with_keys(peer.host))


async def test_many_bad_hosts_leave_no_records(rig):
    """Hosts that never answered leave nothing in the store."""
    for number in range(1, 6):
        await refusal(rig.resolver.discover(Host(f"localhost:{number}")))
    assert not rig.table.records


@pytest.mark.req("SIG-3")
async def test_unsigned_claim_makes_us_look(rig, peer):
    """Whether a host that we have never met would have had to sign is asked of that host, once."""
    for _ in range(2):
        record = await rig.resolver.recall(peer.host)
        assert has_key_set(record)
        assert announces_signatures(record)
    assert (documents(peer), len(peer.at("/jwks"))) == (1, 1)


@pytest.mark.req("SIG-3")
async def test_unsigned_claim_of_an_unreachable_host_waits(rig, peer):
    """If nobody can tell whether a host would have had to sign, the message has to wait."""
    peer.replies |= {WELL_KNOWN: Reply(503), OLD: Reply(503)}
    assert (await refusal(rig.resolver.recall(peer.host))).kind is Kind.UNAVAILABLE


async def test_unsigned_claim_of_a_host_without_ocm(rig, peer):
    """Of a host without OCM we know what we have noted ourselves, which may be nothing."""
    peer.replies |= {WELL_KNOWN: Reply(404), OLD: Reply(404)}
    assert await rig.resolver.recall(peer.host) is None
    await rig.resolver.heard_from(peer.host)
    assert (await rig.resolver.recall(peer.host)).has_signed_to_us


@pytest.mark.req("DISC-7")
async def test_a_look_again_takes_nothing_from_memory(rig, peer):
    """Document and keys are asked for, however fresh they are, and however shortly before the peer failed."""
    await rig.resolver.with_keys(peer.host)
    peer.discovery["endPoint"], peer.jwks = f"{peer.url}/new", {"keys": []}
    rig.clock.pass_by(1)
    looked = await rig.resolver.look_again(peer.host)
    assert (looked.discovery.end_point, looked.jwks) == (f"{peer.url}/new", None)
    assert await rig.records.get(peer.host) == looked


async def test_a_look_again_tells_a_failure_and_keeps_what_was_known(rig, peer):
    """Where other callers get the last good document, who looks again hears what is wrong now, also at once again."""
    known = await rig.resolver.with_keys(peer.host)
    peer.replies |= dict.fromkeys(DISCOVERY_PATHS, Reply(503))
    rig.clock.pass_by(1)
    assert (await refusal(rig.resolver.look_again(peer.host))).kind is Kind.UNAVAILABLE
    peer.replies.clear()
    assert await rig.records.get(peer.host) == known
    assert (await rig.resolver.look_again(peer.host)).discovery
