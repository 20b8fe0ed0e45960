"""What every `Table` does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret
from gateway.store.base import TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    name: str
    owner: str = "alice"
    code: Secret | None = None
    score: float = 0.0
    count: int = 0
    until: float | None = None


NOTES = TableSpec(
    name="notes",
    record=Note,
    version=1,
    key=lambda note: note.name,
    lookups={"code": lambda note: (note.code.reveal(),) if note.code else ()},
    indexes={"owner": lambda note: ((note.owner, note.score),)},
    expires_at=lambda note: note.until,
)


@pytest.fixture
def notes(store):
    return store.table(NOTES)


def refused(kind):
    return pytest.raises(GatewayError, check=lambda error: error.kind is kind)


async def names(table, **options):
    return [note.name for note in (await table.page("owner", "alice", **options)).records]


async def test_created_record_is_read_back(notes):
    """What was created is read back equal."""
    note = Note(name="a", code=Secret("s3cret"), score=2.5)
    await notes.create(note)

    assert await notes.get("a") == note


async def test_unknown_record_is_none(notes):
    """A key that was never written holds nothing."""
    assert await notes.get("a") is None


async def test_second_record_under_a_key_is_refused(notes):
    """A key is given once, and the first record stays."""
    await notes.create(Note(name="a", count=1))

    with refused(Kind.CONFLICT):
        await notes.create(Note(name="a", count=2, score=7))
    assert (await notes.get("a")).count == 1
    assert await names(notes) == ["a"]


async def test_find_by_unique_lookup(notes):
    """A record is found under its look-up value and under no other."""
    note = Note(name="a", code=Secret("one"))
    await notes.create(note)

    assert await notes.find("code", "one") == note
    assert await notes.find("code", "two") is None


async def test_lookup_of_a_live_record_is_taken(notes):
    """A second record with the same unique value is refused and leaves nothing behind."""
    await notes.create(Note(name="a", code=Secret("one")))

    with refused(Kind.CONFLICT):
        await notes.create(Note(name="b", code=Secret("one")))
    assert await notes.get("b") is None
    assert (await notes.find("code", "one")).name == "a"
    assert await names(notes) == ["a"]


async def test_racing_creations_with_one_lookup_leave_one_record(notes):
    """Of many creations with the same unique value at once, exactly one succeeds."""
    tries = [notes.create(Note(name=f"n{number}", code=Secret("one"))) for number in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(outcome is None for outcome in outcomes) == 1
    assert {outcome.kind for outcome in outcomes if outcome is not None} == {Kind.CONFLICT}
    (winner,) = await names(notes)
    assert (await notes.find("code", "one")).name == winner


async def test_racing_creations_of_one_key_leave_one_record(notes):
    """Of many creations under one key at once, exactly one succeeds."""
    tries = [notes.create(Note(name="a", count=number, code=Secret(f"c{number}"))) for number in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(outcome is None for outcome in outcomes) == 1
    kept = await notes.get("a")
    assert await notes.find("code", kept.code.reveal()) == kept
    assert await names(notes) == ["a"]


async def test_update_replaces_the_record(notes):
    """An update returns and stores what the change makes of the record."""
    await notes.create(Note(name="a"))

    changed = await notes.update("a", lambda note: replace(note, count=5))

    assert changed.count == 5
    assert await notes.get("a") == changed


async def test_parallel_updates_all_count(notes):
    """Fifty updates at once are applied exactly once each."""
    await notes.create(Note(name="a"))

    def add(note):
        return replace(note, count=note.count + 1, score=note.score + 1)

    await asyncio.gather(*(notes.update("a", add) for _ in range(50)))

    assert (await notes.get("a")).count == 50
    assert await names(notes) == ["a"]
    assert await notes.repair() == 0


async def test_update_of_nothing_is_not_found(notes):
    """A record that is not there cannot be updated."""
    with refused(Kind.NOT_FOUND):
        await notes.update("a", lambda note: note)


async def test_what_a_change_raises_is_passed_on(notes):
    """A change that refuses leaves the record as it was."""
    await notes.create(Note(name="a"))

    def refuse(note):
        raise GatewayError(Kind.FORBIDDEN, "No.")

    with refused(Kind.FORBIDDEN):
        await notes.update("a", refuse)
    assert (await notes.get("a")).count == 0


async def test_equal_record_writes_nothing(notes, store):
    """A change that changes nothing writes nothing."""
    await notes.create(Note(name="a"))
    before = await store.link.call("HGETALL", notes._record_key("a"))

    await notes.update("a", replace)

    assert await store.link.call("HGETALL", notes._record_key("a")) == before


async def test_change_may_not_rename(notes):
    """A change of the key is a fault of the caller."""
    await notes.create(Note(name="a"))

    with pytest.raises(ValueError, match="rename"):
        await notes.update("a", lambda note: replace(note, name="b"))


async def test_update_moves_lookup_and_index(notes):
    """After an update the record is found under its new values and no longer under the old."""
    await notes.create(Note(name="a", code=Secret("one"), score=1))

    await notes.update("a", lambda note: replace(note, code=Secret("two"), owner="bob"))

    assert await notes.find("code", "one") is None
    assert (await notes.find("code", "two")).name == "a"
    assert await names(notes) == []
    assert (await notes.page("owner", "bob")).records[0].name == "a"
    await notes.create(Note(name="b", code=Secret("one")))
    assert await notes.repair() == 0


async def test_update_to_a_taken_lookup_is_refused(notes):
    """A look-up cannot be taken from a live record by an update, which then changes nothing."""
    await notes.create(Note(name="a", code=Secret("one")))
    await notes.create(Note(name="b", code=Secret("two")))

    with refused(Kind.CONFLICT):
        await notes.update("b", lambda note: replace(note, code=Secret("one")))
    assert (await notes.find("code", "two")).name == "b"
    assert (await notes.find("code", "one")).name == "a"


async def test_deleted_record_is_gone_everywhere(notes, store):
    """A deleted record is found nowhere, leaves no key, and its look-up is free."""
    await notes.create(Note(name="a", code=Secret("one")))

    assert await notes.delete("a") is True

    assert await notes.delete("a") is False
    assert await notes.get("a") is None
    assert await notes.find("code", "one") is None
    assert await names(notes) == []
    assert [key async for key in store.link.scan(f"{notes._keyspace.prefix}:*")] == []
    await notes.create(Note(name="b", code=Secret("one")))


async def test_pages_follow_the_scores(notes):
    """An index lists each record once, in order of scores, and goes on behind a cursor."""
    for number in (3, 1, 2, 5, 4):
        await notes.create(Note(name=f"n{number}", score=number))

    first = await notes.page("owner", "alice", limit=2)
    second = await notes.page("owner", "alice", limit=2, cursor=first.cursor)
    third = await notes.page("owner", "alice", limit=2, cursor=second.cursor)

    assert [note.name for page in (first, second, third) for note in page.records] == ["n1", "n2", "n3", "n4", "n5"]
    assert third.cursor is None
    assert await names(notes, newest_first=True) == ["n5", "n4", "n3", "n2", "n1"]
    assert await names(notes, until=2) == ["n1", "n2"]
    assert await names(notes, until=2, newest_first=True) == ["n2", "n1"]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_through_equal_scores(notes, newest_first):
    """Records with the same score are walked through without loss or repetition."""
    await asyncio.gather(*(notes.create(Note(name=f"n{number:02}", score=1)) for number in range(25)))
    found, cursor = [], None
    while True:
        page = await notes.page("owner", "alice", limit=7, cursor=cursor, newest_first=newest_first)
        found += [note.name for note in page.records]
        cursor = page.cursor
        if cursor is None:
            break

    assert found == sorted((f"n{number:02}" for number in range(25)), reverse=newest_first)


async def test_pages_longer_than_a_batch(notes):
    """An index longer than what is fetched at once is walked through whole."""
    await asyncio.gather(*(notes.create(Note(name=f"n{number:03}", score=number)) for number in range(230)))

    assert len((await notes.page("owner", "alice", limit=1000)).records) == 230


async def test_foreign_cursor_is_refused(notes):
    """A cursor that is not ours is invalid input and no fault of ours."""
    with refused(Kind.INVALID):
        await notes.page("owner", "alice", cursor="%%%")


async def test_partitions_are_apart(notes):
    """A partition lists only its own records, also where its name is no valid text."""
    await notes.create(Note(name="a", owner="b\udcff:{x}"))
    await notes.create(Note(name="b", owner="b"))

    assert [note.name for note in (await notes.page("owner", "b\udcff:{x}")).records] == ["a"]


async def test_expired_record_is_gone(notes):
    """A record is forgotten when it expires, and its key may be used again."""
    await notes.create(Note(name="a", code=Secret("one"), until=time.time() + 0.05))
    deadline = time.monotonic() + 2
    while await notes.get("a") is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)

    assert await notes.find("code", "one") is None
    assert await names(notes) == []
    await notes.create(Note(name="a", code=Secret("one")))


async def test_update_may_lift_the_expiry(notes, store):
    """A record whose change takes away its end stays, and one with an end has it."""
    await notes.create(Note(name="a", until=time.time() + 1000))
    assert 0 < await store.link.call("TTL", notes._record_key("a")) <= 1000

    await notes.update("a", lambda note: replace(note, until=None))

    assert await store.link.call("TTL", notes._record_key("a")) == -1


async def lose_record(store, notes, key):
    """Leave the entries behind, as a crash between two steps does."""
    await store.link.call("DEL", notes._record_key(key))


async def test_dangling_entries_are_ignored(notes, store):
    """Entries that lead to no record are not shown, and their unique value may be taken."""
    await notes.create(Note(name="a", code=Secret("one")))
    await lose_record(store, notes, "a")

    assert await notes.find("code", "one") is None
    assert await names(notes) == []
    await notes.create(Note(name="b", code=Secret("one")))
    assert (await notes.find("code", "one")).name == "b"


async def test_stale_lookup_does_not_lead_to_another_value(notes, store):
    """A look-up whose record has moved on finds nothing."""
    await notes.create(Note(name="a", code=Secret("one")))
    entry = notes._keyspace.lookup("notes", "code", "two")
    await store.link.call("SET", entry, "a\nclaim")

    assert await notes.find("code", "two") is None


async def test_repair_removes_dangling_entries(notes, store):
    """A repair removes what leads nowhere, counts it, and keeps what is right."""
    await notes.create(Note(name="a", code=Secret("one")))
    await notes.create(Note(name="b", code=Secret("two")))
    await lose_record(store, notes, "a")

    assert await notes.repair() == 2

    assert await notes.repair() == 0
    assert (await notes.find("code", "two")).name == "b"
    assert await names(notes) == ["b"]
    assert len([key async for key in store.link.scan(f"{notes._keyspace.prefix}:*")]) == 3


async def test_repair_restores_missing_entries(notes, store):
    """A repair writes again the entries that a record has lost."""
    await notes.create(Note(name="a", code=Secret("one")))
    await store.link.call("DEL", notes._keyspace.lookup("notes", "code", "one"))
    await store.link.call("DEL", notes._keyspace.index("notes", "owner", "alice"))

    assert await notes.repair() == 2
    assert (await notes.find("code", "one")).name == "a"
    assert await names(notes) == ["a"]


async def test_repair_during_writes_loses_nothing(notes):
    """A repair beside writers takes none of their entries away."""
    await notes.create(Note(name="a", code=Secret("c0")))

    def turn(note):
        return replace(note, count=note.count + 1, score=note.score + 1, code=Secret(f"c{note.count + 1}"))

    async def write():
        for _ in range(40):
            await notes.update("a", turn)

    await asyncio.gather(write(), notes.repair(), notes.repair())

    assert (await notes.find("code", "c40")).count == 40
    assert await names(notes) == ["a"]


async def test_writer_that_runs_twice_writes_once(notes, store):
    """A write that is repeated because its answer was lost is known as done."""
    await notes.create(Note(name="a"))
    held = await notes._read("a")
    assert await notes._compare_and_set("a", held.revision, "mine", replace(held.record, count=1))
    await notes.update("a", lambda note: replace(note, count=note.count + 1))

    assert await notes._compare_and_set("a", held.revision, "mine", replace(held.record, count=1))
    assert (await notes.get("a")).count == 2


async def test_slow_writer_gives_up_a_lookup_that_was_taken_over(notes):
    """A creation that stalls until its look-up is taken over ends in a conflict and leaves no record."""
    stalled = Note(name="slow", code=Secret("one"))
    await notes._claim("slow", {("code", "one")})
    await notes.create(Note(name="fast", code=Secret("one")))
    assert await notes._compare_and_set("slow", "", "revision", stalled)

    with refused(Kind.CONFLICT):
        await notes._confirm("slow", {("code", "one")}, await notes._read("slow"))
    assert await notes.get("slow") is None
    assert (await notes.find("code", "one")).name == "fast"


async def test_no_secret_in_the_store(notes, store):
    """Neither keys nor values show a secret in the clear."""
    await notes.create(Note(name="a", code=Secret("s3cret-value")))
    seen = b""
    async for key in store.link.scan(f"{notes._keyspace.prefix}:*"):
        seen += key + (await store.link.call("DUMP", key))

    assert b"s3cret-value" not in seen
