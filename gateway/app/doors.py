"""The public face: every door with its lock, mounted on one application (DESIGN 5).

The table is complete: what is not in it is passed through to the service behind, or is 404. A path of ours with
another method is 405 in the door's own words, and nothing below our prefix ever reaches the service behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from gateway.app import behind, transfers
from gateway.app import mount as mounting
from gateway.app import people as meeting
from gateway.app.core import Core
from gateway.app.flows import Flows
from gateway.app.peers import Far, rules_of
from gateway.app.sshaway import host_key_doors
from gateway.app.storage import Near
from gateway.config import Config
from gateway.crypto import hostkeys
from gateway.errors import GatewayError, Kind
from gateway.flows.peer_admin import PeerAdmin
from gateway.identity.base import Identity
from gateway.identity.throttle import network_of
from gateway.model.admins import Admins
from gateway.ocm.discovery import DiscoveryOffer
from gateway.store.base import Counter
from gateway.store.tables import RECEIVED_SHARES, SENT_SHARES, SESSIONS
from gateway.web.account import AccountDoors
from gateway.web.api import ApiDoors
from gateway.web.apiparts import ApiParts
from gateway.web.apipeers import PeerApi
from gateway.web.clientaddress import believe_proxies
from gateway.web.dav import DavDoor
from gateway.web.doors import Door, mount
from gateway.web.granted import GrantedDoor
from gateway.web.middleware import stamp, watch
from gateway.web.mirror import MirrorDoor
from gateway.web.ocm import OcmDoors
from gateway.web.pages import Pages
from gateway.web.passthrough import leave_to_service
from gateway.web.peergate import PeerGate
from gateway.web.sharerequests import RequestDoor
from gateway.web.token import TokenDoor
from gateway.web.ui import UiDoors
from gateway.web.uipeers import PeerPages
from gateway.web.usergate import UserGate

# A form of a page is small; files are streamed and do not count.
FORM_MAX_BYTES = 256 * 1024


async def build(
    core: Core, flows: Flows, far: Far, near: Near, people: Identity, *, mounts: mounting.Mounts
) -> web.Application:
    """Return the public application."""
    config = core.config
    api = _api(core, flows, near, people)
    ui = UiDoors(api=api, provider_name=config.provider_name)
    app = web.Application(
        middlewares=[believe_proxies(config.http.trusted_proxies), watch(core.metrics)], client_max_size=FORM_MAX_BYTES
    )
    app.on_response_prepare.append(stamp)
    ui.set_up(app)
    parts = api.parts
    accounts = _accounts(flows, near, ui.pages, parts)
    accounts.set_up(app)
    keys = host_key_doors(flows.use_remote.reach_ssh, flows.answer_share, ui.pages)
    copies = (*transfers.doors(core, flows.transferring, ui.pages, parts), *keys)
    met = meeting.user_doors(core, flows.meeting, flows.request_share, parts)
    users = (*mounting.doors(core, mounts, parts), *api.doors(), *ui.doors(), *copies, *accounts.doors(), *met)
    mount(app, (*_protocol(core, flows, far), *users, *_administration(core, far, ui.pages, parts)))
    elsewhere = behind.build(core, api.parts.gate.cookie)
    app.router.add_route("*", "/{path:.*}", elsewhere.answer, expect_handler=leave_to_service)
    return app


def _protocol(core: Core, flows: Flows, far: Far) -> tuple[Door, ...]:
    config, limits = core.config, core.config.limits
    gate = _peer_gate(core, far)
    asked = RequestDoor(gate=gate, flow=flows.request_share, prefix=config.prefix, json_depth=limits.json_depth)
    ocm = OcmDoors(
        gate=gate,
        offer=offer_of(config),
        jwks=lambda: core.keys.current().jwks(),
        public_key=partial(_public_key, core),
        receive_share=flows.receive_share,
        notify=flows.notify,
        sent=core.store.table(SENT_SHARES),
        received=core.store.table(RECEIVED_SHARES),
        requested=asked.take,
        json_depth=limits.json_depth,
        host_keys=partial(_stated_host_keys, core) if config.ssh.enabled else None,
    )
    token = TokenDoor(
        gate=gate, exchange_token=flows.exchange_token, prefix=config.prefix, json_depth=limits.json_depth
    )
    granted = GrantedDoor(
        open_access=flows.open_access,
        watch=core.watch,
        dav=DavDoor(),
        refuse_guesser=refuse_guesser(config, core.store.counter),
        prefix=config.prefix,
        max_streams=limits.streams_per_share,
    )
    mirror = MirrorDoor(
        opener=core.keys,
        keys=core.keys.current,
        once=core.store.once,
        counter=core.store.counter,
        health=core.store.health,
        public_url=config.public_url,
        prefix=config.prefix,
        trusted=config.http.trusted_proxies,
        now=core.now,
    )
    met = meeting.peer_doors(core, flows.meeting, gate)
    return (*ocm.doors(), *token.doors(), *granted.doors(), *met, *asked.doors(), *mirror.doors())


def offer_of(config: Config) -> DiscoveryOffer:
    """Return what this gateway is configured to say of itself."""
    return DiscoveryOffer(
        public_url=config.public_url,
        prefix=config.prefix,
        provider=config.provider_name,
        criteria=rules_of(config).criteria,
        ssh_address=config.ssh_address if config.ssh.enabled else None,
        receives_ssh=config.ssh.receive,
    )


def _public_key(core: Core) -> tuple[str, str]:
    key = core.keys.current().cavage_key(core.now())
    return key.key_id, key.public_pem()


def _stated_host_keys(core: Core) -> str:
    ring = core.keys.current()
    stated = hostkeys.HostKeys(
        authority=core.config.authority,
        address=core.config.ssh_address,
        keys=tuple(key.public for key in ring.host_keys()),
    )
    return hostkeys.issue(stated, ring.signing_key(), core.now())


def _peer_gate(core: Core, far: Far) -> PeerGate:
    limits = core.config.limits
    return PeerGate(
        resolver=far.resolver,
        rules=far.rules,
        once=core.store.once,
        counter=core.store.counter,
        public_url=core.config.public_url,
        now=core.now,
        max_bytes=limits.json_bytes,
        verification_seconds=limits.verification_seconds,
        messages_per_second=limits.messages_per_peer / limits.messages_window_seconds,
        messages_burst=limits.messages_per_peer,
    )


def _api(core: Core, flows: Flows, near: Near, people: Identity) -> ApiDoors:
    config = core.config
    users = UserGate(
        identity=people,
        sessions=core.store.table(SESSIONS),
        authority=config.authority,
        public_url=config.public_url,
        prefix=config.prefix,
        now=core.now,
        idle_seconds=config.session.idle,
        max_seconds=config.session.max,
        admins=admins_of(config),
    )
    return ApiDoors(
        parts=ApiParts(
            gate=users,
            prefix=config.prefix,
            max_bytes=config.limits.json_bytes,
            json_depth=config.limits.json_depth,
        ),
        storages=near,
        send_share=flows.send_share,
        change_share=flows.change_share,
        end_share=flows.end_share,
        answer_share=flows.answer_share,
        use_remote=flows.use_remote,
        sent=core.store.table(SENT_SHARES),
        received=core.store.table(RECEIVED_SHARES),
        authority=config.authority,
    )


def admins_of(config: Config) -> Admins:
    """Return who administers this gateway."""
    return Admins(users=frozenset(config.identity.admins), groups=frozenset(config.identity.admin_groups))


def _administration(core: Core, far: Far, pages: Pages, parts: ApiParts) -> tuple[Door, ...]:
    """Return the doors of administrators."""
    admin = PeerAdmin(
        records=far.records,
        standing=far.standing,
        rules=far.rules,
        authority=core.config.authority,
        now=core.now,
        resolver=far.resolver,
    )
    return (*PeerApi(parts=parts, admin=admin).doors(), *PeerPages(pages=pages, admin=admin).doors())


def _accounts(flows: Flows, near: Near, pages: Pages, parts: ApiParts) -> AccountDoors:
    return AccountDoors(
        parts=parts,
        pages=pages,
        flow=flows.store_account,
        is_offered=any(near.takes_accounts(name) for name in near.storages),
    )


def refuse_guesser(config: Config, counter: Counter) -> Callable[[str], Awaitable[None]]:
    """Return what counts wrong credentials of an address, at whichever door, and raises `LIMITED` at too many."""
    limits = config.limits

    async def refuse(address: str) -> None:
        wait = await counter.take(
            f"guess:{network_of(address)}",
            per_second=limits.requests_per_address / limits.requests_window_seconds,
            burst=limits.requests_per_address,
        )
        if wait > 0:
            raise GatewayError(Kind.LIMITED, "Too many wrong credentials from your address.", retry_after=int(wait) + 1)

    return refuse
