"""A user uses what she received: the remote resource as a `Backend` like any other (flow 6; ACC-1 to ACC-5).

The sender is discovered again, the resource's URL follows from that and from the share. What it is opened with is
found by `flows.remote_keys`; what is offered over SSH is reached by `flows.reach_ssh`, and where both are offered
`flows.which_door` says which of them answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.reach_ssh import ReachSsh
from gateway.flows.remote_keys import Held, RemoteKeys
from gateway.flows.which_door import WhichDoor
from gateway.model.peer import Discovery
from gateway.model.share import AccessType, ReceivedShare, ReceivedState, Requirement
from gateway.model.user import LocalUser
from gateway.ocm.access import webdav_url
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.resolver import PeerResolver

Authorize = Callable[[], Awaitable[Mapping[str, str]]]
Renew = Callable[[], Awaitable[bool]]
Learn = Callable[[ReceivedShare], Awaitable[None]]

# Why what was received cannot be opened, told to whom it was shared with.
_NOT_OPEN = {
    ReceivedState.PENDING: "This share waits for your answer: accept it first.",
    ReceivedState.DECLINED: "You have declined this share.",
    ReceivedState.UNSHARED: "This share has ended: who shared it has withdrawn it.",
    ReceivedState.EXPIRED: "This share has expired.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRemote:
    """Opens received shares.

    Attributes:
        backend: makes the storage client for a URL from a callable that returns its credentials, and one that is told
            when they are refused and says whether to ask for others.
        check_url: raises for a URL that we do not use: without TLS, or on a host that our lists exclude (DISC-8).
    """

    resolver: PeerResolver
    keys: RemoteKeys
    backend: Callable[[str, Authorize, Renew], Backend]
    check_url: Callable[[str], None]
    now: Clock
    which_door: WhichDoor
    reach_ssh: ReachSsh | None = None

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
            raise GatewayError(Kind.CONFLICT, _NOT_OPEN[share.state])
        if share.expires_at is not None and share.expires_at <= self.now():
            raise GatewayError(Kind.CONFLICT, "This share has expired.")
        if Requirement.MUST_USE_MFA in share.webdav.requirements and not user.has_second_factor:
            raise GatewayError(Kind.FORBIDDEN, "This share opens only after a log-in with a second factor.")

    async def connect(self, share: ReceivedShare, access_type: AccessType | None = None) -> Backend:
        """Return the remote resource without asking who wants it (for our own checks of the share).

        WebDAV comes first where it is offered for this type of access, SSH where it is not, or where somebody wants it
        and WebDAV does not answer. Our own checks ask the door that is first: its word on the share is the sender's.
        """
        webdav = share.webdav
        may_ssh = share.ssh is not None and (access_type is None or access_type in share.ssh.access_types)
        if self.reach_ssh is None or not may_ssh:
            return await self._over_webdav(share)
        if not webdav.is_offered or (access_type is not None and access_type not in webdav.access_types):
            return await self.reach_ssh.open(share)
        if access_type is None:
            return await self._over_webdav(share)
        return await self.which_door.opened(
            share.share_id,
            partial(self._over_webdav, share, then=self.reach_ssh.learn),
            partial(self.reach_ssh.open, share),
            afresh=access_type is AccessType.DATATX,
        )

    async def _over_webdav(self, share: ReceivedShare, then: Learn | None = None) -> Backend:
        if not share.webdav.is_offered:
            raise GatewayError(Kind.CONFLICT, "This share is offered over SSH only, which is not used here.")
        discovery = await self._discovery(share)
        used: Held | None = None

        async def authorize() -> Mapping[str, str]:
            nonlocal used
            # Asked with every request: a long transfer outlives what was decided when it began.
            self.check_url(url)
            used = await self.keys.get(share, discovery)
            return used.fields()

        async def renew() -> bool:
            return used is not None and await self.keys.refused(share, discovery, used)

        # Some serve what is shared at the host in the owner's address, wherever their end point is.
        host = share.owner.host if recognise(discovery).serves_at_owner else None
        url = webdav_url(share.webdav, discovery, share.resource_type, host=host)
        self.check_url(url)
        if then is not None:
            await then(share)
        return self.backend(url, authorize, renew)

    async def prepare(self, share: ReceivedShare) -> None:
        """Make sure that there is something to open the share with.

        Raises:
            GatewayError: if a token is required and cannot be had.
        """
        if share.webdav.is_offered:
            await self.keys.get(share, await self._discovery(share))

    def forget(self, share_id: str) -> None:
        """Drop the token held for a share, so that the next use exchanges anew."""
        self.keys.forget(share_id)
        self.which_door.forget(share_id)

    async def _discovery(self, share: ReceivedShare) -> Discovery:
        peer = await self.resolver.discover(share.peer)
        if peer.discovery is None:
            raise GatewayError(Kind.UNAVAILABLE, f"{share.peer} does not answer as an OCM provider.")
        return peer.discovery
