"""Transfers: what a user copies out of a received share into her own storage, and where that stands (ACC-5, `datatx`).

A `Transfer` is the whole and stays small: what, where to, how far, and when somebody has to look at it again. The files
are in `Batch` records of a bounded size each, so that a tree of any number of files is planned, carried on and
reported piece by piece. Until a transfer is over its record also holds with what the storage is opened for its user.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.resource import Entry, EntryKind, ResourcePath
from gateway.model.user import LocalUser

# What one batch holds: with the longest of paths its record stays below half a mebibyte.
BATCH_ITEMS = 100
FAULT_MAX_CHARS = 300


class TransferState(StrEnum):
    """Where a transfer stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    PARTLY = "partly-done"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Every allowed step; what is not here is refused.
TRANSFER_STEPS: dict[TransferState, frozenset[TransferState]] = {
    TransferState.WAITING: frozenset({TransferState.RUNNING, TransferState.CANCELLED, TransferState.FAILED}),
    TransferState.RUNNING: frozenset(
        {
            # Another worker takes over from one that died.
            TransferState.RUNNING,
            # A worker that is stopped gives its work back.
            TransferState.WAITING,
            TransferState.RETRYING,
            TransferState.DONE,
            TransferState.PARTLY,
            TransferState.FAILED,
            TransferState.CANCELLED,
        }
    ),
    TransferState.RETRYING: frozenset({TransferState.RUNNING, TransferState.CANCELLED, TransferState.FAILED}),
    TransferState.DONE: frozenset(),
    TransferState.PARTLY: frozenset(),
    TransferState.FAILED: frozenset(),
    TransferState.CANCELLED: frozenset(),
}
OVER = frozenset(state for state, steps in TRANSFER_STEPS.items() if not steps)


class Conflict(StrEnum):
    """What is done about a file whose name is taken at the target; folders are merged."""

    SKIP = "skip"
    OVERWRITE = "overwrite"
    RENAME = "rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much there is and how far it went; `bytes` and `bytes_done` count files only, skipped ones as done.

    Attributes:
        moving: bytes of the files that are being copied now.
    """

    files: int = 0
    folders: int = 0
    bytes: int = 0
    done: int = 0
    skipped: int = 0
    faults: int = 0
    bytes_done: int = 0
    moving: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer.

    Attributes:
        owner: local identifier of the user.
        name: the share's name, and
        peer: the provider that holds it, for the user's list.
        source: what is copied, seen from the share's root.
        target: what it becomes, seen from the user's own root.
        actor: as whom the own storage is opened while nobody is logged in; forgotten once nothing is left to do.
        due: when somebody has to look at it; while it runs, when its worker counts as lost. None if never again.
        runner: the run that may write this record.
        tries: failed runs in a row without a byte of progress.
        progress_at: the last time that something came, in seconds since the epoch like all times here.
        problem: what keeps it waiting, or why it ended, in words for the user.
        is_planned: whether all batches are written, and `tally` says how much there is.
        rate: bytes in a second, lately.
        ended_at: when it was over and nothing half was left of it.
        kept_until: when the record may be forgotten.
    """

    transfer_id: str
    owner: str
    share_id: str
    name: str
    peer: Host
    source: ResourcePath
    target: ResourcePath
    conflict: Conflict
    actor: LocalUser | None
    created_at: float
    state: TransferState = TransferState.WAITING
    due: float | None
    runner: str = ""
    tries: int = 0
    progress_at: float
    started_at: float | None = None
    ended_at: float | None = None
    problem: str = ""
    is_planned: bool = False
    batches: int = 0
    tally: Tally = Tally()
    rate: float = 0.0
    kept_until: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is copied."""
        return self.state in OVER

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present rate, or None if that cannot be told."""
        left = self.tally.bytes - self.tally.bytes_done - self.tally.moving
        if self.state is not TransferState.RUNNING or not self.is_planned or self.rate <= 0:
            return None
        return max(left, 0) / self.rate

    def step(self, state: TransferState, *, due: float | None, problem: str = "") -> Transfer:
        """Return the transfer in its next state.

        Raises:
            GatewayError: `CONFLICT` if the table of steps does not allow it.
        """
        if state not in TRANSFER_STEPS[self.state]:
            raise GatewayError(Kind.CONFLICT, f"This transfer is {self.state.value}; it cannot become {state.value}.")
        return replace(self, state=state, due=due, problem=problem)

    def acting_user(self) -> LocalUser:
        """Return the user as whom the own storage is opened.

        Raises:
            GatewayError: `CONFLICT` if the transfer is over and its credential forgotten.
        """
        if self.actor is None:
            raise GatewayError(Kind.CONFLICT, "This transfer is over.")
        return self.actor


