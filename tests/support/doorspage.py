"""Prints the table of doors of a gateway in which everything is on, as `docs/doors.md`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.app import doors, flows, identity, mount, peers, storage
from gateway.app.core import open_core
from gateway.web.doors import DOORS, Door, Lock
from support.pair import configured

MEANING = {
    Lock.OPEN: "nobody is asked who he is",
    Lock.PEER: "another provider, proven by its signature, or admitted without one by the policy",
    Lock.GRANT: "whoever holds the secret or token of a share, and sees that share only",
    Lock.USER: "a local user, logged in",
    Lock.ADMIN: "a local user whom `identity.admins` or `identity.admin_groups` names, logged in",
    Lock.KEYS: "whoever holds this gateway's own key file",
}
HEAD = """# The doors

Every path below is the gateway's own; whatever else is asked for is passed to the service behind it, or is not found.
This page is printed from the table of doors of a gateway in which everything is on (`make docs`). `{name}` stands for
one part of a path, `{name:.*}` for any number of them. `*` means that the door itself chooses among methods.

| lock | who may pass |
|---|---|
"""


def page() -> str:
    """Return the page."""
    table = asyncio.run(all_doors())
    locks = "".join(f"| {lock.value} | {MEANING[lock]} |\n" for lock in Lock)
    rows = "".join(_row(door) for door in sorted(table, key=lambda door: (door.path, door.method)))
    return f"{HEAD}{locks}\n| path | method | lock | name | about |\n|---|---|---|---|---|\n{rows}"


def _row(door: Door) -> str:
    method = door.method.replace("*", "\\*")
    return f"| `{door.path}` | {method} | {door.lock.value} | {door.name} | {door.about} |\n"


async def all_doors() -> tuple[Door, ...]:
    """Return the doors of a gateway in which everything is on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = {"url": "webdav+https://files.example.org/{user}", "view": "user", "stored_accounts": True}
        config = configured(folder, "doors", "alice", 1, kept, ssh={"enabled": True, "receive": True})
        async with AsyncExitStack() as stack:
            core = await open_core(config, stack, time.time)
            near, far = await storage.build(core), await peers.build(core, None)
            people = identity.build(core, near.storages)
            all_flows = flows.build(core, far, near, people, core.store.queue("deliveries"))
            mounts = mount.build(core, all_flows, people)
            app = await doors.build(core, all_flows, far, near, people, mounts=mounts)
            return app[DOORS]
