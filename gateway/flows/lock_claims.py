"""Which grant holds which lock of a storage that we relay to, for all replicas (DESIGN 6, "Relay")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model.lock import LockClaim
from gateway.store.base import Table

# No grant holds more locks of a storage at a time: who was given a folder cannot fill the storage's table, or ours.
CLAIMS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LockClaims:
    """Remembers the holders of the storage's own lock tokens."""

    claims: Table[LockClaim]
    most: int = CLAIMS_MAX

    async def check_room(self, grant_id: str) -> None:
        """Let a grant take another lock.

        Raises:
            GatewayError: `NO_SPACE` if it holds as many as it may.
        """
        if await self.claims.count("holder", grant_id) < self.most:
            return
        # Claims that have ended count until a sweep comes; those that end last are all there.
        page = await self.claims.page("holder", grant_id, newest_first=True, limit=self.most)
        if len(page.records) >= self.most:
            raise GatewayError(Kind.NO_SPACE, "You hold too many locks here; give some up or wait until they end.")

    async def claim(self, token: str, grant_id: str, expires: float) -> None:
        """Note that the grant owns the token until `expires`; a token that is another's stays so."""
        claim = LockClaim(token=token, holder=grant_id, expires_at=expires)
        try:
            await self.claims.create(claim)
        except GatewayError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            await self.claims.update(token, lambda old: replace(old, expires_at=max(old.expires_at, expires)))

    async def owner(self, token: str) -> str | None:
        """Return the grant that owns the token, or None if it is nobody's here."""
        claim = await self.claims.get(token)
        return claim.holder if claim else None

    async def release(self, token: str) -> None:
        """Forget the token."""
        await self.claims.delete(token)
