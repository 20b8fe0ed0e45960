"""For properties of parsers: the value that came out, or the refusal as a value. Whatever else is raised fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gateway.errors import GatewayError

T = TypeVar("T")


def outcome(act: Callable[[], T]) -> T | GatewayError:
    """Return what `act` returns, or the `GatewayError` that it raises."""
    try:
        return act()
    except GatewayError as error:
        return error
