"""A user has a received share copied into her own storage, looks how far it is, or stops it (ACC-5, `datatx`).

Here a transfer is only asked for and looked at; `transfer_run` carries it out, in a worker of any replica. As nobody is
logged in then, what opens the user's own storage is kept with the transfer, encrypted, until the transfer is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.ports import Clock, Storages
from gateway.flows.transfer_ports import TransferRules
from gateway.flows.transfer_run import TASK
from gateway.flows.use_remote import UseRemote
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.model.transfer import TRANSFER_STEPS, Batch, Conflict, Transfer, TransferState
from gateway.model.user import LocalUser
from gateway.store.base import Page, Queue, Table

log = get_logger(__name__)

ROOT = ResourcePath()
# A running transfer is stopped and cleared up by its own worker; another looks after this time, in seconds.
CLEAR_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferDraft:
    """What a user wants copied.

    Attributes:
        source: the part of the share, its root for the whole.
        folder: the folder of her own storage into which it goes.
        name: what it is called there; by default as at the sender.
    """

    share_id: str
    source: ResourcePath = ROOT
    folder: ResourcePath = ROOT
    name: str = ""
    conflict: Conflict = Conflict.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """The transfers of users."""

    transfers: Table[Transfer]
    batches: Table[Batch]
    answer_share: AnswerShare
    use_remote: UseRemote
    storages: Storages
    queue: Queue
    rules: TransferRules
    now: Clock
    new_id: Callable[[], str]

    async def start(self, user: LocalUser, draft: TransferDraft) -> Transfer:
        """Keep what the user wants copied, and wake a worker.

        Raises:
            GatewayError: `NOT_FOUND` or `INVALID` for a share or folder that is not there, `FORBIDDEN` if the share may
                not be transferred, `LIMITED` if the user has too many transfers that are not over.
        """
        share = await self.answer_share.get(user.identifier, draft.share_id)
        self.use_remote.check_transfer(user, share)
        await self._check_folder(user, draft.folder)
        going = await self.transfers.page("going", user.identifier, limit=self.rules.max_waiting)
        if len(going.records) >= self.rules.max_waiting:
            raise GatewayError(Kind.LIMITED, "You have too many transfers that are not over yet.", retry_after=60)
        now = self.now()
        transfer = Transfer(
            transfer_id=self.new_id(),
            owner=user.identifier,
            share_id=share.share_id,
            name=share.name,
            peer=share.peer,
            source=draft.source,
            target=_target(draft, share.name),
            conflict=draft.conflict,
            actor=user,
            created_at=now,
            due=now,
            progress_at=now,
        )
        await self.transfers.create(transfer)
        await self.queue.wake(TASK, transfer.transfer_id)
        log.info("transfer asked for", transfer=transfer.transfer_id, share=share.share_id)
        return transfer

    async def get(self, owner: str, transfer_id: str) -> Transfer:
        """Return a transfer of this user.

        Raises:
            GatewayError: `NOT_FOUND` if she has none with this id.
        """
        transfer = await self.transfers.get(transfer_id)
        if transfer is None or transfer.owner != owner:
            raise GatewayError(Kind.NOT_FOUND, "You have no such transfer.")
        return transfer

    async def page(self, owner: str, *, cursor: str | None, limit: int) -> Page[Transfer]:
        """Return the transfers of this user, newest first."""
        return await self.transfers.page("owner", owner, cursor=cursor, limit=limit, newest_first=True)

    async def files(self, transfer: Transfer, *, cursor: str | None, limit: int) -> Page[Batch]:
        """Return a part of the files of a transfer; of one that is over, only those with faults are known."""
        return await self.batches.page("transfer", transfer.transfer_id, cursor=cursor, limit=limit)

    async def cancel(self, owner: str, transfer_id: str) -> Transfer:
        """Stop a transfer; what was copied stays, what was half copied goes. Cancelling twice is one cancellation."""
        await self.get(owner, transfer_id)
        now = self.now()

        def change(transfer: Transfer) -> Transfer:
            if TransferState.CANCELLED not in TRANSFER_STEPS[transfer.state]:
                return transfer
            is_running = transfer.state is TransferState.RUNNING
            over = transfer.step(TransferState.CANCELLED, due=now + (CLEAR_UP_SECONDS if is_running else 0.0))
            return replace(over, rate=0.0)

        transfer = await self.transfers.update(transfer_id, change)
        if transfer.due is not None:
            await self.queue.wake(TASK, transfer_id, at=transfer.due)
        return transfer

    async def _check_folder(self, user: LocalUser, folder: ResourcePath) -> None:
        entry = await self.storages.as_user(user).stat(folder)
        if not entry.is_folder:
            message = "The target is a file; name a folder of yours."
            raise GatewayError(Kind.INVALID, message, faults=(Fault("to", message),))


def _target(draft: TransferDraft, share_name: str) -> ResourcePath:
    try:
        return draft.folder / (draft.name or draft.source.name or share_name)
    except GatewayError as error:
        message = "It cannot have this name in your storage; give it another one."
        raise GatewayError(Kind.INVALID, message, faults=(Fault("name", message),)) from error
