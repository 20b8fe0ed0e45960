"""How many locks of a relayed storage one grant may hold, over the real store."""

import time

import pytest

from gateway.errors import GatewayError, Kind
from gateway.flows.lock_claims import LockClaims
from gateway.store.tables import LOCK_CLAIMS


async def has_room(claims, grant):
    """Tell whether a grant may take another lock."""
    try:
        await claims.check_room(grant)
    except GatewayError as error:
        return error.kind is not Kind.NO_SPACE
    return True


async def test_a_grant_holds_no_more_locks_than_it_may(store):
    """At the bound there is no room for one grant, others have theirs, and a lock given up makes room."""
    claims = LockClaims(claims=store.table(LOCK_CLAIMS), most=3)
    for number in range(3):
        assert await has_room(claims, "one")
        await claims.claim(f"t{number}", "one", time.time() + 60)
    assert not await has_room(claims, "one")
    assert await has_room(claims, "other")
    await claims.claim("t0", "one", time.time() + 90)
    await claims.release("t1")
    assert await has_room(claims, "one")


@pytest.mark.parametrize("ended", [1, 3])
async def test_what_has_ended_takes_no_room(store, ended):
    """Claims whose time is over do not count, also before anything has cleared them away."""
    claims = LockClaims(claims=store.table(LOCK_CLAIMS), most=3)
    for number in range(3):
        await claims.claim(f"t{number}", "one", time.time() + (-1 if number < ended else 60))
    assert await has_room(claims, "one")
