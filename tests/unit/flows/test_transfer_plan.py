"""The plan of a transfer before a hostile sender: endless, deep, broken and lying listings."""

from dataclasses import dataclass, field

import pytest

from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.transfer_digest import Check
from gateway.flows.transfer_plan import make_plan
from gateway.model.resource import Entry, EntryKind, ResourcePath
from gateway.model.transfer import BATCH_ITEMS, Conflict, ItemState, Transfer
from gateway.store.base import Page


@dataclass
class Batches:
    """Keeps batches in memory."""

    kept: dict = field(default_factory=dict)

    async def create(self, batch):
        self.kept[batch.batch_id] = batch

    async def delete(self, key):
        return self.kept.pop(key, None) is not None

    async def page(self, _index, _partition, *, limit):
        return Page(tuple(self.kept.values())[:limit], None)


@dataclass
class Sender:
    """Lists what a test says."""

    members: object

    async def stat(self, path):
        return Entry(path=path, kind=EntryKind.FOLDER)

    async def list(self, path):
        for entry in self.members(path):
            if isinstance(entry, Exception):
                raise entry
            yield entry


def file(path, size=1):
    return Entry(path=path, kind=EntryKind.FILE, size=size)


def folder(path):
    return Entry(path=path, kind=EntryKind.FOLDER)


def wanted(source=()):
    return Transfer(
        transfer_id="t1",
        owner="bob",
        share_id="s1",
        name="Project",
        peer="a.example",
        source=ResourcePath(source),
        target=ResourcePath(("Copy",)),
        conflict=Conflict.SKIP,
        actor=None,
        created_at=0.0,
        due=0.0,
        progress_at=0.0,
    )


async def plan(members, *, source=(), max_files=1000):
    batches = Batches()
    number, tally = await make_plan(wanted(source), Sender(members), batches, max_files=max_files)
    assert len(batches.kept) == number
    return tally, [item for batch in batches.kept.values() for item in batch.items]


async def test_a_large_folder_is_kept_in_bounded_pieces():
    """Each record holds a bounded number of files, however many there are, and paths are seen from the copied part."""
    count = 3 * BATCH_ITEMS
    tally, items = await plan(lambda path: (file(path / f"{n}") for n in range(count)), source=("sub",))
    assert (tally.files, tally.folders, tally.bytes) == (count, 1, count)
    assert (str(items[0].path), str(items[1].path)) == ("/", "/0")


async def test_an_endless_listing_ends():
    """A sender that never stops listing is stopped, and its listing is not held in memory or kept without end."""

    def endless(path):
        number = 0
        while True:
            yield file(path / f"{number}")
            number += 1

    with pytest.raises(GatewayError) as refused:
        await plan(endless, max_files=250)
    assert refused.value.kind is Kind.TOO_LARGE


async def test_a_tree_that_contains_itself_ends():
    """A folder without end below is refused by its depth, in plain words."""
    with pytest.raises(GatewayError) as refused:
        await plan(lambda path: [folder(path / "again")], max_files=10_000)
    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, "This path is too long.")


async def test_a_folder_that_cannot_be_listed_is_one_fault():
    """What one folder refuses costs that folder; the rest is planned."""

    def members(path):
        if path.is_root:
            return [folder(path / "closed"), file(path / "open.txt")]
        return [GatewayError(Kind.FORBIDDEN, "The storage does not allow this.")]

    tally, items = await plan(members)
    assert (tally.files, tally.faults) == (1, 1)
    (fault,) = [item for item in items if item.state is ItemState.FAULT]
    assert fault.fault == "At the sender: The storage does not allow this."


async def test_an_outage_while_listing_is_no_fault():
    """A sender that goes away in the middle of the listing is asked again later; no file is given up for that."""
    with pytest.raises(GatewayError) as later:
        await plan(lambda path: [unavailable("away")] if not path.is_root else [folder(path / "sub")])
    assert later.value.kind is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adler32", "062c0215"),
        ("md5", "5d41402abc4b2a76b9719d911017c592"),
        ("sha-1", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        ("sha-256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    ],
)
def test_checksums_of_each_kind_are_compared(name, value):
    """Each checksum that senders tell finds one wrong byte, and passes the right ones."""
    good, bad = Check({name: value}), Check({name: value})
    good.update(b"hel")
    good.update(b"lo")
    good.finish()
    bad.update(b"hallo")
    with pytest.raises(GatewayError) as differs:
        bad.finish()
    assert differs.value.code == "checksum-differs"
