"""Pages of transfers: what to copy where, how far it is, what went wrong, and the way to stop it (ACC-5).

The page of a running transfer loads itself again every few seconds, so it needs no script. Thin readers of
`flows.transfer`, like the rest of the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.flows.transfer import TransferDraft, Transfers
from gateway.model.resource import ResourcePath
from gateway.model.transfer import Batch, Conflict, Transfer, TransferState
from gateway.store.base import Page
from gateway.web import pagewords
from gateway.web.apitransfers import faults_of
from gateway.web.doors import Door
from gateway.web.pages import Pages, Visitor
from gateway.web.status import http_status

PAGE_TRANSFERS = 50
FAULT_BATCHES = 5
REFRESH_SECONDS = 3
_WORDS = {
    TransferState.WAITING: "Waits for its turn",
    TransferState.RUNNING: "Is being copied",
    TransferState.RETRYING: "Waits for the next try",
    TransferState.DONE: "Copied",
    TransferState.PARTLY: "Copied, except for some files",
    TransferState.FAILED: "Failed",
    TransferState.CANCELLED: "Cancelled",
}
_TONES = {
    TransferState.WAITING: "wait",
    TransferState.RUNNING: "wait",
    TransferState.RETRYING: "wait",
    TransferState.DONE: "good",
    TransferState.PARTLY: "bad",
    TransferState.FAILED: "bad",
    TransferState.CANCELLED: "over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPages:
    """Handlers of the pages of transfers."""

    pages: Pages
    transfers: Transfers
    now: Clock

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.pages.door
        return (
            door("GET", "/received/{share}/copy", "form for a transfer", self.form_page),
            door("POST", "/received/{share}/copy", "copy a share into the own storage", self.start),
            door("GET", "/transfers", "the user's transfers", self.list_page),
            door("GET", "/transfers/{transfer}", "how far a transfer is", self.page),
            door("POST", "/transfers/{transfer}/cancel", "stop a transfer", self.cancel),
        )

    async def form_page(self, request: web.Request) -> web.Response:
        """Show the form for copying a share."""
        visitor = await self.pages.visitor(request)
        return await self._form(request, visitor, {})

    async def start(self, request: web.Request) -> web.Response:
        """Ask for a transfer and lead to its page."""
        visitor, fields = await self.pages.form(request)
        try:
            transfer = await self.transfers.start(visitor.user, _draft(request.match_info["share"], fields))
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                error = GatewayError(Kind.INVALID, "There is no such folder in your storage.")
            return await self._form(request, visitor, fields, error=error)
        return self.pages.go(f"/transfers/{transfer.transfer_id}")

    async def list_page(self, request: web.Request) -> web.Response:
        """List the user's transfers, newest first."""
        visitor = await self.pages.visitor(request)
        page = await self.transfers.page(
            visitor.user.identifier, cursor=request.query.get("cursor"), limit=PAGE_TRANSFERS
        )
        rows = [_row(transfer, self.now()) for transfer in page.records]
        return self.pages.show(request, "transfers.html", visitor, tab="transfers", rows=rows, cursor=page.cursor)

    async def page(self, request: web.Request) -> web.Response:
        """Show one transfer."""
        visitor = await self.pages.visitor(request)
        transfer = await self.transfers.get(visitor.user.identifier, request.match_info["transfer"])
        found: Page[Batch] = Page((), None)
        if transfer.tally.faults:
            found = await self.transfers.files(transfer, cursor=request.query.get("cursor"), limit=FAULT_BATCHES)
        return self.pages.show(
            request,
            "transfer.html",
            visitor,
            tab="transfers",
            row=_row(transfer, self.now()),
            faults=faults_of(found.records),
            cursor=found.cursor,
            refresh=None if transfer.ended_at else REFRESH_SECONDS,
        )

    async def cancel(self, request: web.Request) -> web.Response:
        """Stop a transfer."""
        visitor, _ = await self.pages.form(request)
        transfer = await self.transfers.cancel(visitor.user.identifier, request.match_info["transfer"])
        return self.pages.go(f"/transfers/{transfer.transfer_id}", notice="transfer-cancelled")

    async def _form(
        self, request: web.Request, visitor: Visitor, fields: Mapping[str, str], *, error: GatewayError | None = None
    ) -> web.Response:
        share = await self.transfers.answer_share.get(visitor.user.identifier, request.match_info["share"])
        return self.pages.show(
            request,
            "copy.html",
            visitor,
            status=http_status(error) if error else 200,
            tab="received",
            share=share,
            fields={name: fields.get(name, "") for name in ("to", "name", "conflict")},
            error=error,
        )


def _draft(share_id: str, fields: Mapping[str, str]) -> TransferDraft:
    conflict = fields.get("conflict", "")
    return TransferDraft(
        share_id=share_id,
        folder=ResourcePath.parse(fields.get("to", "").strip()),
        name=fields.get("name", "").strip(),
        conflict=Conflict(conflict) if conflict in list(Conflict) else Conflict.SKIP,
    )


def _row(transfer: Transfer, now: float) -> Mapping[str, object]:
    tally, left = transfer.tally, transfer.seconds_left
    waits = transfer.state is TransferState.RETRYING and transfer.due is not None
    return {
        "transfer": transfer,
        "words": _WORDS[transfer.state],
        "tone": _TONES[transfer.state],
        "bytes_done": tally.bytes_done + tally.moving,
        "next_attempt": pagewords.soon_words(transfer.due or now, now) if waits else "",
        "left": "" if left is None else pagewords.soon_words(now + left, now),
    }
