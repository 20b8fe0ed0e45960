"""Pages of administrators about other servers: who they are, why they are spoken to as they are, and what was decided.

Thin readers of `flows.peer_admin`, as the command line is. Whoever is no administrator gets 403, and sees no link.
What a server says of itself is a stranger's text, and is shown as text only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.flows.peer_admin import PeerAdmin
from gateway.model.address import Host
from gateway.model.peer import Peer, Trust
from gateway.web.doors import Door, Handler, Lock
from gateway.web.pages import Pages, Visitor
from gateway.web.peerwords import row_of, signature_words
from gateway.web.status import http_status

PAGE_PEERS = 50
_BLOCK = (
    "Its messages are refused and nothing is sent to it. Nobody there can open what was shared with them; what they "
    "have open is cut off. Shares do not end: they open again when you take the block back."
)
_FORGET = (
    "Its document, its keys and its failures are forgotten, and that it has signed: until it signs again, unsigned "
    "messages in its name may be heard. What was decided about it stays."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPages:
    """Handlers of the pages about other servers."""

    pages: Pages
    admin: PeerAdmin

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return (
            self._door("GET", "", "the other servers that are known", self.list_page),
            self._door("GET", "/{host}", "what is known of a server", self.page),
            self._door("POST", "/{host}/look", "ask a server anew who it is", self.look_again),
            self._door("POST", "/{host}/allow", "allow a server", self._decider(Trust.ALLOWED)),
            self._door("GET", "/{host}/block", "question before a block", self.ask_block),
            self._door("POST", "/{host}/block", "block a server", self._decider(Trust.DENIED)),
            self._door("POST", "/{host}/undecide", "take a decision back", self._decider(Trust.UNKNOWN)),
            self._door("POST", "/{host}/retry", "forget a server's failures", self.retry),
            self._door("GET", "/{host}/forget", "question before forgetting", self.ask_forget),
            self._door("POST", "/{host}/forget", "forget what a server told", self.forget),
        )

    def _door(self, method: str, path: str, about: str, handler: Handler) -> Door:
        return self.pages.door(method, f"/peers{path}", about, handler, Lock.ADMIN)

    async def list_page(self, request: web.Request) -> web.Response:
        """List peers, newest first, or lead to the one that was looked for."""
        visitor = await self.pages.admin(request)
        sought = request.query.get("host", "").strip()
        fault: GatewayError | None = None
        if sought:
            try:
                return self._go(self.admin.host(sought))
            except GatewayError as error:
                fault = error
        named = request.query.get("trust", "")
        trust = Trust(named) if named in list(Trust) else Trust.UNKNOWN
        page = await self.admin.page(trust, cursor=request.query.get("cursor"), limit=PAGE_PEERS)
        return self.pages.show(
            request,
            "peers.html",
            visitor,
            status=http_status(fault) if fault else 200,
            tab="peers",
            rows=[row_of(self.admin, peer) for peer in page.records],
            cursor=page.cursor,
            trust=trust.value,
            sought=sought,
            fault=fault,
        )

    async def page(self, request: web.Request) -> web.Response:
        """Show what is known of one peer, or that nothing is."""
        visitor = await self.pages.admin(request)
        return await self._page(request, visitor)

    async def look_again(self, request: web.Request) -> web.Response:
        """Ask a peer anew; what goes wrong is told on its page."""
        visitor, _ = await self.pages.admin_form(request)
        host = self._host(request)
        try:
            await self.admin.look_again(host, by=visitor.user.identifier)
        except GatewayError as error:
            if error.kind not in (Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.UNAVAILABLE):
                raise
            return await self._page(request, visitor, error=error)
        return self._go(host, notice="peer-asked")

    async def retry(self, request: web.Request) -> web.Response:
        """Let a peer be asked at once again."""
        visitor, _ = await self.pages.admin_form(request)
        host = self._host(request)
        await self.admin.retry(host, by=visitor.user.identifier)
        return self._go(host, notice="peer-retried")

    async def ask_block(self, request: web.Request) -> web.Response:
        """Ask before a block."""
        return await self._question(request, "block", f"Block {self._host(request)}?", _BLOCK, "Block")

    async def ask_forget(self, request: web.Request) -> web.Response:
        """Ask before a peer is forgotten."""
        return await self._question(request, "forget", f"Forget {self._host(request)}?", _FORGET, "Forget")

    async def forget(self, request: web.Request) -> web.Response:
        """Forget what a peer told."""
        visitor, _ = await self.pages.admin_form(request)
        host = self._host(request)
        await self.admin.forget(host, by=visitor.user.identifier)
        return self._go(host, notice="peer-forgotten")

    def _decider(self, trust: Trust) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def decide(request: web.Request) -> web.Response:
            visitor, _ = await self.pages.admin_form(request)
            host = self._host(request)
            await self.admin.decide(host, trust, by=visitor.user.identifier)
            return self._go(host, notice=f"peer-{trust.value}")

        return decide

    async def _question(self, request: web.Request, act: str, title: str, text: str, button: str) -> web.Response:
        visitor = await self.pages.admin(request)
        place = _place(self._host(request))
        return self.pages.show(
            request,
            "confirm.html",
            visitor,
            tab="peers",
            title=title,
            text=text,
            button=button,
            action=f"{place}/{act}",
            back=place,
        )

    async def _page(self, request: web.Request, visitor: Visitor, *, error: GatewayError | None = None) -> web.Response:
        host = self._host(request)
        known = await self.admin.records.get(host)
        peer = known or Peer(host=host)
        return self.pages.show(
            request,
            "peer.html",
            visitor,
            status=http_status(error) if error else 200,
            tab="peers",
            place=_place(host),
            is_known=known is not None,
            row=row_of(self.admin, peer),
            report=self.admin.report(peer),
            signatures=signature_words(self.admin, peer),
            error=error,
        )

    def _host(self, request: web.Request) -> Host:
        return self.admin.host(request.match_info["host"])

    def _go(self, host: Host, **query: str) -> web.Response:
        return self.pages.go(_place(host), **query)


def _place(host: Host) -> str:
    return f"/peers/{quote(host, safe='')}"
