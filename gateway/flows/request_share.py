"""Asking for a share: a peer's user asks ours, and ours ask theirs (REQ-1).

Only a signed request counts. It opens nothing: the owner sees it and answers with an ordinary share of what she
chooses, or dismisses it. Asking again for the same thing changes nothing, and how many wait is bounded.

One request is answered by one share, however often and wherever it is granted at the same moment: the id of the share
is written into the request before the share is made, and only one share can have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.ports import Clock, Users
from gateway.flows.send_share import SendShare, ShareDraft
from gateway.log import get_logger
from gateway.model.address import Host, OcmAddress, parse_address
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.policy import SIGNATURE_MISSING
from gateway.model.share import SentShare
from gateway.model.sharerequest import RequestState, ShareRequest
from gateway.model.user import LocalUser
from gateway.ocm import sharerequest as request_text
from gateway.ocm.sharerequest import AskedShare
from gateway.peers.client import PeerClient
from gateway.store.base import Page, Table

log = get_logger(__name__)

# How many requests of one server may wait for one user.
WAITING_MAX = 50
GRANTED_ALREADY = "request-granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestShare:
    """Takes in, answers and makes requests."""

    requests: Table[ShareRequest]
    users: Users
    client: PeerClient
    send_share: SendShare
    authority: Host
    now: Clock
    new_id: Callable[[], str]

    async def receive(self, peer: AnyPeer, asked: AskedShare) -> None:
        """Keep a request for its owner to see.

        Raises:
            GatewayError: `UNAUTHENTICATED` if it is not signed, `FORBIDDEN` if its server asks for another's user,
                `INVALID` for an unknown owner, `LIMITED` if too many of that server wait.
        """
        if not isinstance(peer, VerifiedPeer):
            raise GatewayError(Kind.UNAUTHENTICATED, "Requests have to be signed here.", code=SIGNATURE_MISSING)
        if peer.host != asked.share_with.host:
            raise GatewayError(Kind.FORBIDDEN, f"{peer.host} cannot ask for users of {asked.share_with.host}.")
        is_ours = asked.owner.host == self.authority
        owner = await self.users.find(asked.owner.identifier) if is_ours else None
        if owner is None:
            fault = Fault("owner", "There is no such user here.")
            raise GatewayError(Kind.INVALID, fault.message, code="unknown-owner", faults=(fault,))
        request = ShareRequest(
            owner=owner.identifier, requester=asked.share_with, resource=asked.resource, created_at=self.now()
        )
        waiting = await self.requests.page("server", f"{request.owner}\n{peer.host}", limit=WAITING_MAX)
        if any(known.request_id == request.request_id for known in waiting.records):
            return
        if len(waiting.records) >= WAITING_MAX:
            raise GatewayError(Kind.LIMITED, "Too many requests of this server wait for this user.")
        try:
            await self.requests.create(request)
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            return
        log.info("share requested", owner=request.owner, requester=str(request.requester))

    async def page(self, user: str, *, cursor: str | None, limit: int) -> Page[ShareRequest]:
        """Return a part of what the user was asked for, newest first."""
        return await self.requests.page("owner", user, cursor=cursor, limit=limit, newest_first=True)

    async def grant(self, user: LocalUser, request_id: str, draft: ShareDraft) -> SentShare:
        """Answer a request with a share; whom it is for is settled by the request.

        Raises:
            GatewayError: `NOT_FOUND` if there is no open request, `CONFLICT` if it was granted in this very moment,
                and as `SendShare.send`.
        """
        await self._open(user.identifier, request_id)
        fresh = self.new_id()
        request = await self.requests.update(request_id, lambda old: replace(old, share_id=old.share_id or fresh))
        draft = replace(draft, claimed_recipient=str(request.requester))
        try:
            share = await self.send_share.send(user, draft, provider_id=request.share_id)
        except GatewayError as error:
            # Granted elsewhere now, or before a crash that kept this from being noted.
            if error.kind is not Kind.CONFLICT or await self.send_share.shares.get(request.share_id) is None:
                raise
            await self._granted(request_id)
            raise GatewayError(Kind.CONFLICT, "This request was granted already.", code=GRANTED_ALREADY) from error
        await self._granted(request_id)
        return share

    async def dismiss(self, user: str, request_id: str) -> ShareRequest:
        """Put a request away; nobody is told.

        Raises:
            GatewayError: `NOT_FOUND` if there is no open request.
        """
        await self._open(user, request_id)
        return await self.requests.update(request_id, _dismissed)

    async def ask(self, user: LocalUser, claimed_owner: str, resource: str) -> OcmAddress:
        """Ask somebody elsewhere to share something with our user; return who was asked.

        Raises:
            GatewayError: `INVALID` for an impossible address, `NOT_IMPLEMENTED` if that server takes no requests,
                else what it answered.
        """
        owner = parse_address(claimed_owner)
        if owner.host == self.authority:
            raise GatewayError(Kind.INVALID, f"{owner} is a user of this server; ask without the gateway.")
        asked = AskedShare(owner=owner, share_with=OcmAddress(user.identifier, self.authority), resource=resource)
        answer = await self.client.post_json(owner.host, "request-share", request_text.render(asked), interactive=True)
        if answer.status in (404, 405):
            raise GatewayError(Kind.NOT_IMPLEMENTED, f"{owner.host} takes no requests for shares.")
        if not answer.is_success:
            raise answer.error()
        return owner

    async def _granted(self, request_id: str) -> None:
        await self.requests.update(request_id, lambda old: replace(old, state=RequestState.GRANTED))

    async def _open(self, user: str, request_id: str) -> ShareRequest:
        request = await self.requests.get(request_id)
        if request is None or request.owner != user or request.state is not RequestState.OPEN:
            raise _none_open()
        return request


def _dismissed(request: ShareRequest) -> ShareRequest:
    # It may have been granted since we looked.
    if request.state is not RequestState.OPEN:
        raise _none_open()
    return replace(request, state=RequestState.DISMISSED)


def _none_open() -> GatewayError:
    return GatewayError(Kind.NOT_FOUND, "You have no such open request.")