class ItemState(StrEnum):
    """Where one file or folder of a transfer stands."""

    TODO = "todo"
    DONE = "done"
    SKIPPED = "skipped"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file or folder of a transfer, as the plan found it.

    Attributes:
        path: seen from what the transfer copies.
        new_name: the name that it gets at the target, where that is another one.
        tries: how often it failed while others went well, or was found changed.
        fault: why it was not copied, in words for the user.
        pieces: which pieces of a large file lie verified in its partial file: a bit mask in hexadecimal.
    """

    path: ResourcePath
    kind: EntryKind
    size: int | None = None
    etag: str | None = None
    modified: float | None = None
    state: ItemState = ItemState.TODO
    new_name: str = ""
    tries: int = 0
    fault: str = ""
    pieces: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.kind is EntryKind.FOLDER

    def failed(self, why: str) -> Item:
        """Return the item given up, with the reason."""
        return replace(self, state=ItemState.FAULT, fault=why[:FAULT_MAX_CHARS])

    def seen_again(self, entry: Entry) -> Item:
        """Return the item as its source now is, to be copied from its first byte."""
        return replace(self, size=entry.size, etag=entry.etag, modified=entry.modified, pieces="", tries=self.tries + 1)


def item_of(entry: Entry) -> Item:
    """Return the item for what a listing showed."""
    return Item(path=entry.path, kind=entry.kind, size=entry.size, etag=entry.etag, modified=entry.modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A bounded number of the items of one transfer, in the order of the plan: a folder before what is in it.

    Attributes:
        is_prepared: whether its folders were made and its conflicts decided; nothing of it was copied before that.
        kept_until: when the record may be forgotten, in seconds since the epoch.
    """

    batch_id: str
    transfer_id: str
    number: int
    items: tuple[Item, ...]
    is_prepared: bool = False
    kept_until: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return all(item.state is not ItemState.TODO for item in self.items)


def batch_id(transfer_id: str, number: int) -> str:
    """Return the key of a batch."""
    return f"{transfer_id}.{number}"


def tally_of(batches: tuple[Batch, ...], before: Tally | None = None) -> Tally:
    """Return what the batches add to a tally."""
    tally = before or Tally()
    for batch in batches:
        for item in batch.items:
            tally = counted(tally, item, total=True)
    return tally


def counted(tally: Tally, item: Item, *, total: bool = False) -> Tally:
    """Return the tally with an item that is not `TODO` any more, and (if `total`) with what it adds to the whole."""
    size = 0 if item.is_folder else item.size or 0
    is_good = item.state in (ItemState.DONE, ItemState.SKIPPED)
    return replace(
        tally,
        files=tally.files + (total and not item.is_folder),
        folders=tally.folders + (total and item.is_folder),
        bytes=tally.bytes + (size if total else 0),
        done=tally.done + (item.state is ItemState.DONE and not item.is_folder),
        skipped=tally.skipped + (item.state is ItemState.SKIPPED),
        faults=tally.faults + (item.state is ItemState.FAULT),
        bytes_done=tally.bytes_done + (size if is_good else 0),
    )


def partial_name(transfer_id: str, batch: int, place: int) -> str:
    """Return the hidden name under which the file at `place` of a batch grows; it follows from where the file stands.

    So whoever carries a transfer on, or clears up behind it, knows the name without having been told.
    """
    return f".ocm-{transfer_id[:8]}-{batch}-{place}.partial"
