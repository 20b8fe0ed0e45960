"""What users mount: the tree of what each has received, with its locks, and the app passwords that open it."""

from __future__ import annotations

from functools import partial

from gateway.app.core import Core
from gateway.app.flows import Flows
from gateway.backends.locked import Locked, LockRules
from gateway.backends.spacelocks import SpaceLocks
from gateway.flows.received_tree import ReceivedTree
from gateway.identity.apppasswords import AppPasswords
from gateway.identity.base import Identity
from gateway.model.resource import ResourcePath
from gateway.store.tables import APP_PASSWORDS, KNOWN_USERS
from gateway.web.apiapppasswords import AppPasswordApi
from gateway.web.dav import DavDoor
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.doors import Door
from gateway.web.mount import MountDoor
from gateway.web.mountgate import Mounter, MountGate
from gateway.web.pages import Pages
from gateway.web.uimount import MountPages
from gateway.web.usergate import UserGate


def doors(core: Core, flows: Flows, users: UserGate, people: Identity) -> tuple[Door, ...]:
    """Return the mount's doors: WebDAV, REST and pages."""
    config = core.config
    core.stack.push_async_callback(flows.received_shelf.close)
    app_passwords = AppPasswords(
        passwords=core.store.table(APP_PASSWORDS),
        known=core.store.table(KNOWN_USERS),
        identity=people,
        now=core.now,
        max_per_user=config.mount.app_passwords,
    )
    gate = MountGate(users=users, identity=people, app_passwords=app_passwords, strips_domain=config.mount.strip_domain)
    door = MountDoor(
        gate=gate,
        dav=DavDoor(),
        open_mount=partial(_open, core, flows),
        root=DavRoot(prefix=f"{config.prefix}/received", authorities=frozenset({config.authority})),
    )
    api = AppPasswordApi(
        gate=users,
        app_passwords=app_passwords,
        prefix=config.prefix,
        max_bytes=config.limits.json_bytes,
        json_depth=config.limits.json_depth,
    )
    pages = MountPages(
        pages=Pages(gate=users, prefix=config.prefix), app_passwords=app_passwords, public_url=config.public_url
    )
    return (*door.doors(), *api.doors(), *pages.doors())


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
