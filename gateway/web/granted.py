"""The door GRANT: a peer reaches a shared resource over WebDAV (flow 4; DESIGN 5, 6; ACC-2, ACC-6).

The credential comes first: it selects the share, whatever the path says. Only then is the path read, inside that
share. A request that may carry a body is admitted before `100 Continue` is sent, so that nobody uploads gigabytes
into a refusal. While it is served, the request is registered under its grant and cut when that ends.

Where the storage is a full WebDAV server itself the request is relayed; else it is served over the narrowed storage.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.backends.base import Relay, RelayCall, ResponseSink
from gateway.errors import ROOT_MISSING, GatewayError, Kind
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.open_access import OpenAccess
from gateway.model.grant import ClaimedCredential, CredentialForm, Grant
from gateway.model.secret import Secret
from gateway.web import aio
from gateway.web.dav import DavDoor, allowed
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.doors import Door, Lock, Style
from gateway.web.head import RequestHead
from gateway.web.respond import Reply, send

CREDENTIAL_MAX_CHARS = 8192
BUSY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """The storage of one grant: as WebDAV shares are served, and as a relay where it can be one."""

    share: DavShare
    relay: Relay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedDoor:
    """Handler of everything below `/dav`.

    Attributes:
        refuse_guesser: told the address of each request whose credential opens nothing; raises `LIMITED` if that
            address has guessed too often.
        max_streams: how many requests of one share are served at a time.
    """

    open_access: OpenAccess[Narrowed]
    watch: GrantWatch
    dav: DavDoor
    refuse_guesser: Callable[[str], Awaitable[None]]
    prefix: str
    max_streams: int

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return tuple(
            Door(
                name="dav",
                method="*",
                path=path,
                lock=Lock.GRANT,
                style=Style.DAV,
                about="what is shared, over WebDAV (ACC-2, ACC-6)",
                handler=self,
                expect_handler=aio.admit_later,
            )
            for path in (f"{self.prefix}/dav", f"{self.prefix}/dav/{{path:.*}}")
        )

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Serve one request of a peer."""
        return await aio.serve(request, self.handle)

    async def handle(self, head: RequestHead, body: AsyncIterator[bytes], sink: ResponseSink) -> None:
        """Serve one request, whatever server read it.

        Raises:
            GatewayError: before the answer has begun.
        """
        try:
            access = await self.open_access.open(credentials_of(head))
        except GatewayError as error:
            if error.kind is Kind.UNAUTHENTICATED and error.code != "no-credential":
                await self.refuse_guesser(head.peer_address)
            raise
        self._check_room(access.grant)
        with self.watch.serving(access.grant):
            narrowed = access.backend
            if narrowed.relay is None:
                await self.dav.handle(head, body, sink, narrowed.share)
            elif head.method == "OPTIONS":
                await send(_options(narrowed.share), sink)
            else:
                await _relay(narrowed.relay, _relay_call(head, body, narrowed.share.root), sink, narrowed.share)

    def _check_room(self, grant: Grant) -> None:
        if self.watch.serving_under(grant) >= self.max_streams:
            raise GatewayError(Kind.LIMITED, "Too many transfers of this share run at once.", retry_after=BUSY_SECONDS)


def credentials_of(head: RequestHead) -> tuple[ClaimedCredential, ...]:
    """Return the credentials that a request presents: `Bearer` in any case, or the user name of `Basic` (ACC-2)."""
    found: list[ClaimedCredential] = []
    for value in head.headers.get_all("Authorization"):
        scheme, _, rest = value.strip().partition(" ")
        text = rest.strip()
        # What is not visible ASCII was never given out as a secret or token here.
        if not 0 < len(text) <= CREDENTIAL_MAX_CHARS or not (text.isascii() and text.isprintable()):
            continue
        if scheme.lower() == "bearer":
            found.append(ClaimedCredential(CredentialForm.BEARER, Secret(text)))
        elif scheme.lower() == "basic":
            found += _basic(text)
    return tuple(found)


def _basic(packed: str) -> list[ClaimedCredential]:
    # Any pass word is taken: some recipients put what pads their secret there (dialects.md 8.3).
    try:
        user = base64.b64decode(packed + "=" * (-len(packed) % 4)).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return [ClaimedCredential(CredentialForm.BASIC, Secret(user))] if user else []


async def _relay(relay: Relay, call: RelayCall, sink: ResponseSink, share: DavShare) -> None:
    try:
        await relay.relay(call, sink)
    except GatewayError as error:
        if error.code == ROOT_MISSING and share.on_root_missing is not None:
            await share.on_root_missing()
        raise


def _options(share: DavShare) -> Reply:
    level = "1, 2" if share.may_write else "1"
    return Reply(200, (("DAV", level), ("Allow", allowed(share)), ("MS-Author-Via", "DAV")))


def _relay_call(head: RequestHead, body: AsyncIterator[bytes], root: DavRoot) -> RelayCall:
    place = root.locate(head.raw_target)
    destination = head.headers.single("Destination")
    target = root.locate_url(destination, host=head.headers.get("Host")).path if destination is not None else None
    names = {name.lower() for name, _ in head.headers.fields}
    return RelayCall(
        method=head.method,
        path=place.path,
        destination=target,
        headers={name: head.headers.get(name) or "" for name in names},
        body=body if head.may_have_body else None,
        href_base=place.file_href or place.href_base,
    )
