"""What a received share is opened with over WebDAV: the ways in which its sender may take us in (ACC-2, ACC-3).

Senders differ (`dialects.md` 11): some want an exchanged token, some the secret as a bearer, some the secret as the
user name of Basic, and those let the credential alone choose the share, at the root of their WebDAV. So the ways are
tried in the order that the share and the sender's document suggest, the next one when a way is refused, and what was
taken is kept. Where a token is required there is no other way.

Tokens are kept in this process until shortly before they end, one exchange at a time for each share.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import GatewayError, Kind
from gateway.flows.ports import Clock
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import Discovery
from gateway.model.secret import Secret
from gateway.model.share import ReceivedShare, Requirement
from gateway.ocm import token as token_text
from gateway.ocm.access import is_chosen_by_credential
from gateway.peers.client import PeerClient

log = get_logger(__name__)

# A token is renewed this long before it ends, in seconds, but never before half of its life.
RENEW_BEFORE_SECONDS = 60.0
# After a failed exchange that was not required, another way is used for this long before trying again, in seconds.
FALL_BACK_SECONDS = 300.0
# A secret does not end by itself; which way of showing it is taken is found out anew after this long, in seconds.
SECRET_SECONDS = 86_400.0
# A token that is refused is exchanged anew, unless it was got less than this long ago (in seconds): then it is over.
RENEW_PAUSE_SECONDS = 10.0


class Way(StrEnum):
    """A way of being let in."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    BEARER = "bearer"
    BASIC = "basic"


def ways(share: ReceivedShare, discovery: Discovery) -> tuple[Way, ...]:
    """Return the ways in which the sender of this share may take us in, the likeliest first.

    Raises:
        GatewayError: `UNAVAILABLE` if a token is required and the sender offers none.
    """
    if Requirement.MUST_EXCHANGE_TOKEN in share.webdav.requirements:
        if not discovery.token_end_point:
            raise GatewayError(Kind.UNAVAILABLE, f"{share.peer} demands a token but offers none.")
        return (Way.TOKEN,)
    is_at_root = is_chosen_by_credential(share.webdav, discovery, share.resource_type)
    secret = (Way.BASIC, Way.BEARER) if is_at_root else (Way.BEARER, Way.BASIC)
    return (Way.TOKEN, *secret) if discovery.token_end_point else secret


@dataclass(frozen=True, slots=True)
class Held:
    """What one share is opened with, since and until when (seconds since the epoch)."""

    way: Way
    secret: Secret
    since: float
    until: float

    def fields(self) -> Mapping[str, str]:
        """Return the header field that shows it."""
        text = self.secret.reveal()
        if self.way is not Way.BASIC:
            return {"Authorization": f"Bearer {text}"}
        return {"Authorization": f"Basic {base64.b64encode(f'{text}:'.encode()).decode()}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteKeys:
    """Holds what received shares are opened with."""

    client: PeerClient
    authority: Host
    now: Clock
    _held: dict[str, Held] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def get(self, share: ReceivedShare, discovery: Discovery) -> Held:
        """Return what opens a share now.

        Raises:
            GatewayError: if a token is required and cannot be had.
        """
        # One exchange at a time for each share; the others find its outcome.
        async with self._locks.setdefault(share.share_id, asyncio.Lock()):
            held = self._held.get(share.share_id)
            if held is None or held.until <= self.now():
                held = self._held[share.share_id] = await self._first(share, discovery, ways(share, discovery))
            return held

    async def refused(self, share: ReceivedShare, discovery: Discovery, used: Held) -> bool:
        """Hear that the sender refused what was shown; tell whether there is something else to show now."""
        async with self._locks.setdefault(share.share_id, asyncio.Lock()):
            held = self._held.get(share.share_id)
            if held is not None and held != used:
                return True
            if used.way is Way.TOKEN and self.now() - used.since >= RENEW_PAUSE_SECONDS:
                self.forget(share.share_id)
                return True
            able = ways(share, discovery)
            rest = able[able.index(used.way) + 1 :] if used.way in able else ()
            self.forget(share.share_id)
            if rest:
                self._held[share.share_id] = await self._first(share, discovery, rest)
            return bool(rest)

    def forget(self, share_id: str) -> None:
        """Drop what is held for a share, so that the next use begins anew."""
        self._held.pop(share_id, None)

    async def _first(self, share: ReceivedShare, discovery: Discovery, able: tuple[Way, ...]) -> Held:
        if able[0] is not Way.TOKEN:
            return self._secret(share, able[0], SECRET_SECONDS)
        try:
            return await self._token(share, discovery.token_end_point)
        except GatewayError as error:
            if len(able) == 1:
                raise
            log.warning("token exchange failed, using the secret", share=share.share_id, reason=str(error))
            return self._secret(share, able[1], FALL_BACK_SECONDS)

    def _secret(self, share: ReceivedShare, way: Way, seconds: float) -> Held:
        now = self.now()
        return Held(way, share.webdav.secret, now, now + seconds)

    async def _token(self, share: ReceivedShare, token_end_point: str) -> Held:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.authority,
            "code": share.webdav.secret.reveal(),
        }
        answer = await self.client.post_token(share.peer, token_end_point, form)
        if not answer.is_success:
            raise answer.error()
        token = token_text.parse_answer(answer.document)
        life = max(token.expires_in - RENEW_BEFORE_SECONDS, token.expires_in / 2)
        now = self.now()
        return Held(Way.TOKEN, token.token, now, now + life)
