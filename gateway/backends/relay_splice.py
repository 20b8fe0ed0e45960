"""Multi-status answers on their way through the relay: spliced, not rewritten (DESIGN 6; `DEPENDENCIES.md` 6).

The parser only tells where things are; a few places are cut out or replaced, and every other byte is the storage's.
One `response` element is held at a time. Rewritten: hrefs of responses, `location` and `lockroot`. Cut: our own
properties, lock tokens that belong to others, responses about anything outside the share. Added: our own properties.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gateway.backends.davanswer import (
    HREF,
    MULTISTATUS,
    NESTING_MAX,
    PROP,
    PROPSTAT,
    RESPONSE,
    RESPONSE_MAX_BYTES,
    STATUS,
    guarded_parser,
    parse_piece,
    status_of,
)
from gateway.backends.ownprops import GETETAG, OWN_NAMES, element, propstat
from gateway.backends.webdav_status import nonsense
from gateway.model.resource import ResourcePath

_TAG = re.compile(rb"<[^>\"']*(?:\"[^\"]*\"[^>\"']*|'[^']*'[^>\"']*)*>")
_NAME = re.compile(rb"</?([^\s/>]+)")
_LOCATION = "DAV:}location"
_LOCK_ROOT = "DAV:}lockroot"
_LOCK_TOKEN = "DAV:}locktoken"  # noqa: S105 - the name of an element
_ACTIVE_LOCK = "DAV:}activelock"
_COLLECTION = "DAV:}collection"
_RESOURCE_TYPE = "DAV:}resourcetype"
# multistatus, response, propstat, prop: then a property.
_PROPERTY_DEPTH = 4
# multistatus, response, href.
_HREF_DEPTH = 3
_SUCCESS = 200

Edit = tuple[int, int, bytes]


class Rewriter(Protocol):
    """What the splicer asks about the answer it works on."""

    @property
    def root_href(self) -> str:
        """The href of the share's root in the client's form."""

    def path(self, href: str) -> ResourcePath | None:
        """Return the path of a response as seen from the share's root, or None if it is not to be shown."""

    def href(self, href: str) -> str | None:
        """Return an href in the client's form, or None if it leads outside the share."""

    async def is_ours(self, token: str) -> bool:
        """Tell whether a lock token belongs to this grant."""

    async def own(self, path: ResourcePath, *, is_folder: bool, etag: str) -> tuple[dict[str, str], frozenset[str]]:
        """Return those of our properties that were asked for, and the names of those that have no value."""


@dataclass(slots=True)
class _Piece:
    """One `response` (or the whole answer to LOCK), with offsets into the document."""

    start: int
    end: int = 0
    href: str | None = None
    is_folder: bool = False
    etag: str = ""
    etag_span: tuple[int, int] | None = None
    edits: list[Edit] = field(default_factory=list)
    tokens: list[tuple[str, int, int]] = field(default_factory=list)
    first_propstat: int | None = None
    success_prop: tuple[int, int] | None = None
    """Start of the start tag and of the end tag of the `prop` whose status is 200."""


async def splice(chunks: AsyncIterator[bytes], rewriter: Rewriter) -> AsyncIterator[bytes]:
    """Yield an answer as the client may see it, in as many pieces as it came: small ones would cost a write each.

    Raises:
        GatewayError: `UNAVAILABLE` if it is not a bounded XML document.
    """
    scanner = _Scanner(rewriter)
    async for chunk in chunks:
        scanner.feed(chunk, is_last=False)
        if part := await scanner.ready():
            yield part
    scanner.feed(b"", is_last=True)
    yield await scanner.ready() + scanner.rest()


