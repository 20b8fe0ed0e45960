"""Paths and entries of a storage, as every backend and every door speaks of them.

A path is normalised exactly once, here, into `ResourcePath`; behind that no code looks at `..`, `%2F` or empty
segments again (DESIGN: nothing outside the shared subtree is reachable, however it is spelled). Names are the
bytes that the storage holds: bytes that are not UTF-8 travel as surrogate escapes, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote_from_bytes, unquote_to_bytes

from gateway.errors import GatewayError, Kind

PATH_MAX_BYTES = 4096
PATH_MAX_DEPTH = 256

# Sub-delims that need no escape in a segment (RFC 3986, 3.3); `;` and `=` are escaped: some storages cut there.
_SEGMENT_SAFE = "!$'()*,:@-._~"
_FORBIDDEN = frozenset("/\\") | {chr(code) for code in range(32)} | {"\x7f"}


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A path inside one storage or share: a tuple of names, the root being the empty tuple."""

    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse every part that could leave its folder or be read as two.

        Raises:
            GatewayError: `INVALID` if a part is empty, `.` or `..`, holds a slash, a backslash, a control character
                or what is not the one spelling of some bytes, or if the path is too long or too deep.
        """
        if len(self.parts) > PATH_MAX_DEPTH or sum(_size(part) + 1 for part in self.parts) > PATH_MAX_BYTES:
            raise GatewayError(Kind.INVALID, "This path is too long.", code="path-too-long")
        for part in self.parts:
            if part in ("", ".", "..") or not _FORBIDDEN.isdisjoint(part):
                raise _not_allowed()

    @classmethod
    def parse(cls, text: str) -> ResourcePath:
        """Return the path written as `a/b/c`, one leading and one trailing slash allowed."""
        trimmed = text.removeprefix("/").removesuffix("/")
        return cls(tuple(trimmed.split("/")) if trimmed else ())

    @classmethod
    def from_url(cls, raw: str) -> ResourcePath:
        """Return the path in the percent-encoded path `raw` of a URL; each segment is decoded once, on its own."""
        if not raw.isascii():
            raise GatewayError(Kind.INVALID, "This path is not percent-encoded.", code="path-invalid")
        if len(raw) > 3 * PATH_MAX_BYTES:
            raise GatewayError(Kind.INVALID, "This path is too long.", code="path-too-long")
        trimmed = raw.removeprefix("/").removesuffix("/")
        if not trimmed:
            return cls()
        return cls(tuple(unquote_to_bytes(part).decode(errors="surrogateescape") for part in trimmed.split("/")))

    def to_url(self) -> str:
        """Return the path percent-encoded for a URL, without a leading slash."""
        return "/".join(
            quote_from_bytes(part.encode(errors="surrogateescape"), safe=_SEGMENT_SAFE) for part in self.parts
        )

    @property
    def name(self) -> str:
        """The last name of the path, empty for the root."""
        return self.parts[-1] if self.parts else ""

    @property
    def parent(self) -> ResourcePath:
        """The path of the folder that holds this one; the root is its own parent."""
        return ResourcePath(self.parts[:-1])

    @property
    def is_root(self) -> bool:
        """Whether this is the root of its storage or share."""
        return not self.parts

    @property
    def one_spelling(self) -> ResourcePath:
        """The path in Unicode's form NFC: the key of what is kept beside a storage that takes several spellings."""
        if all(part.isascii() for part in self.parts):
            return self
        return ResourcePath(tuple(unicodedata.normalize("NFC", part) for part in self.parts))

    def __truediv__(self, other: str | ResourcePath) -> ResourcePath:
        """Append one name or a whole relative path."""
        more = (other,) if isinstance(other, str) else other.parts
        return ResourcePath(self.parts + more)

    def is_within(self, ancestor: ResourcePath) -> bool:
        """Tell whether this path is `ancestor` or lies below it."""
        return self.parts[: len(ancestor.parts)] == ancestor.parts

    def below(self, ancestor: ResourcePath) -> ResourcePath:
        """Return this path as seen from `ancestor`, which must hold it.

        Raises:
            ValueError: if it does not.
        """
        if not self.is_within(ancestor):
            raise ValueError("path is not below its ancestor")
        return ResourcePath(self.parts[len(ancestor.parts) :])

    def __str__(self) -> str:
        """Return the path for people and logs, with a leading slash."""
        return "/" + "/".join(part.encode(errors="surrogateescape").decode(errors="replace") for part in self.parts)


def _size(part: str) -> int:
    if part.isascii():
        return len(part)
    try:
        name = part.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise _not_allowed() from error
    # Escapes that together are UTF-8 would be a second spelling of the same name.
    if name.decode(errors="surrogateescape") != part:
        raise _not_allowed()
    return len(name)


def _not_allowed() -> GatewayError:
    return GatewayError(Kind.INVALID, "This path is not allowed.", code="path-invalid")


class EntryKind(StrEnum):
    """What a path leads to."""

    FILE = "file"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder as a storage shows it.

    Attributes:
        path: where it is, seen from the backend that was asked.
        size: bytes of a file; None for a folder or where the storage does not say.
        modified: seconds since the epoch; None where the storage does not say.
        etag: the entity tag with its quotes, exactly as the storage gives it.
        content_type: media type of a file, where known.
    """

    path: ResourcePath
    kind: EntryKind
    size: int | None = None
    modified: float | None = None
    etag: str | None = None
    content_type: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this entry holds others."""
        return self.kind is EntryKind.FOLDER


@dataclass(frozen=True, slots=True)
class Span:
    """A closed piece of a file: `start` in bytes, `length` in bytes or None for "to the end"."""

    start: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An open file: what it is, which piece is coming, and the bytes in order.

    Attributes:
        digests: what the storage says of the whole file, unproven: algorithm (RFC 9530) to lower-case hex.
    """

    entry: Entry
    span: Span
    chunks: AsyncIterator[bytes]
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The outcome of a write: the file as it now is, and whether it was new."""

    entry: Entry
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a move or copy: whether the target was new, and which members failed with what."""

    created: bool
    failures: tuple[tuple[ResourcePath, GatewayError], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bytes used and bytes free; None where the storage does not say."""

    used: int | None = None
    available: int | None = None
