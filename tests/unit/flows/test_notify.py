"""What a hint may cause: some checks, however many shares it might speak of."""

from types import SimpleNamespace

import pytest

from gateway.flows.notify import HINTS_LIMIT, Notify
from gateway.model.peer import UnsignedPeer
from gateway.model.secret import Secret
from gateway.ocm.notification import Notification

SHARES = 300


class Received:
    """A table in which many shares of many peers have the same id at their providers."""

    async def page(self, _index, _partition, *, limit):
        """Return up to `limit` of them."""
        found = [
            SimpleNamespace(
                share_id=f"r{number}", peer="far.example.org", webdav=SimpleNamespace(secret=Secret(f"s{number}"))
            )
            for number in range(min(limit, SHARES))
        ]
        return SimpleNamespace(records=tuple(found))


class Queue:
    """A queue that remembers what it was to do."""

    def __init__(self):
        self.woken = []

    async def wake(self, kind, key):
        """Note a job."""
        self.woken.append((kind, key))


class SentNothing:
    """A table without shares."""

    async def get(self, _key):
        """Return None."""


async def never(_host):
    """Let nobody have to sign."""
    return False


@pytest.mark.req("NOTE-2")
@pytest.mark.parametrize(("secret", "woken"), [(None, HINTS_LIMIT), (Secret("unknown"), 0)])
async def test_one_hint_causes_few_checks(secret, woken):
    """A message that proves nothing has a few shares looked at, not all that have this id somewhere."""
    queue = Queue()
    others = {
        "sent": SentNothing(),
        "end_share": None,
        "share_on": None,
        "rules": None,
        "authority": "here.example.org",
    }
    notify = Notify(received=Received(), queue=queue, must_sign=never, now=lambda: 0.0, **others)
    hint = Notification(kind="SHARE_UNSHARED", provider_id="1", resource_type="file", claimed_secret=secret)
    await notify.receive(UnsignedPeer(None), hint)
    assert len(queue.woken) == woken
    assert HINTS_LIMIT < SHARES
