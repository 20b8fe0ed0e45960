"""The flows, made from the near side, the far side and the store."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

from gateway.app import people as meeting_people
from gateway.app import sshaway, transfers
from gateway.app.core import Core
from gateway.app.peers import Far, contact_rule
from gateway.app.people import Meeting
from gateway.app.storage import Near
from gateway.app.transfers import Transferring
from gateway.crypto.secrets import new_id, new_secret
from gateway.flows.answer_share import AnswerShare
from gateway.flows.change_share import ChangeShare
from gateway.flows.check_received import CheckReceived
from gateway.flows.deliver import DeliverReceived, DeliverSent
from gateway.flows.end_share import EndShare
from gateway.flows.exchange_token import ExchangeToken
from gateway.flows.ladder import Ladder
from gateway.flows.notify import Notify
from gateway.flows.open_access import OpenAccess
from gateway.flows.outbox import Outbox, RetryRule
from gateway.flows.ports import Users
from gateway.flows.receive_share import ReceivedLimits, ReceiveShare
from gateway.flows.received_shelf import ReceivedShelf
from gateway.flows.remote_keys import RemoteKeys
from gateway.flows.request_share import RequestShare
from gateway.flows.send_share import SendShare
from gateway.flows.share_on import ShareOn
from gateway.flows.store_account import StoreAccount
from gateway.flows.use_remote import UseRemote
from gateway.flows.which_door import WhichDoor
from gateway.identity.base import Identity
from gateway.jobs.tasks import Tasks
from gateway.store.queue import SaqQueue
from gateway.store.tables import RECEIVED_SHARES, SENT_SHARES, STORED_ACCOUNTS
from gateway.web.granted import Narrowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """Every flow, and the tasks that carry on what they leave for later."""

    receive_share: ReceiveShare
    notify: Notify
    exchange_token: ExchangeToken
    open_access: OpenAccess[Narrowed]
    send_share: SendShare
    change_share: ChangeShare
    end_share: EndShare
    answer_share: AnswerShare
    use_remote: UseRemote
    transferring: Transferring
    received_shelf: ReceivedShelf
    store_account: StoreAccount
    meeting: Meeting
    request_share: RequestShare
    tasks: Tasks


def build(core: Core, far: Far, near: Near, people: Identity, queue: SaqQueue) -> Flows:
    """Return the flows."""
    deliver_sent, deliver_received = _deliveries(core, far, queue)
    sent, received = core.store.table(SENT_SHARES), core.store.table(RECEIVED_SHARES)
    meeting = meeting_people.build(core, far, people)
    send_share = _send_share(core, far, near, deliver_sent, meeting)
    end_share = EndShare(
        shares=sent,
        tell_ended=core.watch.tell_ended,
        release_locks=near.release_locks,
        deliver=deliver_sent,
        now=core.now,
    )
    use_remote = _use_remote(core, far)
    answer_share = AnswerShare(
        shares=received, deliver=deliver_received, now=core.now, look_seconds=core.config.jobs.look_seconds
    )
    return Flows(
        receive_share=_receive_share(core, far, people, meeting),
        notify=_notify(core, far, end_share, queue, meeting),
        exchange_token=_exchange_token(core, far),
        open_access=_open_access(core, far, near),
        send_share=send_share,
        change_share=_change_share(core, near, deliver_sent),
        end_share=end_share,
        answer_share=answer_share,
        use_remote=use_remote,
        transferring=transfers.build(core, near, answer_share, use_remote, queue),
        received_shelf=ReceivedShelf(shares=received, use_remote=use_remote, now=core.now),
        store_account=StoreAccount(
            accounts=core.store.table(STORED_ACCOUNTS), places=near, attempt=people.throttle.attempt, now=core.now
        ),
        meeting=meeting,
        request_share=meeting_people.asking(core, far, people, send_share),
        tasks=_tasks(core, far, use_remote, end_share, (deliver_sent, deliver_received)),
    )


def _tasks(
    core: Core,
    far: Far,
    use_remote: UseRemote,
    end_share: EndShare,
    deliveries: tuple[DeliverSent, DeliverReceived],
) -> Tasks:
    received = core.store.table(RECEIVED_SHARES)
    return Tasks(
        sent=core.store.table(SENT_SHARES),
        received=received,
        deliver_sent=deliveries[0],
        deliver_received=deliveries[1],
        end_share=end_share,
        check_received=CheckReceived(
            shares=received,
            records=far.records,
            use_remote=use_remote,
            now=core.now,
            look_seconds=core.config.jobs.look_seconds,
        ),
        now=core.now,
    )


def _deliveries(core: Core, far: Far, queue: SaqQueue) -> tuple[DeliverSent, DeliverReceived]:
    config, jobs = core.config, core.config.jobs
    retry = RetryRule(
        first_seconds=jobs.first_retry_seconds,
        most_seconds=jobs.max_retry_seconds,
        give_up_seconds=jobs.give_up_after,
    )
    sent = Outbox(
        shares=core.store.table(SENT_SHARES),
        task="deliver_sent",
        queue=queue,
        retry=retry,
        now=core.now,
        chance=random.random,
    )
    received = Outbox(
        shares=core.store.table(RECEIVED_SHARES),
        task="deliver_received",
        queue=queue,
        retry=retry,
        now=core.now,
        chance=random.random,
    )
    return (
        DeliverSent(
            outbox=sent,
            ladder=Ladder(
                resolver=far.resolver,
                client=far.client,
                records=far.records,
                authority=config.authority,
                public_url=config.public_url,
                prefix=config.prefix,
            ),
            client=far.client,
            max_keys=config.ssh.keys_per_share,
        ),
        DeliverReceived(outbox=received, client=far.client, authority=config.authority),
    )


def _use_remote(core: Core, far: Far) -> UseRemote:
    return UseRemote(
        resolver=far.resolver,
        keys=RemoteKeys(client=far.client, authority=core.config.authority, now=core.now),
        backend=far.backend,
        check_url=far.check_url,
        which_door=WhichDoor(now=core.now),
        now=core.now,
        reach_ssh=sshaway.build(core, far),
    )


def _notify(core: Core, far: Far, end_share: EndShare, queue: SaqQueue, meeting: Meeting) -> Notify:
    return Notify(
        sent=core.store.table(SENT_SHARES),
        received=core.store.table(RECEIVED_SHARES),
        end_share=end_share,
        queue=queue,
        share_on=_share_on(core, far, queue, meeting),
        must_sign=far.must_sign,
        rules=far.rules,
        authority=core.config.authority,
        now=core.now,
    )


def _change_share(core: Core, near: Near, deliver: DeliverSent) -> ChangeShare:
    return ChangeShare(
        shares=core.store.table(SENT_SHARES),
        tell_ended=core.watch.tell_ended,
        release_locks=near.release_locks,
        deliver=deliver,
        now=core.now,
    )


def _share_on(core: Core, far: Far, queue: SaqQueue, meeting: Meeting) -> ShareOn:
    return ShareOn(
        shares=core.store.table(SENT_SHARES),
        records=far.records,
        contacts=meeting.contacts,
        queue=queue,
        rules=far.rules,
        authority=core.config.authority,
        now=core.now,
        new_secret=new_secret,
    )


def _receive_share(core: Core, far: Far, people: Users, meeting: Meeting) -> ReceiveShare:
    return ReceiveShare(
        shares=core.store.table(RECEIVED_SHARES),
        users=people,
        contacts=meeting.contacts,
        rules=far.rules,
        authority=core.config.authority,
        is_auto_accepting=core.config.shares.auto_accept,
        receives_ssh=core.config.ssh.receive,
        now=core.now,
        new_id=new_id,
        limits=ReceivedLimits(
            received_per_user=core.config.limits.received_per_user,
            pending_per_peer=core.config.limits.pending_per_peer,
        ),
    )


def _exchange_token(core: Core, far: Far) -> ExchangeToken:
    return ExchangeToken(
        shares=core.store.table(SENT_SHARES),
        health=core.store.health,
        may_contact=contact_rule(far.rules),
        must_sign=far.must_sign,
        issue=core.keys.issue,
        public_url=core.config.public_url,
        lifetime_seconds=core.config.token.lifetime_seconds,
        now=core.now,
        new_id=new_id,
    )


def _open_access(core: Core, far: Far, near: Near) -> OpenAccess[Narrowed]:
    open_access: OpenAccess[Narrowed] = OpenAccess(
        shares=core.store.table(SENT_SHARES),
        watch=core.watch,
        health=core.store.health,
        verify_token=core.keys.verify,
        may_contact=contact_rule(far.rules),
        # A narrowed storage asks the very flow that opened it whether its grant still stands.
        narrow=lambda grant: near.narrow(
            grant, partial(open_access.still_stands, grant), partial(open_access.goes_on, grant)
        ),
        now=core.now,
    )
    return open_access


def _send_share(core: Core, far: Far, near: Near, deliver: DeliverSent, meeting: Meeting) -> SendShare:
    config = core.config
    return SendShare(
        shares=core.store.table(SENT_SHARES),
        storages=near,
        resolver=far.resolver,
        deliver=deliver,
        authority=config.authority,
        root_sharing=frozenset(name for name, storage in config.all_storages.items() if storage.allow_root_share),
        must_exchange_token=config.criteria.must_exchange_token,
        default_life_seconds=config.shares.default_expiry,
        ssh_address=config.ssh_address if config.ssh.enabled else None,
        contacts=meeting.contacts,
        rules=far.rules,
        now=core.now,
        new_id=new_id,
        new_secret=new_secret,
    )
