"""Many small files written at once into a storage that obeys locks (`Bulk`): what `Locked` does for one, done for all.

Where nothing is locked, which is nearly always, the locks of a folder are asked for once, not those of each file in
it; else each file is judged as if it were written alone. What vanished behind our back leaves nothing to the new
files, and whoever watches the folder learns once that something in it has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from gateway.backends.base import Bulk, SmallFile
from gateway.backends.lockrules import LockRules
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath, Written


async def put_all_locked(
    backend: Bulk,
    rules: LockRules,
    check: Callable[[ResourcePath], Awaitable[None]],
    files: Sequence[SmallFile],
) -> Sequence[Written | GatewayError]:
    """Write files of which no lock of another protects any; return what became of each.

    Args:
        check: raises `LOCKED` if this path may not be written.
    """
    refusals = await _judged(rules, check, files)
    writable = [file for file, refusal in zip(files, refusals, strict=True) if refusal is None]
    try:
        written = iter(await backend.put_all(writable) if writable else ())
    except BaseException:
        await asyncio.shield(_report(rules, writable))
        raise
    outcomes = [refusal or next(written) for refusal in refusals]
    there = [(file, made) for file, made in zip(files, outcomes, strict=True) if isinstance(made, Written)]
    await _report(rules, [file for file, _ in there])
    new = [file.path.one_spelling for file, made in there if made.created]
    for table in rules.kept if new else ():
        await table.delete(rules.space, *new)
    return outcomes


async def _judged(
    rules: LockRules, check: Callable[[ResourcePath], Awaitable[None]], files: Sequence[SmallFile]
) -> list[GatewayError | None]:
    """Return for each file why it may not be written."""
    watched = {folder for folder in _folders(files) if await _has_locks(rules, folder)}
    return [await _refusal(check, file.path) if file.path.parent in watched else None for file in files]


async def _has_locks(rules: LockRules, folder: ResourcePath) -> bool:
    key = folder.one_spelling
    return bool(await rules.locks.covering(rules.space, key) or await rules.locks.below(rules.space, key))


async def _refusal(check: Callable[[ResourcePath], Awaitable[None]], path: ResourcePath) -> GatewayError | None:
    try:
        await check(path)
    except GatewayError as error:
        if error.kind is not Kind.LOCKED:
            raise
        return error
    return None


async def _report(rules: LockRules, files: Sequence[SmallFile]) -> None:
    for folder in _folders(files):
        await rules.on_write(folder)


def _folders(files: Sequence[SmallFile]) -> set[ResourcePath]:
    return {file.path.parent for file in files}
