"""A grant opens its share, with its permissions, as long as it stands, and nothing else (ACC-6)."""

from __future__ import annotations

import os

import pytest

from gateway.backends.base import FileDescriptor, HasQuota, SetTime
from gateway.backends.local import LocalBackend
from gateway.backends.locked import Locked
from gateway.backends.lockrules import LockRules
from gateway.backends.scoped import Scope, Scoped
from gateway.backends.sharelocks import ShareLocks
from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, OcmAddress
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind, Outcome, ResourcePath
from gateway.model.share import Permission
from support.memlocks import MemoryLockTable
from support.smalldisk import names_in

ROOT = ResourcePath()
READ = frozenset({Permission.READ})
WRITE = frozenset({Permission.READ, Permission.WRITE})


def at(text):
    """The path written as `a/b`."""
    return ResourcePath.parse(text)


async def pieces(*chunks):
    """The chunks in order."""
    for chunk in chunks:
        yield chunk


def grant(root="top/share", kind=EntryKind.FOLDER, permissions=WRITE, grant_id="g1"):
    """A grant on something in the storage."""
    return Grant(
        grant_id=grant_id,
        owner="alice",
        recipient=OcmAddress("bob", Host("peer.example")),
        storage="home",
        root=at(root),
        kind=kind,
        permissions=permissions,
    )


async def stands():
    """Raise nothing."""


async def ended():
    """Say that the grant has ended."""
    raise GatewayError(Kind.UNAUTHENTICATED, "This share has ended.")


@pytest.fixture
def folder(tmp_path):
    """A storage with a share in it, and things beside it."""
    (tmp_path / "top/share/sub").mkdir(parents=True)
    for name in ("top/share/a", "top/share/sub/b", "top/beside", "file"):
        (tmp_path / name).write_text(name)
    return tmp_path


def narrowed(folder, still_stands=stands, **what):
    """The storage narrowed to a grant."""
    return Scoped(LocalBackend(folder, is_durable=False), grant(**what), still_stands)


async def read(storage, path):
    """The whole content."""
    async with storage.open(path) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def listed(storage, path=ROOT):
    """The paths in a folder."""
    return sorted([str(entry.path) async for entry in storage.list(path)])


async def close(awaitable):
    """Close the descriptor that comes."""
    os.close((await awaitable)[0])


async def kind_of(awaitable):
    """The kind of the error in which this ends, None if it succeeds."""
    try:
        await awaitable
    except GatewayError as error:
        return error.kind
    return None


READS = {
    "stat": lambda storage: storage.stat(at("a")),
    "list": lambda storage: listed(storage, at("sub")),
    "open": lambda storage: read(storage, at("a")),
    "quota": lambda storage: storage.quota(ROOT),
    "file_descriptor": lambda storage: close(storage.file_descriptor(at("a"))),
}
WRITES = {
    "write": lambda storage: storage.write(at("new"), pieces(b"x")),
    "overwrite": lambda storage: storage.write(at("a"), pieces(b"x")),
    "mkdir": lambda storage: storage.mkdir(at("new")),
    "delete": lambda storage: storage.delete(at("a")),
    "move": lambda storage: storage.move(at("a"), at("new"), overwrite=True),
    "copy": lambda storage: storage.copy(at("a"), at("new"), overwrite=True),
    "set_time": lambda storage: storage.set_time(at("a"), 0),
}


def each(verbs):
    """Run a test with each of these verbs."""
    return pytest.mark.parametrize("act", verbs.values(), ids=verbs.keys())


@pytest.mark.req("ACC-6")
@each(WRITES)
async def test_without_write_nothing_changes(folder, act):
    """A grant for reading refuses every verb that changes something."""
    storage = narrowed(folder, permissions=READ)
    assert await kind_of(act(storage)) is Kind.FORBIDDEN
    assert names_in(folder / "top/share") == ["a", "sub"]
    assert (folder / "top/share/a").read_text() == "top/share/a"


@pytest.mark.req("ACC-6")
@each(READS)
@pytest.mark.parametrize("permissions", [READ, WRITE, frozenset(), frozenset({Permission.WRITE})])
async def test_every_grant_may_read(folder, act, permissions):
    """Reading needs no permission of its own: a grant without any is one for reading."""
    assert await kind_of(act(narrowed(folder, permissions=permissions))) is None


@pytest.mark.req("ACC-6")
@each(WRITES)
async def test_with_write_things_change(folder, act):
    """A grant with `write` allows what another refuses."""
    assert await kind_of(act(narrowed(folder))) is None


@each(READS | WRITES)
async def test_every_verb_asks_whether_the_grant_stands(folder, act):
    """No verb works when the grant has ended, not even for a session that was open before."""
    assert await kind_of(act(narrowed(folder, ended))) is Kind.UNAUTHENTICATED
    assert names_in(folder / "top/share") == ["a", "sub"]


