"""The door through which another server tells that its user accepts an invitation of ours (INV-2).

The message names its server, at times without the port; the key id of its signature then says the rest. The oldest
servers post to another path and wrap the message; both go the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.crypto.keys import key_id_host
from gateway.flows.invite import Invites
from gateway.model.address import Host, without_port
from gateway.model.invite import ALREADY_ACCEPTED
from gateway.model.peer import AnyPeer
from gateway.ocm import invite as invite_text
from gateway.ocm.invite import Acceptance
from gateway.ocm.jsontext import parse_object
from gateway.web.doors import Door, Lock, Style
from gateway.web.peergate import PeerGate

_ABOUT = {
    "invite-accepted": "a peer's user accepts an invitation (INV-2)",
    "invites/accept": "the same, at the path of the oldest servers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteDoors:
    """Handlers of `/invite-accepted`."""

    gate: PeerGate
    invites: Invites
    prefix: str
    json_depth: int

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return tuple(
            Door(
                name="invite-accepted",
                method="POST",
                path=f"{self.prefix}/{path}",
                lock=Lock.PEER,
                style=Style.OCM,
                about=about,
                handler=self.accepted,
            )
            for path, about in _ABOUT.items()
        )

    async def accepted(self, request: web.Request) -> web.Response:
        """Take in an acceptance."""
        body = await self.gate.read(request)
        document = parse_object(body, max_bytes=self.gate.max_bytes, max_depth=self.json_depth)
        acceptance = invite_text.parse_acceptance(document)

        async def claim(key_id: str | None) -> tuple[Host, ...]:
            return (_claimed_host(acceptance, key_id),)

        async def answer(peer: AnyPeer) -> web.Response:
            accepted = await self.invites.accepted(peer, acceptance)
            told = invite_text.render_person(accepted.inviter)
            if accepted.is_repeated:
                message = {"message": "You have accepted this invitation already.", "code": ALREADY_ACCEPTED}
                return web.json_response(message | told, status=409)
            return web.json_response(told)

        return await self.gate.admit(request, body, claim, answer)


def _claimed_host(acceptance: Acceptance, key_id: str | None) -> Host:
    claimed = acceptance.claimed_provider
    named = key_id_host(key_id) if key_id else None
    # Nextcloud leaves the port out (`dialects.md` 3.10); what counts is whom the signature proves.
    return named if named is not None and without_port(named) == claimed else claimed
