"""A user shares a file or folder with somebody at another provider (flow 2; SHARE-1 to SHARE-6).

The share is stored before anything is said to the peer, with the message to deliver in its own record: from then on
a crash, a lost packet or a temporary refusal cannot lose it, and delivering it twice is harmless. The first attempt
is made while the user waits; what fails for the time being is tried again by `flows.deliver`.

The resource is looked up twice: as the user, who may share only what she herself can open, and as the service
account, through which the recipient will reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.backends.accounts import NO_ACCOUNT
from gateway.errors import GatewayError, Kind
from gateway.flows.contacts import Contacts
from gateway.flows.deliver import DeliverSent
from gateway.flows.outbox import FIRST_DELIVERY_SECONDS
from gateway.flows.ports import Clock, Storages
from gateway.log import get_logger
from gateway.model.address import Host, OcmAddress, parse_address
from gateway.model.peer import Discovery, Role
from gateway.model.policy import Deny, PeerRules, may_share_between, plan_requirements
from gateway.model.resource import Entry, EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import AccessType, Message, MessageKind, Permission, Protocol, SentShare
from gateway.model.user import LocalUser
from gateway.peers.resolver import PeerResolver
from gateway.store.base import Table

log = get_logger(__name__)

DESCRIPTION_MAX_CHARS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareDraft:
    """What a user asks for.

    Attributes:
        claimed_recipient: the address as it was typed.
        path: the file or folder, seen from the user's root.
        access_types: how the resource may be used (ACC-5); at least one.
        protocols: ways to reach it that have to be offered; None for all that both sides have. WebDAV always is.
        expires_at: seconds since the epoch, or None.
    """

    claimed_recipient: str
    path: ResourcePath
    permissions: frozenset[Permission] = frozenset({Permission.READ})
    access_types: frozenset[AccessType] = frozenset({AccessType.REMOTE})
    protocols: frozenset[Protocol] | None = None
    expires_at: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendShare:
    """Creates shares of our users and sends them on their way.

    Attributes:
        root_sharing: the names of the storages that may be shared as a whole.
        ssh_address: the `host:port` of the SSH door, or None if there is none.
    """

    shares: Table[SentShare]
    storages: Storages
    resolver: PeerResolver
    deliver: DeliverSent
    authority: Host
    root_sharing: frozenset[str]
    must_exchange_token: bool
    default_life_seconds: float
    ssh_address: str | None
    now: Clock
    new_id: Callable[[], str]
    new_secret: Callable[[], Secret]
    contacts: Contacts
    rules: PeerRules

    async def send(self, user: LocalUser, draft: ShareDraft, *, provider_id: str = "") -> SentShare:
        """Create a share, try to deliver it once, and return it as it then stands.

        Args:
            provider_id: the id that the share gets; by default a new one.

        Raises:
            GatewayError: `INVALID` for an impossible address, path or expiry, `NOT_FOUND` or `FORBIDDEN` from the
                storage, `CONFLICT` if the peer cannot fulfil what we must require (SHARE-6) or `provider_id` is taken,
                `UNAVAILABLE` if the peer or the storage does not answer. Nothing is stored then.
        """
        storage = self.storages.name_for(user)
        recipient = self._recipient(draft, storage)
        verdict = may_share_between(await self.contacts.find(user.identifier, recipient), self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        entry = await self._entry(user, draft.path, storage)
        peer = await self.resolver.discover(recipient.host, interactive=True)
        if peer.discovery is None:
            raise GatewayError(Kind.UNAVAILABLE, f"{recipient.host} does not answer as an OCM provider.")
        requirements = plan_requirements(peer.discovery, must_exchange_token=self.must_exchange_token)
        if isinstance(requirements, Deny):
            raise requirements.error()
        has_ssh = self._offers_ssh(peer.discovery, entry, draft)
        now = self.now()
        share = SentShare(
            provider_id=provider_id or self.new_id(),
            owner=user.identifier,
            owner_display_name=user.display_name or user.identifier,
            recipient=recipient,
            name=draft.path.name or f"Files of {user.identifier}",
            storage=storage,
            root=draft.path,
            kind=entry.kind,
            permissions=draft.permissions | {Permission.READ},
            access_types=draft.access_types,
            requirements=requirements,
            secret=self.new_secret(),
            description=draft.description,
            created_at=now,
            expires_at=draft.expires_at or self._default_end(now),
            outbox=(Message(kind=MessageKind.SHARE, due=now + FIRST_DELIVERY_SECONDS, since=now),),
        )
        if has_ssh:
            share = replace(share, ssh_uri=f"{share.ssh_user}@{self.ssh_address}/{_below(share).to_url()}")
        await self.shares.create(share)
        log.info("share created", share=share.provider_id, owner=share.owner, recipient=str(recipient))
        return await self.deliver.run(share.provider_id, at_once=True) or share

    def _offers_ssh(self, peer: Discovery, entry: Entry, draft: ShareDraft) -> bool:
        """Tell whether the share is offered over SSH.

        Raises:
            GatewayError: `CONFLICT` if it has to be, and one of the sides cannot.
        """
        is_asked = draft.protocols is not None and Protocol.SSH in draft.protocols
        if is_asked and self.ssh_address is None:
            raise GatewayError(Kind.CONFLICT, "There is no SSH access at this server; share without it.")
        if is_asked and not peer.receives(Role.SSH_RECEIVE, entry.kind.value):
            raise GatewayError(Kind.CONFLICT, "The recipient's server does not use SSH access. Share without it.")
        is_wanted = is_asked or draft.protocols is None
        return is_wanted and self.ssh_address is not None and peer.receives(Role.SSH_RECEIVE, entry.kind.value)

    def _recipient(self, draft: ShareDraft, storage: str) -> OcmAddress:
        recipient = parse_address(draft.claimed_recipient)
        if recipient.host == self.authority:
            raise GatewayError(
                Kind.INVALID, f"{recipient} is a user of this server; share the folder in the storage itself."
            )
        if draft.path.is_root and storage not in self.root_sharing:
            raise GatewayError(Kind.FORBIDDEN, "The root of the storage cannot be shared here; choose a folder in it.")
        if draft.expires_at is not None and draft.expires_at <= self.now():
            raise GatewayError(Kind.INVALID, "The share would expire before it begins.")
        if len(draft.description) > DESCRIPTION_MAX_CHARS:
            raise GatewayError(Kind.INVALID, f"A description has at most {DESCRIPTION_MAX_CHARS} characters.")
        return recipient

    def _default_end(self, now: float) -> int | None:
        return int(now + self.default_life_seconds) if self.default_life_seconds else None

    async def _entry(self, user: LocalUser, path: ResourcePath, storage: str) -> Entry:
        entry = await self.storages.as_user(user).stat(path)
        try:
            await self.storages.as_service(user.identifier, storage).stat(path)
        except GatewayError as error:
            if error.code == NO_ACCOUNT:
                raise GatewayError(
                    Kind.FORBIDDEN,
                    "Peers would reach your files with your own account: store it first, under “My storage”.",
                    code=NO_ACCOUNT,
                ) from error
            if error.kind in (Kind.NOT_FOUND, Kind.FORBIDDEN):
                raise GatewayError(
                    Kind.FORBIDDEN,
                    "The gateway's own account cannot open this, so nobody else could. Ask the operator.",
                    log=f"service account: {error}",
                ) from error
            raise
        return entry


def _below(share: SentShare) -> ResourcePath:
    """Return where the resource is at the SSH door: a folder is the root there, a file stands in it by its name."""
    return ResourcePath((share.root.name,)) if share.kind is EntryKind.FILE else ResourcePath()
