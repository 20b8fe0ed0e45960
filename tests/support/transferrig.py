"""Transfers between two gateways: a share that may be transferred, and a user who waits for what she asked for."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from gateway.app.state import mark_store
from gateway.backends.local import LocalBackend
from gateway.crypto.keys import KeyRing, save_key_file
from gateway.model.resource import Span
from gateway.model.share import AccessType
from gateway.web import davread
from support.pair import Side, configured, folder_storage

DEADLINE_SECONDS = 30.0
# A process that starts on a machine under load.
START_SECONDS = 60.0


async def offered(alice: Side, bob: Side, path: str = "/Project", **more: Any) -> str:
    """Share a path of Alice's with Bob, let him accept it, and return his id of it; it may be transferred."""
    await alice.share(path, bob.address, access_types=["remote", "datatx"], **more)
    return await bob.accepted()


async def allow(bob: Side, share_id: str, access_types: frozenset[AccessType]) -> None:
    """Write the access types of a received share into its record, as if the sender had named them."""

    def change(share):
        return replace(share, webdav=replace(share.webdav, access_types=access_types))

    await bob.gateway.tasks.received.update(share_id, change)


async def transfer(bob: Side, share_id: str, **more: Any) -> dict[str, Any]:
    """Ask for a transfer and return it."""
    status, started = await bob.rest("POST", "transfers", json={"share": share_id, **more})
    assert status == 202, started
    return started


async def until_over(bob: Side, transfer_id: str) -> dict[str, Any]:
    """Return a transfer once it is over and cleared up."""
    return await until(bob, transfer_id, lambda shown: shown["is_over"] and shown["ended_at"])


async def until(bob: Side, transfer_id: str, check: Any, *, of: str = "transfers") -> dict[str, Any]:
    """Return a transfer (or another thing `of` the user's) once `check` holds for it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        shown = (await bob.rest("GET", f"{of}/{transfer_id}"))[1]
        if check(shown):
            return shown
        assert time.monotonic() < deadline, shown
        await asyncio.sleep(0.02)


def files_below(root: Any) -> dict[str, bytes]:
    """Return the content of every file below a folder, hidden ones too, by relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@dataclass
class Reading:
    """What is read of one file of a local storage in this process; it stands still after some bytes until let go.

    Attributes:
        spans: each piece that was opened, and
        sent: how many bytes of each were given out.
    """

    name: str
    after: int
    go: asyncio.Event = field(default_factory=asyncio.Event)
    stands: asyncio.Event = field(default_factory=asyncio.Event)
    spans: list[Span] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    async def chunks(self, chunks: AsyncIterator[bytes], place: int) -> AsyncIterator[bytes]:
        """Pass bytes on until it is time to stand still."""
        async for chunk in chunks:
            if sum(self.sent) >= self.after and not self.go.is_set():
                self.stands.set()
                await self.go.wait()
            self.sent[place] += len(chunk)
            yield chunk


async def _no_sums(_call, _entry):
    # Computing them would read the file once more.
    return []


def slowly(monkeypatch, name: str, after: int) -> Reading:
    """Let the file `name`, whichever local storage of this process it is on, be read only so far for now."""
    reading = Reading(name, after)
    opened = LocalBackend.open

    @asynccontextmanager
    async def open_slowly(self, path, span=Span(), *, if_match=None):  # noqa: B008 - as the port has it
        async with opened(self, path, span, if_match=if_match) as content:
            if path.name != name:
                yield content
                return
            reading.spans.append(content.span)
            reading.sent.append(0)
            yield replace(content, chunks=reading.chunks(content.chunks, len(reading.sent) - 1))

    monkeypatch.setattr(LocalBackend, "open", open_slowly)
    monkeypatch.setattr(davread, "digest_fields", _no_sums)
    return reading


@dataclass
class Process:
    """A gateway in a process of its own, that can be killed and started again."""

    side: Side
    config_file: Path
    running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        program = (sys.executable, "-m", "gateway", "serve", "-c", str(self.config_file))
        log = (self.config_file.parent / f"{self.side.name}.log").open("ab")
        with log:
            self.running = await asyncio.create_subprocess_exec(
                *program, cwd=Path(__file__).parents[2], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                async with self.side.session.get(f"{self.side.local}/.well-known/ocm") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                assert time.monotonic() < deadline, "the gateway does not start"
            await asyncio.sleep(0.05)

    def freeze(self) -> None:
        """Let it do nothing and notice nothing, as on a machine that stalls, until it is thawed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.running is not None
        self.running.send_signal(number)

    async def kill(self) -> None:
        """Kill it, as the kernel would."""
        assert self.running is not None
        if self.running.returncode is None:
            self.running.kill()
        await self.running.wait()


@asynccontextmanager
async def bob_in_a_process(folder: Path, storage: dict[str, Any] | None = None, **parts: Any) -> AsyncIterator[Process]:
    """Run Bob's gateway in a process of its own."""
    storage = storage or folder_storage(folder / "b", "bob")
    async with in_a_process(folder, "beta", "bob", storage, **parts) as process:
        yield process


@asynccontextmanager
async def in_a_process(
    folder: Path, name: str, user: str, storage: dict[str, Any], **parts: Any
) -> AsyncIterator[Process]:
    """Run a gateway in a process of its own.

    With an outer store among the `parts` its keys are made and the store is marked, unless the keys are there already:
    then it is one more replica of the gateway that they belong to, whose `public_url` is among the parts.
    """
    config = configured(folder, name, user, free_port(), storage, **parts)
    if not config.store.is_embedded and not config.keys_file.exists():
        config.keys_file.parent.mkdir(parents=True, exist_ok=True)
        save_key_file(config.keys_file, KeyRing.generate(config.public_url, time.time()))
        await mark_store(config)
    async with aiohttp.ClientSession() as session:
        process = Process(Side(name, user, config, session), folder / f"{name}.yaml")
        try:
            await process.start()
            yield process
        finally:
            await process.kill()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
