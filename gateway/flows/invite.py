"""Invitations: one user invites, another accepts, and both know each other from then on (flow 7; INV-1 to INV-4).

Our user's invitation is accepted once, whichever replica the answer reaches: the guest is written into the record of
the invitation by compare-and-set, and only then entered into the contacts. If we stop in between, the next message of
the same guest or the next look at the list makes it good. Accepting somebody else's invitation is one signed message
whose answer tells who invited.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.flows.contacts import Contacts
from gateway.flows.ports import Clock, Users
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.contact import Contact, Source, contact_address
from gateway.model.invite import (
    ALREADY_ACCEPTED,
    DESCRIPTION_MAX_CHARS,
    Guest,
    Invite,
    InviteState,
    unknown_invite,
)
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.user import KnownUser, LocalUser
from gateway.ocm import invite as invite_text
from gateway.ocm.invite import Acceptance, Inviter, InviteString
from gateway.peers.answer import Answer
from gateway.peers.client import PeerClient
from gateway.peers.resolver import PeerResolver
from gateway.store.base import Page, Table

log = get_logger(__name__)

# How many invitations of one user may be open at a time.
OPEN_MAX = 200
INVITES = "invites"
# What deployed servers answer to a token that they do not take (`dialects.md` 14.8).
_BAD_TOKEN = frozenset({400, 403, 404})
_ALREADY = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What the guest's server is told: who invited, and whether the same guest had accepted before."""

    inviter: Inviter
    is_repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invites:
    """Makes, answers and accepts invitations.

    Attributes:
        placeholder_email: told for users without an e-mail address, since peers want one (INV-2).
    """

    invites: Table[Invite]
    contacts: Contacts
    users: Users
    resolver: PeerResolver
    client: PeerClient
    authority: Host
    life_seconds: float
    placeholder_email: str
    now: Clock
    new_id: Callable[[], str]

    async def create(self, user: LocalUser, description: str = "") -> Invite:
        """Make an invitation of the user's.

        Raises:
            GatewayError: `INVALID` for too long a description, `LIMITED` if too many are open.
        """
        if len(description) > DESCRIPTION_MAX_CHARS:
            raise GatewayError(Kind.INVALID, f"A description has at most {DESCRIPTION_MAX_CHARS} characters.")
        now = self.now()
        newest = await self.invites.page("user", user.identifier, limit=OPEN_MAX, newest_first=True)
        if sum(invite.state(now) is InviteState.OPEN for invite in newest.records) >= OPEN_MAX:
            raise GatewayError(Kind.LIMITED, "Too many of your invitations are open. Withdraw some.")
        invite = Invite(
            invite_id=self.new_id(),
            user=user.identifier,
            token=invite_text.new_token(self.authority, secrets.token_hex),
            created_at=now,
            expires_at=now + self.life_seconds,
            description=description,
        )
        await self.invites.create(invite)
        log.info("invitation made", invite=invite.invite_id, user=invite.user)
        return invite

    async def page(self, user: str, *, cursor: str | None, limit: int) -> Page[Invite]:
        """Return a part of the user's invitations, newest first."""
        page = await self.invites.page("user", user, cursor=cursor, limit=limit, newest_first=True)
        return Page(tuple([await self._settled(invite) for invite in page.records]), page.cursor)

    async def withdraw(self, user: str, invite_id: str) -> Invite:
        """End an open invitation of the user's.

        Raises:
            GatewayError: `NOT_FOUND` if she has no such invitation, `CONFLICT` if it was accepted.
        """
        invite = await self.invites.get(invite_id)
        if invite is None or invite.user != user:
            raise GatewayError(Kind.NOT_FOUND, "You have no such invitation.")
        return await self.invites.update(invite_id, lambda current: current.withdrawn(self.now()))

    async def accept(self, user: LocalUser, text: str) -> Contact:
        """Accept somebody else's invitation, in whichever form it was passed on; return the new contact.

        Raises:
            GatewayError: `INVALID` if it is none or the other server does not take it, `CONFLICT` if it was accepted
                before, `FORBIDDEN` if we may not contact that server, `NOT_IMPLEMENTED` if it knows no invitations,
                `UNAVAILABLE` if it does not answer now.
        """
        invite = invite_text.parse_string(text)
        if invite.provider == self.authority:
            raise GatewayError(Kind.INVALID, "This invitation is from this very server; give it to somebody elsewhere.")
        message = invite_text.render_acceptance(
            invite.token, self.authority, self._told(user.identifier, user.display_name, user.email)
        )
        answer = await self.client.post_json(invite.provider, "invite-accepted", message, interactive=True)
        inviter = await self._inviter(invite, answer)
        address = contact_address(inviter.claimed_user_id, invite.provider)
        return await self.contacts.enter(
            Contact(
                user=user.identifier,
                address=address,
                display_name=inviter.name or address.identifier,
                email=inviter.email,
                claimed_user_id=inviter.claimed_user_id,
                source=Source.ACCEPTED,
                created_at=self.now(),
            )
        )

    async def accepted(self, peer: AnyPeer, acceptance: Acceptance) -> Accepted:
        """Note who accepted an invitation of one of our users, once.

        Raises:
            GatewayError: `INVALID` for an unknown or expired token, `CONFLICT` if somebody else has accepted it,
                `FORBIDDEN` if the message names another server than it came from.
        """
        guest = _guest(peer, acceptance)
        found = await self.invites.find("token", acceptance.token.reveal())
        inviter = await self.users.find(found.user) if found is not None else None
        if found is None or inviter is None:
            raise unknown_invite()
        try:
            claimed = await self.invites.update(found.invite_id, lambda current: current.accepted(guest, self.now()))
        except GatewayError as error:
            return await self._again(error, peer, guest, found.invite_id, inviter)
        log.info("invitation accepted", invite=claimed.invite_id, user=claimed.user, guest=str(guest.address))
        await self._settled(claimed)
        return Accepted(inviter=self._told_of(inviter))

    async def _again(
        self, error: GatewayError, peer: AnyPeer, guest: Guest, invite_id: str, inviter: KnownUser
    ) -> Accepted:
        """Answer the guest who has accepted already: its server may have lost our answer. Nobody else learns more."""
        invite = await self.invites.get(invite_id) if error.code == ALREADY_ACCEPTED else None
        is_same = invite is not None and invite.guest is not None and invite.guest.address == guest.address
        if invite is None or not is_same or not isinstance(peer, VerifiedPeer):
            raise error
        await self._settled(invite)
        return Accepted(inviter=self._told_of(inviter), is_repeated=True)

    async def _settled(self, invite: Invite) -> Invite:
        """Enter the guest into the contacts, if that was not done; a contact that was removed later stays away."""
        guest = invite.guest
        if guest is None or invite.is_entered:
            return invite
        await self.contacts.enter(
            Contact(
                user=invite.user,
                address=guest.address,
                display_name=guest.display_name or guest.address.identifier,
                email=guest.email,
                claimed_user_id=guest.claimed_user_id,
                source=Source.INVITED,
                created_at=invite.accepted_at,
            )
        )
        return await self.invites.update(invite.invite_id, lambda current: replace(current, is_entered=True))

    async def _inviter(self, invite: InviteString, answer: Answer) -> Inviter:
        if answer.is_success or (answer.status == _ALREADY and answer.document is not None):
            try:
                return invite_text.parse_answer(answer.document)
            except GatewayError:
                if answer.is_success:
                    raise
        if answer.status == _ALREADY:
            raise GatewayError(
                Kind.CONFLICT,
                f"{invite.provider} says that this invitation was accepted already. If you are not among each other's "
                "contacts, ask for a new one.",
                code=ALREADY_ACCEPTED,
            )
        if answer.status not in _BAD_TOKEN:
            raise answer.error()
        peer = await self.resolver.discover(invite.provider, interactive=True)
        if peer.discovery is not None and INVITES not in peer.discovery.capabilities:
            raise GatewayError(Kind.NOT_IMPLEMENTED, f"{invite.provider} knows no invitations.")
        raise GatewayError(
            Kind.INVALID,
            f"{invite.provider} does not take this invitation: it is unknown or over there, or its operator has not "
            "listed this server yet. Ask for a new one.",
            code="invite-refused",
        )

    def _told_of(self, user: KnownUser) -> Inviter:
        return self._told(user.identifier, user.display_name, user.email)

    def _told(self, identifier: str, display_name: str, email: str) -> Inviter:
        return Inviter(
            claimed_user_id=identifier, name=display_name or identifier, email=email or self.placeholder_email
        )


def _guest(peer: AnyPeer, acceptance: Acceptance) -> Guest:
    host = peer.host if isinstance(peer, VerifiedPeer) else peer.claimed_host
    if host is None:
        raise GatewayError(Kind.FORBIDDEN, "This message does not say which server it comes from.")
    return Guest(
        address=contact_address(acceptance.claimed_user_id, host),
        claimed_user_id=acceptance.claimed_user_id,
        display_name=acceptance.name,
        email=acceptance.email,
    )
