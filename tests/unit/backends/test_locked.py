"""Every write obeys locks and is reported, whatever door it comes through."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest

from gateway.backends.base import FileDescriptor, HasQuota, SetTime, SmallFile
from gateway.backends.local import LocalBackend
from gateway.backends.locked import Locked
from gateway.backends.lockrules import LockRules
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from support.memlocks import MemoryLockTable


def at(text):
    """The path written as `a/b`."""
    return ResourcePath.parse(text)


async def pieces(*chunks):
    """The chunks in order."""
    for chunk in chunks:
        yield chunk


class Clock:
    """A clock that stands until it is moved."""

    time = 1_000_000.0

    def __call__(self):
        return self.time


class Rig:
    """A small tree, its locks, and two holders of grants on it."""

    def __init__(self, folder):
        (folder / "f/sub").mkdir(parents=True)
        (folder / "f/a").write_text("a")
        (folder / "f/sub/b").write_text("b")
        (folder / "g").mkdir()
        self.clock = Clock()
        self.table = MemoryLockTable(self.clock)
        self.written = []
        self.folder = folder
        self.backend = LocalBackend(folder, is_durable=False)
        self.mine, self.yours = self.seen_by("mine"), self.seen_by("yours")

    def seen_by(self, holder, backend=None):
        async def on_write(path):
            self.written.append(str(path))

        rules = LockRules(locks=self.table, space="alice", holder=holder, now=self.clock, on_write=on_write)
        return Locked(backend or self.backend, rules)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


async def take(locked, path, *, deep=True, exclusive=True, seconds=100):
    """Take a lock and return its token."""
    lock = await locked.lock(at(path), is_deep=deep, is_exclusive=exclusive, owner_xml="<o/>", seconds=seconds)
    return lock.token


async def kind_of(awaitable):
    """The kind of the error in which this ends, None if it succeeds."""
    try:
        await awaitable
    except GatewayError as error:
        return error.kind
    return None


async def put(storage, path):
    """Write a small file as one of many, and raise what is told of it."""
    (outcome,) = await storage.put_all([SmallFile(path=at(path), content=b"new")])
    if isinstance(outcome, GatewayError):
        raise outcome


WRITES = {
    "write": lambda storage: storage.write(at("f/a"), pieces(b"new")),
    "put": lambda storage: put(storage, "f/a"),
    "set_time": lambda storage: storage.set_time(at("f/a"), 0),
    "delete": lambda storage: storage.delete(at("f/a")),
    "move": lambda storage: storage.move(at("f/a"), at("g/a"), overwrite=True),
    "move onto": lambda storage: storage.move(at("f/sub/b"), at("f/a"), overwrite=True),
    "copy onto": lambda storage: storage.copy(at("f/sub/b"), at("f/a"), overwrite=True),
}
MEMBERSHIP = {
    "write": lambda storage: storage.write(at("f/new"), pieces(b"new")),
    "put": lambda storage: put(storage, "f/new"),
    "mkdir": lambda storage: storage.mkdir(at("f/new")),
    "delete": lambda storage: storage.delete(at("f/a")),
    "move": lambda storage: storage.move(at("f/a"), at("g/a"), overwrite=True),
    "move into": lambda storage: storage.move(at("g"), at("f/g"), overwrite=True),
    "copy into": lambda storage: storage.copy(at("g"), at("f/g"), overwrite=True),
}
TREES = {
    "delete": lambda storage: storage.delete(at("f")),
    "move": lambda storage: storage.move(at("f"), at("h"), overwrite=True),
    "move onto": lambda storage: storage.move(at("g"), at("f"), overwrite=True),
    "copy onto": lambda storage: storage.copy(at("g"), at("f"), overwrite=True),
}


def each(writes):
    """Run a test with each of these writes."""
    return pytest.mark.parametrize("act", writes.values(), ids=writes.keys())


@each(WRITES)
@pytest.mark.parametrize(("root", "deep"), [("f/a", False), ("f", True), ("", True)])
async def test_a_lock_keeps_others_off(rig, act, root, deep):
    """A locked resource is changed by nobody but who presents the token, and only as its holder."""
    token = await take(rig.mine, root, deep=deep)
    for storage in (rig.mine, rig.yours, rig.yours.presenting(frozenset({token})), rig.mine.presenting(frozenset("x"))):
        assert await kind_of(act(storage)) is Kind.LOCKED
    assert rig.written == []
    assert (rig.folder / "f/a").read_text() == "a"
    assert await kind_of(act(rig.mine.presenting(frozenset({token})))) is None


@each(MEMBERSHIP)
async def test_a_locked_folder_keeps_its_members(rig, act):
    """A lock on a folder alone keeps others from adding and removing members (RFC 4918, 7.4)."""
    token = await take(rig.mine, "f", deep=False)
    assert await kind_of(act(rig.yours)) is Kind.LOCKED
    assert await kind_of(act(rig.mine.presenting(frozenset({token})))) is None


async def test_of_many_files_only_the_locked_one_is_refused(rig):
    """Of small files that are put at once each is judged alone, and their folder is reported as changed."""
    await take(rig.mine, "f/a")
    files = [SmallFile(path=at(path), content=b"new") for path in ("f/a", "f/b", "g/c")]
    locked, *written = await rig.yours.put_all(files)
    assert (locked.kind, [made.created for made in written]) == (Kind.LOCKED, [True, True])
    assert [(rig.folder / name).read_text() for name in ("f/a", "f/b", "g/c")] == ["a", "new", "new"]
    assert sorted(rig.written) == ["/f", "/g"]


async def test_a_locked_folder_lets_its_files_change(rig):
    """A lock on a folder alone does not protect the content of the files in it."""
    await take(rig.mine, "f", deep=False)
    assert await kind_of(rig.yours.write(at("f/a"), pieces(b"new"))) is None
    assert await kind_of(rig.yours.set_time(at("f/a"), 0)) is None
    assert await kind_of(rig.yours.write(at("f/sub/new"), pieces(b"new"))) is None


@each(TREES)
async def test_a_lock_below_keeps_the_tree(rig, act):
    """A tree in which somebody has locked a file is not removed, moved or replaced."""
    token = await take(rig.mine, "f/sub/b")
    assert await kind_of(act(rig.yours)) is Kind.LOCKED
    assert (rig.folder / "f/sub/b").read_text() == "b"
    assert await kind_of(act(rig.mine.presenting(frozenset({token})))) is None


async def test_locks_do_not_hinder_readers(rig):
    """What is locked can be read and copied elsewhere."""
    await take(rig.mine, "f")
    assert (await rig.yours.stat(at("f/a"))).size == 1
    assert [entry.path async for entry in rig.yours.list(at("f/sub"))] == [at("f/sub/b")]
    async with rig.yours.open(at("f/a")) as content:
        assert [chunk async for chunk in content.chunks] == [b"a"]
    assert await kind_of(rig.yours.copy(at("f"), at("h"), overwrite=False)) is None


async def test_of_shared_locks_one_token_is_enough(rig):
    """Of several shared locks any one holder may write, and nobody else."""
    tokens = {name: await take(getattr(rig, name), "f/a", exclusive=False) for name in ("mine", "yours")}
    write = WRITES["write"]
    assert await kind_of(write(rig.seen_by("third"))) is Kind.LOCKED
    assert await kind_of(write(rig.yours.presenting(frozenset({tokens["mine"]})))) is Kind.LOCKED
    assert await kind_of(write(rig.yours.presenting(frozenset({tokens["yours"]})))) is None


async def test_another_spelling_is_no_way_around(rig):
    """A lock holds for the name in its other Unicode normal form too, as the storage finds it under both."""
    nfc, nfd = (ResourcePath((unicodedata.normalize(form, "é"),)) for form in ("NFC", "NFD"))
    await rig.mine.write(nfc, pieces(b"old"))
    lock = await rig.mine.lock(nfd, is_deep=False, is_exclusive=True, owner_xml="", seconds=9)
    assert lock.root == nfd
    for path in (nfc, nfd):
        assert await kind_of(rig.yours.write(path, pieces(b"new"))) is Kind.LOCKED


async def test_conflicting_locks_are_refused(rig):
    """A second lock that conflicts is refused with the reason, one beside it is given."""
    await take(rig.mine, "f/sub/b")
    with pytest.raises(GatewayError) as caught:
        await take(rig.yours, "f")
    assert (caught.value.kind, caught.value.code) == (Kind.LOCKED, "no-conflicting-lock")
    await take(rig.yours, "f/a")


async def test_an_expired_lock_does_not_exist(rig):
    """A lock ends by itself, and later if it is prolonged."""
    token = await take(rig.mine, "f/a", seconds=10)
    rig.clock.time += 9
    assert (await rig.mine.refresh(at("f/a"), token, seconds=10)).expires_at == rig.clock.time + 10
    rig.clock.time += 9
    assert await kind_of(WRITES["write"](rig.yours)) is Kind.LOCKED
    rig.clock.time += 2
    assert await rig.mine.discover(at("f/a")) == ()
    assert await kind_of(rig.mine.refresh(at("f/a"), token, seconds=10)) is Kind.PRECONDITION_FAILED
    assert await kind_of(WRITES["write"](rig.yours)) is None


async def test_only_the_holder_gives_a_lock_up(rig):
    """A lock is prolonged and given up by its holder, at a place that it covers."""
    token = await take(rig.mine, "f")
    for kind, act in (
        (Kind.FORBIDDEN, rig.yours.unlock(at("f"), token)),
        (Kind.FORBIDDEN, rig.yours.refresh(at("f"), token, seconds=5)),
        (Kind.CONFLICT, rig.mine.unlock(at("g"), token)),
        (Kind.PRECONDITION_FAILED, rig.mine.refresh(at("g"), token, seconds=5)),
        (Kind.CONFLICT, rig.mine.unlock(at("f"), "urn:uuid:other")),
    ):
        assert await kind_of(act) is kind
    await rig.mine.unlock(at("f/sub"), token)
    assert await rig.mine.discover(at("f")) == ()


async def test_locks_are_discovered(rig):
    """The locks that cover a path are told, and with its members those below."""
    deep, below = await take(rig.mine, "f", exclusive=False), await take(rig.yours, "f/sub/b", exclusive=False)
    assert {lock.token for lock in await rig.mine.discover(at("f/sub"))} == {deep}
    assert {lock.token for lock in await rig.mine.discover(at("f/sub"), with_members=True)} == {deep, below}


async def test_locks_end_with_what_they_lock(rig):
    """Removing or moving away ends the locks on and below it; locks are not moved along."""
    tokens = frozenset({await take(rig.mine, "f/sub/b"), await take(rig.mine, "f/a")})
    storage = rig.mine.presenting(tokens)
    await storage.delete(at("f/a"))
    assert {str(lock.root) for lock in await rig.mine.discover(at("f"), with_members=True)} == {"/f/sub/b"}
    await storage.move(at("f"), at("h"), overwrite=False)
    assert await rig.mine.discover(at(""), with_members=True) == ()


async def test_a_lock_survives_a_copy_over_it(rig):
    """What is copied over keeps its own lock, and loses those of its former members."""
    tokens = frozenset({await take(rig.mine, "f", deep=False), await take(rig.mine, "f/sub/b")})
    await rig.mine.presenting(tokens).copy(at("g"), at("f"), overwrite=True)
    assert [str(lock.root) for lock in await rig.mine.discover(at("f"), with_members=True)] == ["/f"]


async def test_every_write_is_reported(rig):
    """Each verb that changes something reports the paths that it changed."""
    mine = rig.mine
    await mine.write(at("new"), pieces(b"x"))
    await mine.mkdir(at("dir"))
    await mine.set_time(at("new"), 0)
    await mine.move(at("new"), at("dir/new"), overwrite=False)
    await mine.copy(at("dir"), at("copy"), overwrite=False)
    await mine.delete(at("copy"))
    assert rig.written == ["/new", "/dir", "/new", "/new", "/dir/new", "/copy", "/copy"]


async def test_what_changed_nothing_is_not_reported(rig):
    """A refused write or folder is not reported; a removal that failed is, since half may be gone."""
    assert await kind_of(rig.mine.write(at("f/a"), pieces(b"x"), if_none_match="*")) is Kind.PRECONDITION_FAILED
    assert await kind_of(rig.mine.mkdir(at("f"))) is Kind.NOT_ALLOWED
    assert rig.written == []
    assert await kind_of(rig.mine.delete(at("none"))) is Kind.NOT_FOUND
    assert rig.written == ["/none"]


async def test_a_cancelled_write_is_reported(rig):
    """A write that was cancelled is reported: it may have taken effect in the last moment."""
    is_started = asyncio.Event()

    async def slow():
        yield b"x"
        is_started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(rig.mine.write(at("f/a"), slow()))
    await is_started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.written == ["/f/a"]


async def test_a_long_write_looks_again(rig):
    """A lock that was taken while a long write was under way stops it at its end."""

    async def slow():
        yield b"new"
        await take(rig.yours, "f/a")
        rig.clock.time += 5

    assert await kind_of(rig.mine.write(at("f/a"), slow())) is Kind.LOCKED
    assert (rig.folder / "f/a").read_text() == "a"


async def test_it_can_what_the_storage_can(rig):
    """The abilities are those of the storage, no more and no fewer."""
    for ability in (SetTime, HasQuota, FileDescriptor):
        assert isinstance(rig.mine, ability)
        assert not isinstance(rig.seen_by("mine", object()), ability)


async def test_a_store_that_is_away_stops_writers(rig, monkeypatch):
    """While the locks cannot be asked nothing is written, and an outage is told."""

    async def away(*_args):
        raise GatewayError(Kind.UNAVAILABLE, "The store does not answer.")

    monkeypatch.setattr(rig.table, "covering", away)
    for act in (*WRITES.values(), *MEMBERSHIP.values(), *TREES.values()):
        assert await kind_of(act(rig.mine)) is Kind.UNAVAILABLE
    assert (rig.folder / "f/a").read_text() == "a"
