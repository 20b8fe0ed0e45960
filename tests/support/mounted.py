"""A user with received shares, and what her programs find at the mount: two real gateways, and Bob's own pass word."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from support.pair import PASSWORD, Clock, Side, folder_storage, side


@dataclass
class Mounted:
    """Bob's mount, and Alice, who shares with him."""

    alice: Side
    bob: Side
    files: Path
    sender: AsyncExitStack
    password: str = PASSWORD
    shares: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The mount's URL, with its final slash."""
        return f"{self.bob.local}/ocm/received/"

    async def receive(self, name: str, **options: Any) -> None:
        """Let Alice share a file or folder of hers, and Bob accept it."""
        share = await self.alice.share(f"/{name}", self.bob.address, **options)
        self.shares[name] = share["id"]
        await self.bob.accepted()

    async def dav(
        self, method: str, path: str = "", *, user: str = "bob", password: str | None = None, **options: Any
    ) -> tuple[int, aiohttp.typedefs.LooseHeaders, bytes]:
        """Make one request at the mount; return status, header fields and body."""
        packed = base64.b64encode(f"{user}:{password or self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {packed}", **options.pop("headers", {})}
        url = self.url + quote(path)
        async with self.bob.session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
            return answer.status, answer.headers, await answer.read()

    async def status(self, method: str, path: str = "", **options: Any) -> int:
        """Make one request at the mount and return the status."""
        return (await self.dav(method, path, **options))[0]


@asynccontextmanager
async def mounted(folder: Path, *, clock: Clock | None = None, **beta: Any) -> AsyncIterator[Mounted]:
    """Run Alice's and Bob's gateways; Bob has accepted Project (to change), Library (to read) and Report.txt."""
    clock = clock or Clock()
    storage = folder_storage(folder / "a", "alice")
    files = folder / "a" / "alice"
    (files / "Library").mkdir()
    (files / "Library" / "book.txt").write_text("a book")
    (files / "Report.txt").write_text("one file")
    async with (
        AsyncExitStack() as sender,
        side(folder, "beta", "bob", folder_storage(folder / "b", "bob"), clock=clock, **beta) as bob,
    ):
        alice = await sender.enter_async_context(side(folder, "alpha", "alice", storage, clock=clock))
        here = Mounted(alice, bob, files, sender)
        await here.receive("Project")
        await here.receive("Library", write=False)
        await here.receive("Report.txt")
        yield here
