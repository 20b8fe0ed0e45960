"""The WebDAV mount of what a local user has received (DESIGN 5; ANCHORS 2).

Programs show a name and a pass word with each request (Basic): the user's own log-in or an app password. A cookie
never counts here, and a request that a browser makes for a foreign page changes nothing. What is behind is served by
the same WebDAV door that peers come to, over a tree that is the user's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from gateway.backends.base import ResponseSink
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from gateway.web import aio
from gateway.web.dav import DavDoor
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.doors import Door, Lock, Style
from gateway.web.head import RequestHead
from gateway.web.mountgate import Mounter, MountGate
from gateway.web.respond import Reply, error_reply, send
from gateway.web.usergate import UserGate

CHALLENGE = 'Basic realm="What you received", charset="UTF-8"'

BUSY_SECONDS = 5

OpenMount = Callable[[Mounter, ResourcePath], Awaitable[DavShare]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MountDoor:
    """Handler of everything below `/received`.

    Attributes:
        users: knows which pages are our own.
        open_mount: makes the share that is served to somebody at a path.
        max_requests: how many of one user are served at a time.
    """

    users: UserGate
    gate: MountGate
    dav: DavDoor
    open_mount: OpenMount
    root: DavRoot
    max_requests: int
    _running: Counter[str] = field(default_factory=Counter)

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return tuple(
            Door(
                name="received",
                method="*",
                path=path,
                lock=Lock.USER,
                style=Style.DAV,
                about="what the user has received, over WebDAV",
                handler=self,
                expect_handler=aio.admit_later,
            )
            for path in (self.root.prefix, f"{self.root.prefix}/{{path:.*}}")
        )

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Serve one request of a user's program."""
        self.users.check_origin(request)
        return await aio.serve(request, self.handle)

    async def handle(self, head: RequestHead, body: AsyncIterator[bytes], sink: ResponseSink) -> None:
        """Serve one request, whatever server read it.

        Raises:
            GatewayError: before the answer has begun.
        """
        try:
            mounter = await self.gate.prove(head)
        except GatewayError as error:
            if error.kind is not Kind.UNAUTHENTICATED:
                raise
            await send(_challenge(error), sink, is_head=head.method == "HEAD")
            return
        path = self.root.locate(head.raw_target).path
        if head.method == "COPY":
            # It changes its destination only, which may be in any share.
            path = ResourcePath()
        with self._counted(mounter.user.identifier):
            await self.dav.handle(head, body, sink, await self.open_mount(mounter, path))

    @contextmanager
    def _counted(self, user: str) -> Iterator[None]:
        if self._running[user] >= self.max_requests:
            raise GatewayError(Kind.LIMITED, "Too many of your requests run at once.", retry_after=BUSY_SECONDS)
        self._running[user] += 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]


def _challenge(error: GatewayError) -> Reply:
    reply = error_reply(error)
    others = tuple((name, value) for name, value in reply.headers if name != "WWW-Authenticate")
    return Reply(reply.status, (*others, ("WWW-Authenticate", CHALLENGE)), reply.body)
