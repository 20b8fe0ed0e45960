"""What strangers may have us keep: shares that nobody asked for, and what hosts say of themselves (SHARE-7, SIG-9)."""

import itertools
import time
from dataclasses import replace

import pytest

from gateway.errors import GatewayError, Kind
from gateway.flows.contacts import Contacts
from gateway.flows.receive_share import ReceivedLimits, ReceiveShare
from gateway.model.address import Host, parse_address
from gateway.model.peer import Discovery, UnsignedPeer, VerifiedPeer
from gateway.model.policy import PeerRules
from gateway.model.secret import Secret
from gateway.model.share import ReceivedState, ShareType, WebdavOffer
from gateway.model.user import KnownUser
from gateway.ocm.share import ShareNotification
from gateway.peers.records import PeerRecords
from gateway.store.tables import CONTACTS, PEERS, RECEIVED_SHARES
from support.peerrig import Clock
from support.redisserver import make_store, private_server, server_program

NAMES = itertools.count()
HERE = Host("here.example.org")
DOCUMENT = Discovery(enabled=True, api_version="1.1", end_point="https://x.example.org/ocm")
DAY = 86_400.0


@pytest.fixture(scope="module")
def server_url():
    """A private server."""
    with private_server(server_program("embedded")) as url:
        yield url


@pytest.fixture
async def store(server_url):
    """A store with keys of its own."""
    async with make_store(server_url) as store:
        yield store


class Everybody:
    """Users: every plain name is one."""

    async def find(self, identifier):
        return None if "@" in identifier else KnownUser(identifier=identifier, display_name=identifier)


@pytest.fixture
def send(store):
    """A function that lets a provider send a new share to a user; few may wait, and few be kept."""
    receive = ReceiveShare(
        shares=store.table(RECEIVED_SHARES),
        users=Everybody(),
        contacts=Contacts(table=store.table(CONTACTS), authority=HERE, now=time.time),
        rules=PeerRules(must_sign=False),
        authority=HERE,
        is_auto_accepting=False,
        now=time.time,
        new_id=lambda: f"id-{next(NAMES)}",
        limits=ReceivedLimits(received_per_user=4, pending_per_peer=3),
    )

    async def send(host, user, *, is_signed=True, number=None):
        number = next(NAMES) if number is None else number
        sender = parse_address(f"eve@{host}")
        peer = VerifiedPeer(Host(host), "key") if is_signed else UnsignedPeer(Host(host))
        notification = ShareNotification(
            share_with=f"{user}@here.example.org",
            name="gift",
            provider_id=f"p{number}",
            owner=sender,
            owner_display_name="Eve",
            sender=sender,
            sender_display_name="Eve",
            share_type=ShareType.USER,
            resource_type="file",
            webdav=WebdavOffer(secret=Secret(f"secret-{number}"), uri="p"),
        )
        return await receive.receive(peer, notification)

    send.shares = receive.shares
    return send


def refused(kind):
    return pytest.raises(GatewayError, check=lambda error: error.kind is kind and error.retry_after)


@pytest.mark.req("SHARE-7")
async def test_one_provider_cannot_fill_the_inboxes(send):
    """A provider whose shares wait unanswered is told to wait and nothing is kept; others and known shares are not."""
    for number, user in enumerate(("a", "b", "c")):
        await send("evil.example.org", user, number=number)
    with refused(Kind.LIMITED):
        await send("evil.example.org", "d")
    assert await send.shares.count("recipient", "d") == 0
    await send("evil.example.org", "a", number=0)
    await send("good.example.org", "d")

    # Whoever only claims to be a provider uses up no part of it, and the other way round.
    for user in ("e", "f", "g"):
        await send("evil.example.org", user, is_signed=False)
    with refused(Kind.LIMITED):
        await send("evil.example.org", "h", is_signed=False)

    [waiting] = (await send.shares.page("recipient", "a")).records
    await send.shares.update(waiting.share_id, lambda share: share.step(ReceivedState.DECLINED))
    await send("evil.example.org", "d")


@pytest.mark.req("SHARE-7")
async def test_a_user_keeps_a_bounded_number_of_shares(send):
    """A full shelf refuses what is new and loses nothing that stands; what has ended gives way, the oldest first."""
    for host in ("a.example.org", "b.example.org", "c.example.org", "d.example.org"):
        await send(host, "bob")
    held = (await send.shares.page("recipient", "bob")).records
    with refused(Kind.NO_SPACE):
        await send("e.example.org", "bob")
    assert (await send.shares.page("recipient", "bob")).records == held

    for share in (held[2], held[1]):
        await send.shares.update(share.share_id, lambda share: share.step(ReceivedState.UNSHARED))
    await send("e.example.org", "bob")
    left = [share.peer for share in (await send.shares.page("recipient", "bob")).records]
    assert left == ["a.example.org", "c.example.org", "d.example.org", "e.example.org"]


@pytest.fixture
def records(store):
    """The peers' records, over a clock that the test moves."""
    return PeerRecords(table=store.table(PEERS), now=Clock(), keep_seconds=10 * DAY, most_documents=3)


async def fetched(records, name):
    """Let documents of a host be fetched now."""
    now = records.now()
    host = Host(f"{name}.example.org")

    def change(peer):
        return replace(peer, discovery=DOCUMENT, discovered_at=now, jwks="{}", keys_at=now, last_seen=now)

    await records.change(host, change)
    return host


@pytest.mark.req("SIG-9")
async def test_that_a_peer_signed_is_never_forgotten(records):
    """After years of silence what was fetched is gone, but not that a peer signed to us or we to it."""
    to_us, by_us = await fetched(records, "to-us"), await fetched(records, "by-us")
    await records.mark_signed(to_us)
    await records.change(by_us, lambda peer: replace(peer, we_signed_to=True))
    records.now.pass_by(3 * 365 * DAY)
    assert await records.sweep() == 2

    first, second = await records.get(to_us), await records.get(by_us)
    assert (first.has_signed_to_us, first.has_documents, first.kept_until) == (True, False, None)
    assert (second.we_signed_to, second.has_documents, second.kept_until) == (True, False, None)
    assert await records.sweep() == 0


async def test_strangers_are_forgotten_when_not_heard_of(records, store):
    """The record of a host without signatures ends by itself, later if it is heard of again, never once it signs."""
    host = await fetched(records, "stranger")
    start = (await records.get(host)).kept_until
    assert start == pytest.approx(records.now() + 10 * DAY)
    records.now.pass_by(DAY)
    await fetched(records, "stranger")
    assert (await records.get(host)).kept_until == pytest.approx(start + DAY)
    records.now.pass_by(-30 * DAY)
    await fetched(records, "stranger")
    assert await records.get(host) is None

    records.now.pass_by(30 * DAY)
    await fetched(records, "stranger")
    assert (await records.mark_signed(host)).kept_until is None


async def test_made_up_hosts_are_bounded(records):
    """Of more hosts than may be kept those longest unheard go, strangers wholly, and a peer heard of meanwhile not."""
    # The store ends records by its own clock.
    records.now.pass_by(-60)
    signer = await fetched(records, "signer")
    await records.mark_signed(signer)
    hosts = []
    for number in range(6):
        records.now.pass_by(1)
        hosts.append(await fetched(records, f"made-up-{number}"))
    assert await records.sweep() == 4
    assert [await records.get(host) is not None for host in hosts] == [False] * 3 + [True] * 3
    assert (await records.get(signer)).has_signed_to_us
    assert await records.sweep() == 0
