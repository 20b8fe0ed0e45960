"""The public face: every door with its lock, mounted on one application (DESIGN 5).

The table is complete: what is not in it is passed through to the service behind, or is 404. A path of ours with
another method is 405 in the door's own words, and nothing below our prefix ever reaches the service behind.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from gateway.app.peers import Far
from gateway.app.storage import Near
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.errors import GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.end_share import EndShare
from gateway.flows.exchange_token import ExchangeToken
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.notify import Notify
from gateway.flows.open_access import OpenAccess
from gateway.flows.receive_share import ReceiveShare
from gateway.flows.send_share import SendShare
from gateway.flows.use_remote import UseRemote
from gateway.identity.base import Identity
from gateway.metrics import Metrics
from gateway.model.session import Session
from gateway.ocm.discovery import DiscoveryOffer
from gateway.store.base import Counter, Table
from gateway.store.redis import RedisStore
from gateway.store.tables import RECEIVED_SHARES, SENT_SHARES
from gateway.web.api import ApiDoors
from gateway.web.dav import DavDoor
from gateway.web.doors import mount
from gateway.web.granted import GrantedDoor, Narrowed
from gateway.web.middleware import believe_proxies, stamp, watch
from gateway.web.ocm import OcmDoors
from gateway.web.passthrough import Elsewhere, Passthrough
from gateway.web.peergate import PeerGate
from gateway.web.token import TokenDoor
from gateway.web.ui import UiDoors
from gateway.web.usergate import UserGate

# A form of a page is small; files are streamed and do not count.
FORM_MAX_BYTES = 256 * 1024
CONNECTIONS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """The flows that doors read."""

    receive_share: ReceiveShare
    notify: Notify
    exchange_token: ExchangeToken
    open_access: OpenAccess[Narrowed]
    send_share: SendShare
    end_share: EndShare
    answer_share: AnswerShare
    use_remote: UseRemote


async def build(
    config: Config,
    stack: AsyncExitStack,
    *,
    flows: Flows,
    far: Far,
    near: Near,
    people: Identity,
    keys: KeyBox,
    store: RedisStore,
    watch_grants: GrantWatch,
    metrics: Metrics,
    sessions: Table[Session],
    now: Callable[[], float],
) -> web.Application:
    """Return the public application."""
    limits = config.limits
    gate = PeerGate(
        resolver=far.resolver,
        rules=far.rules,
        once=store.once,
        counter=store.counter,
        public_url=config.public_url,
        now=now,
        max_bytes=limits.json_bytes,
        verification_seconds=limits.verification_seconds,
        messages_per_second=limits.messages_per_peer / limits.messages_window_seconds,
        messages_burst=limits.messages_per_peer,
    )
    ocm = OcmDoors(
        gate=gate,
        offer=DiscoveryOffer(
            public_url=config.public_url,
            prefix=config.prefix,
            provider=config.provider_name,
            criteria=far.rules.criteria,
        ),
        jwks=lambda: keys.current().jwks(),
        receive_share=flows.receive_share,
        notify=flows.notify,
        sent=store.table(SENT_SHARES),
        received=store.table(RECEIVED_SHARES),
        json_depth=limits.json_depth,
    )
    token = TokenDoor(
        gate=gate, exchange_token=flows.exchange_token, prefix=config.prefix, json_depth=limits.json_depth
    )
    granted = GrantedDoor(
        open_access=flows.open_access,
        watch=watch_grants,
        dav=DavDoor(),
        prefix=config.prefix,
        refuse_guesser=_refuse_guesser(config, store.counter),
        max_streams=limits.streams_per_share,
    )
    users = UserGate(
        identity=people,
        sessions=sessions,
        authority=config.authority,
        public_url=config.public_url,
        prefix=config.prefix,
        now=now,
        idle_seconds=config.session.idle,
        max_seconds=config.session.max,
    )
    api = ApiDoors(
        gate=users,
        storages=near,
        send_share=flows.send_share,
        end_share=flows.end_share,
        answer_share=flows.answer_share,
        use_remote=flows.use_remote,
        sent=store.table(SENT_SHARES),
        received=store.table(RECEIVED_SHARES),
        authority=config.authority,
        prefix=config.prefix,
        max_bytes=limits.json_bytes,
        json_depth=limits.json_depth,
    )
    ui = UiDoors(api=api, provider_name=config.provider_name)
    app = web.Application(
        middlewares=[believe_proxies(config.http.trusted_proxies), watch(metrics)], client_max_size=FORM_MAX_BYTES
    )
    app.on_response_prepare.append(stamp)
    ui.set_up(app)
    mount(app, (*ocm.doors(), *token.doors(), *granted.doors(), *api.doors(), *ui.doors()))
    elsewhere = Elsewhere(
        behind=await _passthrough(config, stack), prefix=config.prefix, pass_probes=config.passthrough.pass_probes
    )
    app.router.add_route("*", "/{path:.*}", elsewhere)
    return app


def _refuse_guesser(config: Config, counter: Counter) -> Callable[[str], Awaitable[None]]:
    limits = config.limits

    async def refuse(address: str) -> None:
        wait = await counter.take(
            f"guess:{_network_of(address)}",
            per_second=limits.requests_per_address / limits.requests_window_seconds,
            burst=limits.requests_per_address,
        )
        if wait > 0:
            raise GatewayError(Kind.LIMITED, "Too many wrong credentials from your address.", retry_after=int(wait) + 1)

    return refuse


def _network_of(address: str) -> str:
    """Return what one stranger surely has to himself: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the number of the protocol
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


async def _passthrough(config: Config, stack: AsyncExitStack) -> Passthrough | None:
    if config.passthrough.url is None:
        return None
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.storage.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
    )
    return Passthrough(
        session=session,
        origin=config.passthrough.url.rstrip("/"),
        public_scheme=urlsplit(config.public_url).scheme,
        public_host=config.authority,
    )
