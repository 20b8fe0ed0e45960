"""What a peer answered to one of our messages, and what it means: heard, later, or never (SHARE-7, TOK-3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp

from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.address import Host
from gateway.ocm.dialects import aliases
from gateway.ocm.jsontext import parse_object
from gateway.peers.fetch import read_bounded

ANSWER_MAX_BYTES = 64 * 1024
ANSWER_MAX_DEPTH = 16
REASON_MAX_CHARS = 200
RETRY_AFTER_MAX_SECONDS = 86_400

NOT_IMPLEMENTED = 501
# The peer may think otherwise later. A redirect says that a proxy is badly set up, not that OCM refused.
_TEMPORARY = frozenset({408, 425, 429})
_KINDS = {
    401: Kind.FORBIDDEN,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    410: Kind.NOT_FOUND,
    413: Kind.TOO_LARGE,
    NOT_IMPLEMENTED: Kind.NOT_IMPLEMENTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a message.

    Attributes:
        document: the JSON object in it, or None; deployed peers also send `[]`, plain text or nothing.
        text: the body as text, empty if it was too long; it may hold a secret, and so does not show itself.
        retry_after: the seconds that the peer asked us to wait, if it did.
    """

    host: Host
    status: int
    document: dict[str, object] | None = field(default=None, repr=False)
    text: str = field(default="", repr=False)
    retry_after: int | None = None

    @property
    def is_success(self) -> bool:
        """Whether the peer took the message."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the classes of HTTP statuses

    @property
    def is_temporary(self) -> bool:
        """Whether the same message may be taken later."""
        if self.status == NOT_IMPLEMENTED or self.is_success:
            return False
        return not 400 <= self.status < 500 or self.status in _TEMPORARY  # noqa: PLR2004 - as above

    def error(self) -> GatewayError:
        """Return what this answer means for the user: `UNAVAILABLE` if it may pass, else the peer's refusal."""
        if self.is_temporary:
            error = unavailable(f"{self.host} cannot take this now (it answered {self.status}).")
            error.retry_after = self.retry_after or error.retry_after
            return error
        public = f"{self.host} refused this ({self.status}){self._reason()}."
        return GatewayError(_KINDS.get(self.status, Kind.INVALID), public, code="peer-refused")

    def _reason(self) -> str:
        said = [(self.document or {}).get(name) for name in aliases.REFUSAL_REASON]
        message = next((text for text in said if isinstance(text, str)), "")
        reason = "".join(char for char in message if char.isprintable())[:REASON_MAX_CHARS].strip(" .")
        return f": {reason}" if reason else ""


async def read_answer(host: Host, response: aiohttp.ClientResponse, *, now: float) -> Answer:
    """Read an answer whose every part is bounded; what is too long or packed is left out."""
    body = await read_bounded(response, ANSWER_MAX_BYTES) or b""
    return Answer(
        host=host,
        status=response.status,
        document=_document(body),
        text=body.decode(errors="replace"),
        retry_after=parse_retry_after(response.headers.get("Retry-After", ""), now=now),
    )


def parse_retry_after(text: str, *, now: float) -> int | None:
    """Return the seconds in a `Retry-After` field (RFC 9110, 10.2.3), at most a day; None if there are none."""
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), RETRY_AFTER_MAX_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(math.ceil(seconds), 0), RETRY_AFTER_MAX_SECONDS)


def _document(body: bytes) -> dict[str, object] | None:
    try:
        return parse_object(body, max_bytes=ANSWER_MAX_BYTES, max_depth=ANSWER_MAX_DEPTH)
    except GatewayError:
        return None
