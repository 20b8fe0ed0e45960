"""Shares: what one provider's user grants to another's, seen from either side, and the states it passes through.

`SentShare` is the sending side's record: the grant, its secret, and what is still to be said to the recipient's
provider. `ReceivedShare` is the receiving side's. Both carry their own `outbox`, so that a change of state and the
duty to announce it are written in one step and no crash can part them (DESIGN 9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.errors import GatewayError, Kind
from gateway.model.access import AccessType as AccessType  # noqa: PLC0414 - a word of shares, offered here with the others
from gateway.model.access import SshAccess
from gateway.model.address import Host, OcmAddress
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret


class Permission(StrEnum):
    """What a grant allows (SHARE-3); `write` implies `read`."""

    READ = "read"
    WRITE = "write"
    SHARE = "share"


class Protocol(StrEnum):
    """A way to reach a shared resource that we can offer (SHARE-3, SHARE-4)."""

    WEBDAV = "webdav"
    SSH = "ssh"


class Requirement(StrEnum):
    """What the recipient's provider has to do before access (SHARE-3)."""

    MUST_EXCHANGE_TOKEN = "must-exchange-token"  # noqa: S105 - the draft's word, not a secret
    MUST_USE_MFA = "must-use-mfa"


class ShareType(StrEnum):
    """Whom a share is for."""

    USER = "user"
    GROUP = "group"
    FEDERATION = "federation"


class MessageKind(StrEnum):
    """What we may still have to tell a peer about a share: the share itself, or a notification (NOTE-1).

    How a change is told depends on the peer's dialect.
    """

    SHARE = "share"
    ACCEPTED = "SHARE_ACCEPTED"
    DECLINED = "SHARE_DECLINED"
    UNSHARED = "SHARE_UNSHARED"
    CHANGED = "changed"
    # The draft asks for this notice and gives it no name (ACC-5).
    TRANSFERRED = "SHARE_TRANSFERRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message waiting to be delivered.

    Attributes:
        due: seconds since the epoch at which the next attempt is made.
        since: seconds since the epoch at which it was first to be said.
        attempts: how often it was tried.
        last_error: the last failure in words fit for the user, empty if none yet.
    """

    kind: MessageKind
    due: float
    since: float = 0.0
    attempts: int = 0
    last_error: str = ""


class SentState(StrEnum):
    """Where an outgoing share stands."""

    DELIVERING = "delivering"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"


class ReceivedState(StrEnum):
    """Where an incoming share stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    UNSHARED = "unshared"
    EXPIRED = "expired"


