"""The near side: the configured storages, opened for a user or narrowed to a grant, with their locks and marks.

Locks and marks meet in one space for each owner on each storage: the grants on her files and what she does herself
through us. A WebDAV storage that was proven to lock for real is relayed to, and keeps its locks itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from gateway.app.core import Core
from gateway.app.openstorage import Opened, open_storages, scratch
from gateway.backends.base import Backend, HasQuota
from gateway.backends.locked import Locked
from gateway.backends.lockrules import LockRules
from gateway.backends.ownprops import resource_id
from gateway.backends.probe import Abilities, probe
from gateway.backends.quotamemory import QuotaMemory
from gateway.backends.relay import ScopedRelay
from gateway.backends.relay_rules import RelayPorts
from gateway.backends.scoped import Scope, Scoped
from gateway.backends.sftp_storage import SftpStorage
from gateway.backends.sharelocks import ShareLocks
from gateway.backends.storages import LocalStorage
from gateway.backends.webdav import WebdavBackend
from gateway.config import Putting, Relaying, Storage
from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.follow_moves import FollowMoves
from gateway.flows.lock_claims import LockClaims
from gateway.flows.missing_root import MissingRoot
from gateway.flows.write_marks import WriteMarks
from gateway.log import get_logger
from gateway.model.account import Account
from gateway.model.address import Host
from gateway.model.grant import Grant
from gateway.model.lock import LockTable
from gateway.model.placement import Rule, storage_of
from gateway.model.resource import Entry, Quota, ResourcePath
from gateway.model.share import SentShare
from gateway.model.user import LocalUser
from gateway.store.redis_props import RedisProperties
from gateway.store.tables import LOCK_CLAIMS, SENT_SHARES, STORED_ACCOUNTS, WRITE_MARKS
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.granted import Narrowed

log = get_logger(__name__)

StillStands = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The near side.

    Attributes:
        storages: each storage as it is, as somebody sees it, by its name.
        placement: the rules that say whose files are on which of them.
        abilities: what each was proven to do, asked once.
    """

    storages: Mapping[str, Opened]
    placement: tuple[Rule, ...]
    abilities: Mapping[str, ProvenAbilities]
    locks: LockTable
    properties: RedisProperties
    sums: RedisProperties
    follow_moves: FollowMoves
    claims: LockClaims
    marks: WriteMarks
    missing_root: MissingRoot
    quotas: QuotaMemory
    prefix: str
    authority: Host
    now: Callable[[], float]

    def name_for(self, user: LocalUser) -> str:
        """Return the name of the storage that the user's files are on."""
        return storage_of(self.placement, user.identifier, user.groups)

    def as_user(self, user: LocalUser) -> Backend:
        """Return the user's own view; what she does obeys locks and leaves marks like everybody's writes."""
        name, owner = self.name_for(user), user.identifier
        return Locked(self.storages[name].as_user(user), self._rules(name, owner, f"user {owner}"))

    def as_service(self, owner: str, storage: str) -> Backend:
        """Return the owner's part of a storage as the service account sees it.

        Raises:
            GatewayError: `UNAVAILABLE` if the storage is not configured (any more).
        """
        return self._storage(storage).as_service(owner)

    def takes_accounts(self, storage: str) -> bool:
        """Tell whether users may store accounts for this storage."""
        opened = self.storages.get(storage)
        return opened is not None and not isinstance(opened, LocalStorage) and opened.accounts.stored is not None

    def takes_keys(self, storage: str) -> bool:
        """Tell whether accounts there may have a private key instead of a pass word."""
        return isinstance(self.storages.get(storage), SftpStorage)

    def as_account(self, owner: str, storage: str, account: Account) -> Backend:
        """Return the owner's part of a storage as this account sees it.

        Raises:
            GatewayError: `INVALID` if the storage takes no such kind of secret, `UNAVAILABLE` as `as_service`.
        """
        opened = self._storage(storage)
        if isinstance(opened, LocalStorage):
            raise GatewayError(Kind.INVALID, "A local folder has no accounts.")
        return opened.as_account(owner, account)

    async def narrow(self, grant: Grant, still_stands: StillStands, goes_on: StillStands) -> Narrowed:
        """Return the storage narrowed to a grant; open files are asked whether it `goes_on`, all else if it stands."""
        backend = self.as_service(grant.owner, grant.storage)
        locked = Locked(backend, self._rules(grant.storage, grant.owner, grant.grant_id))
        scoped = Scoped(locked, grant, still_stands, goes_on)
        share = DavShare(
            backend=scoped,
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
            resource_id=partial(resource_id, grant),
            quota=partial(self._quota_at, grant, scoped) if isinstance(scoped, HasQuota) else None,
            on_root_missing=partial(self.missing_root.missed, grant.grant_id),
        )
        if isinstance(backend, WebdavBackend) and await self.abilities[grant.storage].may_relay(backend):
            return Narrowed(share=share, relay=ScopedRelay(backend, grant, self._ports(grant, scoped, still_stands)))
        return Narrowed(share=share)

    def _storage(self, name: str) -> Opened:
        if name not in self.storages:
            raise unavailable("The storage of this share is not there now.", log=f"no storage {name} is configured")
        return self.storages[name]

    async def release_locks(self, share: SentShare) -> None:
        """Give up the locks of a share that has ended."""
        await self.locks.release_holder(_space(share.storage, share.owner), share.provider_id)

    def view_of_space(self, space: str) -> Backend | None:
        """Return what `_space` named as the service account sees it, or None if its storage is not there any more."""
        storage, _, owner = space.partition("\n")
        return self.storages[storage].as_service(owner) if storage in self.storages else None

    def _rules(self, storage: str, owner: str, holder: str) -> LockRules:
        return LockRules(
            locks=self.locks,
            space=_space(storage, owner),
            holder=holder,
            now=self.now,
            on_write=partial(self._written, storage, owner),
            on_move=partial(self.follow_moves.moved, storage, owner),
            properties=self.properties,
            sums=self.sums,
        )

    def _ports(self, grant: Grant, scoped: Scoped, still_stands: StillStands) -> RelayPorts:
        async def root_etag(_grant: Grant, own_tag: str) -> str:
            return await self.marks.folder_tag(grant.storage, grant.owner, own_tag) or own_tag

        return RelayPorts(
            still_stands=still_stands,
            lock_owners=self.claims,
            root_etag=root_etag,
            on_write=partial(self._written, grant.storage, grant.owner),
            on_move=partial(self.follow_moves.moved, grant.storage, grant.owner),
            quota=partial(self._quota_at, grant, scoped, ResourcePath()),
            now=self.now,
        )

    async def _quota_at(self, grant: Grant, scoped: Scoped, path: ResourcePath) -> Quota:
        place = (_space(grant.storage, grant.owner), grant.root / path)
        return await self.quotas.ask(place, partial(scoped.quota, path))

    async def _folder_tag(self, grant: Grant, entry: Entry) -> str | None:
        return await self.marks.folder_tag(grant.storage, grant.owner, entry.etag)

    async def _written(self, storage: str, owner: str, _path: ResourcePath) -> None:
        await self.marks.written(storage, owner)


