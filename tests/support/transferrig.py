"""Transfers between two gateways: a share that may be transferred, and a user who waits for what she asked for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from gateway.model.share import AccessType
from support.pair import Side

DEADLINE_SECONDS = 30.0
BOTH = frozenset({AccessType.REMOTE, AccessType.DATATX})


async def offered(alice: Side, bob: Side, path: str = "/Project", **more: Any) -> str:
    """Share a path of Alice's with Bob, let him accept it, and return his id of it; it may be transferred."""
    await alice.share(path, bob.address, **more)
    share_id = await bob.accepted()
    await allow(bob, share_id, BOTH)
    return share_id


async def allow(bob: Side, share_id: str, access_types: frozenset[AccessType]) -> None:
    """Write the access types of a received share into its record, as if the sender had named them."""

    def change(share):
        return replace(share, webdav=replace(share.webdav, access_types=access_types))

    await bob.gateway.tasks.received.update(share_id, change)


async def transfer(bob: Side, share_id: str, **more: Any) -> dict[str, Any]:
    """Ask for a transfer and return it."""
    status, started = await bob.rest("POST", "transfers", json={"share": share_id, **more})
    assert status == 202, started
    return started


async def until_over(bob: Side, transfer_id: str) -> dict[str, Any]:
    """Return a transfer once it is over and cleared up."""
    return await until(bob, transfer_id, lambda shown: shown["is_over"] and shown["ended_at"])


async def until(bob: Side, transfer_id: str, check: Any, *, of: str = "transfers") -> dict[str, Any]:
    """Return a transfer (or another thing `of` the user's) once `check` holds for it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        shown = (await bob.rest("GET", f"{of}/{transfer_id}"))[1]
        if check(shown):
            return shown
        assert time.monotonic() < deadline, shown
        await asyncio.sleep(0.02)


def files_below(root: Any) -> dict[str, bytes]:
    """Return the content of every file below a folder, hidden ones too, by relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
