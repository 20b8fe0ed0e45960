"""The REST interface for users' own programs and our command line: a thin reader of the flows (DESIGN 4, flow 8).

Name and pass word come with every request (Basic). Errors are RFC 9457 problems. Below `files` a folder is a JSON
listing and a file its bytes; a path is percent-encoded and goes to the end of the URL, with a final slash to make a
folder. `docs/rest.md` tells it to users; what JSON looks like is in `apitext`.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.change_share import ChangeShare
from gateway.flows.end_share import EndShare
from gateway.flows.ports import Storages
from gateway.flows.send_share import SendShare
from gateway.flows.use_remote import UseRemote
from gateway.model.address import Host
from gateway.model.share import ReceivedShare, SentShare
from gateway.store.base import Table
from gateway.web import files
from gateway.web.apiparts import PAGE_SIZE, ApiParts
from gateway.web.apitext import change_of, draft_of, entry_document, received_document, sent_document
from gateway.web.doors import Door, Handler
from gateway.web.status import unsupported_body

_TYPE = "A share is described as application/json."


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDoors:
    """Handlers of `/api/v1`."""

    parts: ApiParts
    storages: Storages
    send_share: SendShare
    change_share: ChangeShare
    end_share: EndShare
    answer_share: AnswerShare
    use_remote: UseRemote
    sent: Table[SentShare]
    received: Table[ReceivedShare]
    authority: Host

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "me", "who the user is, and the address to share with", self.me),
            door("GET", "shares", "the user's own shares", self.list_sent),
            door("POST", "shares", "share a file or folder", self.create),
            door("GET", "shares/{share}", "one of the user's own shares", self.show_sent),
            door("PATCH", "shares/{share}", "change a share", self.change),
            door("DELETE", "shares/{share}", "revoke a share", self.revoke),
            door("GET", "received", "what the user has received", self.list_received),
            door("GET", "received/{share}", "one received share", self.show_received),
            door("POST", "received/{share}/accept", "accept a received share", self.accept),
            door("POST", "received/{share}/decline", "decline or give back a received share", self.decline),
            *self._file_doors("files/{path:.*}", "the user's own", self.own_files),
            *self._file_doors("received/{share}/files/{path:.*}", "a received share's", self.received_files),
        )

    def _file_doors(self, path: str, whose: str, handler: Handler) -> tuple[Door, ...]:
        door = self.parts.door
        return (
            door("GET", path, f"list or download {whose} files", handler),
            door("PUT", path, f"upload to {whose} files, or make a folder", handler),
            door("DELETE", path, f"remove from {whose} files", handler),
        )

    async def me(self, request: web.Request) -> web.Response:
        """Tell who the user is and which address others share with."""
        user = await self.parts.user(request)
        return web.json_response(
            {
                "user": user.identifier,
                "display_name": user.display_name,
                "address": f"{user.identifier}@{self.authority}",
            }
        )

    async def list_sent(self, request: web.Request) -> web.Response:
        """List the user's own shares, newest first."""
        user = await self.parts.user(request)
        page = await self.sent.page(
            "owner", user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE, newest_first=True
        )
        return web.json_response({"shares": [sent_document(share) for share in page.records], "cursor": page.cursor})

    async def create(self, request: web.Request) -> web.Response:
        """Share a path with somebody."""
        user = await self.parts.user(request)
        share = await self.send_share.send(user, draft_of(await self.parts.document(request, _TYPE)))
        location = f"{self.parts.prefix}/api/v1/shares/{share.provider_id}"
        return web.json_response(sent_document(share), status=201, headers={"Location": location})

    async def show_sent(self, request: web.Request) -> web.Response:
        """Show one of the user's own shares."""
        user = await self.parts.user(request)
        share = await self.sent.get(request.match_info["share"])
        if share is None or share.owner != user.identifier:
            raise GatewayError(Kind.NOT_FOUND, "You have no such share.")
        return web.json_response(sent_document(share))

    async def change(self, request: web.Request) -> web.Response:
        """Change what the recipient may do, until when, or the note to them."""
        user = await self.parts.user(request)
        change = change_of(await self.parts.document(request, _TYPE))
        share = await self.change_share.change(user.identifier, request.match_info["share"], change)
        return web.json_response(sent_document(share))

    async def revoke(self, request: web.Request) -> web.Response:
        """End one of the user's own shares."""
        user = await self.parts.user(request)
        return web.json_response(
            sent_document(await self.end_share.revoke(user.identifier, request.match_info["share"]))
        )

    async def list_received(self, request: web.Request) -> web.Response:
        """List what the user has received, newest first."""
        user = await self.parts.user(request)
        page = await self.received.page(
            "recipient", user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE, newest_first=True
        )
        shares = [received_document(share) for share in page.records]
        return web.json_response({"shares": shares, "cursor": page.cursor})

    async def show_received(self, request: web.Request) -> web.Response:
        """Show one received share."""
        user = await self.parts.user(request)
        share = await self.answer_share.get(user.identifier, request.match_info["share"])
        return web.json_response(received_document(share))

    async def accept(self, request: web.Request) -> web.Response:
        """Accept a received share."""
        user = await self.parts.user(request)
        share = await self.answer_share.accept(user.identifier, request.match_info["share"])
        return web.json_response(received_document(share))

    async def decline(self, request: web.Request) -> web.Response:
        """Decline a received share, or give it back."""
        user = await self.parts.user(request)
        share = await self.answer_share.decline(user.identifier, request.match_info["share"])
        return web.json_response(received_document(share))

    async def own_files(self, request: web.Request) -> web.StreamResponse:
        """List, read, write or remove the user's own files."""
        user = await self.parts.user(request)
        return await _files(request, self.storages.as_user(user), "")

    async def received_files(self, request: web.Request) -> web.StreamResponse:
        """List, read, write or remove files of a received share."""
        user = await self.parts.user(request)
        share = await self.answer_share.get(user.identifier, request.match_info["share"])
        return await _files(request, await self.use_remote.open(user, share), share.name)


async def _files(request: web.Request, backend: Backend, root_name: str) -> web.StreamResponse:
    path = files.path_of(request)
    match request.method:
        case "PUT" if files.raw_path_of(request).endswith("/") or path.is_root:
            if request.can_read_body:
                raise unsupported_body("A folder is made without a body.")
            return web.Response(status=201 if await files.make_folder(backend, path) else 204)
        case "PUT":
            return web.Response(status=201 if await files.upload(request, backend, path) else 204)
        case "DELETE":
            if path.is_root:
                raise GatewayError(Kind.FORBIDDEN, "The root cannot be removed.")
            await backend.delete(path)
            return web.Response(status=204)
        case _:
            return await _read(request, backend, root_name)


async def _read(request: web.Request, backend: Backend, root_name: str) -> web.StreamResponse:
    path = files.path_of(request)
    entry = await backend.stat(path)
    if not entry.is_folder:
        return await files.download(request, backend, entry, root_name)
    entries, is_cut = await files.listing(backend, path)
    document = {"path": str(path), "entries": [entry_document(entry) for entry in entries], "is_cut": is_cut}
    return web.json_response(document, headers=dict(files.PRIVATE))
