"""Lock tokens and the `If` header on their way through the relay (RFC 4918, 10.4 and 10.5).

The header is read by the grammar of `model/ifheader` and written anew, so that the storage decides over just what we
understood. Every URL in it is rewritten to the storage's and must lie in the share; every token is taken out, so that
one that belongs to another grant can be refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, Kind
from gateway.model import ifheader

_TOKEN = re.compile(r"\s*<([^<>\s]{1,1000})>\s*")
_TOKEN_OF_ANSWER = re.compile(r"\s*<?([^<>\s]{1,1000})>?\s*")


@dataclass(frozen=True, slots=True)
class Conditions:
    """An `If` header for the storage, and the lock tokens in it."""

    header: str
    tokens: frozenset[str]


def rewrite_if(header: str, to_storage: Callable[[str], str | None]) -> Conditions:
    """Return the header with its resource tags rewritten.

    Args:
        to_storage: returns the storage's URL for one of the client's, or None if that is not in the share.

    Raises:
        GatewayError: `INVALID` if the header is malformed, `FORBIDDEN` if it speaks of something outside.
    """
    lists = ifheader.parse(header)
    inside = tuple(replace(item, resource=_rewritten(item.resource, to_storage)) for item in lists)
    return Conditions(ifheader.written(inside), ifheader.all_tokens(lists))


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


def _rewritten(url: str | None, to_storage: Callable[[str], str | None]) -> str | None:
    if url is None:
        return None
    target = to_storage(url)
    if target is None:
        raise GatewayError(Kind.FORBIDDEN, "The header If speaks of something outside this share.")
    return target
