"""A WebDAV server as storage: ours, or a remote peer's share (DESIGN 6).

Nothing a server says is taken on trust: names come from its hrefs only if they lie in the folder that was asked for,
a folder is what PROPFIND calls a collection, a piece of a file is what `Content-Range` proves it to be, and a body
that ends early is an error. HTTP itself is in `webdav_http`, the reading of answers in `davanswer`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

import aiohttp
from yarl import URL

from gateway.backends.base import WHOLE
from gateway.backends.davanswer import Described, read_answer
from gateway.backends.webdav_body import body_of, ready_body
from gateway.backends.webdav_cut import Destinations
from gateway.backends.webdav_entry import (
    ENTRY_REQUEST,
    QUOTA_REQUEST,
    entry_of,
    expect_folder,
    is_same_tag,
    is_strong,
    quota_of,
    time_request,
)
from gateway.backends.webdav_get import content_of, question, shows
from gateway.backends.webdav_http import Answer, Authorize, Patience, Redirects, Renew, Upstream
from gateway.backends.webdav_names import Place, has_long_name, too_long
from gateway.backends.webdav_span import resolve
from gateway.backends.webdav_status import nonsense, storage_error
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Content, Entry, Outcome, Quota, ResourcePath, Span, Written

_MULTI_STATUS = 207
_CREATED = 201
# A 207 to what has one outcome, or a 202 that promises to do it later, is no success that can be told on.
_SUCCESS = frozenset({200, 201, 204})
_BAD_REQUEST = 400
_NOT_FOUND = 404
_NOT_ALLOWED = 405
_CONFLICT = 409
_MOVED = 301
# What servers say to MKCOL where a file is, besides 405.
_DOUBTFUL = frozenset({400, 404, 409})
_XML = {"Content-Type": "application/xml; charset=utf-8"}
# To a Depth 0 question a server may add a little, but not without end.
_FEW = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WebdavTraits:
    """What a storage was found to do by itself (`probe`); what it does not, we check first (a small race is left).

    Attributes:
        has_conditions: whether it obeys `If-Match` and `If-None-Match` on PUT.
        has_overwrite: whether it obeys `Overwrite: F`.
        tells_digests: whether it may be asked for checksums with each file.
        destinations: which names it takes whole as targets; shared by all who use the storage.
    """

    has_conditions: bool = True
    has_overwrite: bool = True
    tells_digests: bool = False
    destinations: Destinations = field(default_factory=Destinations)


class WebdavBackend:
    """The tree below `base_url`.

    Args:
        session: decides what may be dialled; it should keep no cookies.
        authorize: returns the fields that log us in, asked before each request.
        renew: told that the storage refused them, says whether to ask for others.
        redirects: where the storage may send us; its own origin by default.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        authorize: Authorize,
        *,
        renew: Renew | None = None,
        redirects: Redirects | None = None,
        patience: Patience | None = None,
        traits: WebdavTraits | None = None,
    ) -> None:
        self.place = Place(base_url)
        self.upstream = Upstream(session, authorize, renew=renew, redirects=redirects, patience=patience)
        self._traits = traits or WebdavTraits()
        self.destinations = self._traits.destinations
        # Whether its answers to GET were all seen to show of which file they are; those of data servers do not.
        self._shows_files = redirects is None or not redirects.hosts

    async def stat(self, path: ResourcePath) -> Entry:
        """Return the entry at `path`."""
        return entry_of(path, await self._describe(path, ENTRY_REQUEST))

    async def list(self, path: ResourcePath) -> AsyncIterator[Entry]:
        """Yield the members of a folder as they come."""
        async with self._propfind(path, ENTRY_REQUEST, depth="1", is_folder=True) as answer:
            if answer.status != _MULTI_STATUS:
                # With a slash behind a file's name, servers complain in many ways.
                expect_folder(await self.stat(path))
                raise storage_error(answer.status, answer.headers)
            here = Place.at(answer.url)
            async for described in read_answer(answer.chunks()):
                found = here.path(described.href)
                if found is None:
                    continue
                if found.is_root:
                    expect_folder(entry_of(path, described))
                elif len(found.parts) == 1 and not described.status:
                    yield entry_of(path / found, described)

    @asynccontextmanager
    async def open(
        self, path: ResourcePath, span: Span = WHOLE, *, if_match: str | None = None
    ) -> AsyncIterator[Content]:
        """Open a piece of a file; which piece is worked out here, the storage is asked for closed ranges only."""
        entry = await self.stat(path)
        if entry.is_folder:
            raise GatewayError(Kind.CONFLICT, "This is a folder.")
        if if_match is not None and not is_same_tag(if_match, entry):
            raise GatewayError(Kind.PRECONDITION_FAILED, "The file has changed.")
        resolved = resolve(span, entry.size)
        if resolved.length == 0:
            yield Content(entry=entry, span=resolved, chunks=_nothing())
            return
        headers = question(entry, resolved, if_match, wants_digests=self._traits.tells_digests)
        async with self.upstream.exchange("GET", self.place.url(path), headers) as answer:
            yield content_of(answer, entry, resolved)

    @asynccontextmanager
    async def open_known(self, entry: Entry, span: Span = WHOLE) -> AsyncIterator[Content]:
        """Open a piece of a file that was listed, by one GET if its answers show whose they are."""
        is_asked = self._shows_files and bool(entry.size)
        if is_asked:
            resolved, url = resolve(span, entry.size), self.place.url(entry.path)
            headers = question(entry, resolved, entry.etag, wants_digests=self._traits.tells_digests)
            async with self.upstream.exchange("GET", url, headers) as answer:
                content = content_of(answer, entry, resolved)
                if answer.url.origin() == url.origin() and shows(answer, content, entry):
                    yield content
                    return
        async with self.open(entry.path, span, if_match=entry.etag) as content:
            # It is the same file, though its answer did not show it.
            self._shows_files = self._shows_files and not is_asked
            yield content

    async def write(
        self,
        path: ResourcePath,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Written:
        """Write a whole file in place; what is left of a broken write is up to the storage."""
        conditions = await self._conditions(path, if_match, if_none_match)
        body = await body_of(chunks, size)
        headers = {"Content-Type": "application/octet-stream", **conditions}
        async with self.upstream.exchange("PUT", self.place.url(path), headers, body) as answer:
            if answer.status == _NOT_ALLOWED:
                raise storage_error(_CONFLICT)
            await self._expect(answer, path, missing=_CONFLICT)
            created = answer.status == _CREATED
        return Written(entry=await self.stat(path), created=created)

    async def mkdir(self, path: ResourcePath) -> None:
        """Make a folder."""
        async with self.upstream.exchange("MKCOL", self.place.url(path, is_folder=True)) as answer:
            if answer.status in _DOUBTFUL and await self.find(path):
                raise storage_error(_NOT_ALLOWED)
            await self._expect(answer, path, missing=_CONFLICT)

    async def delete(self, path: ResourcePath) -> None:
        """Remove a file, or a folder with all that is in it."""
        if path.is_root:
            raise GatewayError(Kind.FORBIDDEN, "The root itself cannot be removed.")
        for url in (self.place.url(path), self.place.url(path, is_folder=True)):
            async with self.upstream.exchange("DELETE", url) as answer:
                if await self._needs_slash(answer, url, path):
                    continue
                failures = await self._failures(answer, path)
            if failures:
                raise failures[0][1]
            return

    async def move(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool) -> Outcome:
        """Move (rename) a file or folder."""
        return await self._transfer("MOVE", source, target, overwrite=overwrite, depth="infinity")

    async def copy(self, source: ResourcePath, target: ResourcePath, *, overwrite: bool, deep: bool = True) -> Outcome:
        """Copy a file or folder; a folder without its members if `deep` is false."""
        return await self._transfer("COPY", source, target, overwrite=overwrite, depth="infinity" if deep else "0")

    async def set_time(self, path: ResourcePath, modified: float) -> None:
        """Set the time of last modification.

        Raises:
            GatewayError: `NOT_IMPLEMENTED` if the storage keeps that property to itself.
        """
        body = ready_body(time_request(formatdate(modified, usegmt=True)))
        async with self.upstream.exchange("PROPPATCH", self.place.url(path), _XML, body) as answer:
            await self._expect(answer, path, (_MULTI_STATUS,))
            async for described in read_answer(answer.chunks(), max_responses=_FEW):
                if described.refused or described.status:
                    raise GatewayError(Kind.NOT_IMPLEMENTED, "The storage does not set times.")

    async def quota(self, path: ResourcePath) -> Quota:
        """Return the quota that holds at `path`."""
        return quota_of(await self._describe(path, QUOTA_REQUEST))

    async def _describe(self, path: ResourcePath, request: bytes) -> Described:
        async with self._propfind(path, request, depth="0") as answer:
            await self._expect(answer, path, (_MULTI_STATUS,))
            here = Place.at(answer.url)
            async for described in read_answer(answer.chunks(), max_responses=_FEW):
                found = here.path(described.href)
                if found is not None and found.is_root:
                    if described.status:
                        raise storage_error(described.status)
                    return described
        raise nonsense("answer does not speak of what was asked")

    @asynccontextmanager
    async def _propfind(
        self, path: ResourcePath, request: bytes, *, depth: str, is_folder: bool = False
    ) -> AsyncIterator[Answer]:
        url = self.place.url(path, is_folder=is_folder)
        headers = {"Depth": depth, **_XML}
        async with self.upstream.exchange("PROPFIND", url, headers, ready_body(request)) as answer:
            yield answer

    async def _conditions(self, path: ResourcePath, if_match: str | None, if_none_match: str | None) -> dict[str, str]:
        asked = {"If-Match": if_match, "If-None-Match": if_none_match}
        conditions = {name: value for name, value in asked.items() if value is not None}
        # `If-Match` compares strong tags only (RFC 9110, 13.1.1), yet right after a write some servers give weak ones.
        if not conditions or (self._traits.has_conditions and all(map(is_strong, conditions.values()))):
            return conditions
        entry = await self.find(path)
        if (if_match is not None and not is_same_tag(if_match, entry)) or (
            if_none_match is not None and is_same_tag(if_none_match, entry)
        ):
            raise GatewayError(Kind.PRECONDITION_FAILED, "A condition of the request does not hold.")
        return {}

    async def _transfer(
        self, method: str, source: ResourcePath, target: ResourcePath, *, overwrite: bool, depth: str
    ) -> Outcome:
        if source.is_within(target) or target.is_within(source):
            raise GatewayError(Kind.FORBIDDEN, "One of these lies within the other.")
        await self.destinations.check(self, target)
        if not overwrite and not self._traits.has_overwrite and await self.find(target):
            raise GatewayError(Kind.PRECONDITION_FAILED, "There is something at the target.")
        try:
            return await self._transferred(method, source, target, overwrite=overwrite, depth=depth)
        except GatewayError as error:
            raise await self.why_not_there(target, error) from error

    async def _transferred(
        self, method: str, source: ResourcePath, target: ResourcePath, *, overwrite: bool, depth: str
    ) -> Outcome:
        headers = {"Overwrite": "T" if overwrite else "F", "Depth": depth}
        plain, behind = self.place.url(target), self.place.url(target, is_folder=True)
        folder = self.place.url(source, is_folder=True)
        for url, destination in ((self.place.url(source), plain), (self.place.url(source), behind), (folder, behind)):
            headers["Destination"] = str(destination)
            async with self.upstream.exchange(method, url, headers) as answer:
                # mod_dav wants the slash behind a folder that is to be replaced, and does not say where it moved.
                if answer.status == _MOVED or await self._needs_slash(answer, url, source):
                    continue
                failures = await self._failures(answer, source)
                return Outcome(created=answer.status == _CREATED, failures=failures)
        raise nonsense("redirect without a location")

    async def _needs_slash(self, answer: Answer, url: URL, path: ResourcePath) -> bool:
        """Tell whether a folder was refused for want of the slash behind it, as nginx does (400, and 409 to DELETE)."""
        if answer.status not in (_BAD_REQUEST, _CONFLICT) or url == self.place.url(path, is_folder=True):
            return False
        entry = await self.find(path)
        return entry is not None and entry.is_folder

    async def why_not_there(self, target: ResourcePath, error: GatewayError) -> GatewayError:
        """Return what a failed change really means: some servers say 500 to missing folders and to names too long."""
        if error.kind in (Kind.UNAVAILABLE, Kind.INVALID) and not target.is_root:
            above = await self.find(target.parent)
            if above is None or not above.is_folder:
                return storage_error(_CONFLICT)
            return too_long() if has_long_name(target) else error
        return error

    async def find(self, path: ResourcePath) -> Entry | None:
        """Return the entry at `path`, or None."""
        try:
            return await self.stat(path)
        except GatewayError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return None

    async def _expect(
        self, answer: Answer, path: ResourcePath, statuses: Container[int] = _SUCCESS, *, missing: int = _NOT_FOUND
    ) -> None:
        """Raise unless the answer has one of `statuses`; `missing` is what it means if the path lies below a file."""
        if answer.status in statuses:
            return
        # mod_dav answers 400 where something above the path is a file.
        if answer.status == _BAD_REQUEST and not path.is_root:
            above = await self.find(path.parent)
            if above is None or not above.is_folder:
                raise storage_error(missing)
        error = storage_error(answer.status, answer.headers)
        raise await self.why_not_there(path, error) if has_long_name(path) else error

    async def _failures(self, answer: Answer, asked: ResourcePath) -> tuple[tuple[ResourcePath, GatewayError], ...]:
        if answer.status != _MULTI_STATUS:
            await self._expect(answer, asked)
            return ()
        failures = []
        async for described in read_answer(answer.chunks()):
            path = self.place.path(described.href)
            if path is not None and described.status is not None and described.status // 100 != 2:  # noqa: PLR2004 - class of success
                failures.append((path, storage_error(described.status)))
        return tuple(failures)


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece_of_nothing in pieces:
        yield piece_of_nothing
