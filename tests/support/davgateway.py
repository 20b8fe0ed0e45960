"""Running gateways with shares that a test puts straight into their store: the WebDAV door in front of real storages.

All replicas of one `site` share a Redis, the keys and the storage, and run in the test's own event loop, each on a
port of its own.
"""

from __future__ import annotations

import base64
import itertools
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from gateway.app.run import Gateway, running
from gateway.app.state import mark_store
from gateway.config import Config, load
from gateway.crypto.keybox import KeyBox
from gateway.crypto.keys import KeyRing, save_key_file
from gateway.crypto.secrets import fingerprint, new_secret
from gateway.model.address import parse_address
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.share import Permission, SentShare, SentState
from gateway.store.binary import find_server
from gateway.store.redis import RedisStore, connect
from gateway.store.tables import SENT_SHARES
from support.davserver import DavServer
from support.redisserver import private_server
from support.sshservers import SshServer

READ_WRITE = frozenset({Permission.READ, Permission.WRITE})
READ_ONLY = frozenset({Permission.READ})
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Share:
    """A share as its recipient holds it, at one replica."""

    record: SentShare
    origin: str

    @property
    def secret(self) -> str:
        """What opens it."""
        return self.record.secret.reveal()

    @property
    def headers(self) -> dict[str, str]:
        """The credential as a program sends it."""
        packed = base64.b64encode(f"{self.secret}:".encode()).decode()
        return {"Authorization": f"Basic {packed}"}

    @property
    def root(self) -> str:
        """The URL of the root without the share's id, with a final slash."""
        return f"{self.origin}/ocm/dav/"

    @property
    def url(self) -> str:
        """The URL of the root with the share's id, with a final slash."""
        return f"{self.root}{self.record.provider_id}/"


@dataclass(slots=True)
class Site:
    """The replicas of one gateway and the store behind them."""

    store: RedisStore
    gateways: list[Gateway] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)

    @property
    def shares(self):
        """The table of the shares."""
        return self.store.table(SENT_SHARES)

    def origin(self, replica: int = 0) -> str:
        """Return where a replica listens."""
        return f"http://127.0.0.1:{self.gateways[replica].port}"

    async def share(self, root: str, *, replica: int = 0, **changes) -> Share:
        """Share something of Alice's and return what its recipient gets."""
        facts = {
            "provider_id": f"share-{next(_numbers)}",
            "owner": "alice",
            "owner_display_name": "Alice",
            "recipient": parse_address("bob@far.example.org"),
            "name": root.rpartition("/")[2],
            "storage": "default",
            "root": ResourcePath.from_url(root),
            "kind": EntryKind.FOLDER,
            "permissions": READ_WRITE,
            "secret": new_secret(),
            "created_at": time.time(),
            "state": SentState.ACCEPTED,
        }
        record = SentShare(**facts | changes)
        await self.shares.create(record)
        return Share(record, self.origin(replica))

    def seen_from(self, share: Share, replica: int) -> Share:
        """Return the same share at another replica."""
        return Share(share.record, self.origin(replica))

    async def end(self, share: Share, *, replica: int = 0) -> None:
        """Revoke a share as its owner does at one replica."""
        await self.shares.update(share.record.provider_id, lambda record: record.step(SentState.REVOKED))
        await self.gateways[replica].watch.tell_ended(share.record.provider_id)


@asynccontextmanager
async def site(
    folder: Path, storage: dict[str, object], *, replicas: int = 1, parts: Mapping[str, object] | None = None
) -> AsyncIterator[Site]:
    """Run the replicas of a gateway before `storage` (its part of the configuration) while the context is open."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(private_server(find_server()))
        listeners = [stack.enter_context(_listener()) for _ in range(replicas)]
        public = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
        ring = KeyRing.generate(public, time.time())
        keys = folder / "keys.json"
        save_key_file(keys, ring)
        options = {"public_url": public, "keys_file": str(keys), "store.url": url, **_storage_options(folder, storage)}
        configs = [_config(folder / f"replica{n}", options | dict(parts or {})) for n in range(replicas)]
        await mark_store(configs[0])
        store = await stack.enter_async_context(
            connect(
                url,
                prefix=configs[0].store.prefix,
                sealer=KeyBox(keys),
                fingerprint=partial(fingerprint, ring.pepper),
                instance_id=ring.instance_id,
            )
        )
        found = Site(store, configs=configs)
        for config, listener in zip(configs, listeners, strict=True):
            found.gateways.append(await stack.enter_async_context(running(config, listener=listener)))
        yield found


def webdav_storage(server: DavServer, **changes: object) -> dict[str, object]:
    """Return the configuration of a WebDAV storage in which each user has a folder."""
    return {
        "url": f"webdav+{server.url}{{user}}",
        "credentials": f"service:{server.users['service']}",
        "relay": "always",
        "view": "user",
    } | changes


def local_storage(folder: Path) -> dict[str, object]:
    """Return the configuration of a local storage in which each user has a folder."""
    (folder / "alice").mkdir(parents=True, exist_ok=True)
    users = folder.parent / "users.yaml"
    users.write_text("users: {}\n")
    return {"url": f"file://{folder}/{{user}}"}


def sftp_storage(folder: Path, server: SshServer) -> dict[str, object]:
    """Return the configuration of an SSH server as storage, in which each user has a folder; its key is in `folder`."""
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    assert server.account.private_key is not None
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text(server.account.private_key.reveal())
    (folder / "users.yaml").write_text("users: {}\n")
    return {
        "url": f"sftp://{server.account.user}@127.0.0.1:{server.port}{server.files}/{{user}}",
        "known_hosts_file": str(folder / "known_hosts"),
        "private_key_file": str(key),
    }


def client() -> aiohttp.ClientSession:
    """Return a client that follows nothing and waits no longer than a test may."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=60), auto_decompress=False
    )


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _storage_options(folder: Path, storage: Mapping[str, object]) -> dict[str, object]:
    options = {f"storage.{name}": value for name, value in storage.items()}
    if "storages" in storage:
        options = dict(storage)
    return options if "credentials" in storage else options | {"identity.users_file": str(folder / "users.yaml")}


def _config(folder: Path, options: Mapping[str, object]) -> Config:
    folder.mkdir()
    always = {"data_dir": str(folder), "ops.port": 0, "http.drain_seconds": 0.1, "peers.allow_http": True}
    return load(overrides=always | dict(options))
