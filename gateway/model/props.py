"""Dead WebDAV properties, and the port to where they are kept (RFC 4918, 4).

A dead property is what a client wants remembered with a file or folder; the server only keeps it. As with locks, both
sides need the words: the store, which keeps them for all replicas, and the storage wrapper through which all writes go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.model.resource import ResourcePath

Properties = Mapping[str, str]
"""The dead properties of one resource: `{namespace}name` to the whole element as XML."""

Changes = Mapping[str, str | None]
"""What to set, and (None) what to remove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyLimits:
    """How much is kept: bytes of one resource's properties, and resources and bytes in one space."""

    resource_bytes: int = 64 * 1024
    resources: int = 10_000
    space_bytes: int = 16 * 1024 * 1024


SUM_LIMITS = PropertyLimits(resource_bytes=1024, resources=10_000, space_bytes=8 * 1024 * 1024)
"""How many checksums are kept; beyond it the oldest are forgotten, which costs a reader only the time to read."""


class PropertyTable(Protocol):
    """The dead properties of one storage view (`space`), shared by all replicas; each call is one step.

    Checksums are kept in the same way, but apart: they never take the room of what a client wants remembered.
    """

    async def read(
        self, space: str, path: ResourcePath, *, with_members: bool = False
    ) -> Mapping[ResourcePath, Properties]:
        """Return what is kept of `path`, and if `with_members` of what lies directly in it."""

    async def change(self, space: str, path: ResourcePath, changes: Changes) -> None:
        """Set and remove properties, all or none.

        Raises:
            GatewayError: `NO_SPACE` if a limit would be passed, and nothing older gives way.
        """

    async def move(self, space: str, source: ResourcePath, target: ResourcePath) -> None:
        """Let what is kept of `source` and below it be kept of `target` and below it, and nothing else be there."""

    async def copy(self, space: str, source: ResourcePath, target: ResourcePath, *, is_deep: bool) -> None:
        """Keep of `target` what is kept of `source` (with what is below it if `is_deep`), and nothing else.

        Where a limit would be passed, the copy has fewer properties: they are no reason not to copy a file.
        """

    async def delete(self, space: str, *paths: ResourcePath) -> None:
        """Forget each path and what is below it."""


class KeptTable(Protocol):
    """What of a `PropertyTable` (of properties or sums) may be of files that are gone."""

    async def some_space(self) -> str | None:
        """Return a space in which something may be kept, chosen by chance, or None if nothing is kept anywhere."""

    async def some(self, space: str, count: int) -> Mapping[ResourcePath, Properties]:
        """Return what is kept of at most `count` paths, chosen by chance."""

    async def forget(self, space: str, path: ResourcePath, seen: Properties) -> bool:
        """Forget what is kept of `path` alone, if it is still what was seen; tell whether it was."""
