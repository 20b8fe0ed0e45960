"""Where a user looks at the host key of a sender's SSH server, and says whether she believes it (SHARE-4).

Needed only once for a share, and only where the sender's provider does not vouch for its keys itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.reach_ssh import Look, ReachSsh
from gateway.model.share import ReceivedShare
from gateway.ocm.jsontext import parse_object
from gateway.web.aio import admit_later, body_of
from gateway.web.doors import Door, Handler, Lock, Style
from gateway.web.head import read_body
from gateway.web.pages import Pages

MAX_BYTES = 4096
JSON_DEPTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeyDoors:
    """Handlers for looking at host keys, for programs and on a page."""

    pages: Pages
    answer_share: AnswerShare
    reach_ssh: ReachSsh

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        rest, page = f"{self.pages.prefix}/api/v1/received/{{share}}/host-key", "/received/{share}/host-key"
        look, trust = "the host key of a share's SSH server", "believe the host key of a share's SSH server"
        api = Door(
            name="api",
            method="GET",
            path=rest,
            lock=Lock.USER,
            style=Style.PROBLEM,
            about=look,
            handler=self.show,
            expect_handler=admit_later,
        )
        return (
            api,
            replace(api, method="POST", about=trust, handler=self.confirm),
            self._page(api, "GET", page, look, self.page),
            self._page(api, "POST", page, trust, self.confirm_page),
        )

    def _page(self, like: Door, method: str, path: str, about: str, handler: Handler) -> Door:
        place = f"{self.pages.root}{path}"
        return replace(like, name="ui", method=method, path=place, style=Style.PAGE, about=about, handler=handler)

    async def show(self, request: web.Request) -> web.Response:
        """Tell the fingerprint, and whether it is believed."""
        user = await self.pages.gate.basic(request)
        return web.json_response(_document(await self.reach_ssh.look(await self._share(request, user.identifier))))

    async def confirm(self, request: web.Request) -> web.Response:
        """Believe the key with the fingerprint that the user names."""
        user = await self.pages.gate.basic(request)
        share = await self._share(request, user.identifier)
        body = await read_body(body_of(request), max_bytes=MAX_BYTES)
        named = parse_object(body, max_bytes=MAX_BYTES, max_depth=JSON_DEPTH).get("fingerprint")
        if not isinstance(named, str):
            message = "The fingerprint that you looked at is missing."
            raise GatewayError(Kind.INVALID, message, faults=(Fault("fingerprint", message),))
        return web.json_response(_document(await self.reach_ssh.look(await self.reach_ssh.trust(share, named))))

    async def page(self, request: web.Request) -> web.Response:
        """Show the fingerprint."""
        visitor = await self.pages.visitor(request)
        share = await self._share(request, visitor.user.identifier)
        look = await self.reach_ssh.look(share)
        return self.pages.show(request, "host-key.html", visitor, tab="received", share=share, look=look)

    async def confirm_page(self, request: web.Request) -> web.Response:
        """Believe the key that was shown."""
        visitor, fields = await self.pages.form(request)
        share = await self._share(request, visitor.user.identifier)
        await self.reach_ssh.trust(share, fields.get("fingerprint", ""))
        return self.pages.go("/shared-with-me", notice="host-key-believed")

    async def _share(self, request: web.Request, owner: str) -> ReceivedShare:
        return await self.answer_share.get(owner, request.match_info["share"])


def _document(look: Look) -> dict[str, object]:
    return {
        "address": look.address,
        "fingerprint": look.fingerprint,
        "is_believed": look.pinned_by is not None,
        "because": None if look.pinned_by is None else look.pinned_by.value,
    }
