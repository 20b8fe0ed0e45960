"""Records as JSON: what a frozen dataclass looks like in the store, and back.

A document is `{"v": schema version, "d": {field: value}}`. Every `Secret` in it, however deep, is sealed with a
context of table, record key and field, so that a sealed value moved to another place does not open. Missing fields
take their defaults and unknown ones are left out, so a field with a default may be added without a new version. What
cannot be read is UNAVAILABLE and never "no such record": a share must not look revoked because a newer gateway wrote
it. Strings may hold surrogate escapes (names that are not UTF-8); JSON's own escapes carry them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Generic, NewType, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from gateway.errors import GatewayError, unavailable
from gateway.model.secret import Secret

R = TypeVar("R")

Seal = Callable[[Secret, str], str]
Unseal = Callable[[str, str], Secret]


class Sealer(Protocol):
    """Encryption at rest, bound to a context."""

    def seal(self, plain: Secret | bytes, /, *, context: str) -> str:
        """Return `plain` encrypted as text."""

    def open(self, sealed: str, /, *, context: str) -> bytes:
        """Return what was sealed under the same context."""


class Codec(Generic[R]):
    """Turns the records of one table into documents and back."""

    def __init__(self, record: type[R], *, table: str, version: int, sealer: Sealer) -> None:
        self._record = record
        self._table = table
        self._version = version
        self._sealer = sealer

    def encode(self, key: str, record: R) -> bytes:
        """Return the document of `record`, which lies under `key`."""

        def seal(secret: Secret, path: str) -> str:
            return self._sealer.seal(secret, context=self._context(key, path))

        document = {"v": self._version, "d": _encode(record, "", seal)}
        return json.dumps(document, separators=(",", ":")).encode()

    def decode(self, key: str, data: bytes) -> R:
        """Return the record in a document that lies under `key`.

        Raises:
            GatewayError: `UNAVAILABLE` if a newer gateway wrote it, or if it cannot be read or opened.
        """

        def unseal(sealed: str, path: str) -> Secret:
            return Secret(self._sealer.open(sealed, context=self._context(key, path)).decode())

        try:
            document = json.loads(data)
            self._check_version(document["v"])
            record: R = _decode(self._record, document["d"], "", unseal)
        except GatewayError:
            raise
        except Exception as error:
            # Whatever is wrong with it, the record is there and not absent.
            raise self._unreadable(f"{type(error).__name__}") from error
        return record

    def _check_version(self, version: int) -> None:
        if version > self._version:
            raise self._unreadable(f"schema version {version}, this gateway knows up to {self._version}")

    def _context(self, key: str, path: str) -> str:
        return f"{self._table}\n{key}\n{path}"

    def _unreadable(self, why: str) -> GatewayError:
        return unavailable("A stored record cannot be read.", log=f"table {self._table}: {why}")


def _encode(value: object, path: str, seal: Seal) -> object:  # noqa: PLR0911 - a table
    match value:
        case Secret():
            return seal(value, path)
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case frozenset():
            return sorted(_encode(item, path, seal) for item in value)  # type: ignore[type-var] # members of our sets sort
        case tuple():
            return [_encode(item, f"{path}[{place}]", seal) for place, item in enumerate(value)]
        case Mapping():
            return {name: _encode(item, f"{path}.{name}", seal) for name, item in value.items()}
        case _ if is_dataclass(value):
            return {
                part.name: _encode(getattr(value, part.name), f"{path}.{part.name}", seal) for part in fields(value)
            }
        case _:
            raise TypeError(f"records cannot hold {type(value).__name__}")


def _decode(kind: Any, value: Any, path: str, unseal: Unseal) -> Any:  # noqa: PLR0911 - a table
    """Return `value` as the type `kind`, which is one that `_encode` knows."""
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        # The only unions in records are "or None".
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _decode(inner, value, path, unseal)
    if origin is tuple:
        return _decode_tuple(arguments, value, path, unseal)
    if origin is frozenset:
        return frozenset(_decode(arguments[0], item, path, unseal) for item in value)
    if origin is dict:
        return {name: _decode(arguments[1], item, f"{path}.{name}", unseal) for name, item in value.items()}
    if kind is Secret:
        return unseal(value, path)
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, path, unseal)
    return _decode_plain(kind, value)


def _decode_tuple(kinds: tuple[Any, ...], value: Any, path: str, unseal: Unseal) -> Any:
    if kinds[1:] == (...,):
        kinds = (kinds[0],) * len(value)
    return tuple(
        _decode(kind, item, f"{path}[{place}]", unseal)
        for place, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _decode_dataclass(kind: Any, value: Any, path: str, unseal: Unseal) -> Any:
    return kind(
        **{
            name: _decode(hint, value[name], f"{path}.{name}", unseal)
            for name, hint, part in _parts(kind)
            if name in value or _is_required(part)
        }
    )


def _decode_plain(kind: Any, value: Any) -> Any:
    if issubclass(kind, Enum):
        return kind(value)
    # JSON writes 5.0 as it likes; a float field takes both, every other field only its own type.
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError("a stored field has another type")
    return value


@cache
def _parts(kind: type) -> tuple[tuple[str, Any, Field[Any]], ...]:
    hints = get_type_hints(kind)
    return tuple((part.name, hints[part.name], part) for part in fields(kind))


def _is_required(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING
