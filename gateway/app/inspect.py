"""What operators ask without a running gateway: what a peer says of itself, and what the storage can do."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import asdict, replace

from gateway.app.openstorage import open_storages, scratch
from gateway.app.peers import contact_rule, guard_of, rules_of
from gateway.backends.probe import probe
from gateway.backends.probe_any import try_out
from gateway.backends.webdav import WebdavBackend
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.flows.peer_report import PeerReport
from gateway.model.address import parse_host
from gateway.model.peer import Peer
from gateway.peers.fetch import Fetcher
from gateway.peers.guard import guarded_session, tls_context
from gateway.peers.statements import Statements


async def discover_peer(config: Config, host_text: str) -> PeerReport:
    """Ask a peer who it is, without remembering it.

    Raises:
        GatewayError: `INVALID` for no host, `FORBIDDEN` by our lists, `NOT_FOUND` or `UNAVAILABLE`.
    """
    host = parse_host(host_text)
    contact = contact_rule(rules_of(config))
    contact(host)
    options = config.peers
    async with guarded_session(
        guard_of(config),
        tls=tls_context(options.ca_file),
        connect_seconds=options.connect_seconds,
        total_seconds=options.total_seconds,
    ) as session:
        statements = Statements(
            fetcher=Fetcher(
                session=session,
                allow_http=options.allow_http,
                max_bytes=config.limits.discovery_bytes,
                redirects=options.redirects,
            ),
            may_contact=contact,
        )
        discovery = await statements.document(host)
        peer = Peer(host=host, discovery=discovery, discovered_at=time.time())
        peer = replace(peer, jwks=await statements.keys(peer, is_known=False))
    return PeerReport(peer, discovery, config.criteria.must_exchange_token)


async def probe_storage(config: Config, name: str, user: str) -> dict[str, bool]:
    """Try a storage out as the service account, in the part of `user` where each user has one.

    Raises:
        GatewayError: `CONFIGURATION` for an unknown name, a local folder or a missing user, else what the storage says.
    """
    if name not in config.all_storages:
        raise GatewayError(
            Kind.CONFIGURATION, f"There is no storage {name}; name one of: {', '.join(config.all_storages)}."
        )
    async with AsyncExitStack() as stack:
        storages = await open_storages(config, stack)
        if config.all_storages[name].has_user_slot and not user:
            raise GatewayError(Kind.CONFIGURATION, "Each user has a part of the storage here: name one with --user.")
        backend = storages[name].as_service(user)
        if isinstance(backend, WebdavBackend):
            return asdict(await probe(backend, scratch()))
        if config.all_storages[name].is_sftp:
            return asdict(await try_out(backend, scratch()))
        raise GatewayError(Kind.CONFIGURATION, "A local folder needs no probe: it can do everything.")
