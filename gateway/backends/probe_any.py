"""Tries out a storage by the verbs that all of them have, in a scratch folder: for SFTP, whose servers differ too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import floor

from gateway.backends.base import Backend, SetTime
from gateway.backends.probe import HOSTILE_NAME
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath, Span

# Some day in 2001, in seconds since the epoch.
_THEN = 1_000_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """What was seen to work.

    Attributes:
        writes: what is written is read again, and replaced by the next write.
        ranges: a piece of a file is just that piece.
        encoded_names: a name full of special characters comes back as it was given.
        moves: a file is moved, and not onto another if it must not be.
        times: the time of modification can be set.
    """

    writes: bool
    ranges: bool
    encoded_names: bool
    moves: bool
    times: bool


async def try_out(backend: Backend, scratch: ResourcePath) -> Works:
    """Try the storage out in the folder `scratch`, which must not exist and is removed again.

    Raises:
        GatewayError: if the folder cannot be made or written to, or the storage goes away meanwhile.
    """
    await backend.mkdir(scratch)
    try:
        file = scratch / "file"
        await _write(backend, file, b"old content")
        await _write(backend, file, b"0123456789")
        return Works(
            writes=await _read(backend, file) == b"0123456789",
            ranges=await _read(backend, file, Span(start=2, length=3)) == b"234",
            encoded_names=await _names(backend, scratch),
            moves=await _moves(backend, scratch, file),
            times=await _times(backend, scratch / "kept"),
        )
    finally:
        await backend.delete(scratch)


async def _names(backend: Backend, scratch: ResourcePath) -> bool:
    await _write(backend, scratch / HOSTILE_NAME, b"1")
    return HOSTILE_NAME in {entry.path.name async for entry in backend.list(scratch)}


async def _moves(backend: Backend, scratch: ResourcePath, file: ResourcePath) -> bool:
    await _write(backend, scratch / "kept", b"kept")
    try:
        await backend.move(file, scratch / "kept", overwrite=False)
    except GatewayError as error:
        if error.kind is not Kind.PRECONDITION_FAILED:
            raise
    else:
        return False
    await backend.move(file, scratch / "moved", overwrite=False)
    return (
        await _read(backend, scratch / "moved") == b"0123456789" and await _read(backend, scratch / "kept") == b"kept"
    )


async def _times(backend: Backend, path: ResourcePath) -> bool:
    if not isinstance(backend, SetTime):
        return False
    await backend.set_time(path, _THEN)
    modified = (await backend.stat(path)).modified
    return modified is not None and floor(modified) == _THEN


async def _write(backend: Backend, path: ResourcePath, data: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    await backend.write(path, chunks(), size=len(data))


async def _read(backend: Backend, path: ResourcePath, span: Span | None = None) -> bytes:
    async with backend.open(path, span or Span()) as content:
        return b"".join([chunk async for chunk in content.chunks])
