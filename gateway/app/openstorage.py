"""The configured storages, opened: each with a client of its own, its certificates and its patience."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from gateway import __version__
from gateway.backends.base import Backend
from gateway.backends.local import LocalBackend
from gateway.backends.storages import Authorize, LocalStorage, WebdavStorage, basic
from gateway.backends.webdav import WebdavBackend, WebdavTraits
from gateway.backends.webdav_http import Patience, Redirects
from gateway.config import Config, Storage
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from gateway.peers.guard import tls_context

CONNECTIONS_MAX = 512
SCRATCH_PREFIX = ".ocm-probe-"

Opened = LocalStorage | WebdavStorage


async def open_storages(config: Config, stack: AsyncExitStack) -> Mapping[str, Opened]:
    """Return every configured storage by its name."""
    return {name: await _open(name, storage, stack) for name, storage in config.all_storages.items()}


async def _open(name: str, storage: Storage, stack: AsyncExitStack) -> Opened:
    if storage.is_local:
        return LocalStorage(root=unquote(urlsplit(storage.url).path), folder=_folder)
    session = await stack.enter_async_context(_session(storage))
    patience = Patience(
        connect=storage.connect_seconds, first_byte=storage.first_byte_seconds, idle=storage.idle_seconds
    )
    redirects = Redirects(hosts=frozenset(storage.redirect_hosts), most=storage.redirects)

    def client(url: str, authorize: Authorize) -> Backend:
        return WebdavBackend(session, url, authorize, redirects=redirects, patience=patience, traits=WebdavTraits())

    return WebdavStorage(
        name=name,
        url=storage.url.removeprefix("webdav+"),
        client=client,
        service=basic(_service_account(storage.credentials)),
    )


def scratch() -> ResourcePath:
    """Return the path of a fresh scratch folder."""
    return ResourcePath((f"{SCRATCH_PREFIX}{secrets.token_hex(6)}",))


def _folder(path: Path) -> Backend:
    return LocalBackend(path)


def _session(storage: Storage) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=tls_context(storage.ca_file)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=storage.connect_seconds),
        headers={"User-Agent": f"ocm-gateway/{__version__}", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def _service_account(credentials: Secret | None) -> tuple[str, Secret] | None:
    if credentials is None:
        return None
    name, _, password = credentials.reveal().partition(":")
    return name, Secret(password)
