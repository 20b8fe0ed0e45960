"""Peers in the REST interface, for administrators: seen, decided on, forgotten, asked anew (DESIGN 8)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.peer_admin import PeerAdmin
from gateway.model.peer import Trust
from gateway.web.apiparts import PAGE_SIZE, ApiParts
from gateway.web.doors import Door, Handler, Lock
from gateway.web.peerwords import full_document, peer_document


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerApi:
    """Handlers of `/api/v1/peers`."""

    parts: ApiParts
    admin: PeerAdmin

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return (
            self._door("GET", "peers", "the other servers that are known", self.list_all),
            self._door("GET", "peers/{host}", "what is known of a server, and how it is spoken to", self.show),
            self._door("PATCH", "peers/{host}", "allow or block a server, or take that back", self.decide),
            self._door("DELETE", "peers/{host}", "forget what a server told", self.forget),
            self._door("POST", "peers/{host}/look", "ask a server anew who it is", self.look_again),
            self._door("POST", "peers/{host}/retry", "forget a server's failures", self.retry),
        )

    def _door(self, method: str, path: str, about: str, handler: Handler) -> Door:
        return self.parts.door(method, path, about, handler, lock=Lock.ADMIN)

    async def list_all(self, request: web.Request) -> web.Response:
        """List peers, newest first: all of them, or those about which something was decided."""
        await self.parts.admin(request)
        trust = trust_of(request.query.get("trust", Trust.UNKNOWN.value))
        page = await self.admin.page(trust, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        found = [peer_document(self.admin, peer) for peer in page.records]
        return web.json_response({"peers": found, "cursor": page.cursor})

    async def show(self, request: web.Request) -> web.Response:
        """Show all that is known of one."""
        await self.parts.admin(request)
        peer = await self.admin.get(request.match_info["host"])
        return web.json_response(full_document(self.admin, peer))

    async def decide(self, request: web.Request) -> web.Response:
        """Decide about a server, also one that is not known yet."""
        user, document = await self.parts.admin(request), await self.parts.document(request)
        faults = [Fault(name, "This member cannot be changed.") for name in sorted(set(document) - {"trust"})]
        if faults:
            raise GatewayError(Kind.INVALID, "The change is not described well.", faults=tuple(faults))
        trust = trust_of(document.get("trust"))
        peer = await self.admin.decide(request.match_info["host"], trust, by=user.identifier)
        return web.json_response(peer_document(self.admin, peer))

    async def forget(self, request: web.Request) -> web.Response:
        """Forget what a server told; what was decided about it stays."""
        user = await self.parts.admin(request)
        await self.admin.forget(request.match_info["host"], by=user.identifier)
        return web.Response(status=204)

    async def look_again(self, request: web.Request) -> web.Response:
        """Ask a server anew, also one that is not known yet."""
        user = await self.parts.admin(request)
        peer = await self.admin.look_again(request.match_info["host"], by=user.identifier)
        return web.json_response(full_document(self.admin, peer))

    async def retry(self, request: web.Request) -> web.Response:
        """Let a server be asked at once again, though it failed."""
        user = await self.parts.admin(request)
        peer = await self.admin.retry(request.match_info["host"], by=user.identifier)
        return web.json_response(peer_document(self.admin, peer))


def trust_of(claimed: object) -> Trust:
    """Return what is to be decided, as it was named.

    Raises:
        GatewayError: `INVALID`.
    """
    if isinstance(claimed, str) and claimed in list(Trust):
        return Trust(claimed)
    about = f"One of {', '.join(Trust)}."
    raise GatewayError(Kind.INVALID, f"trust: {about}", faults=(Fault("trust", about),))
