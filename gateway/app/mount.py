"""What users mount: the tree of what each has received, with its locks, as the WebDAV door serves it."""

from __future__ import annotations

from functools import partial

from gateway.app.core import Core
from gateway.app.flows import Flows
from gateway.backends.locked import Locked, LockRules
from gateway.backends.spacelocks import SpaceLocks
from gateway.flows.received_tree import ReceivedTree
from gateway.model.resource import ResourcePath
from gateway.web.dav import DavDoor
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.mount import MountDoor
from gateway.web.mountgate import Mounter, MountGate


def build(core: Core, flows: Flows, gate: MountGate) -> MountDoor:
    """Return the door."""
    config = core.config
    core.stack.push_async_callback(flows.received_shelf.close)
    return MountDoor(
        gate=gate,
        dav=DavDoor(),
        open_mount=partial(_open, core, flows),
        root=DavRoot(prefix=f"{config.prefix}/received", authorities=frozenset({config.authority})),
    )


async def _open(core: Core, flows: Flows, mounter: Mounter, root: DavRoot, path: ResourcePath) -> DavShare:
    tree = ReceivedTree(
        user=mounter.user,
        shelf=flows.received_shelf,
        use_remote=flows.use_remote,
        now=core.now,
        still_stands=mounter.still_stands,
    )
    locked = Locked(tree, _rules(core, mounter.user.identifier))
    permissions_at = await tree.permissions()
    return DavShare(
        backend=locked,
        permissions=permissions_at(path),
        permissions_at=permissions_at,
        root=root,
        locks=SpaceLocks(locked, tree.check_writable),
    )


def _rules(core: Core, user: str) -> LockRules:
    return LockRules(locks=core.store.locks, space=f"received\n{user}", holder=f"user {user}", now=core.now)
