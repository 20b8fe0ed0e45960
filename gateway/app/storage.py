"""The near side: the configured storage, opened for a user or narrowed to a grant, with its locks and marks.

Locks and marks meet in one space for each owner: the grants on her files and what she does herself through us. A
WebDAV storage that was proven to lock for real is relayed to, and keeps its locks itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from gateway import __version__
from gateway.app.core import Core
from gateway.backends.base import Backend
from gateway.backends.local import LocalBackend
from gateway.backends.locked import Locked, LockRules
from gateway.backends.probe import Abilities, probe
from gateway.backends.relay import ScopedRelay
from gateway.backends.relay_rules import RelayPorts
from gateway.backends.scoped import Scope, Scoped
from gateway.backends.sharelocks import ShareLocks
from gateway.backends.storages import Authorize, LocalStorage, WebdavStorage
from gateway.backends.webdav import WebdavBackend, WebdavTraits
from gateway.backends.webdav_http import Patience, Redirects
from gateway.config import Config, Relaying
from gateway.errors import GatewayError, Kind
from gateway.flows.lock_claims import LockClaims
from gateway.flows.missing_root import MissingRoot
from gateway.flows.write_marks import WriteMarks
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.grant import Grant
from gateway.model.lock import LockTable
from gateway.model.resource import Entry, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import SentShare
from gateway.model.user import LocalUser
from gateway.peers.guard import tls_context
from gateway.store.tables import LOCK_CLAIMS, SENT_SHARES, WRITE_MARKS
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.granted import Narrowed

log = get_logger(__name__)

STORAGE_NAME = "default"
CONNECTIONS_MAX = 512
SCRATCH_PREFIX = ".ocm-probe-"

StillStands = Callable[[], Awaitable[None]]
Storages = LocalStorage | WebdavStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The near side.

    Attributes:
        storages: the storage as it is, as somebody sees it.
        abilities: what it was proven to do, asked once.
    """

    storages: Storages
    abilities: ProvenAbilities
    locks: LockTable
    claims: LockClaims
    marks: WriteMarks
    missing_root: MissingRoot
    prefix: str
    authority: Host
    now: Callable[[], float]

    def as_user(self, user: LocalUser) -> Backend:
        """Return the user's own view; what she does obeys locks and leaves marks like everybody's writes."""
        return Locked(self.storages.as_user(user), self._rules(user.identifier, f"user {user.identifier}"))

    def as_service(self, owner: str) -> Backend:
        """Return the owner's storage as the service account sees it."""
        return self.storages.as_service(owner)

    async def narrow(self, grant: Grant, still_stands: StillStands) -> Narrowed:
        """Return the storage narrowed to a grant."""
        backend = self.storages.as_service(grant.owner)
        locked = Locked(backend, self._rules(grant.owner, grant.grant_id))
        share = DavShare(
            backend=Scoped(locked, grant, still_stands),
            permissions=grant.permissions,
            root=DavRoot(
                prefix=f"{self.prefix}/dav",
                share_id=grant.grant_id,
                kind=grant.kind,
                name=grant.root.name,
                authorities=frozenset({self.authority}),
            ),
            locks=ShareLocks(locked, Scope(grant, still_stands)),
            folder_etag=partial(self._folder_tag, grant),
            on_root_missing=partial(self.missing_root.missed, grant.grant_id),
        )
        if isinstance(backend, WebdavBackend) and await self.abilities.may_relay(backend):
            return Narrowed(share=share, relay=ScopedRelay(backend, grant, self._ports(grant, still_stands)))
        return Narrowed(share=share)

    async def release_locks(self, share: SentShare) -> None:
        """Give up the locks of a share that has ended."""
        await self.locks.release_holder(_space(share.owner), share.provider_id)

    def _rules(self, owner: str, holder: str) -> LockRules:
        return LockRules(
            locks=self.locks, space=_space(owner), holder=holder, now=self.now, on_write=partial(self._written, owner)
        )

    def _ports(self, grant: Grant, still_stands: StillStands) -> RelayPorts:
        async def root_etag(_grant: Grant, own_tag: str) -> str:
            return await self.marks.folder_tag(STORAGE_NAME, grant.owner, own_tag) or own_tag

        return RelayPorts(
            still_stands=still_stands,
            lock_owners=self.claims,
            root_etag=root_etag,
            on_write=partial(self._written, grant.owner),
            now=self.now,
        )

    async def _folder_tag(self, grant: Grant, entry: Entry) -> str | None:
        return await self.marks.folder_tag(STORAGE_NAME, grant.owner, entry.etag)

    async def _written(self, owner: str, _path: ResourcePath) -> None:
        await self.marks.written(STORAGE_NAME, owner)


@dataclass(slots=True)
class ProvenAbilities:
    """What the storage was seen to do, found out once, before the first grant is served from it."""

    relaying: Relaying
    _found: Abilities | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def may_relay(self, backend: WebdavBackend) -> bool:
        """Tell whether requests may be relayed to this storage (DESIGN 6)."""
        if self.relaying is not Relaying.AUTO:
            return self.relaying is Relaying.ALWAYS
        async with self._turn:
            if self._found is None:
                self._found = await self._probe(backend)
        return self._found.locks

    async def _probe(self, backend: WebdavBackend) -> Abilities:
        try:
            found = await probe(backend, scratch())
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            log.warning("the storage cannot be probed, serving WebDAV ourselves", reason=str(error))
            return NOTHING
        log.info("storage probed", is_relayed=found.locks)
        return found


NOTHING = Abilities(
    locks=False,
    conditions=False,
    overwrite_respected=False,
    encoded_names=False,
    ranges=False,
    etags=False,
    atomic=False,
)


async def build(core: Core) -> Near:
    """Return the near side."""
    config, store = core.config, core.store
    return Near(
        storages=await open_storages(config, core.stack),
        abilities=ProvenAbilities(config.storage.relay),
        locks=store.locks,
        claims=LockClaims(claims=store.table(LOCK_CLAIMS)),
        marks=WriteMarks(
            marks=store.table(WRITE_MARKS), now=core.now, storage_propagates=config.storage.etag_propagates
        ),
        missing_root=MissingRoot(shares=store.table(SENT_SHARES)),
        prefix=config.prefix,
        authority=config.authority,
        now=core.now,
    )


async def open_storages(config: Config, stack: AsyncExitStack) -> Storages:
    """Return the configured storage."""
    storage = config.storage
    if storage.is_local:
        return LocalStorage(root=unquote(urlsplit(storage.url).path), folder=_folder)
    session = await stack.enter_async_context(_session(config))
    patience = Patience(
        connect=storage.connect_seconds, first_byte=storage.first_byte_seconds, idle=storage.idle_seconds
    )
    redirects = Redirects(hosts=frozenset(storage.redirect_hosts), most=storage.redirects)

    def client(url: str, authorize: Authorize) -> Backend:
        return WebdavBackend(session, url, authorize, redirects=redirects, patience=patience, traits=WebdavTraits())

    return WebdavStorage(
        url=storage.url.removeprefix("webdav+"), client=client, service=_service_account(storage.credentials)
    )


def scratch() -> ResourcePath:
    """Return the path of a fresh scratch folder."""
    return ResourcePath((f"{SCRATCH_PREFIX}{secrets.token_hex(6)}",))


def _folder(path: Path) -> Backend:
    return LocalBackend(path)


def _session(config: Config) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=tls_context(config.storage.ca_file)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.storage.connect_seconds),
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


def _space(owner: str) -> str:
    return f"{STORAGE_NAME}\n{owner}"
