"""A user uses what she received: the remote resource as a `Backend` like any other (flow 6; ACC-1 to ACC-5).

The sender is discovered again, the resource's URL follows from that and from the share. Where the sender offers a
token exchange it is tried; where the share does not require it, the secret itself is the fall-back (ACC-3). Tokens
are kept in this process until shortly before they end, one exchange at a time for each share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.reach_ssh import ReachSsh
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import Discovery
from gateway.model.secret import Secret
from gateway.model.share import AccessType, ReceivedShare, ReceivedState, Requirement
from gateway.model.user import LocalUser
from gateway.ocm import token as token_text
from gateway.ocm.access import webdav_url
from gateway.peers.client import PeerClient
from gateway.peers.resolver import PeerResolver

log = get_logger(__name__)

# A token is renewed this long before it ends, in seconds, but never before half of its life.
RENEW_BEFORE_SECONDS = 60.0
# After a refused exchange that was not required, the secret is used for this long before trying again, in seconds.
FALL_BACK_SECONDS = 300.0

# A token that is refused is exchanged anew, unless it was got less than this long ago (in seconds): then it is over.
RENEW_PAUSE_SECONDS = 10.0

Authorize = Callable[[], Awaitable[Mapping[str, str]]]
Renew = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class _Held:
    """What one share is opened with, and until when."""

    secret: Secret
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRemote:
    """Opens received shares.

    Attributes:
        backend: makes the storage client for a URL from a callable that returns its credentials, and one that is told
            when they are refused and says whether to ask for others.
        check_url: raises for a URL that we do not use: without TLS, or on a host that our lists exclude (DISC-8).
    """

    resolver: PeerResolver
    client: PeerClient
    backend: Callable[[str, Authorize, Renew], Backend]
    check_url: Callable[[str], None]
    authority: Host
    now: Clock
    reach_ssh: ReachSsh | None = None
    _held: dict[str, _Held] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def open(self, user: LocalUser, share: ReceivedShare) -> Backend:
        """Return the remote resource for browsing and use in place.

        Raises:
            GatewayError: `CONFLICT` if the share is not accepted or has ended, `FORBIDDEN` without a second factor
                where one is required or if only transfers are allowed, `UNAVAILABLE` if the sender does not answer.
        """
        self._check(user, share)
        if AccessType.REMOTE not in share.access_types:
            raise GatewayError(Kind.FORBIDDEN, "This share may be transferred, but not browsed.")
        return await self.connect(share, AccessType.REMOTE)

    async def open_for_transfer(self, user: LocalUser, share: ReceivedShare) -> Backend:
        """Return the remote resource for copying it into the user's own storage (ACC-5). Raises as `open`."""
        self.check_transfer(user, share)
        return await self.connect(share, AccessType.DATATX)

    def check_transfer(self, user: LocalUser, share: ReceivedShare) -> None:
        """Do nothing if this user may transfer this share now. Raises as `open`."""
        self._check(user, share)
        if AccessType.DATATX not in share.access_types:
            raise GatewayError(
                Kind.FORBIDDEN, "The sender lets you open this share, but not transfer it (no access type datatx)."
            )

    def _check(self, user: LocalUser, share: ReceivedShare) -> None:
        if share.state is not ReceivedState.ACCEPTED:
            raise GatewayError(Kind.CONFLICT, f"This share is {share.state.value}; it can be opened once accepted.")
        if share.expires_at is not None and share.expires_at <= self.now():
            raise GatewayError(Kind.CONFLICT, "This share has expired.")
        if Requirement.MUST_USE_MFA in share.webdav.requirements and not user.has_second_factor:
            raise GatewayError(Kind.FORBIDDEN, "This share opens only after a log-in with a second factor.")

    async def connect(self, share: ReceivedShare, access_type: AccessType | None = None) -> Backend:
        """Return the remote resource without asking who wants it (for our own checks of the share).

        WebDAV comes first where it is offered for this type of access, SSH where it is not, or where the sender's
        provider does not answer.
        """
        webdav = share.webdav
        may_ssh = share.ssh is not None and (access_type is None or access_type in share.ssh.access_types)
        if self.reach_ssh is None or not may_ssh:
            return await self._over_webdav(share)
        if not webdav.is_offered or (access_type is not None and access_type not in webdav.access_types):
            return await self.reach_ssh.open(share)
        try:
            return await self._over_webdav(share)
        except GatewayError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            log.info("trying SSH instead of WebDAV", share=share.share_id, reason=str(error))
            return await self.reach_ssh.open(share)

    async def _over_webdav(self, share: ReceivedShare) -> Backend:
        if not share.webdav.is_offered:
            raise GatewayError(Kind.CONFLICT, "This share is offered over SSH only, which is not used here.")
        peer = await self.resolver.discover(share.peer)
        if peer.discovery is None:
            raise GatewayError(Kind.UNAVAILABLE, f"{share.peer} does not answer as an OCM provider.")
        discovery = peer.discovery

        used = share.webdav.secret

        async def authorize() -> Mapping[str, str]:
            nonlocal used
            used = await self._secret(share, discovery)
            return {"Authorization": f"Bearer {used.reveal()}"}

        async def renew() -> bool:
            return self._refused(share.share_id, used)

        url = webdav_url(share.webdav, discovery, share.resource_type)
        self.check_url(url)
        return self.backend(url, authorize, renew)

    async def prepare(self, share: ReceivedShare) -> None:
        """Make sure that there is something to open the share with.

        Raises:
            GatewayError: if a token is required and cannot be had.
        """
        if not share.webdav.is_offered:
            return
        peer = await self.resolver.discover(share.peer)
        if peer.discovery is not None:
            await self._secret(share, peer.discovery)

    def forget(self, share_id: str) -> None:
        """Drop the token held for a share, so that the next use exchanges anew."""
        self._held.pop(share_id, None)

    def _refused(self, share_id: str, used: Secret) -> bool:
        """Drop what the sender has refused; tell whether there may be something better now."""
        held = self._held.get(share_id)
        if held is None or held.secret != used:
            return True
        if self.now() - held.since < RENEW_PAUSE_SECONDS:
            return False
        self.forget(share_id)
        return True

    async def _secret(self, share: ReceivedShare, discovery: Discovery) -> Secret:
        # One exchange at a time for each share; the others find its outcome.
        async with self._locks.setdefault(share.share_id, asyncio.Lock()):
            held = self._held.get(share.share_id)
            if held is None or held.until <= self.now():
                held = self._held[share.share_id] = await self._exchange(share, discovery)
            return held.secret

    async def _exchange(self, share: ReceivedShare, discovery: Discovery) -> _Held:
        is_required = Requirement.MUST_EXCHANGE_TOKEN in share.webdav.requirements
        if not discovery.token_end_point:
            if is_required:
                raise GatewayError(Kind.UNAVAILABLE, f"{share.peer} demands a token but offers none.")
            return self._fall_back(share)
        try:
            return await self._token(share, discovery.token_end_point)
        except GatewayError as error:
            if is_required:
                raise
            log.warning("token exchange failed, using the secret", share=share.share_id, reason=str(error))
            return self._fall_back(share)

    def _fall_back(self, share: ReceivedShare) -> _Held:
        return _Held(share.webdav.secret, self.now(), self.now() + FALL_BACK_SECONDS)

    async def _token(self, share: ReceivedShare, token_end_point: str) -> _Held:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.authority,
            "code": share.webdav.secret.reveal(),
        }
        answer = await self.client.post_token(share.peer, token_end_point, form)
        if not answer.is_success:
            raise answer.error()
        token = token_text.parse_answer(answer.document)
        life = max(token.expires_in - RENEW_BEFORE_SECONDS, token.expires_in / 2)
        return _Held(token.token, self.now(), self.now() + life)
