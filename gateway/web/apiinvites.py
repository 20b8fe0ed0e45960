"""Invitations in the REST interface: make, list, withdraw and accept them; thin readers of `flows.invite`.

An invitation holds a secret; it is shown only to the user who made it, and only while it is open.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.flows.invite import Invites
from gateway.model.invite import Invite, InviteState
from gateway.ocm import invite as invite_text
from gateway.ocm.invite import InviteString
from gateway.web.apicontacts import contact_document
from gateway.web.apiparts import PAGE_SIZE, ApiParts, text_of
from gateway.web.doors import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteApi:
    """Handlers of `/api/v1/invites`."""

    parts: ApiParts
    invites: Invites

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "invites", "the user's invitations", self.list_all),
            door("POST", "invites", "invite somebody at another server", self.create),
            door("POST", "invites/accept", "accept somebody's invitation", self.accept),
            door("DELETE", "invites/{invite}", "withdraw an invitation", self.withdraw),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List the user's invitations, newest first."""
        user = await self.parts.user(request)
        page = await self.invites.page(user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        return web.json_response(
            {"invites": [self._document(invite) for invite in page.records], "cursor": page.cursor}, headers=_PRIVATE
        )

    async def create(self, request: web.Request) -> web.Response:
        """Make an invitation."""
        user = await self.parts.user(request)
        document = await self.parts.document(request)
        description = text_of(document, "description", "This is a text.", "")
        return web.json_response(
            self._document(await self.invites.create(user, description)), status=201, headers=_PRIVATE
        )

    async def accept(self, request: web.Request) -> web.Response:
        """Accept an invitation; the answer is the new contact."""
        user = await self.parts.user(request)
        text = text_of(await self.parts.document(request), "invite", "The invitation as you got it.")
        return web.json_response(contact_document(await self.invites.accept(user, text)), status=201)

    async def withdraw(self, request: web.Request) -> web.Response:
        """End an open invitation."""
        user = await self.parts.user(request)
        invite = await self.invites.withdraw(user.identifier, request.match_info["invite"])
        return web.json_response(self._document(invite))

    def _document(self, invite: Invite) -> dict[str, object]:
        state = invite.state(self.invites.now())
        string = InviteString(invite.token, self.invites.authority)
        is_open = state is InviteState.OPEN
        return {
            "id": invite.invite_id,
            "state": state.value,
            "description": invite.description,
            "plain": invite_text.plain(string) if is_open else None,
            "invite": invite_text.encoded(string) if is_open else None,
            "created_at": int(invite.created_at),
            "expires_at": int(invite.expires_at),
            "accepted_by": None if invite.guest is None else str(invite.guest.address),
            "accepted_at": int(invite.accepted_at) if invite.guest is not None else None,
        }


_PRIVATE = {"Cache-Control": "no-store"}