# Every allowed step; what is not here is refused. A state without a row's end is final.
SENT_STEPS: dict[SentState, frozenset[SentState]] = {
    SentState.DELIVERING: frozenset(
        {
            SentState.DELIVERED,
            # The recipient can use the secret, and answer, before our 201 has come back to us.
            SentState.ACCEPTED,
            SentState.DECLINED,
            SentState.REFUSED,
            SentState.REVOKED,
            SentState.EXPIRED,
        }
    ),
    SentState.DELIVERED: frozenset({SentState.ACCEPTED, SentState.DECLINED, SentState.REVOKED, SentState.EXPIRED}),
    SentState.ACCEPTED: frozenset({SentState.DECLINED, SentState.REVOKED, SentState.EXPIRED}),
    SentState.DECLINED: frozenset(),
    SentState.REFUSED: frozenset(),
    SentState.REVOKED: frozenset(),
    SentState.EXPIRED: frozenset(),
}
RECEIVED_STEPS: dict[ReceivedState, frozenset[ReceivedState]] = {
    ReceivedState.PENDING: frozenset(
        {ReceivedState.ACCEPTED, ReceivedState.DECLINED, ReceivedState.UNSHARED, ReceivedState.EXPIRED}
    ),
    ReceivedState.ACCEPTED: frozenset({ReceivedState.DECLINED, ReceivedState.UNSHARED, ReceivedState.EXPIRED}),
    ReceivedState.DECLINED: frozenset({ReceivedState.UNSHARED}),
    ReceivedState.UNSHARED: frozenset(),
    ReceivedState.EXPIRED: frozenset(),
}
# How user names at the SSH door begin that mean a share; none of our own users may have such a name there.
SSH_USER_PREFIX = "ocm-"
# The states in which the grant of a sent share stands. Access works before acceptance (DESIGN 10).
STANDING = frozenset({SentState.DELIVERING, SentState.DELIVERED, SentState.ACCEPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SentShare:
    """A share that one of our users granted; the record of it and of its delivery.

    Attributes:
        provider_id: our id of the share on the wire (`providerId`), unguessable and unique.
        owner: local identifier of the user whose resource it is, and who sends it.
        recipient: the remote user.
        name: the resource's name as the recipient sees it.
        storage: name of the configured storage that holds the resource.
        root: the shared file or folder, seen from the owner's root in that storage.
        kind: whether that is a file or a folder.
        secret: the `sharedSecret`, also the code of the token exchange (TOK-1).
        created_at, expires_at: seconds since the epoch.
        recipient_display_name: what the peer answered (SHARE-7), or empty.
        announced_type: the resource type that the recipient's server was told; what is said of the share later has
            to repeat it. Empty until then.
        closed_reason: why the share ended, in words for the owner.
        problem: what keeps the recipient from opening it now, in words for the owner.
        transferred_at: when the recipient's provider said that it has copied the resource, or None.
        ssh_uri: where it is offered over SSH, or empty if it is not (SHARE-4).
        recipient_public_keys: the keys that open it there, as `type base64`; exactly those the recipient answered.
        parent: our id of the share that this one was shared on from, or empty.
        shared_on_by: the address of the recipient who asked for that.
    """

    provider_id: str
    owner: str
    owner_display_name: str
    recipient: OcmAddress
    name: str
    storage: str
    root: ResourcePath
    kind: EntryKind
    permissions: frozenset[Permission]
    access_types: frozenset[AccessType] = frozenset({AccessType.REMOTE})
    requirements: frozenset[Requirement] = frozenset()
    secret: Secret
    description: str = ""
    created_at: float
    expires_at: int | None = None
    state: SentState = SentState.DELIVERING
    outbox: tuple[Message, ...] = ()
    recipient_display_name: str = ""
    announced_type: str = ""
    closed_reason: str = ""
    problem: str = ""
    transferred_at: float | None = None
    parent: str = ""
    shared_on_by: str = ""
    ssh_uri: str = ""
    recipient_public_keys: tuple[str, ...] = ()

    @property
    def ssh_user(self) -> str:
        """The user name by which this share is chosen at the SSH door; local users cannot have it."""
        return f"{SSH_USER_PREFIX}{self.provider_id}"

    @property
    def granted(self) -> frozenset[Permission]:
        """What may be done with the resource (ACC-5): one that may only be transferred away can only be read."""
        return self.permissions if AccessType.REMOTE in self.access_types else self.permissions - {Permission.WRITE}

    def stands(self, now: float) -> bool:
        """Tell whether this grant opens anything at `now` (seconds since the epoch)."""
        return self.state in STANDING and (self.expires_at is None or now < self.expires_at)

    def step(self, state: SentState, *, reason: str = "", outbox: tuple[Message, ...] = ()) -> SentShare:
        """Return the share in its next state, its old messages replaced by `outbox`.

        Raises:
            GatewayError: `CONFLICT` if the table of steps does not allow it.
        """
        if state not in SENT_STEPS[self.state]:
            raise _no_step(self.state, state)
        return replace(self, state=state, closed_reason=reason, outbox=outbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebdavOffer:
    """The `webdav` entry of a received share, as the sender wrote it (SHARE-3).

    Attributes:
        uri: absolute or relative; empty means the discovered WebDAV path.
        size: bytes, where the sender told.
        is_offered: whether there is such an entry; a share without one has SSH.
    """

    uri: str
    secret: Secret
    permissions: frozenset[Permission] = frozenset({Permission.READ})
    access_types: frozenset[AccessType] = frozenset({AccessType.REMOTE})
    requirements: frozenset[Requirement] = frozenset()
    size: int | None = None
    is_offered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRoot:
    """What a received share was last seen to be, so that a list of shares need not ask their senders.

    Attributes:
        size: bytes of a file.
        modified: seconds since the epoch.
    """

    kind: EntryKind
    size: int | None = None
    modified: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedShare:
    """A share that a peer's user granted to one of ours.

    Attributes:
        share_id: our own id of it, used in our UI and REST paths.
        peer: the provider that sent it and holds the resource.
        provider_id: that provider's id of it.
        recipient: local identifier of our user.
        is_signed: whether the notification that made it was signed by `peer`.
        resource_type: the sender's word, `file` or `folder`; deployed senders say `file` for folders too.
        received_at, expires_at: seconds since the epoch.
        look_at: when it is next looked at whether it still opens, or None.
        refused_at: when such a look was first refused, or None.
        mount_name: the name it has in its user's mount, given when it is first seen there.
        seen: what it was last seen to be; None before anybody looked.
    """

    share_id: str
    peer: Host
    provider_id: str
    recipient: str
    owner: OcmAddress
    owner_display_name: str
    sender: OcmAddress
    sender_display_name: str
    name: str
    description: str = ""
    resource_type: str
    webdav: WebdavOffer
    ssh: SshAccess | None = None
    is_signed: bool
    received_at: float
    expires_at: int | None = None
    state: ReceivedState = ReceivedState.PENDING
    outbox: tuple[Message, ...] = ()
    look_at: float | None = None
    refused_at: float | None = None
    mount_name: str = ""
    seen: SeenRoot | None = None

    @property
    def access_types(self) -> frozenset[AccessType]:
        """How the resource may be used, whichever way it is reached (ACC-5)."""
        over_ssh: frozenset[AccessType] = self.ssh.access_types if self.ssh is not None else frozenset()
        return over_ssh | (self.webdav.access_types if self.webdav.is_offered else frozenset())

    def step(self, state: ReceivedState, *, outbox: tuple[Message, ...] = ()) -> ReceivedShare:
        """Return the share in its next state, its old messages replaced by `outbox`.

        Raises:
            GatewayError: `CONFLICT` if the table of steps does not allow it.
        """
        if state not in RECEIVED_STEPS[self.state]:
            raise _no_step(self.state, state)
        return replace(self, state=state, outbox=outbox)


def next_due(outbox: tuple[Message, ...]) -> float | None:
    """Return when the first of the waiting messages is due, or None."""
    return min((message.due for message in outbox), default=None)


def _no_step(old: StrEnum, new: StrEnum) -> GatewayError:
    return GatewayError(Kind.CONFLICT, f"This share is {old.value}; it cannot become {new.value}.")
