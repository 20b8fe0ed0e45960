"""Reads multi-status answers (RFC 4918, 13) as they come in, one `response` element at a time.

Answers come from servers that may be hostile: the memory used is that of one element, a DOCTYPE ends it all (so no
entity can be declared), and nesting is bounded. A folder of any size can so be listed while it arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from gateway.backends.webdav_status import nonsense

RESPONSE_MAX_BYTES = 256 * 1024
RESPONSES_MAX = 1_000_000
NESTING_MAX = 64
_SLICE_BYTES = 32 * 1024

_SPACE = "}"
MULTISTATUS = "DAV:}multistatus"
RESPONSE = "DAV:}response"
HREF = "DAV:}href"
STATUS = "DAV:}status"
PROPSTAT = "DAV:}propstat"
PROP = "DAV:}prop"


@dataclass(slots=True)
class Described:
    """One `response`: the href as it came, its own status if any, and the properties that were given.

    Attributes:
        status: of the response as a whole (failures), or None.
        properties: name (`namespace}name`) to text, of those with a status of 2xx.
        children: names of the elements inside a property, by the property's name (`resourcetype` needs them).
        refused: name to status, of the other properties.
    """

    href: str = ""
    status: int | None = None
    properties: dict[str, str] = field(default_factory=dict)
    children: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


async def read_answer(chunks: AsyncIterator[bytes], *, max_responses: int = RESPONSES_MAX) -> AsyncIterator[Described]:
    """Yield the responses of a multi-status body as they become complete.

    Raises:
        GatewayError: `UNAVAILABLE` if the body is not a bounded multi-status document.
    """
    reader = _Reader()
    count = 0
    async for chunk in chunks:
        for described in reader.feed(chunk):
            count += 1
            if count > max_responses:
                raise nonsense("answer has more responses than were asked for")
            yield described
    for described in reader.close():
        yield described


def guarded_parser() -> expat.XMLParserType:
    """Return a parser for UTF-8 that knows namespaces and refuses a DOCTYPE; names are `namespace}name`."""
    # Told here, the encoding wins over the document's own word: anything but UTF-8 is then not well-formed.
    parser = expat.ParserCreate("utf-8", _SPACE)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def parse_piece(parser: expat.XMLParserType, piece: bytes, *, is_last: bool = False) -> None:
    """Parse the next piece of a document.

    Raises:
        GatewayError: `UNAVAILABLE` if it is not well-formed UTF-8.
    """
    # UTF-16 would be recognised whatever the parser was told; it cannot do without zero bytes, UTF-8 never has them.
    if b"\0" in piece:
        raise nonsense("answer is not UTF-8")
    try:
        parser.Parse(piece, is_last)
    except expat.ExpatError as error:
        raise nonsense(f"answer is not XML: {expat.ErrorString(error.code)}") from error


def status_of(line: str) -> int:
    """Return the code in a status line such as `HTTP/1.1 200 OK`, or 0."""
    words = line.split(None, 2)
    return int(words[1]) if len(words) > 1 and len(words[1]) == len("200") and words[1].isdecimal() else 0


class _Reader:
    def __init__(self) -> None:
        self._parser = guarded_parser()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._path: list[str] = []
        self._text: list[str] = []
        self._current = Described()
        self._found: dict[str, str] = {}
        self._propstat_status = 0
        self._done: deque[Described] = deque()
        self._bytes_of_current = 0

    def feed(self, chunk: bytes) -> deque[Described]:
        """Parse a piece and return the responses that are complete now."""
        self._done = deque()
        for start in range(0, len(chunk), _SLICE_BYTES):
            part = chunk[start : start + _SLICE_BYTES]
            count = len(self._done)
            parse_piece(self._parser, part)
            self._bytes_of_current = self._bytes_of_current + len(part) if len(self._done) == count else 0
            if self._bytes_of_current > RESPONSE_MAX_BYTES:
                raise nonsense("a response element is too large")
        return self._done

    def close(self) -> deque[Described]:
        self._done = deque()
        parse_piece(self._parser, b"", is_last=True)
        return self._done

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        depth = len(self._path)
        if (depth == 0 and name != MULTISTATUS) or depth >= NESTING_MAX:
            raise nonsense("answer is not a multi-status document")
        self._path.append(name)
        self._text = []
        if depth == _IN_PROP and self._path[-2] == PROP:
            self._found[name] = ""
        elif depth > _IN_PROP and self._path[_IN_PROP - 1] == PROP:
            self._current.children.setdefault(self._path[_IN_PROP], set()).add(name)

    def _characters(self, text: str) -> None:
        self._text.append(text)

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        match self._path[1:]:
            case [_] if name == RESPONSE:
                self._done.append(self._current)
                self._current = Described()
            case [_, _] if name == HREF and not self._current.href:
                self._current.href = text
            case [_, _] if name == STATUS:
                self._current.status = status_of(text)
            case [_, _, _] if name == STATUS:
                self._propstat_status = status_of(text)
            case [_, _] if name == PROPSTAT:
                self._book()
            case [_, _, middle, _] if middle == PROP:
                self._found[name] = text
        self._path.pop()
        self._text = []

    def _book(self) -> None:
        if self._propstat_status // 100 == 2:  # noqa: PLR2004 - the class of success
            self._current.properties.update(self._found)
        else:
            self._current.refused.update(dict.fromkeys(self._found, self._propstat_status))
        self._found = {}
        self._propstat_status = 0


# multistatus, response, propstat, prop: then a property.
_IN_PROP = 4


def _refuse_doctype(*_declaration: object) -> NoReturn:
    raise nonsense("answer has a DOCTYPE")
