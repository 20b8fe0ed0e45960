"""The `If` header of WebDAV (RFC 4918, 10.4): lock tokens and entity tags, per resource.

`parse` reads it into lists; `holds` decides over facts that the caller looks up once per named resource; `written`
makes a header of lists again, for a storage that decides itself. A token that stands in the header counts as
presented, whichever list it stands in (10.4.1).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind

IF_MAX_CHARS = 8192
IF_MAX_CONDITIONS = 100
# By definition no lock has this token (RFC 4918, 10.4.8).
NO_LOCK = "DAV:no-lock"

_WORD = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<not>Not\b)|<(?P<uri>[^<>\s\x00-\x1f\x7f]+)>|\[(?P<tag>(?:W/)?"[^"\x00-\x1f\x7f]*")\])""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a lock token, or an entity tag with its quotes; `is_not` turns it round."""

    text: str
    is_etag: bool
    is_not: bool


@dataclass(frozen=True, slots=True)
class ConditionList:
    """Conditions that must hold together for `resource` (a URL as it came; None: the request's own)."""

    resource: str | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is true of one resource: the tokens of the locks that cover it, and its tag (None: it is not there)."""

    tokens: frozenset[str] = frozenset()
    etag: str | None = None


def parse(text: str | None) -> tuple[ConditionList, ...]:
    """Return the lists in an `If` header; none of it gives no lists.

    Raises:
        GatewayError: `INVALID` if it does not follow the grammar.
    """
    if text is None:
        return ()
    if len(text) > IF_MAX_CHARS:
        raise _malformed()
    lists = tuple(_lists(_words(text)))
    tagged = {item.resource is not None for item in lists}
    if len(tagged) != 1 or sum(len(item.conditions) for item in lists) > IF_MAX_CONDITIONS:
        raise _malformed()
    return lists


def presented_tokens(lists: tuple[ConditionList, ...]) -> frozenset[str]:
    """Return the lock tokens that the header presents."""
    return frozenset(
        condition.text
        for item in lists
        for condition in item.conditions
        if not condition.is_etag and not condition.is_not
    )


def all_tokens(lists: tuple[ConditionList, ...]) -> frozenset[str]:
    """Return the lock tokens that the header names, presented or negated, but for the one that no lock has."""
    named = {condition.text for item in lists for condition in item.conditions if not condition.is_etag}
    return frozenset(named - {NO_LOCK})


def written(lists: tuple[ConditionList, ...]) -> str:
    """Return the header that means these lists."""
    return " ".join(_written_list(item) for item in lists)


async def holds(lists: tuple[ConditionList, ...], state_of: Callable[[str | None], Awaitable[State]]) -> bool:
    """Tell whether one of the lists holds; an absent header always holds."""
    if not lists:
        return True
    known: dict[str | None, State] = {}
    for item in lists:
        if item.resource not in known:
            known[item.resource] = await state_of(item.resource)
        if all(_is_true(condition, known[item.resource]) for condition in item.conditions):
            return True
    return False


def _is_true(condition: Condition, state: State) -> bool:
    found = condition.text == state.etag if condition.is_etag else condition.text in state.tokens
    return found is not condition.is_not


def _written_list(item: ConditionList) -> str:
    resource = "" if item.resource is None else f"<{item.resource}> "
    return resource + "(" + " ".join(_written_condition(condition) for condition in item.conditions) + ")"


def _written_condition(condition: Condition) -> str:
    text = f"[{condition.text}]" if condition.is_etag else f"<{condition.text}>"
    return f"Not {text}" if condition.is_not else text


def _words(text: str) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _WORD.match(text, position)
        if match is None or match.lastgroup is None:
            raise _malformed()
        words.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return words


def _lists(words: list[tuple[str, str]]) -> list[ConditionList]:
    lists: list[ConditionList] = []
    resource: str | None = None
    inside: list[Condition] | None = None
    is_not = False
    for kind, text in words:
        match kind, inside:
            case "open", None:
                inside = []
            case "uri", None:
                resource = text
            case "close", list() if inside and not is_not:
                lists.append(ConditionList(resource, tuple(inside)))
                inside = None
            case "not", list() if not is_not:
                is_not = True
            case "uri" | "tag", list():
                assert inside is not None
                inside.append(Condition(text, kind == "tag", is_not))
                is_not = False
            case _:
                raise _malformed()
    if inside is not None or not lists:
        raise _malformed()
    return lists


def _malformed() -> GatewayError:
    return GatewayError(Kind.INVALID, "This If header does not follow RFC 4918, 10.4.")
