"""The token door: form in, access token out, every refusal an OAuth 2.0 code with 400 (TOK-1 to TOK-4)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.crypto.keys import key_id_host
from gateway.errors import GatewayError
from gateway.flows.exchange_token import ExchangeToken
from gateway.log import get_logger
from gateway.model.address import Host, parse_host
from gateway.model.peer import AnyPeer
from gateway.model.token import TokenError, TokenRefused, TokenRequest
from gateway.ocm import token as token_text
from gateway.ocm.jsontext import parse_object
from gateway.web.doors import Door, Lock, Style
from gateway.web.peergate import Answer, Claim, PeerGate

log = get_logger(__name__)

FORM_MAX_FIELDS = 50
_NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDoor:
    """Handler of the token end point."""

    gate: PeerGate
    exchange_token: ExchangeToken
    prefix: str
    json_depth: int

    def doors(self) -> tuple[Door, ...]:
        """Return the row of the table of doors."""
        return (
            Door(
                name="token",
                method="POST",
                path=f"{self.prefix}/token",
                lock=Lock.PEER,
                style=Style.OAUTH,
                about="a share's secret becomes an access token (TOK-1)",
                handler=self,
            ),
        )

    async def __call__(self, request: web.Request) -> web.Response:
        """Exchange a code for an access token."""
        try:
            body = await self.gate.read(request)
            token_request = token_text.parse_request(self._form(request, body))
            return await self.gate.admit(request, body, _claim(token_request), self._answer(token_request))
        except TokenRefused as refusal:
            log.info("token refused", reason=refusal.error.value)
            document = token_text.render_error(refusal.error, refusal.description)
            return web.json_response(document, status=400, headers=_NEVER_KEPT)

    def _answer(self, token_request: TokenRequest) -> Answer:
        async def answer(peer: AnyPeer) -> web.Response:
            token = await self.exchange_token.exchange(peer, token_request)
            return web.json_response(token_text.render_answer(token), headers=_NEVER_KEPT)

        return answer

    def _form(self, request: web.Request, body: bytes) -> dict[str, str]:
        # Some receivers send the same members as JSON (dialects.md 14.5).
        try:
            if request.content_type == "application/json":
                document = parse_object(body, max_bytes=self.gate.max_bytes, max_depth=self.json_depth)
                return {name: value for name, value in document.items() if isinstance(value, str)}
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_MAX_FIELDS)
        except (ValueError, GatewayError) as error:
            raise TokenRefused(TokenError.INVALID_REQUEST, "The body is not a form.") from error
        if len({name for name, _ in pairs}) != len(pairs):
            raise TokenRefused(TokenError.INVALID_REQUEST, "A parameter came twice.")
        return dict(pairs)


def _claim(token_request: TokenRequest) -> Claim:
    async def claim(key_id: str | None) -> tuple[Host, ...]:
        if key_id is None:
            return ()  # Whether it may go unsigned is decided by whose share it is.
        named = key_id_host(key_id)
        try:
            client = parse_host(token_request.claimed_client_id)
        except GatewayError:
            return (named,) if named else ()
        return (client,)

    return claim
