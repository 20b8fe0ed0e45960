"""What we need to speak with peers: guarded sessions, the resolver, the signed client, the rules."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from gateway.backends.base import Backend
from gateway.backends.webdav import WebdavBackend
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.model.address import Host
from gateway.model.policy import Deny, PeerRules, may_accept_unsigned, may_contact
from gateway.peers.asking import Asking
from gateway.peers.backoff import Backoff
from gateway.peers.client import PeerClient
from gateway.peers.fetch import Fetcher
from gateway.peers.guard import Guard, guarded_session, tls_context
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver, ResolverRules
from gateway.peers.statements import Statements
from gateway.store.redis import RedisStore
from gateway.store.tables import PEERS

NONCE_BYTES = 16
# A remote storage that stays silent for this long, in seconds, is given up.
SILENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """The far side.

    Attributes:
        must_sign: tells whether this provider has to sign to us.
        backend: makes the storage client for a received share.
    """

    rules: PeerRules
    records: PeerRecords
    resolver: PeerResolver
    client: PeerClient
    must_sign: Callable[[Host], Awaitable[bool]]
    backend: Callable[[str, Callable[[], Awaitable[Mapping[str, str]]]], Backend]


async def build(
    config: Config,
    stack: AsyncExitStack,
    store: RedisStore,
    keys: KeyBox,
    *,
    resolver: AbstractResolver | None,
    now: Callable[[], float],
) -> Far:
    """Return the far side, its sessions open until `stack` closes."""
    options = config.peers
    rules = PeerRules(
        must_sign=config.criteria.must_use_http_sig,
        must_exchange_token=config.criteria.must_exchange_token,
        allow=tuple(options.allow),
        deny=tuple(options.deny),
    )
    guard = Guard(allow_cidr=tuple(options.allow_cidr), allow_http=options.allow_http)
    tls = tls_context(options.ca_file)
    messages = await stack.enter_async_context(
        guarded_session(
            guard,
            tls=tls,
            resolver=resolver,
            connect_seconds=options.connect_seconds,
            total_seconds=options.total_seconds,
        )
    )
    bytes_session = await stack.enter_async_context(
        guarded_session(
            guard,
            tls=tls,
            resolver=resolver,
            connect_seconds=options.connect_seconds,
            total_seconds=None,
            read_seconds=SILENCE_SECONDS,
            is_kept_alive=True,
        )
    )
    records = PeerRecords(table=store.table(PEERS), now=now)

    def contact(host: Host) -> None:
        verdict = may_contact(host, rules)
        if isinstance(verdict, Deny):
            raise verdict.error()

    async def must_sign(host: Host) -> bool:
        return isinstance(may_accept_unsigned(await records.get(host), rules), Deny)

    peer_resolver = PeerResolver(
        records=records,
        statements=Statements(
            fetcher=Fetcher(session=messages, allow_http=options.allow_http, max_bytes=config.limits.discovery_bytes),
            may_contact=contact,
        ),
        asking=Asking(now, rest_seconds=options.failure_cache_seconds),
        may_contact=contact,
        now=now,
        rules=ResolverRules(
            document_seconds=options.discovery_cache_seconds, keys_seconds=options.discovery_cache_seconds
        ),
    )
    client = PeerClient(
        session=messages,
        resolver=peer_resolver,
        records=records,
        backoff=Backoff(records=records, now=now, chance=random.random),
        may_contact=contact,
        keys=keys.current,
        nonce=lambda: secrets.token_urlsafe(NONCE_BYTES),
        now=now,
        allow_http=options.allow_http,
    )
    return Far(
        rules=rules,
        records=records,
        resolver=peer_resolver,
        client=client,
        must_sign=must_sign,
        backend=lambda url, authorize: WebdavBackend(bytes_session, url, authorize),
    )
