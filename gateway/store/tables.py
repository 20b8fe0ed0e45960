"""Every kind of record that we keep, and how it is found again.

A record's version rises when an older gateway could not read the new form; a field with a default needs no new
version (see `codec`).
"""

from __future__ import annotations

from gateway.model.account import StoredAccount
from gateway.model.apppassword import AppPassword
from gateway.model.contact import Contact
from gateway.model.directory import DirectoryCopy
from gateway.model.invite import KEPT_SECONDS, Invite
from gateway.model.lock import LockClaim
from gateway.model.mark import WriteMark
from gateway.model.peer import Peer, Trust
from gateway.model.session import Session
from gateway.model.share import STANDING, ReceivedShare, ReceivedState, SentShare, next_due
from gateway.model.sharerequest import KEPT_SECONDS as REQUEST_KEPT_SECONDS
from gateway.model.sharerequest import ShareRequest
from gateway.model.transfer import Batch, Transfer
from gateway.model.user import KnownUser
from gateway.model.userkey import UserKey
from gateway.store.base import TableSpec

Places = tuple[tuple[str, float], ...]

_RECEIVED_STANDING = frozenset({ReceivedState.PENDING, ReceivedState.ACCEPTED})


def identity_of(share: ReceivedShare) -> str:
    """Return what makes two notifications mean the same share (DESIGN 8, duplicates)."""
    return f"{share.peer}\n{share.provider_id}\n{share.recipient}\n{share.webdav.secret.reveal()}"


def _due(outbox_due: float | None, expires_at: int | None, *, stands: bool) -> Places:
    """List a record under the time at which somebody has to look at it; not at all if there is none."""
    times = [time for time in (outbox_due, expires_at if stands else None) if time is not None]
    return (("", float(min(times))),) if times else ()


def _sent_due(share: SentShare) -> Places:
    return _due(next_due(share.outbox), share.expires_at, stands=share.state in STANDING)


def _received_due(share: ReceivedShare) -> Places:
    looks = (share.look_at,) if share.state is ReceivedState.ACCEPTED else ()
    times = [time for time in (next_due(share.outbox), *looks) if time is not None]
    return _due(min(times, default=None), share.expires_at, stands=share.state in _RECEIVED_STANDING)


def _mounted(share: ReceivedShare) -> Places:
    """List a share among what its user may mount; what strangers only offer cannot crowd that list."""
    return ((share.recipient, share.received_at),) if share.state is ReceivedState.ACCEPTED else ()


def pending_of(share: ReceivedShare) -> str:
    """Return under what a share counts that waits for an answer: who claims a name does not use up its owner's part."""
    return f"{'signed' if share.is_signed else 'unsigned'}\n{share.peer}"


def _pending(share: ReceivedShare) -> Places:
    return ((pending_of(share), share.received_at),) if share.state is ReceivedState.PENDING else ()


def _ended(share: ReceivedShare) -> Places:
    """List a share from which nothing is to be expected any more, nor anything to be told."""
    is_over = share.state not in _RECEIVED_STANDING and not share.outbox
    return ((share.recipient, share.received_at),) if is_over else ()


SENT_SHARES = TableSpec(
    name="sent_shares",
    record=SentShare,
    version=1,
    key=lambda share: share.provider_id,
    lookups={"secret": lambda share: (share.secret.reveal(),)},
    indexes={
        "owner": lambda share: ((share.owner, share.created_at),),
        "parent": lambda share: ((share.parent, share.created_at),) if share.parent else (),
        "storage": lambda share: ((share.storage, share.created_at),) if share.state in STANDING else (),
        "root": lambda share: ((f"{share.storage}\n{share.owner}", share.created_at),),
        "due": _sent_due,
    },
)

RECEIVED_SHARES = TableSpec(
    name="received_shares",
    record=ReceivedShare,
    version=1,
    key=lambda share: share.share_id,
    lookups={"identity": lambda share: (identity_of(share),)},
    indexes={
        "recipient": lambda share: ((share.recipient, share.received_at),),
        "mounted": _mounted,
        "pending_of": _pending,
        "ended": _ended,
        "by_peer": lambda share: ((f"{share.peer}\n{share.provider_id}", share.received_at),),
        "by_provider_id": lambda share: ((share.provider_id, share.received_at),),
        "due": _received_due,
    },
)

