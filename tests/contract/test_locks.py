"""What every `LockTable` does (RFC 4918, 6 and 7)."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.lock import DavLock
from gateway.model.resource import ResourcePath
from gateway.store.redis_locks import RedisLocks


def lock(token, path, *, deep=True, exclusive=True, holder="g1", seconds=100.0, owner_xml=""):
    return DavLock(
        token=f"urn:uuid:{token}",
        root=ResourcePath.parse(path),
        is_deep=deep,
        is_exclusive=exclusive,
        holder=holder,
        owner_xml=owner_xml,
        expires_at=time.time() + seconds,
    )


def about(path, **words):
    """Return what makes a lock on a path, given its token, when its test runs: not when the tests are collected."""
    return lambda token: lock(token, path, **words)


def locked():
    return pytest.raises(GatewayError, check=lambda error: error.kind is Kind.LOCKED)


async def tokens(found):
    return sorted(held.token.removeprefix("urn:uuid:") for held in await found)


async def test_a_lock_is_shown_as_it_was_taken(store):
    """A lock covers its resource, with every field as given, also under a name that is not UTF-8."""
    held = lock("1", "a/b\udcff", deep=False, exclusive=False, owner_xml="<D:href>mé</D:href>")
    await store.locks.acquire("space", held)

    assert await store.locks.covering("space", held.root) == (held,)
    assert await store.locks.below("space", held.root) == (held,)


@pytest.mark.parametrize(
    ("first", "second", "conflicts"),
    [
        (about("a"), about("a"), True),
        (about("a", exclusive=False), about("a"), True),
        (about("a"), about("a", exclusive=False), True),
        (about("a", exclusive=False), about("a", exclusive=False), False),
        (about("a"), about("a/b"), True),
        (about("a", deep=False), about("a/b"), False),
        (about("a", exclusive=False), about("a/b", exclusive=False), False),
        (about("a/b"), about("a"), True),
        (about("a/b"), about("a", deep=False), False),
        (about("a/b", exclusive=False), about("a"), True),
        (about(""), about("a/b/c"), True),
        (about("a/b/c", deep=False), about(""), True),
        (about("a"), about("ab"), False),
        (about("a"), about("a0"), False),
        (about("a b"), about("a"), False),
        (about("a/b"), about("a/b2"), False),
    ],
)
async def test_conflicts(store, first, second, conflicts):
    """A lock conflicts on the same path, under a deep one and, if deep, above one; shared ones agree."""
    await store.locks.acquire("space", first("1"))
    if conflicts:
        with locked():
            await store.locks.acquire("space", second("2"))
    else:
        await store.locks.acquire("space", second("2"))

    assert await tokens(store.locks.below("space", ResourcePath())) == (["1"] if conflicts else ["1", "2"])


async def test_one_of_many_gets_the_lock(store):
    """Of many who lock the same tree at once, exactly one succeeds."""
    paths = ["a", "a/b", "a/b/c", ""]
    tries = [store.locks.acquire("space", lock(str(n), paths[n % 4])) for n in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    # Locks beside each other do not exist among these paths, so one excludes all.
    assert sum(outcome is None for outcome in outcomes) == 1


async def test_what_covers_and_what_lies_below(store):
    """A path is covered by locks on it and deep ones above; locks below are those rooted in its tree."""
    await store.locks.acquire("space", lock("top", "", deep=False, exclusive=False))
    await store.locks.acquire("space", lock("a", "a", exclusive=False))
    await store.locks.acquire("space", lock("ab", "a/b", deep=False, exclusive=False))

    assert await tokens(store.locks.covering("space", ResourcePath.parse("a/b/c"))) == ["a"]
    assert await tokens(store.locks.covering("space", ResourcePath.parse("a/b"))) == ["a", "ab"]
    assert await tokens(store.locks.covering("space", ResourcePath())) == ["top"]
    assert await tokens(store.locks.below("space", ResourcePath.parse("a"))) == ["a", "ab"]
    assert await tokens(store.locks.below("space", ResourcePath())) == ["a", "ab", "top"]


async def test_the_same_lock_twice_is_one(store):
    """Taking a lock again with all the same words succeeds: the first answer may have been lost."""
    held = lock("1", "a")
    await store.locks.acquire("space", held)
    await store.locks.acquire("space", held)

    assert await store.locks.covering("space", held.root) == (held,)


async def test_an_expired_lock_does_not_exist(store):
    """When its time is over, a lock covers nothing and hinders nobody."""
    await store.locks.acquire("space", lock("1", "a", seconds=-1))

    assert await store.locks.covering("space", ResourcePath.parse("a")) == ()
    assert await store.locks.refresh("space", "urn:uuid:1", expires_at=time.time() + 10) is None
    assert await store.locks.release("space", "urn:uuid:1") is False
    await store.locks.acquire("space", lock("2", "a"))


async def test_refresh_prolongs(store):
    """A refreshed lock has its new end; an unknown one cannot be refreshed."""
    await store.locks.acquire("space", lock("1", "a", seconds=0.2))
    later = time.time() + 500

    held = await store.locks.refresh("space", "urn:uuid:1", expires_at=later)

    assert held.expires_at == later
    assert (await store.locks.covering("space", held.root)) == (held,)
    assert await store.locks.refresh("space", "urn:uuid:2", expires_at=later) is None


async def test_release(store):
    """A released lock is gone, and releasing it again says so."""
    await store.locks.acquire("space", lock("1", "a"))

    assert await store.locks.release("space", "urn:uuid:1") is True
    assert await store.locks.release("space", "urn:uuid:1") is False
    await store.locks.acquire("space", lock("2", "a"))


async def test_release_holder(store):
    """When a grant ends, its locks end and those of others stay."""
    await store.locks.acquire("space", lock("1", "a", holder="g1"))
    await store.locks.acquire("space", lock("2", "b", holder="g1"))
    await store.locks.acquire("space", lock("3", "c", holder="g2"))

    await store.locks.release_holder("space", "g1")

    assert await tokens(store.locks.below("space", ResourcePath())) == ["3"]


async def test_spaces_are_apart(store):
    """The same path in another storage view is another resource."""
    await store.locks.acquire("one", lock("1", "a"))
    await store.locks.acquire("two}{\udcff", lock("1", "a"))

    assert await tokens(store.locks.below("one", ResourcePath())) == ["1"]


async def test_keys_of_a_space_end_with_its_last_lock(store):
    """A space without locks leaves nothing in the store for ever."""
    await store.locks.acquire("space", lock("1", "a", seconds=50))
    await store.locks.acquire("space", lock("2", "b", seconds=20))

    for key in store._keyspace.locks("space"):
        assert 45 < await store.link.call("TTL", key) <= 51


async def test_locks_are_bounded(store):
    """A storm of locks ends at a bound, the other spaces do not feel it, and a lock given up makes room."""
    locks = RedisLocks(store.link, store._keyspace, most=20)
    tries = [locks.acquire("space", lock(str(n), f"f/{n}")) for n in range(50)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    refused = [error.kind for error in found if error is not None]
    assert refused == [Kind.NO_SPACE] * 30
    await locks.acquire("other", lock("more", "more"))

    held = await locks.below("space", ResourcePath())
    assert len(held) == 20
    assert await locks.release("space", held[0].token)
    await locks.acquire("space", lock("more", "more"))


async def test_one_holder_cannot_take_all(store):
    """One holder is refused beyond its part, others are not; what it gives up or lets run out it may take again."""
    locks = RedisLocks(store.link, store._keyspace, most=20, most_of_holder=3)
    tries = [locks.acquire("space", lock(str(n), f"f/{n}", holder="greedy")) for n in range(9)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [error.kind for error in found if error is not None] == [Kind.NO_SPACE] * 6
    await locks.acquire("space", lock("other", "o", holder="modest"))
    await locks.acquire("another space", lock("there", "t", holder="greedy"))

    held = [one.token for one in await locks.below("space", ResourcePath.parse("f"))]
    await locks.release("space", held[0])
    assert await locks.refresh("space", held[1], expires_at=time.time() - 1)
    for number in ("10", "11"):
        await locks.acquire("space", lock(number, f"f/{number}", holder="greedy"))
    with pytest.raises(GatewayError, match="You hold too many locks"):
        await locks.acquire("space", lock("12", "f/12", holder="greedy"))
    await locks.release_holder("space", "greedy")
    for number in ("13", "14", "15"):
        await locks.acquire("space", lock(number, f"f/{number}", holder="greedy"))