@pytest.mark.req("ACC-6")
async def test_paths_are_seen_from_the_root_of_the_share(folder):
    """What comes back names nothing above the share."""
    storage = narrowed(folder)
    assert (await storage.stat(ROOT)).path == ROOT
    assert (await storage.stat(at("sub/b"))).path == at("sub/b")
    assert await listed(storage) == ["/a", "/sub"]
    assert await listed(storage, at("sub")) == ["/sub/b"]
    assert (await storage.write(at("new"), pieces(b"x"))).entry.path == at("new")
    async with storage.open(at("a")) as content:
        assert content.entry.path == at("a")
    descriptor, entry = await storage.file_descriptor(at("a"))
    os.close(descriptor)
    assert entry.path == at("a")


@pytest.mark.req("ACC-6")
async def test_moves_and_copies_stay_in_the_share(folder):
    """Source and target lie below the root of the share."""
    storage = narrowed(folder)
    await storage.move(at("a"), at("moved"), overwrite=False)
    await storage.copy(at("sub"), at("copied"), overwrite=False)
    assert names_in(folder / "top/share") == ["copied", "moved", "sub"]
    assert names_in(folder / "top") == ["beside", "share"]


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("kind", "act"),
    [
        (Kind.FORBIDDEN, lambda storage: storage.delete(ROOT)),
        (Kind.FORBIDDEN, lambda storage: storage.move(ROOT, at("x"), overwrite=True)),
        (Kind.FORBIDDEN, lambda storage: storage.move(at("sub"), ROOT, overwrite=True)),
        (Kind.FORBIDDEN, lambda storage: storage.copy(at("sub"), ROOT, overwrite=True)),
        (Kind.FORBIDDEN, lambda storage: storage.copy(ROOT, at("x"), overwrite=True)),
        (Kind.CONFLICT, lambda storage: storage.write(ROOT, pieces(b"x"))),
        (Kind.NOT_ALLOWED, lambda storage: storage.mkdir(ROOT)),
    ],
)
@pytest.mark.parametrize("is_missing", [False, True])
async def test_the_root_of_the_share_stays(folder, kind, act, is_missing):
    """The shared folder is neither removed, moved nor replaced, nor made anew when its owner removed it."""
    if is_missing:
        (folder / "top/share").rename(folder / "elsewhere")
    assert await kind_of(act(narrowed(folder))) in ({kind, Kind.NOT_FOUND} if is_missing else {kind})
    assert (folder / "top/share").is_dir() is not is_missing


@pytest.mark.req("ACC-6")
async def test_a_shared_file_answers_at_its_root_only(folder):
    """A grant on a file opens its content, and nothing below or beside it."""
    storage = narrowed(folder, root="file", kind=EntryKind.FILE)
    assert (await storage.stat(ROOT)).size == 4
    assert await read(storage, ROOT) == b"file"
    assert not (await storage.write(ROOT, pieces(b"new"))).created
    await storage.set_time(ROOT, 0)
    assert (folder / "file").read_text() == "new"
    assert await kind_of(listed(storage)) is Kind.CONFLICT
    for act in (*READS.values(), *WRITES.values()):
        if act is not READS["quota"]:
            assert await kind_of(act(storage)) is Kind.NOT_FOUND
    for act in (storage.delete(ROOT), storage.move(ROOT, ROOT, overwrite=True)):
        assert await kind_of(act) is Kind.FORBIDDEN


@pytest.mark.req("ACC-6")
async def test_a_folder_in_the_place_of_a_shared_file_was_never_shared(folder):
    """If a folder takes the place of a shared file, the grant does not open it."""
    storage = narrowed(folder, root="top", kind=EntryKind.FILE)
    assert await kind_of(storage.stat(ROOT)) is Kind.NOT_FOUND
    assert await kind_of(listed(storage)) is Kind.CONFLICT
    assert await kind_of(storage.write(ROOT, pieces(b"x"))) is Kind.NOT_FOUND


async def test_a_removed_file_is_not_made_anew(folder):
    """What its owner has removed does not come back through the grant."""
    (folder / "file").unlink()
    storage = narrowed(folder, root="file", kind=EntryKind.FILE)
    assert await kind_of(storage.write(ROOT, pieces(b"x"))) is Kind.NOT_FOUND
    assert not (folder / "file").exists()


ROOT_READS = {
    "stat": lambda storage: storage.stat(ROOT),
    "list": listed,
    "open": lambda storage: read(storage, ROOT),
    "quota": lambda storage: storage.quota(ROOT),
    "file_descriptor": lambda storage: storage.file_descriptor(ROOT),
}


@each(ROOT_READS)
async def test_a_missing_share_is_believed_only_with_its_folder(folder, act):
    """A missing share is `NOT_FOUND` if the folder above it answers, else an outage."""
    storage = narrowed(folder)
    (folder / "top/share").rename(folder / "elsewhere")
    assert await kind_of(act(storage)) is Kind.NOT_FOUND
    (folder / "top").rename(folder / "gone")
    assert await kind_of(act(storage)) is Kind.UNAVAILABLE


async def test_a_missing_member_is_simply_not_there(folder):
    """For a member of the share no such proof is asked."""
    assert await kind_of(narrowed(folder).stat(at("none"))) is Kind.NOT_FOUND


