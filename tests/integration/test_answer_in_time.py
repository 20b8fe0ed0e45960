"""A sender waits five seconds for our answer: it gets one, whatever its own server, or another, does meanwhile."""

import asyncio
import time

import pytest

from support.fakepeer import FakePeer, Reply
from support.pair import folder_storage, side

# NC 32 and later give up after this (`dialects.md` 14.3).
SENDER_SECONDS = 5.0
WELL_KNOWN = "/.well-known/ocm"


@pytest.fixture
async def alice(tmp_path):
    """A gateway with Alice."""
    async with side(tmp_path, "alpha", "alice", folder_storage(tmp_path / "a", "alice")) as running:
        yield running


def offer(alice, sender, owner, provider_id="17"):
    """Return a share with Alice, of an owner at one peer, sent by somebody at another."""
    return {
        "shareWith": alice.address,
        "name": "Data",
        "providerId": provider_id,
        "owner": f"marie@{owner.host}",
        "sender": f"pierre@{sender.host}",
        "shareType": "user",
        "resourceType": "file",
        "protocol": {"name": "webdav", "options": {"sharedSecret": "Sekret0123456789abcd"}},
    }


async def timed(asking):
    """Return the status of an answer, and how long it took."""
    begun = time.monotonic()
    answer = await asking
    return answer.status, time.monotonic() - begun


def signed(alice, peer, document, path="/ocm/shares", **faults):
    """Post a signed document to Alice's gateway."""
    url = alice.config.public_url + path
    return timed(peer.post_signed(alice.local + path, document, signed_url=url, **faults))


def unsigned(alice, peer, document):
    """Post a document to Alice's gateway as it is."""
    return timed(peer.post(f"{alice.local}/ocm/shares", document))


@pytest.mark.req("SHARE-7", "DISC-6", "SIG-5")
async def test_slow_and_silent_servers(alice):
    """Document, keys or both late, of one host or of two: the sender hears in time that it may try again."""
    peer = FakePeer.running
    async with peer() as silent, peer() as mute, peer() as keyless, peer() as slow:
        for path in (WELL_KNOWN, "/ocm-provider/"):
            silent.replies[path] = mute.replies[path] = Reply(is_silent=True)
            slow.replies[path] = Reply(404, delay=1.5)
        keyless.replies["/jwks"] = Reply(is_silent=True)
        answers = await asyncio.gather(
            signed(alice, silent, offer(alice, silent, silent)),
            unsigned(alice, silent, offer(alice, silent, silent)),
            signed(alice, keyless, offer(alice, keyless, keyless)),
            unsigned(alice, keyless, offer(alice, keyless, keyless)),
            # A key id that names no host: one says late that it has no such key, and then the other is asked.
            signed(alice, slow, offer(alice, slow, mute), key_id="key1"),
            signed(alice, slow, {"notificationType": "SHARE_UNSHARED", "providerId": "17"}, "/ocm/notifications"),
        )
    assert [status for status, _ in answers] == [503] * 5 + [401]
    assert max(seconds for _, seconds in answers) < SENDER_SECONDS
    assert await alice.received() == []


async def test_a_late_server_does_not_count_against_another(alice):
    """A message that names a slow host beside a good one keeps nobody from hearing the good one."""
    async with FakePeer.running() as slow, FakePeer.running() as good:
        for path in (WELL_KNOWN, "/ocm-provider/"):
            slow.replies[path] = Reply(404, delay=1.95)
        status, _ = await signed(alice, slow, offer(alice, slow, good), key_id="key1")
        assert status in (401, 503)
        assert (await signed(alice, good, offer(alice, good, good)))[0] == 201


async def test_dead_server(alice):
    """Where nobody listens that is known at once, and nothing is kept."""
    async with FakePeer.running() as dead:
        pass
    async with FakePeer.running() as other:
        status, seconds = await unsigned(alice, other, offer(alice, dead, dead))
    assert (status, seconds < SENDER_SECONDS) == (503, True)
    assert await alice.received() == []
