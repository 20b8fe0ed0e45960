"""The recipient's provider exchanges a share's secret for an access token (flow 3; TOK-1 to TOK-4, IP-1).

The code is the shared secret. It works for the share's own recipient only: a signature must be that provider's.
Exchange works before the share is accepted, and as often as it is asked for; the token never outlives the share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import AnyPeer, VerifiedPeer
from gateway.model.secret import Secret
from gateway.model.share import SentShare
from gateway.model.token import AccessToken, TokenClaims, TokenError, TokenRefused, TokenRequest
from gateway.store.base import StoreHealth, Table

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeToken:
    """Issues access tokens.

    Attributes:
        may_contact: raises for hosts that our lists exclude, or as long as that is not known.
        must_sign: tells whether a provider has to sign to us (it publishes keys, it has signed before, or we demand
            it of everybody).
        lifetime_seconds: the longest life of a token.
    """

    shares: Table[SentShare]
    health: StoreHealth
    may_contact: Callable[[Host], None]
    must_sign: Callable[[Host], Awaitable[bool]]
    issue: Callable[[TokenClaims], Secret]
    public_url: str
    lifetime_seconds: int
    now: Clock
    new_id: Callable[[], str]

    async def exchange(self, peer: AnyPeer, request: TokenRequest) -> AccessToken:
        """Return a fresh access token for the share whose secret is the code.

        Raises:
            TokenRefused: `invalid_grant` for an unknown, ended or expired share, `invalid_client` for the wrong
                signer or for none where there has to be one (TOK-3).
            GatewayError: `FORBIDDEN` if the recipient's server is not dealt with (DISC-8), `UNAVAILABLE` if the store
                is away or is not ours.
        """
        share = await self.shares.find("secret", request.code.reveal())
        now = self.now()
        if share is None:
            await self.health.check_marker()
            raise TokenRefused(TokenError.INVALID_GRANT, "This code is not known.")
        # Without a signature nobody has asked yet whether we deal with the recipient's server.
        self.may_contact(share.recipient.host)
        await self._check_client(peer, share)
        if not share.stands(now):
            raise TokenRefused(TokenError.INVALID_GRANT, "The share has ended.")
        return self._token(share, int(now))

    async def _check_client(self, peer: AnyPeer, share: SentShare) -> None:
        if isinstance(peer, VerifiedPeer):
            if peer.host != share.recipient.host:
                log.warning("token asked for by a stranger", share=share.provider_id, peer=peer.host)
                raise TokenRefused(TokenError.INVALID_CLIENT, "This code belongs to another provider.")
        elif await self.must_sign(share.recipient.host):
            raise TokenRefused(TokenError.INVALID_CLIENT, "This request has to be signed.")

    def _token(self, share: SentShare, now: int) -> AccessToken:
        expires_at = now + self.lifetime_seconds
        if share.expires_at is not None:
            expires_at = min(expires_at, share.expires_at)
        claims = TokenClaims(
            issuer=self.public_url,
            subject=share.owner,
            audience=str(share.recipient),
            client_id=share.provider_id,
            token_id=self.new_id(),
            issued_at=now,
            expires_at=expires_at,
        )
        return AccessToken(token=self.issue(claims), expires_in=expires_at - now)
