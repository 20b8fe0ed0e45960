"""A WebDAV door over a folder of this machine, served by a real aiohttp server on a port of its own.

`MemoryLocks` keeps the locks of one process: enough to prove the door's side of the protocol.
"""

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import web

from gateway.backends.local import LocalBackend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import EntryKind
from gateway.model.share import Permission
from gateway.web.aio import admit_later, serve
from gateway.web.dav import DavDoor
from gateway.web.davlocks import SeenLock
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.respond import error_reply, send

READ_WRITE = frozenset({Permission.READ, Permission.WRITE})
READ_ONLY = frozenset({Permission.READ})
PREFIX = "/ocm/dav"


def attempt(read, *args):
    """Return what `read` returns and None, or None and the kind of the `GatewayError` that it raises."""
    try:
        return read(*args), None
    except GatewayError as error:
        return None, error.kind


@dataclass
class MemoryLocks:
    """The locks of one share, kept in a list."""

    backend: object
    held: list = field(default_factory=list)

    def presenting(self, tokens):
        return Guarded(self.backend, self, tokens)

    async def lock(self, path, *, is_deep, is_exclusive, owner_xml, seconds):
        near = self.covering(path) + (self.below(path) if is_deep else [])
        if any(is_exclusive or other.is_exclusive for other in near):
            raise GatewayError(Kind.LOCKED, "Somebody holds a lock here.", code="no-conflicting-lock")
        taken = SeenLock(
            token=f"urn:uuid:{uuid.uuid4()}",
            root=path,
            is_deep=is_deep,
            is_exclusive=is_exclusive,
            owner_xml=owner_xml,
            seconds_left=seconds,
        )
        self.held.append(taken)
        return taken

    async def refresh(self, path, token, *, seconds):
        for index, lock in enumerate(self.held):
            if lock.token == token and lock.covers(path):
                self.held[index] = replace(lock, seconds_left=seconds)
                return self.held[index]
        raise GatewayError(Kind.PRECONDITION_FAILED, "There is no such lock.")

    async def unlock(self, path, token):
        matching = [lock for lock in self.held if lock.token == token and lock.covers(path)]
        if not matching:
            raise GatewayError(Kind.CONFLICT, "There is no such lock.", code="lock-token-matches-request-uri")
        self.held.remove(matching[0])

    async def discover(self, path, *, with_members=False):
        below = [lock for lock in self.below(path) if not lock.covers(path)] if with_members else []
        return (*self.covering(path), *below)

    def covering(self, path):
        return [lock for lock in self.held if lock.covers(path)]

    def below(self, path):
        return [lock for lock in self.held if lock.root.is_within(path)]

    def forget(self, path):
        self.held = [lock for lock in self.held if not lock.root.is_within(path)]


@dataclass
class Guarded:
    """A storage that lets nobody write past a lock whose token was not presented."""

    backend: object
    locks: MemoryLocks
    tokens: frozenset

    def __getattr__(self, name):
        return getattr(self.backend, name)

    async def write(self, path, chunks, **options):
        self.check(self.locks.covering(path))
        if not self.locks.covering(path):
            await self.check_membership(path)
        return await self.backend.write(path, chunks, **options)

    async def mkdir(self, path):
        self.check(self.locks.covering(path.parent))
        await self.backend.mkdir(path)

    async def delete(self, path):
        self.check_tree(path)
        await self.backend.delete(path)
        self.locks.forget(path)

    async def move(self, source, target, *, overwrite):
        self.check_tree(source)
        self.check_tree(target)
        outcome = await self.backend.move(source, target, overwrite=overwrite)
        self.locks.forget(source)
        return outcome

    async def copy(self, source, target, *, overwrite, deep=True):
        self.check_tree(target)
        return await self.backend.copy(source, target, overwrite=overwrite, deep=deep)

    async def set_time(self, path, modified):
        self.check(self.locks.covering(path))
        await self.backend.set_time(path, modified)

    async def quota(self, path):
        return await self.backend.quota(path)

    async def check_membership(self, path):
        try:
            await self.backend.stat(path)
        except GatewayError:
            self.check(self.locks.covering(path.parent))

    def check_tree(self, path):
        self.check(self.locks.covering(path))
        self.check(self.locks.covering(path.parent))
        for lock in self.locks.below(path):
            self.check([lock])

    def check(self, locks):
        if locks and not any(lock.token in self.tokens for lock in locks):
            raise GatewayError(Kind.LOCKED, "This is locked.", code="lock-token-submitted")


@dataclass
class Served:
    """A running door: where it is, the share that it serves, and the folder below."""

    origin: str
    share: DavShare
    folder: Path
    refusals: list = field(default_factory=list)

    @property
    def url(self):
        """The share's root, with a final slash."""
        return f"{self.origin}{PREFIX}/"

    def allow(self, permissions):
        """Change what the share allows."""
        self.share = replace(self.share, permissions=permissions)

    def wrap(self, change):
        """Put another storage before the one behind the door, without locks."""
        self.share = replace(self.share, backend=change(self.share.backend), locks=None)


@asynccontextmanager
async def dav_door(folder, *, has_locks=True, authorize=None, name=""):
    """Serve `folder` as a share with id `id1`; `authorize(head)` may raise what refuses a request."""
    backend = LocalBackend(folder, is_durable=False)
    kind = EntryKind.FILE if name else EntryKind.FOLDER
    share = DavShare(
        backend=backend,
        permissions=READ_WRITE,
        root=DavRoot(prefix=PREFIX, share_id="id1", kind=kind, name=name),
        locks=MemoryLocks(backend) if has_locks else None,
    )
    served = Served("", share, folder)
    door = DavDoor()

    async def handle(request):
        async def answer(head, body, sink):
            try:
                if authorize is not None:
                    authorize(head)
            except GatewayError as error:
                await send(error_reply(error), sink)
            else:
                await door.handle(head, body, sink, served.share)

        return await serve(request, answer)

    app = web.Application()
    for path in (PREFIX, PREFIX + "/{tail:.*}"):
        app.router.add_route("*", path, handle, expect_handler=admit_later)
    runner = web.AppRunner(app, auto_decompress=False, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield served
    finally:
        await runner.cleanup()


async def run_program(*command, stdin=b"", cwd=None, env=None, seconds=60):
    """Run a client program to its end; return its exit code and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin), seconds)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode, output.decode(errors="replace")
