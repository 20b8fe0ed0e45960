"""Requests for shares: the door for other servers, and the REST interface of our users (REQ-1)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.flows.request_share import RequestShare
from gateway.model.address import Host
from gateway.model.peer import AnyPeer
from gateway.model.sharerequest import RequestState, ShareRequest
from gateway.ocm import sharerequest as request_text
from gateway.ocm.jsontext import parse_object
from gateway.ocm.sharerequest import AskedShare
from gateway.web.apiparts import PAGE_SIZE, ApiParts, text_of
from gateway.web.apitext import draft_of, sent_document
from gateway.web.doors import Door, Lock, Style
from gateway.web.peergate import PeerGate


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDoor:
    """Handler of `/request-share`."""

    gate: PeerGate
    flow: RequestShare
    prefix: str
    json_depth: int

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = Door(
            name="request-share",
            method="POST",
            path=f"{self.prefix}/request-share",
            lock=Lock.PEER,
            style=Style.OCM,
            about="a peer's user asks for a share (REQ-1)",
            handler=self.receive,
        )
        return (door,)

    async def receive(self, request: web.Request) -> web.Response:
        """Take in a request."""
        body = await self.gate.read(request)
        asked = request_text.parse(parse_object(body, max_bytes=self.gate.max_bytes, max_depth=self.json_depth))
        return await self.take(request, body, asked)

    async def take(self, request: web.Request, body: bytes, asked: AskedShare) -> web.Response:
        """Take in a request that came by this door or as a notification."""

        async def claim(_key_id: str | None) -> tuple[Host, ...]:
            return (asked.share_with.host,)

        async def answer(peer: AnyPeer) -> web.Response:
            await self.flow.receive(peer, asked)
            return web.json_response({}, status=201)

        return await self.gate.admit(request, body, claim, answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApi:
    """Handlers of `/api/v1/share-requests`."""

    parts: ApiParts
    flow: RequestShare

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "share-requests", "what others ask the user to share", self.list_all),
            door("POST", "share-requests", "ask somebody at another server for a share", self.ask),
            door("POST", "share-requests/{request}/grant", "answer a request with a share", self.grant),
            door("POST", "share-requests/{request}/dismiss", "put a request away", self.dismiss),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List what the user was asked for, newest first."""
        user = await self.parts.user(request)
        page = await self.flow.page(user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        found = [_document(record) for record in page.records]
        return web.json_response({"share_requests": found, "cursor": page.cursor})

    async def ask(self, request: web.Request) -> web.Response:
        """Ask somebody elsewhere."""
        user, document = await self.parts.user(request), await self.parts.document(request)
        owner = text_of(document, "owner", "The address user@host of who is asked.")
        resource = text_of(document, "share", "What is asked for: an id or a URL.")
        asked = await self.flow.ask(user, owner, resource)
        return web.json_response({"owner": str(asked), "share": resource}, status=201)

    async def grant(self, request: web.Request) -> web.Response:
        """Answer with a share, described as in `POST shares`, without a recipient."""
        user, document = await self.parts.user(request), await self.parts.document(request)
        # The recipient is who asked; the flow puts the address in.
        draft = draft_of(document | {"recipient": ""})
        share = await self.flow.grant(user, request.match_info["request"], draft)
        return web.json_response(sent_document(share), status=201)

    async def dismiss(self, request: web.Request) -> web.Response:
        """Put a request away."""
        user = await self.parts.user(request)
        return web.json_response(_document(await self.flow.dismiss(user.identifier, request.match_info["request"])))


def _document(request: ShareRequest) -> dict[str, object]:
    return {
        "id": request.request_id,
        "state": request.state.value,
        "requester": str(request.requester),
        "share": request.resource,
        "created_at": int(request.created_at),
        "granted_by": request.share_id if request.state is RequestState.GRANTED else None,
    }
