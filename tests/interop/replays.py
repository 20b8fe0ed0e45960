"""The stage on which captured requests are played again, and what is said of each.

The gateway is set up as the recording peer was: its public URL is the captured `Host`, its clock stands at the captured
time, and who sent the request answers with the recorded document, over TLS, wherever it is asked for at its recorded
authority. The one thing that is put into a request is our own WebDAV path, which a peer takes from our document.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from aiohttp import web
from interop import captured

from gateway.model.address import parse_address
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import Permission, SentShare, SentState
from gateway.peers import guard
from support.certificates import Authority
from support.pair import PASSWORD_HASH, Side, folder_storage, side

NC31_AT = "Mon, 23 Nov 2026 16:09:53 GMT"
NC31_LATER = "Mon, 23 Nov 2026 16:11:27 GMT"
NC32_AT = "Mon, 23 Nov 2026 16:23:58 GMT"
STUB_AT = "Mon, 23 Nov 2026 16:19:35 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One captured request.

    Attributes:
        who: the product that sent it.
        what: what it does, in a few words.
        status: what it is answered.
        effect: what it causes here.
        at: the time at which it was recorded; only signatures care.
        before: sets the stage.
        after: raises if the effect is another.
        is_part: whether only the body was recorded; then it is signed anew, with a key put in place of the recorded.
    """

    who: str
    what: str
    request: bytes
    status: int
    effect: str
    at: str = NC31_AT
    before: Callable[[Stage], Awaitable[None]] | None = None
    after: Callable[[Stage, bytes], Awaitable[None]] | None = None
    authority: str = "localhost:9444"
    is_part: bool = False


@dataclass
class Stage:
    """A gateway that is known under a recorded authority, with two users."""

    ours: Side
    clock: StandingClock

    async def received(self, user: str) -> list[Any]:
        """Return the records of what a user has received."""
        page = await self.ours.gateway.tasks.received.page("recipient", user, limit=10)
        return list(page.records)

    async def share(self, provider_id: str, secret: str, recipient: str) -> None:
        """Let Marie have shared her project under a recorded id with a recorded secret."""
        record = SentShare(
            provider_id=provider_id,
            owner="marie",
            owner_display_name="Marie",
            recipient=parse_address(recipient),
            name="Project",
            storage="default",
            root=ResourcePath.from_url("Project"),
            kind=EntryKind.FOLDER,
            permissions=frozenset({Permission.READ, Permission.WRITE}),
            secret=Secret(secret),
            created_at=self.clock(),
            state=SentState.DELIVERED,
        )
        await self.ours.gateway.tasks.sent.create(record)

    async def state(self, provider_id: str) -> str:
        """Return the state of one of Marie's shares."""
        return (await self.ours.sent(provider_id))["state"]

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send bytes as they are; return the status and the body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ours.config.http.port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            is_chunked = b"chunked" in head.lower()
            body = await (_chunks(reader) if is_chunked else reader.readexactly(int(length[1]) if length else 0))
        finally:
            writer.close()
        return int(head.split(b" ", 2)[1]), body


@dataclass
class StandingClock:
    """A clock that stands still at a recorded time."""

    at: float

    def __call__(self) -> float:
        """Return the time."""
        return self.at


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    return body


@asynccontextmanager
async def stage(
    folder: Path, authority: str, at: str, documents: Mapping[str, bytes] = captured.DOCUMENTS
) -> AsyncIterator[Stage]:
    """Run a gateway that is known under `authority`, at a recorded time, among the recorded peers."""
    certificates = Authority(folder)
    users = folder / "two-users.yaml"
    names = ("marie", "anna")
    people = {name: {"password": PASSWORD_HASH, "display_name": name.title()} for name in names}
    users.write_text(yaml.safe_dump({"users": people}))
    scheme = "https" if authority == "localhost:9444" else "http"
    clock = StandingClock(parsedate_to_datetime(at).timestamp())
    parts = {
        "public_url": f"{scheme}://{authority}",
        "identity": {"providers": ["file"], "users_file": str(users)},
        "peers": {
            "allow_http": scheme == "http",
            "allow_cidr": ["127.0.0.0/8", "::1/128"],
            "ca_file": str(certificates.ca_file),
        },
    }
    storage = folder_storage(folder / "files", "marie")
    async with (
        recorded_peers(certificates, documents) as port,
        side(folder, "here", "marie", storage, clock=clock, **parts) as ours,
    ):
        with patch.multiple(guard, _is_localhost=lambda _name: True, _loopback=_leading_to(port)):
            yield Stage(ours, clock)


def _leading_to(port: int) -> Callable[[str, int], object]:
    loopback = guard._loopback
    return lambda host, _port: loopback(host, port)


@asynccontextmanager
async def recorded_peers(certificates: Authority, documents: Mapping[str, bytes]) -> AsyncIterator[int]:
    """Serve the recorded documents of all peers on one port: which peer is meant stands in `Host`."""
    app = web.Application()
    app.router.add_get("/{path:.*}", partial(_recorded, documents=documents))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context("localhost", "stub2.docker"))
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _recorded(request: web.Request, documents: Mapping[str, bytes]) -> web.Response:
    # As it was seen: only `/ocm-provider/` answers; elsewhere ownCloud shows its log-in, Nextcloud says no in JSON.
    if request.path == "/ocm-provider/" and request.host in documents:
        return web.Response(body=documents[request.host], content_type="application/json")
    if request.host == "localhost:9448" and request.path != "/login":
        raise web.HTTPFound("/login")
    if request.path == "/login":
        return web.Response(text="<html>log in</html>", content_type="text/html")
    return web.json_response({"message": "ocm not supported"}, status=404)
