"""Access tokens and the token exchange as values (TOK-1 to TOK-3, IP-1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.secret import Secret


class TokenError(StrEnum):
    """The OAuth 2.0 error codes of the token endpoint (RFC 6749, 5.2; TOK-3)."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A parsed request to the token endpoint.

    `claimed_client_id` is who the client says it is; without a signature it is a label only.
    """

    claimed_client_id: str
    code: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token and its life in seconds."""

    token: Secret
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """The claims of one of our own access tokens, after its signature held (RFC 9068; IP-1).

    Attributes:
        client_id: the share's `providerId`.
        issued_at, expires_at: seconds since the epoch.
    """

    issuer: str
    subject: str
    audience: str
    client_id: str
    token_id: str
    issued_at: int
    expires_at: int


class TokenRefused(Exception):  # noqa: N818 - it is the protocol's answer, not a fault of ours
    """A refusal of the token endpoint: an OAuth 2.0 code and a sentence fit for strangers (TOK-3)."""

    def __init__(self, error: TokenError, description: str) -> None:
        super().__init__(f"{error.value}: {description}")
        self.error = error
        self.description = description
