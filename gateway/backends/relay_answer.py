"""What the splicer is told about one answer: names in the client's tree, whose tokens, our own properties' values."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.backends.base import RelayCall
from gateway.backends.ownprops import GETETAG, OWN_NAMES, QUOTA_NAMES, own_values
from gateway.backends.relay_rules import RelayPorts
from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_names import Place
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind, Quota, ResourcePath

# A piece of an answer holds fewer responses than that; the memory is only for those.
FOUND_MAX_ENTRIES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the client asked to see.

    Attributes:
        own: names of our own properties it wants.
        depth: how far below the target responses may lie, or None for any place in the share.
    """

    own: frozenset[str]
    depth: int | None


@dataclass(slots=True, kw_only=True)
class AnswerRewriter:
    """The `Rewriter` of one answer.

    Attributes:
        asked: the place that the storage was asked about in the end (it may have redirected us), and
        share: that of the share's root.
    """

    webdav: WebdavBackend
    grant: Grant
    ports: RelayPorts
    call: RelayCall
    asked: Place
    share: Place
    shown: Shown
    quota: Quota | None = None
    found: dict[str, ResourcePath | None] = field(default_factory=dict)

    @property
    def root_href(self) -> str:
        """The href of the share's root in the form that the client used."""
        return self.call.href_base

    def path(self, href: str) -> ResourcePath | None:
        """Return the path of a response, or None if it is not to be shown."""
        path = self._find(href)
        if path is None or self.shown.depth is None:
            return path
        depth = len(path.parts) - len(self.call.path.parts)
        return path if path.is_within(self.call.path) and depth <= self.shown.depth else None

    def href(self, href: str) -> str | None:
        """Return an href in the form that the client used for the share's root."""
        path = self._find(href)
        if path is None:
            return None
        if path.is_root:
            return self.root_href
        slash = "/" if href.rstrip().endswith("/") else ""
        return f"{self.call.href_base.rstrip('/')}/{path.to_url()}{slash}"

    async def is_ours(self, token: str) -> bool:
        """Tell whether a lock token belongs to this grant."""
        return await self.ports.lock_owners.owner(token) == self.grant.grant_id

    async def own(self, path: ResourcePath, *, is_folder: bool, etag: str) -> tuple[dict[str, str], frozenset[str]]:
        """Return the values of our own properties that were asked for, and the names of those that have none."""
        is_folder = self.grant.kind is EntryKind.FOLDER if path.is_root else is_folder
        asked = self.shown.own & OWN_NAMES
        # Many clients ask for none of them, and folders are large.
        given = await self._given(asked, path, is_folder=is_folder) if asked else {}
        missing = frozenset(asked - given.keys())
        if GETETAG in self.shown.own and path.is_root and is_folder:
            given[GETETAG] = await self.ports.root_etag(self.grant, etag)
        return given, missing

    async def _given(self, asked: frozenset[str], path: ResourcePath, *, is_folder: bool) -> dict[str, str]:
        quota = await self._quota() if asked & QUOTA_NAMES else Quota()
        values = own_values(self.grant, path, is_folder=is_folder, quota=quota)
        return {name: values[name] for name in sorted(asked) if name in values}

    def _find(self, href: str) -> ResourcePath | None:
        # Each href is asked about twice: how the client is told, and soon after where it is.
        if href not in self.found:
            if len(self.found) >= FOUND_MAX_ENTRIES:
                self.found.clear()
            near = self.asked.path(href)
            self.found[href] = self.call.path / near if near is not None else self.share.path(href)
        return self.found[href]

    async def _quota(self) -> Quota:
        if self.quota is None:
            ask = self.ports.quota
            self.quota = await (ask() if ask is not None else self.webdav.quota(self.grant.root))
        return self.quota
