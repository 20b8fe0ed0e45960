"""Transfers in the REST interface: ask for one, look at it, cancel it (ACC-5); thin readers of `flows.transfer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.transfer import TransferDraft, Transfers
from gateway.model.resource import ResourcePath
from gateway.model.transfer import Batch, Conflict, ItemState, Transfer
from gateway.web.apiparts import PAGE_SIZE, ApiParts
from gateway.web.doors import Door

BATCHES_PER_PAGE = 20
_MEMBERS = frozenset({"share", "path", "to", "name", "conflict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferApi:
    """Handlers of `/api/v1/transfers`."""

    parts: ApiParts
    transfers: Transfers

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "transfers", "the user's transfers", self.list_all),
            door("POST", "transfers", "copy a received share into the own storage", self.start),
            door("GET", "transfers/{transfer}", "how far a transfer is", self.show),
            door("GET", "transfers/{transfer}/faults", "files of a transfer that were given up", self.faults),
            door("POST", "transfers/{transfer}/cancel", "stop a transfer", self.cancel),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List the user's transfers, newest first."""
        user = await self.parts.user(request)
        page = await self.transfers.page(user.identifier, cursor=request.query.get("cursor"), limit=PAGE_SIZE)
        documents = [transfer_document(transfer) for transfer in page.records]
        return web.json_response({"transfers": documents, "cursor": page.cursor})

    async def start(self, request: web.Request) -> web.Response:
        """Ask for a transfer; it is carried out later."""
        user = await self.parts.user(request)
        document = await self.parts.document(request, "A transfer is described as application/json.")
        transfer = await self.transfers.start(user, transfer_draft_of(document))
        location = f"{self.parts.prefix}/api/v1/transfers/{transfer.transfer_id}"
        return web.json_response(transfer_document(transfer), status=202, headers={"Location": location})

    async def show(self, request: web.Request) -> web.Response:
        """Show one transfer."""
        user = await self.parts.user(request)
        transfer = await self.transfers.get(user.identifier, request.match_info["transfer"])
        return web.json_response(transfer_document(transfer))

    async def faults(self, request: web.Request) -> web.Response:
        """List the files of a transfer that were given up, and why; a page may be empty and yet have a next one."""
        user = await self.parts.user(request)
        transfer = await self.transfers.get(user.identifier, request.match_info["transfer"])
        page = await self.transfers.files(transfer, cursor=request.query.get("cursor"), limit=BATCHES_PER_PAGE)
        return web.json_response({"faults": faults_of(page.records), "cursor": page.cursor})

    async def cancel(self, request: web.Request) -> web.Response:
        """Stop a transfer."""
        user = await self.parts.user(request)
        transfer = await self.transfers.cancel(user.identifier, request.match_info["transfer"])
        return web.json_response(transfer_document(transfer))


def transfer_draft_of(document: Mapping[str, object]) -> TransferDraft:
    """Return the transfer that a user's document asks for.

    Raises:
        GatewayError: `INVALID`, naming every member at fault.
    """
    faults = [Fault(name, "This member is not known.") for name in sorted(set(document) - _MEMBERS)]
    texts = {name: document.get(name, "") for name in ("share", "path", "to", "name")}
    faults += [Fault(name, "This is a text.") for name, value in texts.items() if not isinstance(value, str)]
    if not document.get("share"):
        faults.append(Fault("share", "The id of a received share is missing."))
    conflict = document.get("conflict", Conflict.SKIP.value)
    if conflict not in list(Conflict):
        faults.append(Fault("conflict", f"One of {', '.join(Conflict)}."))
    if faults:
        raise GatewayError(Kind.INVALID, "The transfer is not described well.", faults=tuple(faults))
    return TransferDraft(
        share_id=str(texts["share"]),
        source=ResourcePath.parse(str(texts["path"])),
        folder=ResourcePath.parse(str(texts["to"])),
        name=str(texts["name"]),
        conflict=Conflict(str(conflict)),
    )


def transfer_document(transfer: Transfer) -> dict[str, object]:
    """Return a transfer as JSON; no credential is in it."""
    tally, left = transfer.tally, transfer.seconds_left
    return {
        "id": transfer.transfer_id,
        "state": transfer.state.value,
        "is_over": transfer.is_over,
        "share": transfer.share_id,
        "name": transfer.name,
        "peer": transfer.peer,
        "path": str(transfer.source),
        "target": str(transfer.target),
        "conflict": transfer.conflict.value,
        "problem": transfer.problem,
        "next_attempt_at": int(transfer.due) if transfer.due is not None and _waits(transfer) else None,
        "is_planned": transfer.is_planned,
        "files": tally.files,
        "folders": tally.folders,
        "files_done": tally.done,
        "files_skipped": tally.skipped,
        "faults": tally.faults,
        "bytes": tally.bytes,
        "bytes_done": tally.bytes_done + tally.moving,
        "bytes_per_second": int(transfer.rate),
        "seconds_left": None if left is None else int(left),
        "created_at": int(transfer.created_at),
        "started_at": None if transfer.started_at is None else int(transfer.started_at),
        "ended_at": None if transfer.ended_at is None else int(transfer.ended_at),
    }


def faults_of(batches: tuple[Batch, ...]) -> list[dict[str, str]]:
    """Return what was given up in some batches, as JSON."""
    items = [item for batch in batches for item in batch.items if item.state is ItemState.FAULT]
    return [{"path": str(item.path), "reason": item.fault} for item in items]


def _waits(transfer: Transfer) -> bool:
    return transfer.state.value in ("waiting", "retrying")
