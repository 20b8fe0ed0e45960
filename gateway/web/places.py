"""Whose a path is (DESIGN 5): ours, never anybody's, or the service's behind; in doubt it is not passed on.

One rule. A door opens only to its path written letter by letter (`Door.is_written`). A path goes to the service only
if in no reading of it, decoded as often as it can be, a service might take it for one of ours: `//ocm/x`, `/./ocm/x`,
`/%6fcm/x`, `/ocm%2fx`, `/x/..;/ocm`. So neither side ever sees a spelling that the other would understand differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

# Text that still changes after so many rounds of decoding was made to deceive.
DECODINGS_MAX = 4

_OURS = ("/.well-known/ocm", "/ocm-provider", "/.well-known/jwks.json")
# What some peers ask to find out which product they speak with: an answer would make them misread this gateway, so
# the service is asked only if the operator says so.
_PROBES = ("/status.php", "/ocs-provider", "/ocs", "/index.php/apps/files_sharing")

# Where one server or another ends a name: parameters, a query, a fragment, and what C takes for the end of a text.
_ENDS_NAME = re.compile(rb"[;?#\0]")

Names = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The paths that never go to the service behind.

    Attributes:
        prefix: the path below which everything is ours.
        pass_probes: whether the service is asked for what peers probe.
    """

    prefix: str
    pass_probes: bool
    _kept: tuple[Names, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Take the paths apart once."""
        paths = (self.prefix, *_OURS, *(() if self.pass_probes else _PROBES))
        object.__setattr__(self, "_kept", tuple(_names(path.encode()) for path in paths))

    def may_pass(self, raw_target: str) -> bool:
        """Tell whether a request target, as it was written, is certainly not one of ours."""
        path = raw_target.partition("?")[0]
        # A fragment never stands in a target; what is cut off before it would be another path.
        if not path.startswith("/") or "#" in raw_target or not path.isascii():
            return False
        readings = list(_readings(path.encode()))
        return len(readings) <= DECODINGS_MAX and not any(self._is_kept(reading) for reading in readings)

    def _is_kept(self, path: bytes) -> bool:
        names = _names(path)
        # Servers differ in what a step up removes; where there is one, our names may stand nowhere.
        starts = range(len(names)) if b".." in names else range(1)
        return any(_begins(names[start:], kept) for kept in self._kept for start in starts)


def _begins(names: Names, kept: Names) -> bool:
    if names[: len(kept)] == kept:
        return True
    # `/ocs-provider-x` and the like: products differ in what they put behind the name.
    return kept == (b"ocs-provider",) and bool(names) and names[0].startswith(kept[0])


def _readings(path: bytes) -> Iterator[bytes]:
    """Yield the path as it is, and decoded once, twice and so on until nothing changes."""
    for _round in range(DECODINGS_MAX + 1):
        yield path
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return
        path = decoded


def _names(path: bytes) -> Names:
    """Return the names of a path as the most lenient server would read them."""
    names = (_ENDS_NAME.split(name)[0] for name in path.replace(b"\\", b"/").lower().split(b"/"))
    trimmed = (name if name == b".." else name.rstrip(b" .") for name in names)
    return tuple(name for name in trimmed if name)
