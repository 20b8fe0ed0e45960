"""The declarations of `sections`, read back as a flat list: what loading, checking and the reference go by."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.config.sections import Config
from gateway.config.values import Unit
from gateway.model.secret import Secret

ENVIRONMENT_PREFIX = "OCM_GATEWAY_"
_ONE_OF_STORAGES = re.compile(r"\Astorages\.[^.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option as it is declared.

    Attributes:
        path: its dotted name, such as `storage.url`.
        unit: what is written for a value.
        default: the default as it is written in YAML, None where there is none or it follows from others.
        example: a value for the reference where there is no default.
    """

    path: str
    unit: str
    help: str
    default: str | None
    example: str | None
    is_required: bool
    is_secret: bool

    @property
    def environment(self) -> str:
        """The name of its environment variable."""
        return ENVIRONMENT_PREFIX + self.path.upper().replace(".", "__")


@cache
def options() -> dict[str, Option]:
    """Return every option under its dotted name, in the order of declaration."""
    return {option.path: option for option in _walk(Config, "")}


@cache
def sections() -> dict[str, str]:
    """Return every section and what it is for."""
    return dict(_sections(Config, ""))


def declared(path: str) -> Option | None:
    """Return the option that a dotted name means: `storages.old.url` is declared as `storage.url`."""
    return options().get(as_declared(path))


def as_declared(path: str) -> str:
    """Return the name under which an option or section of one of several storages is declared."""
    return _ONE_OF_STORAGES.sub("storage", path)


def is_section(path: str) -> bool:
    """Tell whether options stand below this name."""
    return path == "storages" or as_declared(path) in sections()


def secret_of_file(path: str) -> str | None:
    """Return the secret option that an option such as `storage.credentials_file` names the file of."""
    secret = path.removesuffix("_file")
    known = declared(secret)
    return secret if known and known.is_secret and secret != path else None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is meant, or nothing if none is near."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Option]:
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section:
            yield from _walk(section, f"{prefix}{name}.")
        else:
            yield _option(f"{prefix}{name}", field)


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section:
            yield f"{prefix}{name}", (section.__doc__ or "").strip()
            yield from _sections(section, f"{prefix}{name}.")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a section, which may be left out as a whole, or None for an option."""
    for kind in (annotation, *(get_args(annotation) if isinstance(annotation, UnionType) else ())):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _option(path: str, field: FieldInfo) -> Option:
    unit = next(_units(field.annotation, *field.metadata), None)
    examples = field.examples or [None]
    return Option(
        path=path,
        unit=unit.text if unit else _unit_of_type(field.annotation),
        help=field.description or "",
        default=None
        if field.is_required() or field.default_factory
        else written(field.default, unit.show if unit else None),
        example=examples[0],
        is_required=field.is_required(),
        is_secret=Secret in _types(field.annotation, *field.metadata),
    )


def _units(*marks: Any) -> Iterator[Unit]:
    """Yield the units among the marks of a field and inside its type, such as `Annotated[…] | None`."""
    for mark in marks:
        if isinstance(mark, Unit):
            yield mark
        else:
            yield from _units(*get_args(mark), *getattr(mark, "__metadata__", ()))


def _types(*marks: Any) -> Iterator[Any]:
    for mark in marks:
        yield mark
        yield from _types(*get_args(mark))


def _unit_of_type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(member.value for member in annotation)
    return {bool: "true | false", int: "number"}.get(annotation, "text")


def written(value: Any, show: Callable[[float], str] | None = None) -> str | None:
    """Return a default as it is written in YAML, or None for nothing."""
    match value:
        case None | {}:
            return None
        case bool():
            return str(value).lower()
        case int() | float() if show:
            return show(value)
        case tuple():
            return f"[{', '.join(str(item) for item in value)}]"
        case Path() | str() | int():
            return str(value)
    raise TypeError(value)
