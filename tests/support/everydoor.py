"""One gateway with all its doors open before a storage of some kind, and the programs that people use at each door.

Alice's gateway stands before the storage, and so does Bob's, whose transfers take from hers and write to his part of
it. A peer that is only a name receives the shares whose secrets and keys the programs use.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.apache import apache
from support.davserver import DavServer
from support.fakepeer import FakePeer, Reply
from support.pair import PASSWORD, Side, side
from support.sshd import sshd
from support.sshdoor import make_key, ran
from support.sshservers import SshServer
from support.transferrig import Process, free_port, in_a_process
from support.wsgi import wsgidav

READ, WRITE = "Read", "Write"
STORAGES = ("apache", "wsgidav", "sshd", "local")
PERMISSIONS = {READ: ["read"], WRITE: ["read", "write"]}
HASHING = "import hashlib, sys; print(hashlib.file_digest(sys.stdin.buffer, 'sha256').hexdigest())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A storage in which Alice and Bob have a folder each.

    Attributes:
        options: its part of the configuration.
        files: the folder of this machine in which the users' folders are.
        own: gives what a test has made there to the server.
    """

    options: dict[str, Any]
    files: Path
    own: Callable[[Path], None] = lambda _path: None


def local_place(folder: Path) -> Place:
    """Return folders of this machine as a storage."""
    return Place(options={"url": f"file://{folder}/{{user}}"}, files=folder)


def dav_place(server: DavServer) -> Place:
    """Return a WebDAV server as a storage."""
    options = {
        "url": f"webdav+{server.url}{{user}}",
        "credentials": f"service:{server.users['service']}",
        "view": "template",
    }
    return Place(options=options, files=server.files, own=server.own)


