"""Finds out what a WebDAV storage really does, in a scratch folder (DESIGN 6: "abilities are proven, not believed").

Storages claim class 2 and lock nothing, take conditions and ignore them (`ANCHORS.md` 1.1, 1.3). So each ability is
tried: what must be refused is attempted, and what is written is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass

from gateway.backends.relay_locks import token_of_answer
from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_body import GATHER_MAX_BYTES, ready_body
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath, Span

# Escapes, markers of queries and fragments, what looks like an escape, and letters outside ASCII.
HOSTILE_NAME = "a b#c?d%41;e+f&\N{LATIN SMALL LETTER E WITH ACUTE}"

_LOCK_BODY = (
    b'<?xml version="1.0" encoding="utf-8"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
    b"<locktype><write/></locktype><owner>probe</owner></lockinfo>"
)
_LOCK_FIELDS = {"Content-Type": "application/xml; charset=utf-8", "Timeout": "Second-60", "Depth": "0"}
_LOCKED = 423


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a storage was seen to do.

    Attributes:
        locks: a second LOCK, and a PUT without the token, are refused; the relay is used only then.
        conditions: `If-None-Match: *` and a wrong `If-Match` are refused on PUT.
        overwrite_respected: MOVE with `Overwrite: F` leaves the target alone.
        encoded_names: a name full of special characters comes back as it was given.
        ranges: a piece of a file is just that piece.
        etags: files have a tag that changes with the content.
        atomic: a write that breaks off leaves the old content.
    """

    locks: bool
    conditions: bool
    overwrite_respected: bool
    encoded_names: bool
    ranges: bool
    etags: bool
    atomic: bool


async def probe(backend: WebdavBackend, scratch: ResourcePath) -> Abilities:
    """Try the storage out in the folder `scratch`, which must not exist and is removed again.

    Raises:
        GatewayError: if the folder cannot be made or written to, or the storage goes away meanwhile.
    """
    await backend.mkdir(scratch)
    try:
        return Abilities(
            locks=await _locks(backend, scratch / "lock"),
            conditions=await _conditions(backend, scratch / "condition"),
            overwrite_respected=await _overwrite(backend, scratch),
            encoded_names=await _names(backend, scratch / "names"),
            ranges=await _ranges(backend, scratch / "range"),
            etags=await _etags(backend, scratch / "tag"),
            atomic=await _atomic(backend, scratch / "atomic"),
        )
    finally:
        await backend.delete(scratch)


async def _locks(backend: WebdavBackend, path: ResourcePath) -> bool:
    await _write(backend, path, b"1")
    status, token = await _lock(backend, path)
    if status // 100 != 2 or token is None:  # noqa: PLR2004 - success
        return False
    again, second = await _lock(backend, path)
    is_kept = await _is_refused(_write(backend, path, b"2"), Kind.LOCKED)
    for held in {token, second} - {None}:
        headers = {"Lock-Token": f"<{held}>"}
        async with backend.upstream.exchange("UNLOCK", backend.place.url(path), headers):
            pass
    return again == _LOCKED and is_kept


async def _lock(backend: WebdavBackend, path: ResourcePath) -> tuple[int, str | None]:
    body = ready_body(_LOCK_BODY)
    async with backend.upstream.exchange("LOCK", backend.place.url(path), _LOCK_FIELDS, body) as answer:
        return answer.status, token_of_answer(answer.headers.get("Lock-Token"))


async def _conditions(backend: WebdavBackend, path: ResourcePath) -> bool:
    await _write(backend, path, b"old")
    return all(
        [
            await _is_put_refused(backend, path, {"If-None-Match": "*"}),
            await _is_put_refused(backend, path, {"If-Match": '"no-such-tag"'}),
            await _is_put_refused(backend, path.parent / "nothing", {"If-Match": "*"}),
            await _read(backend, path) == b"old",
        ]
    )


async def _is_put_refused(backend: WebdavBackend, path: ResourcePath, condition: dict[str, str]) -> bool:
    # Straight to the storage: the backend may check conditions itself.
    async with backend.upstream.exchange("PUT", backend.place.url(path), condition, ready_body(b"new")) as answer:
        return answer.status == 412  # noqa: PLR2004 - Precondition Failed


async def _overwrite(backend: WebdavBackend, scratch: ResourcePath) -> bool:
    source, target = scratch / "source", scratch / "target"
    await _write(backend, source, b"source")
    await _write(backend, target, b"target")
    headers = {"Destination": str(backend.place.url(target)), "Overwrite": "F"}
    async with backend.upstream.exchange("MOVE", backend.place.url(source), headers) as answer:
        is_refused = answer.status == 412  # noqa: PLR2004 - Precondition Failed
    return is_refused and await _read(backend, target) == b"target"


async def _names(backend: WebdavBackend, folder: ResourcePath) -> bool:
    await backend.mkdir(folder)
    try:
        await _write(backend, folder / HOSTILE_NAME, b"1")
        await backend.move(folder / HOSTILE_NAME, folder / f"{HOSTILE_NAME}2", overwrite=False)
        names = [entry.path.name async for entry in backend.list(folder)]
    except GatewayError:
        return False
    return names == [f"{HOSTILE_NAME}2"]


async def _ranges(backend: WebdavBackend, path: ResourcePath) -> bool:
    await _write(backend, path, b"0123456789")
    headers = {"Range": "bytes=2-4"}
    async with backend.upstream.exchange("GET", backend.place.url(path), headers) as answer:
        is_partial = answer.status == 206 and answer.headers.get("Content-Range") == "bytes 2-4/10"  # noqa: PLR2004 - partial
        return is_partial and await answer.read(100) == b"234"


async def _etags(backend: WebdavBackend, path: ResourcePath) -> bool:
    await _write(backend, path, b"one")
    first = (await backend.stat(path)).etag
    await _write(backend, path, b"two")
    second = (await backend.stat(path)).etag
    return first is not None and second is not None and first != second


async def _atomic(backend: WebdavBackend, path: ResourcePath) -> bool:
    await _write(backend, path, b"old")
    with suppress(_BrokenOff):
        await backend.write(path, _breaking_off())
    return await _read(backend, path) == b"old"


class _BrokenOff(Exception):  # noqa: N818 - it is what we want
    """The sender of a body went away."""


async def _breaking_off() -> AsyncIterator[bytes]:
    yield b"n" * (4 * GATHER_MAX_BYTES)
    yield b"n"
    raise _BrokenOff


async def _write(backend: WebdavBackend, path: ResourcePath, content: bytes) -> None:
    async with backend.upstream.exchange("PUT", backend.place.url(path), {}, ready_body(content)) as answer:
        if answer.status == _LOCKED:
            raise GatewayError(Kind.LOCKED, "This is locked.")
    await backend.stat(path)


async def _read(backend: WebdavBackend, path: ResourcePath) -> bytes:
    async with backend.open(path, Span()) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def _is_refused(act: Awaitable[None], kind: Kind) -> bool:
    try:
        await act
    except GatewayError as error:
        return error.kind is kind
    return False
