"""A credential opens a grant, and the grant opens one narrowed storage (flows 4 and 5; ACC-2, ACC-3, ACC-6, SHARE-4).

This is the only place where a stranger's secret becomes access. What comes out is `Access`: the grant and a backend
that cannot reach beyond it. A refusal is 401 only where the peer may believe it: an unknown or expired token, a bare
secret where an exchanged token is required, an ended share. An absent or foreign store is an outage (DESIGN 6).

A grant opens only while its recipient's server is dealt with: what the operator decides about servers is asked anew
each time, so a block holds at once, and what was granted is there again when it is lifted (DISC-8).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.crypto.jwt import TokenInvalid
from gateway.errors import GatewayError, Kind
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.ports import Clock
from gateway.model.address import Host
from gateway.model.grant import ClaimedCredential, CredentialForm, Grant
from gateway.model.share import SSH_USER_PREFIX, Requirement, SentShare
from gateway.model.token import TokenClaims
from gateway.store.base import StoreHealth, Table

B = TypeVar("B")

# How many narrowed storages are kept for the next request under the same grant.
MEMORY_MAX_GRANTS = 10_000


@dataclass(frozen=True, slots=True)
class Access(Generic[B]):
    """A proven grant and the storage narrowed to it."""

    grant: Grant
    backend: B


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccess(Generic[B]):
    """Opens grants.

    Attributes:
        verify_token: returns the claims of one of our own access tokens or raises `TokenInvalid`.
        may_contact: raises for hosts that our lists exclude, or as long as that is not known.
        narrow: makes the narrowed storage of a grant; the wrapping is decided by `app`.
    """

    shares: Table[SentShare]
    watch: GrantWatch
    health: StoreHealth
    verify_token: Callable[[str, float], TokenClaims]
    may_contact: Callable[[Host], None]
    narrow: Callable[[Grant], Awaitable[B]]
    now: Clock
    _narrowed: OrderedDict[str, tuple[Grant, B]] = field(default_factory=OrderedDict)

    async def open(self, credentials: Iterable[ClaimedCredential]) -> Access[B]:
        """Return what the first credential that opens anything opens.

        Raises:
            GatewayError: `UNAUTHENTICATED` if none does, `FORBIDDEN` if the recipient's server is not dealt with,
                `UNAVAILABLE` if that cannot be known now.
        """
        refusal = GatewayError(Kind.UNAUTHENTICATED, "A token or secret of a share is needed.", code="no-credential")
        for credential in credentials:
            try:
                grant = await self._prove(credential)
            except GatewayError as error:
                if error.kind is not Kind.UNAUTHENTICATED:
                    raise
                refusal = error
            else:
                return await self._access(grant)
        raise refusal

    async def open_with_key(self, claimed_user: str, claimed_key: str) -> Access[B]:
        """Return what this user name and public key open at the SSH door (SHARE-4).

        The caller serves it only after the client has proven that it holds the private key.

        Args:
            claimed_user: the user name of a share.
            claimed_key: the public key as `type base64`.

        Raises:
            GatewayError: as `open`.
        """
        fingerprint = _fingerprint("ssh", f"{claimed_user}\n{claimed_key}")
        grant = self.watch.recall(fingerprint)
        if grant is None:
            generation = self.watch.generation
            share = await self._share_with_key(claimed_user, claimed_key)
            grant = _grant(share)
            self.watch.remember(fingerprint, grant, None, generation=generation)
        return await self._access(grant)

    async def _share_with_key(self, claimed_user: str, claimed_key: str) -> SentShare:
        share = await self.shares.get(claimed_user.removeprefix(SSH_USER_PREFIX))
        if share is None:
            await self.health.check_marker()
        # The look-up goes by a name that is known to the recipient only; here it is about the key.
        elif (
            claimed_user == share.ssh_user and claimed_key in share.recipient_public_keys and await self._stands(share)
        ):
            return share
        raise GatewayError(Kind.UNAUTHENTICATED, "This key opens nothing here.", code="invalid-key")

    async def _access(self, grant: Grant) -> Access[B]:
        backend = await self._narrowed_to(grant)
        # Last, so that nothing comes between this and the moment from which on a block cuts who is served.
        self.may_contact(grant.recipient.host)
        return Access(grant, backend)

    async def _narrowed_to(self, grant: Grant) -> B:
        # It holds nothing of a request, so the next one under an equal grant uses it too.
        known = self._narrowed.get(grant.grant_id)
        if known is None or known[0] != grant:
            known = (grant, await self.narrow(grant))
            self._narrowed[grant.grant_id] = known
            while len(self._narrowed) > MEMORY_MAX_GRANTS:
                self._narrowed.popitem(last=False)
        return known[1]

    async def still_stands(self, grant: Grant) -> None:
        """Do nothing if the grant stands; asked at every verb, since a session can outlive its grant.

        Raises:
            GatewayError: `UNAUTHENTICATED` if the share has ended, `FORBIDDEN` if the recipient's server is not dealt
                with any more, `UNAVAILABLE` if that cannot be known now.
        """
        self.may_contact(grant.recipient.host)
        if self.watch.vouches(grant):
            return
        generation = self.watch.generation
        if not await self.stands(grant.grant_id):
            raise _ended()
        self.watch.vouch(grant, generation=generation)

    async def goes_on(self, grant: Grant) -> None:
        """Do nothing if what is open under the grant may go on: it stands, or the store is away and cannot say.

        Raises:
            GatewayError: as `still_stands`, except that the store's absence is no reason.
        """
        self.may_contact(grant.recipient.host)
        if self.watch.is_silent and (grant.expires_at is None or self.now() < grant.expires_at):
            # When the store is back every grant under which something is served is read again, and cut if it ended.
            return
        await self.still_stands(grant)

    async def stands(self, grant_id: str) -> bool:
        """Tell from the store whether a grant stands."""
        share = await self.shares.get(grant_id)
        if share is None:
            await self.health.check_marker()
        return share is not None and await self._stands(share)

    async def _prove(self, credential: ClaimedCredential) -> Grant:
        text = credential.secret.reveal()
        fingerprint = _fingerprint(credential.form.value, text)
        known = self.watch.recall(fingerprint)
        if known is not None:
            return known
        generation = self.watch.generation
        if credential.form is CredentialForm.BEARER and text.count(".") == _DOTS_IN_JWT:
            share, proof_ends = await self._share_of_token(text)
        else:
            share, proof_ends = await self._share_of_secret(text), None
        if not await self._stands(share):
            raise _ended()
        grant = _grant(share)
        self.watch.remember(fingerprint, grant, proof_ends, generation=generation)
        return grant

    async def _stands(self, share: SentShare) -> bool:
        """Tell whether a share stands, and what it was shared on from: a crash may have parted their ends."""
        if not share.stands(self.now()):
            return False
        return not share.parent or await self.stands(share.parent)

    async def _share_of_token(self, token: str) -> tuple[SentShare, float]:
        try:
            claims = self.verify_token(token, self.now())
        except TokenInvalid as error:
            raise GatewayError(
                Kind.UNAUTHENTICATED, "This access token is not valid (any more).", code="invalid-token", log=str(error)
            ) from error
        share = await self.shares.get(claims.client_id)
        if share is None:
            await self.health.check_marker()
            raise _ended()
        return share, float(claims.expires_at)

    async def _share_of_secret(self, secret: str) -> SentShare:
        share = await self.shares.find("secret", secret)
        if share is None:
            await self.health.check_marker()
            raise GatewayError(Kind.UNAUTHENTICATED, "This secret opens nothing here.", code="invalid-token")
        if Requirement.MUST_EXCHANGE_TOKEN in share.requirements:
            raise GatewayError(
                Kind.UNAUTHENTICATED, "This share opens only with an exchanged token.", code="must-exchange-token"
            )
        return share


_DOTS_IN_JWT = 2


def _fingerprint(form: str, text: str) -> str:
    return hashlib.sha256(f"{form}\n{text}".encode(errors="surrogatepass")).hexdigest()


def _grant(share: SentShare) -> Grant:
    return Grant(
        grant_id=share.provider_id,
        owner=share.owner,
        recipient=share.recipient,
        storage=share.storage,
        root=share.root,
        kind=share.kind,
        permissions=share.granted,
        expires_at=share.expires_at,
    )


def _ended() -> GatewayError:
    return GatewayError(Kind.UNAUTHENTICATED, "This share has ended.", code="invalid-token")
