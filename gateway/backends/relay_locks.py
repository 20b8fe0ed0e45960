"""Lock tokens and the `If` header on their way through the relay (RFC 4918, 10.4 and 10.5).

Every URL in `If` is rewritten to the storage's and must lie in the share; every token is taken out, so that one that
belongs to another grant can be refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind

IF_MAX_CHARS = 8000

_WORDS = re.compile(
    r'\s+|(?P<url><[^<>\s]{1,4000}>)|(?P<tag>\[(?:W/)?"[^"\[\]]{0,1000}"\])|(?P<not>Not)|(?P<mark>[()])', re.IGNORECASE
)
_TOKEN = re.compile(r"\s*<([^<>\s]{1,1000})>\s*")
_TOKEN_OF_ANSWER = re.compile(r"\s*<?([^<>\s]{1,1000})>?\s*")
NO_LOCK = "DAV:no-lock"


@dataclass(frozen=True, slots=True)
class Conditions:
    """An `If` header for the storage, and the lock tokens in it."""

    header: str
    tokens: tuple[str, ...]


def rewrite_if(header: str, to_storage: Callable[[str], str | None]) -> Conditions:
    """Return the header with its resource tags rewritten.

    Args:
        to_storage: returns the storage's URL for one of the client's, or None if that is not in the share.

    Raises:
        GatewayError: `INVALID` if the header is malformed, `FORBIDDEN` if it speaks of something outside.
    """
    parts: list[str] = []
    tokens: list[str] = []
    lists = is_inside = 0
    for kind, word in _words(header):
        if kind == "mark":
            is_inside += 1 if word == "(" else -1
            lists += word == "("
        elif kind == "url" and is_inside:
            tokens.append(word[1:-1])
        elif kind == "url":
            word = _rewritten(word[1:-1], to_storage)  # noqa: PLW2901 - the same word in the storage's terms
        elif not is_inside:
            raise _malformed()
        if is_inside not in (0, 1):
            raise _malformed()
        parts.append(word)
    if is_inside or not lists:
        raise _malformed()
    return Conditions(" ".join(parts), tuple(token for token in tokens if token != NO_LOCK))


def one_token(header: str | None) -> str:
    """Return the token in a `Lock-Token` request header.

    Raises:
        GatewayError: `INVALID` if there is none.
    """
    match = _TOKEN.fullmatch(header or "")
    if match is None:
        raise GatewayError(Kind.INVALID, "The header Lock-Token is missing or malformed.")
    return match[1]


def token_of_answer(header: str | None) -> str | None:
    """Return the token that a storage gave; some leave the brackets out."""
    match = _TOKEN_OF_ANSWER.fullmatch(header or "")
    return match[1] if match else None


def _words(header: str) -> list[tuple[str, str]]:
    if len(header) > IF_MAX_CHARS:
        raise _malformed()
    words = []
    position = 0
    while position < len(header):
        match = _WORDS.match(header, position)
        if match is None:
            raise _malformed()
        if match.lastgroup is not None:
            words.append((match.lastgroup, match[0]))
        position = match.end()
    return words


def _rewritten(url: str, to_storage: Callable[[str], str | None]) -> str:
    target = to_storage(url)
    if target is None:
        raise GatewayError(Kind.FORBIDDEN, "The header If speaks of something outside this share.")
    return f"<{target}>"


def _malformed() -> GatewayError:
    return GatewayError(Kind.INVALID, "The header If is not as it should be.")
