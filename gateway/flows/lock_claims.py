"""Which grant holds which lock of a storage that we relay to, for all replicas (DESIGN 6, "Relay")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model.lock import LockClaim
from gateway.store.base import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class LockClaims:
    """Remembers the holders of the storage's own lock tokens."""

    claims: Table[LockClaim]

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