@dataclass(slots=True)
class ProvenAbilities:
    """What a storage was seen to do, found out once, before the first grant is served from it."""

    storage: str
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
            log.warning(
                "the storage cannot be probed, serving WebDAV ourselves", storage=self.storage, reason=str(error)
            )
            return NOTHING
        log.info("storage probed", storage=self.storage, is_relayed=found.locks)
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
    options = config.all_storages
    return Near(
        storages=await open_storages(config, core.stack, store.table(STORED_ACCOUNTS)),
        placement=config.placement,
        abilities={name: ProvenAbilities(name, _relaying(storage)) for name, storage in options.items()},
        locks=store.locks,
        properties=store.properties,
        sums=store.sums,
        follow_moves=FollowMoves(shares=store.table(SENT_SHARES), tell_moved=core.watch.tell_ended, now=core.now),
        claims=LockClaims(claims=store.table(LOCK_CLAIMS)),
        marks=WriteMarks(
            marks=store.table(WRITE_MARKS),
            now=core.now,
            propagating=frozenset(name for name, storage in options.items() if storage.etag_propagates),
        ),
        missing_root=MissingRoot(shares=store.table(SENT_SHARES)),
        quotas=QuotaMemory(now=core.now),
        prefix=config.prefix,
        authority=config.authority,
        now=core.now,
    )


def _relaying(storage: Storage) -> Relaying:
    # What is relayed is written in place.
    return Relaying.NEVER if storage.put is Putting.RENAME else storage.relay


def _space(storage: str, owner: str) -> str:
    return f"{storage}\n{owner}"