PEERS = TableSpec(
    name="peers",
    record=Peer,
    version=1,
    key=lambda peer: str(peer.host),
    lookups={},
    indexes={
        "first_seen": lambda peer: (("", peer.first_seen),),
        "documents": lambda peer: (("", peer.last_seen),) if peer.has_documents else (),
        "trust": lambda peer: () if peer.trust is Trust.UNKNOWN else ((peer.trust.value, peer.first_seen),),
    },
    expires_at=lambda peer: peer.kept_until,
)

DIRECTORIES = TableSpec(
    name="directories",
    record=DirectoryCopy,
    version=1,
    key=lambda copy: copy.url,
    lookups={},
    indexes={},
)

SESSIONS = TableSpec(
    name="sessions",
    record=Session,
    version=1,
    key=lambda session: session.session_id,
    lookups={},
    indexes={"user": lambda session: ((session.user, session.created_at),)},
    expires_at=lambda session: session.expires_at,
)

TRANSFERS = TableSpec(
    name="transfers",
    record=Transfer,
    version=1,
    key=lambda transfer: transfer.transfer_id,
    lookups={},
    indexes={
        "owner": lambda transfer: ((transfer.owner, transfer.created_at),),
        "going": lambda transfer: () if transfer.is_over else ((transfer.owner, transfer.created_at),),
        "due": lambda transfer: () if transfer.due is None else (("", transfer.due),),
    },
    expires_at=lambda transfer: transfer.kept_until,
)

TRANSFER_BATCHES = TableSpec(
    name="transfer_batches",
    record=Batch,
    version=1,
    key=lambda batch: batch.batch_id,
    lookups={},
    indexes={"transfer": lambda batch: ((batch.transfer_id, float(batch.number)),)},
    expires_at=lambda batch: batch.kept_until,
)

APP_PASSWORDS = TableSpec(
    name="app_passwords",
    record=AppPassword,
    version=1,
    key=lambda password: password.password_id,
    lookups={"verifier": lambda password: (password.verifier.reveal(),)},
    indexes={"user": lambda password: ((password.user, password.created_at),)},
)

USER_KEYS = TableSpec(
    name="user_keys",
    record=UserKey,
    version=1,
    key=lambda key: key.key_id,
    lookups={"key": lambda key: (f"{key.user}\n{key.key}",)},
    indexes={"user": lambda key: ((key.user, key.created_at),)},
)

KNOWN_USERS = TableSpec(
    name="known_users",
    record=KnownUser,
    version=1,
    key=lambda user: user.identifier,
    lookups={},
    # Users are matched exactly first and then by a unique match in any case (DESIGN 7).
    indexes={"folded": lambda user: ((user.identifier.casefold(), 0.0),)},
)

INVITES = TableSpec(
    name="invites",
    record=Invite,
    version=1,
    key=lambda invite: invite.invite_id,
    lookups={"token": lambda invite: (invite.token.reveal(),)},
    indexes={"user": lambda invite: ((invite.user, invite.created_at),)},
    expires_at=lambda invite: invite.expires_at + KEPT_SECONDS,
)

CONTACTS = TableSpec(
    name="contacts",
    record=Contact,
    version=1,
    key=lambda contact: contact.contact_id,
    lookups={},
    indexes={"user": lambda contact: ((contact.user, contact.created_at),)},
)

SHARE_REQUESTS = TableSpec(
    name="share_requests",
    record=ShareRequest,
    version=1,
    key=lambda request: request.request_id,
    lookups={},
    indexes={
        "owner": lambda request: ((request.owner, request.created_at),),
        "server": lambda request: ((f"{request.owner}\n{request.requester.host}", request.created_at),),
    },
    expires_at=lambda request: request.created_at + REQUEST_KEPT_SECONDS,
)

STORED_ACCOUNTS = TableSpec(
    name="stored_accounts",
    record=StoredAccount,
    version=1,
    key=lambda stored: stored.key,
    lookups={},
    indexes={},
)

LOCK_CLAIMS = TableSpec(
    name="lock_claims",
    record=LockClaim,
    version=1,
    key=lambda claim: claim.token,
    lookups={},
    indexes={"holder": lambda claim: ((claim.holder, claim.expires_at),)},
    expires_at=lambda claim: claim.expires_at,
)

WRITE_MARKS = TableSpec(
    name="write_marks",
    record=WriteMark,
    version=1,
    key=lambda mark: mark.key,
    lookups={},
    indexes={},
)
