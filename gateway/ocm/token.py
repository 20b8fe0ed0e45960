"""The token end point as text: the form, the token, the refusal (TOK-1 to TOK-3; RFC 6749, 4.1.3 and 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.errors import GatewayError, unavailable
from gateway.model.address import ADDRESS_MAX_CHARS
from gateway.model.secret import Secret
from gateway.model.token import AccessToken, TokenError, TokenRefused, TokenRequest
from gateway.ocm.dialects import aliases
from gateway.ocm.fields import SECRET_MAX_CHARS

TOKEN_MAX_CHARS = 16_384
# Where a peer does not say how long its token lives, it is not relied on for long, in seconds.
DEFAULT_LIFETIME_SECONDS = 300
LIFETIME_MAX_SECONDS = 86_400

_BEARER = "bearer"
_VISIBLE = re.compile(r"[!-~]+")


def parse_request(form: Mapping[str, str]) -> TokenRequest:
    """Return the request in a form; parameters that we do not know are ignored.

    Raises:
        TokenRefused: `invalid_request` if a parameter is missing or impossible, `unsupported_grant_type`.
    """
    grant_type = form.get("grant_type")
    if not grant_type:
        raise TokenRefused(TokenError.INVALID_REQUEST, "The parameter grant_type is missing.")
    if grant_type not in aliases.GRANT_TYPES:
        raise TokenRefused(TokenError.UNSUPPORTED_GRANT_TYPE, "Only the grant type authorization_code is known here.")
    return TokenRequest(
        claimed_client_id=_parameter(form, "client_id", ADDRESS_MAX_CHARS),
        code=Secret(_parameter(form, "code", SECRET_MAX_CHARS)),
    )


def render_answer(token: AccessToken) -> dict[str, object]:
    """Return the answer that hands out a token."""
    return {"access_token": token.token.reveal(), "token_type": "Bearer", "expires_in": token.expires_in}


def render_error(error: TokenError, description: str) -> dict[str, object]:
    """Return the answer that refuses a token."""
    return {"error": error.value, "error_description": description}


def parse_answer(document: Mapping[str, object] | None) -> AccessToken:
    """Return the token that a peer handed out.

    Raises:
        GatewayError: `UNAVAILABLE` if it handed out none that can be used: that says nothing about the share.
    """
    answer = document or {}
    token, kind = answer.get("access_token"), answer.get("token_type", _BEARER)
    if not isinstance(token, str) or len(token) > TOKEN_MAX_CHARS or not _VISIBLE.fullmatch(token):
        raise _unusable("no access token")
    if not isinstance(kind, str) or kind.lower() != _BEARER:
        raise _unusable("a token of another type than Bearer")
    lifetime = answer.get("expires_in", DEFAULT_LIFETIME_SECONDS)
    if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime <= 0:
        raise _unusable("a token without a lifetime in seconds")
    return AccessToken(token=Secret(token), expires_in=min(lifetime, LIFETIME_MAX_SECONDS))


def _parameter(form: Mapping[str, str], name: str, max_chars: int) -> str:
    value = form.get(name)
    if not value:
        raise TokenRefused(TokenError.INVALID_REQUEST, f"The parameter {name} is missing.")
    if len(value) > max_chars or not _VISIBLE.fullmatch(value):
        raise TokenRefused(TokenError.INVALID_REQUEST, f"The parameter {name} is not valid.")
    return value


def _unusable(what: str) -> GatewayError:
    return unavailable(f"The sender's token end point answered {what}.")
