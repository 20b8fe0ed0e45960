"""Blocking calls of a storage, made in threads: how they end, and what their errors mean (DESIGN 6, status discipline).

A thread cannot be cancelled. So a cancelled caller first waits until its thread has come to an end, and only then
goes on to clean up: nothing is closed or removed under a thread's hands. Long work looks at a `Stop` now and then.
This is the one place where an `OSError` becomes a `GatewayError`.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from threading import Event
from typing import ParamSpec, TypeVar

from gateway.errors import GatewayError, Kind, unavailable

P = ParamSpec("P")
T = TypeVar("T")

_MEANINGS: dict[int, tuple[Kind, str]] = {
    errno.ENOENT: (Kind.NOT_FOUND, "There is no such file or folder."),
    # A symbolic link where none is followed: to strangers it does not exist.
    errno.ELOOP: (Kind.NOT_FOUND, "There is no such file or folder."),
    errno.EACCES: (Kind.FORBIDDEN, "The storage does not allow this."),
    errno.EPERM: (Kind.FORBIDDEN, "The storage does not allow this."),
    errno.EROFS: (Kind.FORBIDDEN, "The storage is read-only."),
    errno.ENOSPC: (Kind.NO_SPACE, "The storage is full."),
    errno.EDQUOT: (Kind.NO_SPACE, "The quota of the storage is used up."),
    errno.EFBIG: (Kind.TOO_LARGE, "The storage does not take files of this size."),
    errno.ENOTDIR: (Kind.CONFLICT, "This is not a folder."),
    errno.EISDIR: (Kind.CONFLICT, "This is a folder."),
    errno.EEXIST: (Kind.CONFLICT, "Something is there already."),
    errno.ENOTEMPTY: (Kind.CONFLICT, "The folder was changed meanwhile."),
    errno.EBUSY: (Kind.CONFLICT, "The file or folder is in use."),
    errno.EMLINK: (Kind.CONFLICT, "The folder can hold no more."),
    errno.ENAMETOOLONG: (Kind.INVALID, "This name is too long for the storage."),
    errno.EILSEQ: (Kind.INVALID, "The storage cannot hold this name."),
    errno.EINVAL: (Kind.INVALID, "The storage cannot do this."),
}


class Stop:
    """Tells work in a thread that nobody waits for it any more."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    def check(self) -> None:
        """Go on, or leave.

        Raises:
            Stopped: if the work is to stop.
        """
        if self._event.is_set():
            raise Stopped


class Stopped(Exception):  # noqa: N818 - not an error but an order
    """The work was left unfinished because its caller was cancelled."""


class Threads:
    """Runs blocking calls in `pool`, by default that of the event loop."""

    def __init__(self, pool: Executor | None = None) -> None:
        self._pool = pool

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `call` returns; it has ended when this returns, raises or is cancelled.

        Raises:
            GatewayError: for every `OSError`.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await _settled(future)
            raise
        except OSError as error:
            raise told(error) from error

    async def run_stoppable(self, call: Callable[[Stop], T]) -> T:
        """Do as `run`, and ask `call` to stop when the caller is cancelled."""
        stop = Stop()
        task = asyncio.ensure_future(self.run(call, stop))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            stop.set()
            await _settled(task)
            raise


def told(error: OSError) -> GatewayError:
    """Return what `error` means to those who asked; what we do not know is taken for an outage."""
    log = f"{errno.errorcode.get(error.errno or 0, 'OSError')}: {error.strerror}"
    if error.errno in _MEANINGS:
        kind, public = _MEANINGS[error.errno]
        return GatewayError(kind, public, log=log)
    return unavailable("The storage does not answer.", log=log)


async def _settled(future: asyncio.Future[T]) -> None:
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()
