"""What we need to speak with peers: guarded sessions, the resolver, the signed client, the rules."""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from gateway.app import standing
from gateway.app.core import Core
from gateway.backends.base import Backend
from gateway.backends.webdav import WebdavBackend, WebdavTraits
from gateway.backends.webdav_cut import Destinations
from gateway.backends.webdav_http import Authorize, Renew
from gateway.config import Config
from gateway.config.peersections import Trusting
from gateway.flows.standing import StandingBoard, StandingBook
from gateway.model.address import Host, host_of_url
from gateway.model.policy import Deny, PeerRules, Standing, may_accept_unsigned, may_contact
from gateway.peers.asking import Asking
from gateway.peers.backoff import Backoff
from gateway.peers.client import PeerClient
from gateway.peers.fetch import Fetcher
from gateway.peers.guard import Guard, guarded_session, tls_context
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver, ResolverRules
from gateway.peers.signing import MessageSigner
from gateway.peers.statements import Statements
from gateway.peers.urls import MayContact, checked_url
from gateway.store.tables import PEERS

NONCE_BYTES = 16
# A remote storage that stays silent for this long, in seconds, is given up.
SILENCE_SECONDS = 60.0
# At a peer that is a gateway like this one our usual names are hidden, and refused.
TEMPORARY_PREFIX = ".ocm-new-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """The far side.

    Attributes:
        must_sign: tells whether this provider has to sign to us.
        check_url: raises for a resource's URL that we do not use.
        backend: makes the storage client for a received share.
        messages: the guarded session for short exchanges.
        names: looks up the names of peers, or None for the system's way.
    """

    rules: PeerRules
    records: PeerRecords
    resolver: PeerResolver
    client: PeerClient
    must_sign: Callable[[Host], Awaitable[bool]]
    check_url: Callable[[str], None]
    backend: Callable[[str, Authorize, Renew], Backend]
    messages: aiohttp.ClientSession
    standing: StandingBook
    names: AbstractResolver | None


async def build(core: Core, resolver: AbstractResolver | None) -> Far:
    """Return the far side.

    Args:
        resolver: looks up the names of peers, by default in the system's way.
    """
    config, options, now = core.config, core.config.peers, core.now
    board = StandingBoard()
    rules = rules_of(config, board.current)
    records = PeerRecords(
        table=core.store.table(PEERS),
        now=now,
        keep_seconds=options.keep_seconds,
        most_documents=config.limits.peer_documents,
    )
    # One for both: reading the authorities of the system takes a tenth of a second.
    tls = tls_context(options.ca_file)
    messages = await _session(core, resolver, tls, total_seconds=options.total_seconds)
    transfers = await _session(core, resolver, tls, read_seconds=SILENCE_SECONDS, is_kept_alive=True)
    peer_resolver = _resolver(core, records, rules, messages)

    async def must_sign(host: Host) -> bool:
        return isinstance(may_accept_unsigned(await records.get(host), rules), Deny)

    def check_url(url: str) -> None:
        contact_rule(rules)(host_of_url(str(checked_url(url, allow_http=options.allow_http))))

    client = PeerClient(
        session=messages,
        resolver=peer_resolver,
        records=records,
        backoff=Backoff(records=records, now=now, chance=random.random),
        may_contact=contact_rule(rules),
        signer=MessageSigner(keys=core.keys.current, nonce=lambda: secrets.token_urlsafe(NONCE_BYTES)),
        now=now,
        allow_http=options.allow_http,
    )
    return Far(
        rules=rules,
        records=records,
        resolver=peer_resolver,
        client=client,
        must_sign=must_sign,
        check_url=check_url,
        messages=messages,
        standing=standing.build(core, records, board, messages, rules),
        names=resolver,
        backend=lambda url, authorize, renew: WebdavBackend(
            transfers, url, authorize, renew=renew, traits=_traits_of_share()
        ),
    )


def _traits_of_share() -> WebdavTraits:
    # Of its own for each share that is opened: behind one peer there may be several storages.
    return WebdavTraits(tells_digests=True, destinations=Destinations(TEMPORARY_PREFIX))


def rules_of(config: Config, decided: Callable[[], Standing] = Standing) -> PeerRules:
    """Return what the operator demands of peers.

    Args:
        decided: tells what has been decided about single servers.
    """
    return PeerRules(
        must_sign=config.criteria.must_use_http_sig,
        must_exchange_token=config.criteria.must_exchange_token,
        must_invite=config.criteria.must_invite,
        by_directory=config.peers.trust is Trusting.DIRECTORY,
        standing=decided,
        allow=tuple(config.peers.allow),
        deny=tuple(config.peers.deny),
    )


def contact_rule(rules: PeerRules) -> MayContact:
    """Return the check that comes before every request to a peer (DISC-8)."""

    def contact(host: Host) -> None:
        verdict = may_contact(host, rules)
        if isinstance(verdict, Deny):
            raise verdict.error()

    return contact


def guard_of(config: Config) -> Guard:
    """Return what may be dialled when a stranger names a destination."""
    return Guard(allow_cidr=tuple(config.peers.allow_cidr), allow_http=config.peers.allow_http)


async def _session(
    core: Core,
    resolver: AbstractResolver | None,
    tls: ssl.SSLContext,
    *,
    total_seconds: float | None = None,
    read_seconds: float | None = None,
    is_kept_alive: bool = False,
) -> aiohttp.ClientSession:
    options = core.config.peers
    return await core.stack.enter_async_context(
        guarded_session(
            guard_of(core.config),
            tls=tls,
            resolver=resolver,
            connect_seconds=options.connect_seconds,
            total_seconds=total_seconds,
            read_seconds=read_seconds,
            is_kept_alive=is_kept_alive,
        )
    )


def _resolver(core: Core, records: PeerRecords, rules: PeerRules, session: aiohttp.ClientSession) -> PeerResolver:
    options = core.config.peers
    fetcher = Fetcher(
        session=session,
        allow_http=options.allow_http,
        max_bytes=core.config.limits.discovery_bytes,
        redirects=options.redirects,
    )
    return PeerResolver(
        records=records,
        statements=Statements(fetcher=fetcher, may_contact=contact_rule(rules)),
        asking=Asking(core.now, rest_seconds=options.failure_cache_seconds),
        may_contact=contact_rule(rules),
        now=core.now,
        rules=ResolverRules(
            document_seconds=options.discovery_cache_seconds, keys_seconds=options.discovery_cache_seconds
        ),
    )
