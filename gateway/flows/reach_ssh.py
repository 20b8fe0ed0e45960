"""A received share over SSH: which host keys are believed, and then a `Backend` like any other (SHARE-4).

Whoever published a signed statement of its host keys (`sshHostKeys`, our extension) is known by that and by nothing
else: a statement that cannot be had or verified is a refusal, never a reason to trust on first use. Where there is no
statement, the user is shown the key's fingerprint before the first use; what she believed is pinned in the share, and
another key is refused from then on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from gateway.backends.base import Backend
from gateway.crypto import hostkeys
from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.access import PinnedBy, SshAccess
from gateway.model.address import Host
from gateway.model.share import ReceivedShare
from gateway.peers.resolver import PeerResolver
from gateway.store.base import Table

log = get_logger(__name__)

# The code of the refusal after which the user may look at the key and confirm it.
HOST_KEY_UNKNOWN = "ssh-host-key-unknown"
# How long a statement that was verified is not asked for again, in seconds.
STATEMENT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known of the key of a share's SSH door.

    Attributes:
        fingerprint: as OpenSSH shows it, `SHA256:…`.
        pinned_by: why it is believed, or None if the user has to say.
    """

    address: str
    fingerprint: str
    pinned_by: PinnedBy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachSsh:
    """Opens received shares over SSH.

    Attributes:
        statement: fetches what is at the URL of a provider's statement.
        shown_key: returns the key that a door shows, unproven.
        backend: makes the storage client for a share whose host keys are believed.
        may_contact: raises for hosts that our lists exclude.
    """

    shares: Table[ReceivedShare]
    resolver: PeerResolver
    statement: Callable[[str], Awaitable[str]]
    shown_key: Callable[[str, int], Awaitable[str]]
    backend: Callable[[SshAccess], Backend]
    may_contact: Callable[[Host], None]
    now: Clock
    _stated: dict[Host, tuple[float, hostkeys.HostKeys]] = field(default_factory=dict)

    async def open(self, share: ReceivedShare) -> Backend:
        """Return the remote resource.

        Raises:
            GatewayError: `CONFLICT` with the code `HOST_KEY_UNKNOWN` if the user has to look at the host key first,
                `UNAVAILABLE` if the provider's own statement cannot be had.
        """
        access = await self._believed(share)
        if not access.host_keys:
            raise GatewayError(
                Kind.CONFLICT,
                f"Nobody vouches for the SSH server {access.address} yet. Look at its host key and confirm it first.",
                code=HOST_KEY_UNKNOWN,
            )
        return self.backend(access)

    async def learn(self, share: ReceivedShare) -> None:
        """Pin what the provider states of its host keys while it answers, so that SSH opens when it does not."""
        if share.ssh is None or share.ssh.pinned_by is not None:
            return
        try:
            await self._believed(share)
        except GatewayError as error:
            log.info("host keys are not known yet", share=share.share_id, reason=str(error))

    async def look(self, share: ReceivedShare) -> Look:
        """Return the key of the share's door, for the user to look at."""
        access = await self._believed(share)
        line = access.host_keys[0] if access.host_keys else await self.shown_key(access.host, access.port)
        return Look(address=access.address, fingerprint=fingerprint(line), pinned_by=access.pinned_by)

    async def trust(self, share: ReceivedShare, claimed_fingerprint: str) -> ReceivedShare:
        """Pin the key that the user has looked at.

        Raises:
            GatewayError: `CONFLICT` if the door shows another key, or one is believed already.
        """
        access = await self._believed(share)
        if access.host_keys:
            raise GatewayError(Kind.CONFLICT, "A host key is believed already; ask the sender to share anew.")
        line = await self.shown_key(access.host, access.port)
        if fingerprint(line) != claimed_fingerprint:
            raise GatewayError(Kind.CONFLICT, f"{access.address} shows another host key than the one you looked at.")
        return await self._pin(share, (line,), PinnedBy.FIRST_USE)

    async def _believed(self, share: ReceivedShare) -> SshAccess:
        """Return the access with the host keys that are believed now, none if there are none."""
        access = share.ssh
        if access is None:
            raise GatewayError(Kind.CONFLICT, "This share is not offered over SSH.")
        self.may_contact(Host(access.host))
        try:
            stated = await self._statement(share.peer)
        except GatewayError as error:
            # What was proven once stays proven while the provider cannot be asked.
            if access.pinned_by is PinnedBy.STATEMENT:
                log.warning("using the host keys of the last statement", share=share.share_id, reason=str(error))
                return access
            raise
        if stated is None or stated.address.lower() != access.address:
            return (
                access if access.pinned_by is not PinnedBy.STATEMENT else replace(access, host_keys=(), pinned_by=None)
            )
        if access.host_keys != stated.keys or access.pinned_by is not PinnedBy.STATEMENT:
            share = await self._pin(share, stated.keys, PinnedBy.STATEMENT)
        return share.ssh or access

    async def _statement(self, host: Host) -> hostkeys.HostKeys | None:
        """Return the provider's verified statement, or None if it makes none."""
        until, known = self._stated.get(host, (0.0, None))
        if known is not None and until > self.now():
            return known
        peer = await self.resolver.with_keys(host)
        url = peer.discovery.ssh_host_keys if peer.discovery is not None else ""
        if not url:
            return None
        try:
            text = await self.statement(url)
            keys = json.loads(peer.jwks or '{"keys": []}')
            stated = hostkeys.verify(text, keys, authority=str(host), now=self.now())
        except GatewayError as error:
            raise GatewayError(
                Kind.UNAVAILABLE,
                f"The SSH host keys that {host} states cannot be verified, so nothing is opened.",
                log=str(error),
            ) from error
        self._stated[host] = (self.now() + STATEMENT_SECONDS, stated)
        return stated

    async def _pin(self, share: ReceivedShare, keys: tuple[str, ...], why: PinnedBy) -> ReceivedShare:
        log.info("host keys pinned", share=share.share_id, why=why.value)

        def change(current: ReceivedShare) -> ReceivedShare:
            if current.ssh is None:
                return current
            return replace(current, ssh=replace(current.ssh, host_keys=keys, pinned_by=why))

        return await self.shares.update(share.share_id, change)


def fingerprint(line: str) -> str:
    """Return the fingerprint of a key, as OpenSSH shows it."""
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise GatewayError(Kind.INVALID, "This is no SSH key.") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
