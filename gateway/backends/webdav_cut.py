"""Finds out whether a WebDAV storage takes the whole name in `Destination`, before it could replace another file.

Some servers unquote that field before they read it as a URL, and so cut it at what a URL means by `;` or `?`: a MOVE of
`a` to `b;c` lands on `b`. No answer tells of it. So the first time that a target has such a character, it is tried with
a file of ours under fresh temporary names, in a folder whose own address has none. What is not proven is not asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote

from gateway.backends.localfs import TEMPORARY_PREFIX
from gateway.backends.localpart import temporary_name
from gateway.backends.sftp_write import settled
from gateway.backends.webdav_body import ready_body
from gateway.backends.webdav_http import Upstream
from gateway.backends.webdav_names import Place
from gateway.backends.webdav_status import storage_error
from gateway.errors import NAME_CUT, GatewayError, Kind
from gateway.log import get_logger
from gateway.model.resource import Entry, ResourcePath

log = get_logger(__name__)

# What ends a path in a URL, and what a second unquoting would make another character of.
DOUBTFUL = ";?#%"

_DONE = (200, 201, 204)
_NOT_FOUND = 404
# Said of the moment or of the place, so the storage's own word is passed on.
_PASSED_ON = frozenset({Kind.UNAVAILABLE, Kind.CONFLICT, Kind.NO_SPACE, Kind.LOCKED})


class Tried(Protocol):
    """A storage that can be tried."""

    place: Place
    upstream: Upstream

    async def find(self, path: ResourcePath) -> Entry | None:
        """Return the entry at `path`, or None."""


class Destinations:
    """What one storage was seen to do with each doubtful character, for the life of the process.

    Args:
        prefix: begins the names of what is tried; the storage must not refuse it.
    """

    def __init__(self, prefix: str = TEMPORARY_PREFIX) -> None:
        self._prefix = prefix
        self._kept: dict[str, bool] = {}
        self._turn = asyncio.Lock()

    async def check(self, storage: Tried, target: ResourcePath) -> None:
        """Let the target of a MOVE or COPY pass only if the storage was seen to keep such names whole.

        Raises:
            GatewayError: `FORBIDDEN` (`NAME_CUT`) if it cuts them or that cannot be tried, or what the storage says.
        """
        for character in _doubtful_in(storage, target):
            async with self._turn:
                is_kept = self._kept.get(character)
                if is_kept is None:
                    is_kept = await self._is_kept(storage, target, character)
            if not is_kept:
                raise _refusal(character)

    async def are_whole(self, storage: Tried, target: ResourcePath) -> bool:
        """Tell whether a MOVE or COPY to `target` lands there; raises what `check` does, but for the refusal."""
        try:
            await self.check(storage, target)
        except GatewayError as error:
            if error.code != NAME_CUT:
                raise
            return False
        return True

    async def _is_kept(self, storage: Tried, target: ResourcePath, character: str) -> bool:
        folder = _clean_folder(storage, target)
        if folder is None:
            return False
        try:
            is_kept = await self._try(storage, folder, character)
        except GatewayError as error:
            if error.kind in _PASSED_ON:
                raise
            # Not remembered: elsewhere in the storage it may be possible.
            log.warning("it cannot be tried whether the storage cuts names", character=character, reason=str(error))
            return False
        self._kept[character] = is_kept
        log.info("tried whether the storage cuts names", character=character, cuts=not is_kept)
        return is_kept

    async def _try(self, storage: Tried, folder: ResourcePath, character: str) -> bool:
        source, cut = (folder / temporary_name(self._prefix) for _ in range(2))
        # Two hexadecimal digits behind it: `%41` is an `A` to who unquotes twice.
        whole = folder / f"{cut.name}{character}41"
        try:
            await _make(storage, source)
            await _move(storage, source, whole)
            return await storage.find(whole) is not None and await storage.find(cut) is None
        finally:
            await settled(_discard(storage, source, cut, whole))


def _doubtful_in(storage: Tried, path: ResourcePath) -> Iterator[str]:
    named = unquote(storage.place.url(path).raw_path)
    return (character for character in DOUBTFUL if character in named)


def _clean_folder(storage: Tried, target: ResourcePath) -> ResourcePath | None:
    """Return the nearest folder above `target` that has no doubtful character in its address, so none is cut there."""
    for depth in range(len(target.parts) - 1, -1, -1):
        folder = ResourcePath(target.parts[:depth])
        if not any(_doubtful_in(storage, folder)):
            return folder
    return None


async def _make(storage: Tried, path: ResourcePath) -> None:
    async with storage.upstream.exchange("PUT", storage.place.url(path), {}, ready_body(b"1")) as answer:
        if answer.status not in _DONE:
            raise storage_error(answer.status, answer.headers)


async def _move(storage: Tried, source: ResourcePath, target: ResourcePath) -> None:
    # Should it land where nobody expects it, it must at least replace nothing there.
    headers = {"Destination": str(storage.place.url(target)), "Overwrite": "F"}
    async with storage.upstream.exchange("MOVE", storage.place.url(source), headers) as answer:
        if answer.status not in _DONE:
            raise storage_error(answer.status, answer.headers)


async def _discard(storage: Tried, *paths: ResourcePath) -> None:
    for path in paths:
        try:
            async with storage.upstream.exchange("DELETE", storage.place.url(path)) as answer:
                if answer.status not in (*_DONE, _NOT_FOUND):
                    raise storage_error(answer.status, answer.headers)
        except GatewayError as error:
            log.warning("a temporary file of a trial could not be removed", name=path.name, reason=str(error))


def _refusal(character: str) -> GatewayError:
    return GatewayError(
        Kind.FORBIDDEN,
        f'This storage may cut the name at "{character}" and so change another file. Nothing was moved or copied: '
        f'choose a name and folder without "{character}", or upload the file under this name.',
        code=NAME_CUT,
    )