class _Scanner:
    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._parser = guarded_parser()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._buffer = bytearray()
        self._offset = 0
        self._names: list[str] = []
        self._starts: list[int] = []
        self._text: list[str] = []
        self._pieces: list[_Piece] = []
        self._piece: _Piece | None = None
        self._prop: tuple[int, int] | None = None
        self._token = ""

    def feed(self, chunk: bytes, *, is_last: bool) -> None:
        self._buffer += chunk
        parse_piece(self._parser, chunk, is_last=is_last)

    async def ready(self) -> bytes:
        """Return what is complete, with all that stands before it."""
        parts = []
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            parts.append(self._cut(piece.start))
            raw_offset = self._offset
            raw = self._cut(piece.end)
            parts.append(await self._finish(piece, raw, raw_offset))
        if len(self._buffer) > RESPONSE_MAX_BYTES:
            raise nonsense("a response element is too large")
        return b"".join(parts)

    def rest(self) -> bytes:
        """Return what stands behind the last piece."""
        return self._cut(self._offset + len(self._buffer))

    def _cut(self, until: int) -> bytes:
        length = until - self._offset
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._offset = until
        return taken

    # Where things are.

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        depth = len(self._names)
        if depth >= NESTING_MAX:
            raise nonsense("answer is nested too deeply")
        here = self._parser.CurrentByteIndex
        self._names.append(name)
        self._starts.append(here)
        self._text = []
        if depth == 0 and name != MULTISTATUS:
            # The answer to LOCK is a `prop` element by itself.
            self._piece = _Piece(here)
        elif depth == 1 and name == RESPONSE and self._names[0] == MULTISTATUS:
            self._piece = _Piece(here)
        if self._piece is not None and name == PROPSTAT and depth == 2 and self._piece.first_propstat is None:  # noqa: PLR2004 - a depth
            self._piece.first_propstat = here
        if self._piece is not None and name == _COLLECTION and self._names[_PROPERTY_DEPTH:-1] == [_RESOURCE_TYPE]:
            self._piece.is_folder = True

    def _characters(self, text: str) -> None:
        self._text.append(text)

    def _end(self, name: str) -> None:
        start = self._starts.pop()
        text = "".join(self._text).strip()
        piece = self._piece
        if piece is not None:
            self._note(piece, name, start, text)
            is_root_piece = len(self._names) == 1 and name != MULTISTATUS
            if is_root_piece or (len(self._names) == 2 and name == RESPONSE):  # noqa: PLR2004 - inside multistatus
                piece.end = self._element_end(start)
                self._pieces.append(piece)
                self._piece = None
        self._names.pop()
        self._text = []

    def _note(self, piece: _Piece, name: str, start: int, text: str) -> None:
        if name == HREF:
            self._note_href(piece, start, text)
            return
        match self._names:
            case [*_, middle, _] if name == _LOCK_TOKEN and middle == _ACTIVE_LOCK:
                piece.tokens.append((self._token, start, self._element_end(start)))
            case [_, _, _, middle, _] if middle == PROP and name in OWN_NAMES:
                piece.edits.append((start, self._element_end(start), b""))
            case [_, _, _, middle, _] if middle == PROP and name == GETETAG:
                piece.etag, piece.etag_span = text, (start, self._element_end(start))
            case [_, _, middle, _] if middle == PROPSTAT and name == PROP:
                self._prop = (start, self._parser.CurrentByteIndex)
            case [_, _, middle, _] if middle == PROPSTAT and name == STATUS and status_of(text) == _SUCCESS:
                piece.success_prop = piece.success_prop or self._prop

    def _note_href(self, piece: _Piece, start: int, text: str) -> None:
        above = self._names[-2] if len(self._names) > 1 else ""
        depth = len(self._names)
        if above == _LOCK_TOKEN:
            self._token = text
        elif above == RESPONSE and depth == _HREF_DEPTH:
            if piece.href is None:
                piece.href = text
            self._rewrite(piece, start, text)
        elif above == _LOCK_ROOT or (above == _LOCATION and depth == _HREF_DEPTH + 1):
            self._rewrite(piece, start, text)

    def _rewrite(self, piece: _Piece, start: int, text: str) -> None:
        start_tag = self._tag(start)
        if not start_tag.endswith(b"/>"):
            # A lock may be rooted above the share; of that the client sees only that its own root is locked.
            href = self._rewriter.href(text) or self._rewriter.root_href
            end_tag = self._parser.CurrentByteIndex
            piece.edits.append((start + len(start_tag), end_tag, _escape(href)))

    def _element_end(self, start: int) -> int:
        """Return where the element that began at `start` and ends with the current event ends."""
        start_tag = self._tag(start)
        if start_tag.endswith(b"/>"):
            return start + len(start_tag)
        end_tag = self._parser.CurrentByteIndex
        return end_tag + len(self._tag(end_tag))

    def _tag(self, start: int) -> bytes:
        match = _TAG.match(self._buffer, start - self._offset)
        if match is None:
            raise nonsense("a tag is not where it should be")
        return match[0]

    # What becomes of it.

    async def _finish(self, piece: _Piece, raw: bytes, offset: int) -> bytes:
        for token, start, end in piece.tokens:
            if not await self._rewriter.is_ours(token):
                piece.edits.append((start, end, b""))
        if piece.href is not None:
            path = self._rewriter.path(piece.href)
            if path is None:
                return b""
            await self._add_own(piece, path, raw, offset)
        return b"".join(_applied(raw, offset, piece.edits))

    async def _add_own(self, piece: _Piece, path: ResourcePath, raw: bytes, offset: int) -> None:
        if piece.first_propstat is None:
            return
        given, absent = await self._rewriter.own(path, is_folder=piece.is_folder, etag=piece.etag)
        if GETETAG in given and piece.etag_span is not None:
            piece.edits.append((*piece.etag_span, b""))
        if absent:
            unknown = propstat(map(element, sorted(absent)), "404 Not Found")
            piece.edits.append((piece.first_propstat, piece.first_propstat, unknown))
        if given:
            inside = b"".join(element(name, value) for name, value in given.items())
            piece.edits.append(_insertion(piece, raw, offset, inside))


def _insertion(piece: _Piece, raw: bytes, offset: int, inside: bytes) -> Edit:
    """Put properties into the `prop` that has status 200: some clients keep only one `propstat` for each status."""
    if piece.success_prop is None:
        assert piece.first_propstat is not None
        return (piece.first_propstat, piece.first_propstat, propstat([inside], "200 OK"))
    start, end_tag = piece.success_prop
    tag = _TAG.match(raw, start - offset)
    assert tag is not None
    if not tag[0].endswith(b"/>"):
        return (end_tag, end_tag, inside)
    name = _NAME.match(tag[0])
    assert name is not None
    return (start, tag.end() + offset, tag[0][:-2] + b">" + inside + b"</" + name[1] + b">")


def _applied(raw: bytes, offset: int, edits: list[Edit]) -> Iterator[bytes]:
    position = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if start - offset < position:
            continue  # inside something that was cut out
        yield raw[position : start - offset]
        yield replacement
        position = end - offset
    yield raw[position:]


def _escape(text: str) -> bytes:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode()
