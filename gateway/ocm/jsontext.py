"""Reading JSON that a stranger wrote, strictly (RFC 8259) and within bounds.

One object at the top, UTF-8, each name once, no numbers that are none, no halves of characters, and no deeper than a
bound: two readers of the same bytes can then not understand different things, and nobody behind this has to ask again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from gateway.errors import GatewayError, Kind


def parse_object(body: bytes, *, max_bytes: int, max_depth: int = 32) -> dict[str, object]:
    """Return the JSON object in `body`.

    Args:
        max_depth: how many objects and lists may lie in one another, the outermost counted.

    Raises:
        GatewayError: `TOO_LARGE` if the body is longer than `max_bytes`, else `INVALID`.
    """
    if len(body) > max_bytes:
        raise GatewayError(Kind.TOO_LARGE, f"This message exceeds {max_bytes} bytes.")
    document = _parse(body)
    if not isinstance(document, dict):
        raise _invalid("it is not an object")
    _check(document, max_depth)
    return document


def _parse(body: bytes) -> object:
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_object, parse_float=_finite_number, parse_constant=_no_number
        )
    except UnicodeDecodeError as error:
        raise _invalid("it is not UTF-8") from error
    except ValueError as error:
        raise _invalid("it is malformed") from error
    except RecursionError as error:
        raise _invalid("it is nested too deeply") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _invalid("a name comes twice in one object")
    return document


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _invalid("a number is too large")
    return number


def _no_number(_text: str) -> float:
    raise _invalid("it holds what is not a number")


def _check(document: dict[str, object], max_depth: int) -> None:
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, dict | list):
            if depth > max_depth:
                raise _invalid("it is nested too deeply")
            waiting.extend((member, depth + 1) for member in _members(value))


def _members(value: dict[str, object] | list[object]) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    else:
        yield from value


def _check_text(text: str) -> None:
    # An escape such as \ud800 alone is no character; it could not be written down anywhere.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _invalid("it holds half a character") from error


def _invalid(why: str) -> GatewayError:
    return GatewayError(Kind.INVALID, f"This is not a JSON object that can be read: {why}.", code="json-invalid")
