"""What every `PropertyTable` does (RFC 4918, 4 and 9.2)."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.props import PropertyLimits
from gateway.model.resource import ResourcePath
from gateway.store.redis_props import RedisProperties

NAME = "{urn:x}name"


def at(path):
    return ResourcePath.parse(path)


def no_space():
    return pytest.raises(GatewayError, check=lambda error: error.kind is Kind.NO_SPACE)


@pytest.fixture
def table(store):
    return store.properties


@pytest.fixture
def narrow(store):
    """A table with limits that a test can reach."""
    limits = PropertyLimits(resource_bytes=200, resources=3, space_bytes=400)
    return RedisProperties(store.link, store._keyspace, limits)


async def kept(table, path="", space="space"):
    """Return the values of `NAME` at `path` and in it, by path."""
    found = await table.read(space, at(path), with_members=True)
    return {str(place): properties[NAME] for place, properties in found.items()}


async def fill(table, *paths, space="space"):
    """Keep at each path its own name."""
    for path in paths:
        await table.change(space, at(path), {NAME: path})


async def test_properties_are_kept_as_they_were_set(table):
    """A property comes back byte for byte, under any name and path, and only in its own space."""
    path = ResourcePath(("a", "b\udcff ü'\"[]"))
    properties = {"{}none": "<none/>", "{DAV:}x": '<d:x xmlns:d="DAV:">é\U00010000 "\\/&amp;</d:x>', "{a b}c": ""}
    await table.change("space", path, properties)

    assert await table.read("space", path) == {path: properties}
    assert await table.read("other", path) == {}
    assert await table.read("space", at("a")) == {}


async def test_setting_and_removing_is_one_step(table):
    """One change sets, replaces and removes; what was never there may be removed; the last one leaves nothing."""
    await table.change("space", at("a"), {"{}1": "one", "{}2": "two"})
    await table.change("space", at("a"), {"{}1": None, "{}2": "new", "{}3": "three", "{}4": None})
    assert await table.read("space", at("a")) == {at("a"): {"{}2": "new", "{}3": "three"}}

    await table.change("space", at("a"), {"{}2": None, "{}3": None})
    assert await table.read("space", at("a")) == {}


async def test_members_are_one_level_down(table):
    """With members means the resource itself and what lies directly in it, and nobody else whose name begins alike."""
    await fill(table, "", "f", "f/a", "f/a/deep", "f/b c", "f2", "f/a0")

    assert await kept(table, "f") == {"/f": "f", "/f/a": "f/a", "/f/b c": "f/b c", "/f/a0": "f/a0"}
    assert await kept(table) == {"/": "", "/f": "f", "/f2": "f2"}


async def test_a_move_takes_the_tree_along(table):
    """After a move the source has nothing, the target exactly what the source had, and neighbours what they had."""
    await fill(table, "f", "f/a", "f/a/deep", "f2", "t", "t/old", "t2")
    await table.move("space", at("f"), at("t"))

    assert await kept(table) == {"/t": "f", "/f2": "f2", "/t2": "t2"}
    assert await kept(table, "t") == {"/t": "f", "/t/a": "f/a"}
    assert await kept(table, "t/a") == {"/t/a": "f/a", "/t/a/deep": "f/a/deep"}
    assert await kept(table, "f") == {}


async def test_a_copy_leaves_the_source(table):
    """A copy has what the source has, a shallow one without what is below; what the target had is gone."""
    await fill(table, "f", "f/a", "t", "t/old")
    await table.copy("space", at("f"), at("t"), is_deep=False)
    assert await kept(table, "t") == {"/t": "f"}

    await table.copy("space", at("f"), at("t"), is_deep=True)
    assert await kept(table, "t") == {"/t": "f", "/t/a": "f/a"}
    assert await kept(table, "f") == {"/f": "f", "/f/a": "f/a"}


async def test_a_delete_takes_all_that_is_below(table):
    """What is removed loses its properties with all that is below it."""
    await fill(table, "f", "f/a", "f/a/deep", "f2", "g/a")
    await table.delete("space", at("f"), at("g"), at("h"))

    assert await kept(table) == {"/f2": "f2"}
    assert await kept(table, "f/a") == {}


async def test_limits(narrow):
    """Too much on one resource, in one space, or on too many resources is refused whole, and there is room again."""
    with no_space():
        await narrow.change("space", at("a"), {"{}1": "x", "{}2": "x" * 300})
    assert await narrow.read("space", at("a")) == {}
    for path in ("a", "b"):
        await narrow.change("space", at(path), {NAME: "x" * 150})
    with no_space():
        await narrow.change("space", at("c"), {NAME: "x" * 150})
    await fill(narrow, "c")
    with no_space():
        await fill(narrow, "d")
    await narrow.delete("space", at("a"))
    await fill(narrow, "d")
    assert set(await kept(narrow)) == {"/b", "/c", "/d"}


async def test_the_oldest_sums_give_way(store):
    """Where the oldest gives way nothing is refused for want of room, and the neighbour family loses no room by it."""
    limits = PropertyLimits(resource_bytes=200, resources=3, space_bytes=400)
    sums = RedisProperties(store.link, store._keyspace, limits, family="sums", makes_room=True)
    properties = RedisProperties(store.link, store._keyspace, limits)
    await fill(sums, "a", "b", "c")
    await fill(sums, "a", "d")
    assert set(await kept(sums)) == {"/a", "/c", "/d"}

    await sums.change("space", at("e"), {NAME: "x" * 175})
    await sums.change("space", at("f"), {NAME: "x" * 175})
    assert set(await kept(sums)) == {"/e", "/f"}
    await sums.move("space", at("e"), at("g"))
    await fill(sums, "h", "i")
    assert set(await kept(sums)) == {"/g", "/h", "/i"}
    with no_space():
        await sums.change("space", at("j"), {NAME: "x" * 300})

    await fill(properties, "a", "b", "c")
    assert set(await kept(properties)) == {"/a", "/b", "/c"}
    with no_space():
        await fill(properties, "d")


async def test_a_copy_beyond_the_limits_is_incomplete(narrow):
    """Properties that find no room are no reason against a copy."""
    await fill(narrow, "f", "f/a")
    await narrow.copy("space", at("f"), at("t"), is_deep=True)

    assert await kept(narrow, "f") == {"/f": "f", "/f/a": "f/a"}
    assert len(await kept(narrow, "t")) == 1


async def test_changes_at_once_all_count(table):
    """Properties that many clients set on one resource at the same time are all there."""
    await asyncio.gather(*(table.change("space", at("a"), {f"{{}}{n}": str(n)}) for n in range(30)))

    assert (await table.read("space", at("a")))[at("a")] == {f"{{}}{n}": str(n) for n in range(30)}


async def test_what_vanished_is_found_space_by_space(store):
    """Some of what is kept is shown, in a space that has any; it is forgotten only as it was seen, and only itself."""
    table = RedisProperties(store.link, store._keyspace, family=f"family{time.time_ns()}")
    assert await table.some_space() is None
    await fill(table, "a", "a/b", "c", space="one")
    await fill(table, "a", space="two")
    assert {await table.some_space() for _ in range(50)} == {"one", "two"}
    assert len(await table.some("one", 2)) == 2
    seen = await table.some("one", 10)
    assert seen == {at(path): {NAME: path} for path in ("a", "a/b", "c")}

    await table.change("one", at("c"), {NAME: "another"})
    assert not await table.forget("one", at("c"), seen[at("c")])
    assert not await table.forget("one", at("a"), {NAME: "a", "{}more": "x"})
    assert await table.forget("one", at("a"), seen[at("a")])
    assert not await table.forget("one", at("a"), seen[at("a")])
    assert await table.some("one", 10) == {at("a/b"): {NAME: "a/b"}, at("c"): {NAME: "another"}}

    await table.delete("two", at("a"))
    assert await table.some("two", 10) == {}
    assert {await table.some_space() for _ in range(50)} == {"one"}
