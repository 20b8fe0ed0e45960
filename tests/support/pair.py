"""Two gateways that federate in one test: each with a storage, users and a store of its own, on real sockets.

Both run in the test's event loop, with a clock that the test may move. `Side` acts as the side's user through the
REST interface, and as a stranger at its WebDAV door.
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from gateway.app.run import Gateway, running
from gateway.config import Config, load
from gateway.identity.file import hash_password
from gateway.model.secret import Secret

PASSWORD = "correct horse"
PASSWORD_HASH = hash_password(Secret(PASSWORD))


@dataclass
class Clock:
    """The real time, and what a test adds to it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Side:
    """One gateway and its user."""

    name: str
    user: str
    config: Config
    session: aiohttp.ClientSession
    clock: Clock = field(default_factory=Clock)
    gateway: Gateway | None = None
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """The user's OCM address."""
        return f"{self.user}@{self.config.authority}"

    @property
    def local(self) -> str:
        """Where the gateway listens, by number."""
        return f"http://127.0.0.1:{self.config.http.port}"

    async def rest(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Make a request as the user and return the status and the JSON or bytes answered."""
        packed = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {packed}"}
        url = f"{self.local}/ocm/api/v1/{path}"
        async with self.session.request(method, url, headers=headers, **options) as answer:
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, await (answer.json(content_type=None) if is_json else answer.read())

    async def share(self, path: str, recipient: str, *, write: bool = True, **more: Any) -> dict[str, Any]:
        """Share a path and return the share."""
        permissions = more.pop("permissions", ["read", "write"] if write else ["read"])
        document = {"path": path, "recipient": recipient, "permissions": permissions, **more}
        status, share = await self.rest("POST", "shares", json=document)
        assert status == 201, share
        return share

    async def sent(self, share_id: str) -> dict[str, Any]:
        """Return one of the user's own shares."""
        return (await self.rest("GET", f"shares/{share_id}"))[1]

    async def received(self) -> list[dict[str, Any]]:
        """Return what the user has received."""
        return (await self.rest("GET", "received"))[1]["shares"]

    async def accepted(self) -> str:
        """Accept the newest received share and return its id."""
        share_id = (await self.received())[0]["id"]
        assert (await self.rest("POST", f"received/{share_id}/accept"))[0] == 200
        return share_id

    async def secret_of(self, share_id: str) -> str:
        """Return the secret of one of the user's own shares, straight from the store."""
        record = await self.gateway.tasks.sent.get(share_id)
        return record.secret.reveal()

    async def dav(self, method: str, credential: str, path: str = "", **options: Any) -> tuple[int, bytes]:
        """Knock at the WebDAV door with a bearer credential; return the status and the body."""
        headers = {"Authorization": f"Bearer {credential}", **options.pop("headers", {})}
        url = f"{self.local}/ocm/dav/{path}"
        async with self.session.request(method, url, headers=headers, **options) as answer:
            return answer.status, await answer.read()


@asynccontextmanager
async def side(
    folder: Path,
    name: str,
    user: str,
    storage: dict[str, Any] | None,
    *,
    clock: Callable[[], float] | None = None,
    port: int = 0,
    **parts: Any,
) -> AsyncIterator[Side]:
    """Run one gateway before `storage`, or before the `storages` among `parts`, the rest of its configuration."""
    listener = socket.create_server(("127.0.0.1", port))
    config = configured(folder, name, user, listener.getsockname()[1], storage, **parts)
    async with aiohttp.ClientSession() as session:
        this = Side(name, user, config, session, clock or Clock())
        async with running(config, listener=listener, now=this.clock) as this.gateway:
            yield this


def configured(folder: Path, name: str, user: str, port: int, storage: dict[str, Any] | None, **parts: Any) -> Config:
    """Write a configuration file below `folder` and return what it says."""
    users = folder / f"{name}-users.yaml"
    users.write_text(yaml.safe_dump({"users": {user: {"password": PASSWORD_HASH, "display_name": user.title()}}}))
    document: dict[str, Any] = {
        "public_url": f"http://{name}.localhost:{port}",
        "data_dir": str(folder / f"{name}-data"),
        "http": {"port": port, "drain_seconds": "1s"},
        "ops": {"port": 0},
        "storage": storage,
        "identity": {"providers": ["file"], "users_file": str(users)},
        "peers": {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]},
        "jobs": {"sweep_seconds": "100ms", "first_retry_seconds": "60s"},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({name: part for name, part in (document | parts).items() if part is not None}))
    return load(path, {})


def folder_storage(root: Path, user: str) -> dict[str, Any]:
    """Return the configuration of a folder in which the user has a part of her own, with a small project in it."""
    project = root / user / "Project"
    (project / "sub").mkdir(parents=True)
    (project / "hello.txt").write_text("hello")
    return {"url": f"file://{root}/{{user}}"}
