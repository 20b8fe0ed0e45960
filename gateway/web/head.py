"""The head of a request as every door sees it (DESIGN 3): plain values, whatever server read them.

`RequestHead` is all that doors, credentials, limits and the access log know of a request; the adapter to the server
below makes it. Bodies come as an iterator of bytes beside it. A body whose sender went away raises `ClientGone`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from gateway.errors import GatewayError, Kind

T = TypeVar("T")


class ClientGone(Exception):  # noqa: N818 - it is an event, not a fault of ours
    """The client closed its connection, or broke off in the middle of a body; there is nobody left to answer."""


class Headers:
    """Header fields in the order they came; names in any case, several fields of one name allowed."""

    __slots__ = ("_by_name", "fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields = tuple(fields)
        self._by_name: dict[str, list[str]] = {}
        for name, value in self.fields:
            self._by_name.setdefault(name.lower(), []).append(value.strip())

    def get(self, name: str) -> str | None:
        """Return the field's values joined as a list (RFC 9110, 5.3), or None."""
        values = self._by_name.get(name.lower())
        return None if values is None else ", ".join(values)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values one by one."""
        return tuple(self._by_name.get(name.lower(), ()))

    def single(self, name: str) -> str | None:
        """Return the value of a field that may come only once, or None.

        Raises:
            GatewayError: `INVALID` if it came twice.
        """
        values = self.get_all(name)
        if len(values) > 1:
            raise GatewayError(Kind.INVALID, f"The header field {name} came more than once.")
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What stands before a request's body.

    Attributes:
        raw_target: the request target exactly as it came, undecoded.
        peer_address: the client's address, as far as the listener knows it; empty where it does not.
    """

    method: str
    raw_target: str
    headers: Headers
    peer_address: str = ""

    @property
    def content_length(self) -> int | None:
        """The body's length where the client told it."""
        text = self.headers.get("Content-Length")
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    @property
    def may_have_body(self) -> bool:
        """Whether a body may follow."""
        return bool(self.content_length) or "Transfer-Encoding" in self.headers


@asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a stream at once when its reader leaves it, whatever the reason: what is behind it is released then."""
    try:
        yield items
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


async def read_body(body: AsyncIterator[bytes], *, max_bytes: int) -> bytes:
    """Return a whole small body.

    Raises:
        GatewayError: `TOO_LARGE` as soon as it exceeds `max_bytes`.
    """
    pieces = bytearray()
    async for piece in body:
        pieces += piece
        if len(pieces) > max_bytes:
            raise GatewayError(Kind.TOO_LARGE, f"This request body exceeds {max_bytes} bytes.")
    return bytes(pieces)