async def test_a_missing_storage_root_is_an_outage(folder):
    """A shared storage root that is not found is an outage: there is no folder above that could answer."""

    class Empty(LocalBackend):
        async def quota(self, path):
            raise GatewayError(Kind.NOT_FOUND, "There is nothing.")

    assert await kind_of(Scoped(Empty(folder), grant(root=""), stands).quota(ROOT)) is Kind.UNAVAILABLE


async def test_failures_are_seen_from_the_share(folder):
    """Members that could not be copied are named as the recipient knows them."""
    error = GatewayError(Kind.FORBIDDEN, "No.")

    class Faulty(LocalBackend):
        async def copy(self, source, target, *, overwrite, deep=True):
            return Outcome(created=True, failures=((target / "x", error), (at("elsewhere"), error)))

    outcome = await Scoped(Faulty(folder), grant(), stands).copy(at("sub"), at("new"), overwrite=False)
    assert outcome.failures == ((at("new/x"), error), (at("new"), error))


def test_it_can_what_the_storage_can(folder):
    """The abilities are those of the storage, no more and no fewer."""
    for ability in (SetTime, HasQuota, FileDescriptor):
        assert isinstance(narrowed(folder), ability)
        assert not isinstance(Scoped(object(), grant(), stands), ability)


class Shares:
    """Two grants on one storage, with their locks."""

    def __init__(self, folder, still_stands=stands, permissions=WRITE):
        self.time = 1_000_000.0
        table = MemoryLockTable(lambda: self.time)
        backend = LocalBackend(folder, is_durable=False)

        def locks(one):
            rules = LockRules(locks=table, space="alice", holder=one.grant_id, now=lambda: self.time)
            return ShareLocks(Locked(backend, rules), Scope(one, still_stands))

        self.inner = locks(grant(permissions=permissions))
        self.outer = locks(grant(root="top", grant_id="g2"))


async def take(locks, path, *, deep=True, exclusive=True):
    """Take a lock for 60 s."""
    return await locks.lock(at(path), is_deep=deep, is_exclusive=exclusive, owner_xml="<o/>", seconds=60)


async def test_a_lock_is_seen_from_each_share(folder):
    """A lock is shown to its holder with its token, to others without, each time as seen from that share."""
    shares = Shares(folder)
    taken = await take(shares.outer, "share/a", deep=False)
    assert (str(taken.root), taken.seconds_left, taken.owner_xml) == ("/share/a", 60, "<o/>")
    (seen,) = await shares.inner.discover(at("a"))
    assert (str(seen.root), seen.token, seen.is_deep, seen.is_exclusive) == ("/a", "", False, True)
    (seen,) = await shares.inner.discover(ROOT, with_members=True)
    assert str(seen.root) == "/a"
    (seen,) = await shares.outer.discover(at("share/a"))
    assert seen.token == taken.token


async def test_a_lock_from_above_shows_as_the_root(folder):
    """A deep lock on a folder above the share shows as one on its root: what lies above has no name here."""
    shares = Shares(folder)
    await take(shares.outer, "")
    for path in (ROOT, at("sub/b")):
        (seen,) = await shares.inner.discover(path)
        assert (seen.root, seen.token) == (ROOT, "")
        assert seen.covers(path)


async def test_a_lock_opens_only_to_its_grant(folder):
    """The token lets its own grant write, and no other that has learned it."""
    shares = Shares(folder)
    taken = await take(shares.outer, "share/a")
    tokens = frozenset({taken.token})
    assert await kind_of(shares.inner.presenting(tokens).write(at("a"), pieces(b"x"))) is Kind.LOCKED
    assert await kind_of(shares.inner.unlock(at("a"), taken.token)) is Kind.FORBIDDEN
    assert await kind_of(shares.inner.refresh(at("a"), taken.token, seconds=9)) is Kind.FORBIDDEN
    assert await kind_of(shares.outer.presenting(tokens).write(at("share/a"), pieces(b"x"))) is None
    shares.time += 30
    assert (await shares.outer.refresh(at("share/a"), taken.token, seconds=90)).seconds_left == 90
    await shares.outer.unlock(at("share/a"), taken.token)
    assert await shares.outer.discover(at("share/a")) == ()


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("options", "kind"),
    [({"permissions": READ}, Kind.FORBIDDEN), ({"still_stands": ended}, Kind.UNAUTHENTICATED)],
)
async def test_locks_need_write_and_a_grant_that_stands(folder, options, kind):
    """Who may not write may not lock, and an ended grant does neither that nor look."""
    shares = Shares(folder, **options)
    for act in (
        take(shares.inner, "a"),
        shares.inner.refresh(at("a"), "urn:x", seconds=9),
        shares.inner.unlock(at("a"), "urn:x"),
        shares.inner.presenting(frozenset()).write(at("a"), pieces(b"x")),
    ):
        assert await kind_of(act) is kind
    assert await kind_of(shares.inner.discover(at("a"))) is (None if "permissions" in options else kind)
