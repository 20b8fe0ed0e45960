"""Transfers: the flows that copy received shares into users' own storage, and the queue of their own (DESIGN 9)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from gateway.app.core import Core
from gateway.app.storage import Near
from gateway.config import Config
from gateway.crypto.secrets import new_id
from gateway.flows.answer_share import AnswerShare
from gateway.flows.outbox import RetryRule
from gateway.flows.transfer import Transfers
from gateway.flows.transfer_end import EndTransfer
from gateway.flows.transfer_ports import TransferRules
from gateway.flows.transfer_run import RunTransfer
from gateway.flows.use_remote import UseRemote
from gateway.jobs.transfers import TransferTasks
from gateway.store.queue import QueueRules, SaqQueue
from gateway.store.tables import RECEIVED_SHARES, TRANSFER_BATCHES, TRANSFERS
from gateway.web.apiparts import ApiParts
from gateway.web.apitransfers import TransferApi
from gateway.web.doors import Door
from gateway.web.pages import Pages
from gateway.web.uitransfers import TransferPages


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferring:
    """What users ask of transfers, and what the worker does for them."""

    transfers: Transfers
    tasks: TransferTasks
    queue: SaqQueue


def build(
    core: Core, near: Near, answer_share: AnswerShare, use_remote: UseRemote, deliveries: SaqQueue
) -> Transferring:
    """Return the flows of transfers.

    Args:
        deliveries: wakes the worker that has something to tell to senders.
    """
    store, rules = core.store, _rules(core.config)
    queue = store.queue("transfers", QueueRules(task_seconds=0))
    transfers, batches = store.table(TRANSFERS), store.table(TRANSFER_BATCHES)
    end = EndTransfer(
        transfers=transfers,
        batches=batches,
        shares=store.table(RECEIVED_SHARES),
        storages=near,
        queue=deliveries,
        now=core.now,
        kept_seconds=rules.kept_seconds,
    )
    run = RunTransfer(
        transfers=transfers,
        batches=batches,
        shares=store.table(RECEIVED_SHARES),
        use_remote=use_remote,
        storages=near,
        end=end,
        queue=queue,
        rules=rules,
        retry=_retry(core.config),
        stats=core.metrics,
        now=core.now,
        chance=random.random,
        new_id=new_id,
    )
    asked = Transfers(
        transfers=transfers,
        batches=batches,
        answer_share=answer_share,
        use_remote=use_remote,
        storages=near,
        queue=queue,
        rules=rules,
        now=core.now,
        new_id=new_id,
    )
    tasks = TransferTasks(transfers=transfers, batches=batches, run=run, queue=queue, now=core.now)
    return Transferring(transfers=asked, tasks=tasks, queue=queue)


def doors(core: Core, transferring: Transferring, pages: Pages, parts: ApiParts) -> tuple[Door, ...]:
    """Return the doors of transfers: REST and pages."""
    rest = TransferApi(parts=parts, transfers=transferring.transfers)
    return (*rest.doors(), *TransferPages(pages=pages, transfers=transferring.transfers, now=core.now).doors())


def _rules(config: Config) -> TransferRules:
    transfers = config.transfers
    return TransferRules(
        parallel_files=transfers.parallel_files,
        parallel_pieces=transfers.parallel_pieces,
        large_bytes=transfers.large_bytes,
        checkers=transfers.checkers,
        lost_seconds=transfers.lost_seconds,
        checkpoint_seconds=transfers.checkpoint_seconds,
        tries=transfers.tries,
        max_files=transfers.max_files,
        max_waiting=transfers.max_waiting,
        kept_seconds=transfers.kept,
    )


def _retry(config: Config) -> RetryRule:
    transfers = config.transfers
    return RetryRule(
        first_seconds=transfers.first_retry_seconds,
        most_seconds=transfers.max_retry_seconds,
        give_up_seconds=transfers.give_up_after,
    )