def ssh_place(folder: Path, server: SshServer) -> Place:
    """Return an SSH server as a storage; its key is in `folder`."""
    assert server.account.private_key is not None
    (folder / "storage_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    key = folder / "storage_key"
    key.touch(mode=0o600)
    key.write_text(server.account.private_key.reveal())
    options = {
        "url": f"sftp://{server.account.user}@127.0.0.1:{server.port}{server.files}/{{user}}",
        "known_hosts_file": str(folder / "storage_hosts"),
        "private_key_file": str(key),
    }
    return Place(options=options, files=server.files)


@dataclass(kw_only=True)
class Offer:
    """What a recipient's programs know of a share: its two doors, and Bob's id of the same folder."""

    webdav: str
    secret: str
    ssh_user: str
    ssh_port: int
    bobs: str = ""


@dataclass(kw_only=True)
class Doors:
    """The doors, and what is on both sides of them."""

    place: Place
    folder: Path
    alice: Side
    bob: Side | None = None
    process: Process | None = None
    offers: dict[str, Offer]
    kind: str = ""

    def stored(self, share: str, name: str) -> Path:
        """Return where a file of a share is in the storage."""
        return self.place.files / "alice" / share / name

    def put(self, share: str, name: str, content: bytes) -> None:
        """Put a file into the storage behind the gateway's back."""
        path = self.stored(share, name)
        path.write_bytes(content)
        self.place.own(path)

    async def curl(self, *words: str) -> tuple[int, str]:
        """Run curl, which fails where the door refuses."""
        return await ran("curl", "-sS", "--fail", *words)

    def credential(self, share: str) -> list[str]:
        """Return how curl shows a share's secret."""
        return ["-u", f"{self.offers[share].secret}:"]

    async def ssh(self, program: str, share: str, *words: str, text: str = "") -> tuple[int, str]:
        """Run an OpenSSH program at a share; `{}` in a word is where the share is."""
        return await ran(*self.ssh_words(program, share, *words), text=text)

    def ssh_words(self, program: str, share: str, *words: str | Path) -> list[str]:
        """Return the command of an OpenSSH program, which uses nothing of whoever runs it."""
        offer = self.offers[share]
        settings = {
            "IdentitiesOnly": "yes",
            "IdentityFile": self.folder / "client" / "id_ed25519",
            "UserKnownHostsFile": "/dev/null",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "no",
            "LogLevel": "ERROR",
            "BatchMode": "yes",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        place = f"{offer.ssh_user}@127.0.0.1"
        return [
            *(program, "-F", "/dev/null", *options, "-P", str(offer.ssh_port)),
            *(str(word).replace("{}", place) for word in words),
        ]

    async def ours(self, *words: str) -> tuple[int, str]:
        """Run our own command as Bob."""
        assert self.bob is not None
        environment = {
            "OCM_GATEWAY_URL": f"{self.bob.local}/ocm",
            "OCM_GATEWAY_USER": "bob",
            "OCM_GATEWAY_PASSWORD": PASSWORD,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *words),
            env=os.environ | environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace")


async def digest_of(*command: str | Path) -> tuple[int, str]:
    """Run a program; return its exit status and the SHA-256 of all that it writes, which is kept nowhere."""
    reader, writer = os.pipe()
    try:
        source = await asyncio.create_subprocess_exec(*map(str, command), stdout=writer)
        os.close(writer)
        hashing = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HASHING, stdin=reader, stdout=subprocess.PIPE
        )
    finally:
        os.close(reader)
    output, _ = await hashing.communicate()
    return await source.wait(), output.decode().strip()


def digest(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


@asynccontextmanager
async def every_door(folder: Path, place: Place) -> AsyncIterator[Doors]:
    """Open all doors before a storage, in this process. The shares' folders are made here, and are empty."""
    door = {"enabled": True, "port": free_port()}
    async with (
        _recipient(folder, place) as peer,
        side(folder, "alpha", "alice", place.options, ssh=door) as alice,
        side(folder, "beta", "bob", place.options) as bob,
    ):
        offers = {name: await _offer(alice, peer, name) for name in PERMISSIONS}
        for name, offer in offers.items():
            await alice.share(f"/{name}", bob.address, **_asked(name))
            offer.bobs = await bob.accepted()
        yield Doors(place=place, folder=folder, alice=alice, bob=bob, offers=offers)


@asynccontextmanager
async def before(kind: str, folder: Path) -> AsyncIterator[Doors]:
    """Open all doors before a fresh storage of this kind."""
    async with AsyncExitStack() as stack:
        match kind:
            case "apache":
                place = dav_place(stack.enter_context(apache()))
            case "wsgidav":
                place = dav_place(stack.enter_context(wsgidav()))
            case "sshd":
                place = ssh_place(folder, stack.enter_context(sshd()))
            case _:
                place = local_place(folder / "storage")
        doors = await stack.enter_async_context(every_door(folder, place))
        doors.kind = kind
        yield doors


@asynccontextmanager
async def doors_in_a_process(folder: Path, place: Place, **parts: Any) -> AsyncIterator[Doors]:
    """Open the WebDAV and the SSH door of a gateway that is a process of its own, and can be killed."""
    parts = {"ssh": {"enabled": True, "port": free_port()}, "ops": {"port": free_port()}, **parts}
    async with (
        _recipient(folder, place) as peer,
        in_a_process(folder, "alpha", "alice", place.options, **parts) as process,
    ):
        offers = {name: await _offer(process.side, peer, name) for name in PERMISSIONS}
        yield Doors(place=place, folder=folder, alice=process.side, process=process, offers=offers)


@asynccontextmanager
async def _recipient(folder: Path, place: Place) -> AsyncIterator[FakePeer]:
    for path in (place.files / "alice", place.files / "bob", *(place.files / "alice" / name for name in PERMISSIONS)):
        path.mkdir(parents=True, exist_ok=True)
        place.own(path)
    (folder / "client").mkdir()
    key = make_key(folder / "client")
    async with FakePeer.running() as peer:
        peer.discovery["resourceTypes"][0]["protocols"]["ssh-receive"] = {}
        peer.replies["/ocm/shares"] = Reply(201, {"recipientDisplayName": "Eve", "recipientPublicKeys": [key]})
        yield peer


def _asked(name: str) -> dict[str, list[str]]:
    return {"permissions": PERMISSIONS[name], "access_types": ["remote", "datatx"]}


async def _offer(alice: Side, peer: FakePeer, name: str) -> Offer:
    await alice.share(f"/{name}", f"eve@{peer.host}", **_asked(name))
    told = json.loads(peer.at("/ocm/shares")[-1].body)["protocol"]
    user, _, where = told["ssh"]["uri"].partition("@")
    return Offer(
        webdav=f"{alice.local}/ocm/dav/",
        secret=told["webdav"]["sharedSecret"],
        ssh_user=user,
        ssh_port=int(where.partition("/")[0].rpartition(":")[2]),
    )
