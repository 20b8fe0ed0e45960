"""The configured storages, opened: each with a client of its own, its certificates and its patience."""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from gateway import __version__
from gateway.backends.accounts import Accounts
from gateway.backends.base import Backend
from gateway.backends.bearer import from_command, from_environment, from_file
from gateway.backends.local import LocalBackend
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_server import SSH_PORT, KnownHosts, SftpAccount, SftpPatience, SftpServer
from gateway.backends.sftp_storage import SftpStorage
from gateway.backends.storages import Authorize, LocalStorage, WebdavStorage, basic
from gateway.backends.webdav import WebdavBackend, WebdavTraits
from gateway.backends.webdav_http import Patience, Redirects
from gateway.backends.webdav_rename import RenamingBackend
from gateway.config import Config, Putting, Storage, View
from gateway.errors import GatewayError, Kind
from gateway.model.account import Account, StoredAccount, account_key
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from gateway.peers.guard import tls_context
from gateway.store.base import Table

CONNECTIONS_MAX = 512
SCRATCH_PREFIX = ".ocm-probe-"

Opened = LocalStorage | WebdavStorage | SftpStorage


async def open_storages(
    config: Config, stack: AsyncExitStack, stored: Table[StoredAccount] | None = None
) -> Mapping[str, Opened]:
    """Return every configured storage by its name.

    Args:
        stored: the accounts that users stored; without the store there are none.
    """
    return {name: await _open(name, storage, stack, stored) for name, storage in config.all_storages.items()}


async def _open(name: str, storage: Storage, stack: AsyncExitStack, stored: Table[StoredAccount] | None) -> Opened:
    if storage.is_local:
        return LocalStorage(root=unquote(urlsplit(storage.url).path), folder=_folder)
    if storage.is_sftp:
        return _open_sftp(name, storage, stack, stored)
    session = await stack.enter_async_context(_session(storage))
    patience = Patience(
        connect=storage.connect_seconds, first_byte=storage.first_byte_seconds, idle=storage.idle_seconds
    )
    redirects = Redirects(
        hosts=frozenset(storage.redirect_hosts),
        credential_hosts=frozenset(storage.redirect_auth_hosts),
        most=storage.redirects,
    )

    # One for all users: what the storage was seen to do is remembered.
    traits = WebdavTraits()
    kind = RenamingBackend if storage.put is Putting.RENAME else WebdavBackend

    def client(url: str, authorize: Authorize) -> Backend:
        return kind(session, url, authorize, redirects=redirects, patience=patience, traits=traits)

    return WebdavStorage(
        url=storage.url.removeprefix("webdav+"),
        client=client,
        accounts=_accounts(name, storage, stored),
        service=_service(storage),
        is_swept=kind is RenamingBackend,
    )


def _open_sftp(name: str, storage: Storage, stack: AsyncExitStack, stored: Table[StoredAccount] | None) -> SftpStorage:
    parts = urlsplit(storage.url)
    assert storage.known_hosts_file is not None
    server = SftpServer(
        host=parts.hostname or "", port=parts.port or SSH_PORT, host_keys=KnownHosts(storage.known_hosts_file)
    )
    _check_host_keys(server, storage.known_hosts_file)
    patience = SftpPatience(
        connect=storage.connect_seconds, first_byte=storage.first_byte_seconds, idle=storage.idle_seconds
    )
    pool = SftpPool(server, patience=patience)
    stack.push_async_callback(pool.close)
    path = unquote(parts.path)
    return SftpStorage(
        root=path.removeprefix("/~").lstrip("/") if storage.is_home else path or "/",
        pool=pool,
        accounts=_accounts(name, storage, stored),
        service=_ssh_service(storage),
    )


def _check_host_keys(server: SftpServer, path: Path) -> None:
    """Refuse to start without a key of the server, rather than at the first request."""
    keys, authorities, _revoked = server.host_keys.trusted(server.host, server.port)
    if not keys and not authorities:
        raise GatewayError(
            Kind.CONFIGURATION,
            f"{path} holds no key of {server.host}. Make it with `ssh-keyscan -p {server.port} {server.host}`, and "
            "compare `ssh-keygen -lf` of it with what the server's operator says.",
        )


def _ssh_service(storage: Storage) -> SftpAccount | None:
    account = _service_account(storage.credentials)
    if account is not None:
        return SftpAccount(user=account[0], password=account[1])
    if storage.private_key_file is None:
        return None
    try:
        key = Secret(storage.private_key_file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayError(Kind.CONFIGURATION, f"The private key {storage.private_key_file} cannot be read.") from error
    return SftpAccount(user=unquote(urlsplit(storage.url).username or ""), private_key=key)


def _accounts(name: str, storage: Storage, stored: Table[StoredAccount] | None) -> Accounts:
    async def stored_by(user: str) -> Account | None:
        record = await stored.get(account_key(name, user)) if stored is not None else None
        return record.account if record is not None else None

    return Accounts(
        storage=name,
        has_service=storage.has_service,
        may_lend_service=storage.local_view is not View.USER,
        stored=stored_by if storage.stored_accounts else None,
    )


def _service(storage: Storage) -> Authorize:
    bearer = storage.bearer
    if bearer.token_file is not None:
        return from_file(bearer.token_file, time.time).authorize
    if bearer.command:
        return from_command(shlex.split(bearer.command), time.time).authorize
    if bearer.env:
        return from_environment(os.environ, time.time).authorize
    return basic(_service_account(storage.credentials))


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
