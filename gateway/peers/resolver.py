"""What a provider says of itself: its discovery document and its keys (DISC-1, DISC-6 to DISC-8, SIG-5).

Both are kept in the peer's record: fresh for a while, then asked for again, and the last good copy serves on for a
bounded time while the peer cannot answer. `asking` holds how often and how long we ask, `statements` what is asked.

A key id is looked up only in the set of the host that it is claimed for. An unknown one makes us ask again, but at
most once in `unknown_key_seconds` for each host. Keys that cannot be had are `UNAVAILABLE`, not "no such key".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from gateway.crypto.jwk import import_jwk_set, key_id_host
from gateway.errors import GatewayError, Kind, unavailable
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import Discovery, Peer
from gateway.peers.asking import Asking, Urgency, verification_deadline
from gateway.peers.records import PeerRecords, seen
from gateway.peers.statements import Statements, announces_signatures
from gateway.peers.urls import MayContact

log = get_logger(__name__)

__all__ = ["PeerResolver", "ResolverRules", "announces_signatures", "has_key_set"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRules:
    """How long what a peer said is believed, in seconds.

    Attributes:
        document_seconds, keys_seconds: how long a copy is fresh.
        keep_document_seconds, keep_keys_seconds: how long the last good copy serves while the peer cannot answer.
        unknown_key_seconds: the least time between two fetches for the sake of an unknown key id.
    """

    document_seconds: float = 3600.0
    keep_document_seconds: float = 7 * 86_400.0
    keys_seconds: float = 3600.0
    keep_keys_seconds: float = 86_400.0
    unknown_key_seconds: float = 60.0


def has_key_set(peer: Peer) -> bool:
    """Tell whether a usable JWK set of the peer was fetched (it is kept only if it is usable)."""
    return peer.jwks is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResolver:
    """Finds documents and keys of other providers.

    Attributes:
        may_contact: raises for hosts that our lists exclude; asked before anything is sent (DISC-8).
    """

    records: PeerRecords
    statements: Statements
    asking: Asking
    may_contact: MayContact
    now: Callable[[], float]
    rules: ResolverRules = ResolverRules()

    async def discover(
        self, host: Host, *, max_age: float | None = None, interactive: bool = False, deadline: float | None = None
    ) -> Peer:
        """Return the peer's record with a discovery document.

        Args:
            max_age: how old the document may be, in seconds; by default as the rules say.
            interactive: a user waits: ask also a peer that failed a moment ago.
            deadline: by when to be done, in the time of the running loop.

        Raises:
            GatewayError: `FORBIDDEN` if we may not contact the host, `UNAVAILABLE` if it cannot be reached now,
                `NOT_FOUND` if it does not speak OCM; the last two only if no last good document can serve.
        """
        self.may_contact(host)
        oldest = self.now() - (self.rules.document_seconds if max_age is None else max_age)
        peer = await self.records.get(host)
        if _has_document(peer, oldest):
            return peer
        try:
            return await self._ask_document(host, oldest, Urgency.by(deadline, interactive=interactive))
        except GatewayError as error:
            may_serve = error.kind in (Kind.UNAVAILABLE, Kind.NOT_FOUND)
            if may_serve and _has_document(peer, self.now() - self.rules.keep_document_seconds):
                log.warning("using the last good document", peer=host, reason=str(error))
                return peer
            raise

    async def with_keys(self, host: Host, *, interactive: bool = False, deadline: float | None = None) -> Peer:
        """Return the peer's record with a discovery document, its key set having been asked for.

        `has_key_set` then tells whether there is one. Raises as `discover`, and `UNAVAILABLE` if that cannot be known.
        """
        peer = await self.discover(host, interactive=interactive, deadline=deadline)
        oldest = self.now() - self.rules.keys_seconds
        try:
            return await self._ask_keys(peer, oldest, Urgency.by(deadline, interactive=interactive))
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE and self._last_keys(peer):
                log.warning("using the last good keys", peer=host, reason=str(error))
                return peer
            raise

    async def look_again(self, host: Host) -> Peer:
        """Return the peer's record with a document and keys that it gave just now; what serves otherwise does not.

        Raises:
            GatewayError: as `discover`, also where a last good copy could serve.
        """
        self.may_contact(host)
        now, urgency = self.now(), Urgency.by(None, interactive=True)
        return await self._ask_keys(await self._ask_document(host, now, urgency), now, urgency)

    async def recall(self, host: Host, *, deadline: float | None = None) -> Peer | None:
        """Return what is known of a host that an unsigned message claims to come from, or None if it has no OCM.

        A host that we do not know, or not freshly, is asked: only its document and keys tell whether it would have
        had to sign (SIG-3). If it cannot be asked and nothing is known, the message has to wait.

        Raises:
            GatewayError: `FORBIDDEN` if we may not contact the host, `UNAVAILABLE` if it cannot be reached now.
        """
        try:
            return await self.with_keys(host, deadline=verification_deadline() if deadline is None else deadline)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                return await self.records.get(host)
            raise

    async def heard_from(self, host: Host) -> None:
        """Note a valid signature of `host`: it is alive, and from now on unsigned messages from it are refused."""
        await self.records.mark_signed(host)

    async def key(self, host: Host, kid: str, *, deadline: float | None = None) -> dict[str, object] | None:
        """Return the public key with the id `kid` of `host` as a JWK, or None if that host has no such key.

        Args:
            deadline: by when to be done, in the time of the running loop; by default after `VERIFICATION_SECONDS`.

        Raises:
            GatewayError: `FORBIDDEN` if we may not contact the host, `UNAVAILABLE` if its keys cannot be had.
        """
        self.may_contact(host)
        if key_id_host(kid) not in (None, host):
            return None
        peer = await self.records.get(host)
        known = self._last_keys(peer)
        if peer and kid in known and peer.keys_at >= self.now() - self.rules.keys_seconds:
            return dict(known[kid])
        try:
            fresh = await self._ask_for_key(host, kid, known, verification_deadline() if deadline is None else deadline)
        except GatewayError as error:
            if error.kind is Kind.UNAVAILABLE and kid in known:
                log.warning("using the last good key", peer=host, key=kid, reason=str(error))
                return dict(known[kid])
            raise
        found = self._last_keys(fresh).get(kid)
        return dict(found) if found else None

    async def cavage_key(self, host: Host, key_id: str, *, deadline: float, is_doubted: bool = False) -> str | None:
        """Return the RSA key (PEM) that the document of `host` shows under `key_id`, or None if it shows no such key.

        Args:
            deadline: by when to be done, in the time of the running loop.
            is_doubted: the known key did not fit: ask whether another one stands there by now.

        Raises:
            GatewayError: `FORBIDDEN` if we may not contact the host, `UNAVAILABLE` if its document cannot be had.
        """
        self.may_contact(host)
        if key_id_host(key_id) not in (None, host):
            return None
        peer = await self.records.get(host)
        is_known = _shown_key(peer, key_id) is not None and not is_doubted
        max_age = self.rules.keys_seconds if is_known else self.rules.unknown_key_seconds
        try:
            peer = await self.discover(host, max_age=max_age, deadline=deadline)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                return None
            raise
        if peer.discovered_at < self.now() - self.rules.keep_keys_seconds:
            raise unavailable(f"The keys of {host} cannot be had now.")
        return _shown_key(peer, key_id)

    async def _ask_for_key(self, host: Host, kid: str, known: Mapping[str, object], deadline: float) -> Peer:
        # A new key may stand at a new place: for its sake the document is asked for again, too.
        max_age = self.rules.keys_seconds if kid in known else self.rules.unknown_key_seconds
        try:
            peer = await self.discover(host, max_age=max_age, deadline=deadline)
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND:
                return Peer(host=host)
            raise
        return await self._ask_keys(peer, self.now() - max_age, Urgency(deadline))

    async def _ask_document(self, host: Host, oldest: float, urgency: Urgency) -> Peer:
        thing = f"document {host}"
        async with self.asking.turn(thing, urgency):
            peer = await self.records.get(host)
            if _has_document(peer, oldest):
                return peer
            document = await self.asking.ask(thing, urgency, lambda: self.statements.document(host))
            now = self.now()
            return await self.records.change(host, lambda old: _with_document(old, document, now))

    async def _ask_keys(self, peer: Peer, oldest: float, urgency: Urgency) -> Peer:
        if peer.keys_at >= oldest:
            return peer
        thing = f"keys {peer.host}"
        async with self.asking.turn(thing, urgency):
            current = await self.records.get(peer.host) or peer
            if current.keys_at >= oldest:
                return current
            is_known = bool(self._last_keys(current))
            jwks = await self.asking.ask(thing, urgency, lambda: self.statements.keys(current, is_known=is_known))
            now = self.now()
            return await self.records.change(current.host, lambda old: replace(seen(old, now), jwks=jwks, keys_at=now))

    def _last_keys(self, peer: Peer | None) -> dict[str, dict[str, str]]:
        if peer is None or peer.jwks is None or peer.keys_at < self.now() - self.rules.keep_keys_seconds:
            return {}
        return import_jwk_set(peer.jwks, peer.host)


def _shown_key(peer: Peer | None, key_id: str) -> str | None:
    shown = peer.discovery.public_key if peer is not None and peer.discovery is not None else None
    # A document without a name for its one key means whatever name the host signs with.
    return shown[1] if shown is not None and shown[0] in ("", key_id) else None


def _has_document(peer: Peer | None, oldest: float) -> TypeGuard[Peer]:
    return peer is not None and peer.discovery is not None and peer.discovered_at >= oldest


def _with_document(peer: Peer, document: Discovery, now: float) -> Peer:
    # A peer that now names a place for keys is asked for them at once, if it had none.
    has_moved = peer.discovery is None or peer.discovery.jwks_uri != document.jwks_uri
    keys_at = 0.0 if has_moved and peer.jwks is None else peer.keys_at
    # What it took before says nothing of a server that has changed.
    payload = peer.payload if peer.discovery == document else None
    return replace(seen(peer, now), discovery=document, discovered_at=now, keys_at=keys_at, payload=payload)
