"""Reading the members of a parsed JSON object, noting every fault instead of stopping at the first (SHARE-7).

A `Fields` stands for one object inside a message and knows its dotted name there. Each reader returns the value, or a
harmless empty one after noting a fault; `null` counts as absent, as deployed peers write it. What came in is never
repeated in a fault: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.secret import Secret

NAME_MAX_CHARS = 255
TEXT_MAX_CHARS = 4096
SECRET_MAX_CHARS = 1024

V = TypeVar("V")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_VISIBLE = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of one object in a message."""

    members: Mapping[str, object]
    path: str = ""
    faults: list[Fault] = field(default_factory=list)

    def fault(self, name: str, message: str) -> None:
        """Note that the member `name` is not as it should be; only the first fault of a member is told.

        Args:
            message: goes on the sentence that the member's name begins.
        """
        if all(fault.name != self.path + name for fault in self.faults):
            self.faults.append(Fault(self.path + name, message))

    def check(self, subject: str) -> None:
        """Do nothing if there was no fault.

        Raises:
            GatewayError: `INVALID`, with a sentence about `subject` and with all faults.
        """
        if self.faults:
            reasons = "; ".join(f"{fault.name} {fault.message}" for fault in self.faults)
            raise GatewayError(Kind.INVALID, f"{subject} is not valid: {reasons}.", faults=tuple(self.faults))

    def has(self, name: str) -> bool:
        """Tell whether the member is there and not null."""
        return self.members.get(name) is not None

    def first_of(self, *names: str) -> str:
        """Return the first of several names for one thing that is there, else the first."""
        return next((name for name in names if self.has(name)), names[0])

    def text(self, name: str, *, is_required: bool = False, max_chars: int = NAME_MAX_CHARS) -> str:
        """Return a text of one line, or "" if there is none."""
        return self._text(name, _CONTROL, max_chars, is_required=is_required)

    def prose(self, name: str, *, max_chars: int = TEXT_MAX_CHARS) -> str:
        """Return a text that may have several lines, or "" if there is none."""
        return self._text(name, _CONTROL_IN_PROSE, max_chars)

    def identifier(self, name: str) -> str:
        """Return a required identifier, which may come as a number."""
        value = self.members.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.text(name, is_required=True)

    def secret(self, name: str) -> Secret | None:
        """Return a secret, which fits into a header field, or None if there is none."""
        text = self.text(name, max_chars=SECRET_MAX_CHARS)
        if not _VISIBLE.fullmatch(text):
            self.fault(name, "may hold visible ASCII characters only")
            return None
        return Secret(text) if text else None

    def number(self, name: str, *, at_most: int) -> int | None:
        """Return a whole number from 0 on, or None if there is none."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= at_most:
            self.fault(name, f"has to be a whole number from 0 to {at_most}")
            return None
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self.members.get(name, default)
        if not isinstance(value, bool):
            self.fault(name, "has to be true or false")
            return default
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of words; an object is read as the list of its values, since PHP writes lists so at times."""
        value = self.members.get(name)
        items = list(value.values()) if isinstance(value, dict) else value
        if items is None:
            return ()
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.fault(name, "has to be a list of strings")
            return ()
        return tuple(item for item in items if len(item) <= NAME_MAX_CHARS and not _CONTROL.search(item))

    def object(self, name: str, *, is_required: bool = False) -> Fields | None:
        """Return the members of an object; an empty list counts as an empty object, since PHP writes it so."""
        value = self.members.get(name)
        if value == []:
            value = {}
        if isinstance(value, dict):
            return Fields(value, f"{self.path}{name}.", self.faults)
        if value is not None or is_required:
            self.fault(name, "is missing" if value is None else "has to be an object")
        return None

    def read(self, name: str, parse: Callable[[str], V], *, max_chars: int = NAME_MAX_CHARS) -> V | None:
        """Return a required text parsed by `parse`, whose refusal becomes a fault."""
        text = self.text(name, is_required=True, max_chars=max_chars)
        try:
            return parse(text) if text else None
        except GatewayError as error:
            self.fault(name, f"cannot be read: {error.public.rstrip('.')}")
            return None

    def _text(self, name: str, forbidden: re.Pattern[str], max_chars: int, *, is_required: bool = False) -> str:
        value = self.members.get(name)
        if value is None or value == "":
            if is_required:
                self.fault(name, "is missing")
            return ""
        reason = _why_no_text(value, forbidden, max_chars)
        if reason:
            self.fault(name, reason)
        return "" if reason or not isinstance(value, str) else value


def _why_no_text(value: object, forbidden: re.Pattern[str], max_chars: int) -> str:
    if not isinstance(value, str):
        return "has to be a string"
    if len(value) > max_chars:
        return f"has more than {max_chars} characters"
    return "holds control characters" if forbidden.search(value) else ""
