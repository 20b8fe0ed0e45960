"""The SSH door of a running gateway: its guests are the recipients of our users' shares, with the keys they named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from gateway.app.core import Core
from gateway.app.doors import refuse_guesser
from gateway.app.flows import Flows
from gateway.app.mount import Mounts
from gateway.app.sshusers import LocalUsers
from gateway.backends.base import Backend, OpenAt
from gateway.backends.spool import SpoolRules
from gateway.backends.streamed import Streamed
from gateway.errors import GatewayError, Kind
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.open_access import OpenAccess
from gateway.identity.throttle import network_of
from gateway.log import get_logger
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind
from gateway.model.secret import Secret
from gateway.model.share import SSH_USER_PREFIX
from gateway.ssh.guests import Doorkeeper, Guest
from gateway.ssh.server import SshDoor, SshLimits
from gateway.web.granted import Narrowed

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientsOfShares:
    """Lets in who was given a share, with exactly the keys that the recipient's server named for it (SHARE-4)."""

    open_access: OpenAccess[Narrowed]
    watch: GrantWatch
    opener: Callable[[Backend], OpenAt]
    takes_passwords: bool = False

    async def by_key(self, claimed_user: str, claimed_key: str) -> Guest | None:
        """Return whom this user name and key stand for."""
        if not claimed_user.startswith(SSH_USER_PREFIX):
            return None
        try:
            access = await self.open_access.open_with_key(claimed_user, claimed_key)
        except GatewayError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                return None
            raise
        grant, share = access.grant, access.backend.share
        return Guest(
            name=claimed_user,
            room=grant.grant_id,
            backend=share.backend,
            files=self.opener(share.backend),
            file_name=grant.root.name if grant.kind is EntryKind.FILE else None,
            may_write=grant.may_write,
            serving=partial(self._serving, access.grant),
        )

    async def by_password(self, claimed_user: str, password: Secret, address: str) -> Guest | None:  # noqa: ARG002 - the port's
        """Let nobody in: shares have keys."""
        return None

    def _serving(self, grant: Grant) -> AbstractContextManager[None]:
        return self.watch.serving(grant)


async def start(core: Core, flows: Flows, mounts: Mounts) -> SshDoor | None:
    """Open the door, if there is to be one; it closes with the gateway.

    Raises:
        OSError: if the address cannot be listened on.
    """
    ssh = core.config.ssh
    if not ssh.enabled:
        return None
    limits = SshLimits(
        log_in_seconds=ssh.log_in_seconds,
        idle_seconds=ssh.idle_seconds,
        connections=ssh.connections,
        per_address=ssh.connections_per_address,
        per_room=ssh.connections_per_share,
        handles=ssh.handles,
    )
    door = SshDoor(
        doorkeepers=_doorkeepers(core, flows, mounts),
        limits=limits,
        network_of=network_of,
        refuse_guesser=refuse_guesser(core.config, core.store.counter),
        told_sessions=core.metrics.ssh_sessions.inc,
        told_handles=core.metrics.open_handles.inc,
        now=core.now,
    )
    core.stack.push_async_callback(door.close)
    await door.listen(ssh.host, ssh.port, lambda: [key.openssh() for key in core.keys.ring.host_keys()])
    return door


def _doorkeepers(core: Core, flows: Flows, mounts: Mounts) -> tuple[Doorkeeper, ...]:
    recipients = RecipientsOfShares(open_access=flows.open_access, watch=core.watch, opener=opener(core))
    if not core.config.mount.over_ssh:
        return (recipients,)
    return (recipients, LocalUsers(mounts=mounts, opener=opener(core)))


def opener(core: Core) -> Callable[[Backend], OpenAt]:
    """Return what opens the files of a storage for bytes at any place, whether it can do so by itself or not."""
    rules = SpoolRules(folder=core.config.data_dir / "spool", max_bytes=core.config.ssh.spool_bytes)
    return lambda backend: backend if isinstance(backend, OpenAt) else Streamed(backend, rules)
