"""What users mount: the tree of what each has received, with its locks, and the app passwords that open it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gateway.app.core import Core
from gateway.app.flows import Flows
from gateway.backends.locked import Locked
from gateway.backends.lockrules import LockRules
from gateway.backends.macfiles import Absent, MacFiles
from gateway.backends.quotamemory import QuotaMemory
from gateway.backends.spacelocks import SpaceLocks
from gateway.flows.received_tree import ReceivedTree
from gateway.identity.apppasswords import AppPasswords
from gateway.identity.base import Identity
from gateway.identity.userkeys import UserKeys
from gateway.model.resource import Quota, ResourcePath
from gateway.store.tables import APP_PASSWORDS, KNOWN_USERS, USER_KEYS
from gateway.web.apiapppasswords import AppPasswordApi
from gateway.web.apiparts import ApiParts
from gateway.web.apiuserkeys import UserKeyApi
from gateway.web.dav import DavDoor
from gateway.web.davpath import DavRoot
from gateway.web.davshare import DavShare
from gateway.web.doors import Door
from gateway.web.mount import MountDoor
from gateway.web.mountgate import Mounter, MountGate
from gateway.web.pages import Pages
from gateway.web.uimount import MountPages


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Makes what each user mounts.

    Attributes:
        root: how the mount is addressed.
    """

    core: Core
    flows: Flows
    absent: Absent
    quotas: QuotaMemory
    root: DavRoot

    def locked(self, tree: ReceivedTree) -> Locked:
        """Return a user's tree as all of her doors show it: locks hold among them."""
        user = tree.user.identifier
        rule = self.core.config.mount.mac_metadata
        quiet = MacFiles(backend=tree, rule=rule, absent=self.absent, whose=user)
        rules = LockRules(
            locks=self.core.store.locks,
            space=f"received\n{user}",
            holder=f"user {user}",
            now=self.core.now,
            properties=self.core.store.properties,
        )
        return Locked(quiet, rules)

    def tree(self, mounter: Mounter) -> ReceivedTree:
        """Return what a user has received."""
        return ReceivedTree(
            user=mounter.user,
            shelf=self.flows.received_shelf,
            use_remote=self.flows.use_remote,
            now=self.core.now,
            still_stands=mounter.still_stands,
        )

    async def share(self, mounter: Mounter, path: ResourcePath) -> DavShare:
        """Return a user's tree as the WebDAV door serves it to a request for `path`."""
        tree = self.tree(mounter)
        locked, permissions_at = self.locked(tree), await tree.permissions()
        return DavShare(
            backend=locked,
            permissions=permissions_at(path),
            permissions_at=permissions_at,
            root=self.root,
            locks=SpaceLocks(locked, tree.check_writable),
            quota=partial(self._quota_at, tree),
        )

    async def _quota_at(self, tree: ReceivedTree, path: ResourcePath) -> Quota:
        return await self.quotas.ask((tree.user.identifier, path), partial(tree.quota, path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """All that the doors of the mount are made of."""

    trees: Trees
    gate: MountGate
    app_passwords: AppPasswords
    user_keys: UserKeys


def build(core: Core, flows: Flows, people: Identity) -> Mounts:
    """Return the parts."""
    config, store = core.config, core.store
    core.stack.push_async_callback(flows.received_shelf.close)
    app_passwords = AppPasswords(
        passwords=store.table(APP_PASSWORDS),
        known=store.table(KNOWN_USERS),
        identity=people,
        now=core.now,
        max_per_user=config.mount.app_passwords,
    )
    return Mounts(
        trees=Trees(
            core=core,
            flows=flows,
            absent=Absent(now=core.now),
            quotas=QuotaMemory(now=core.now),
            root=DavRoot(prefix=f"{config.prefix}/received", authorities=frozenset({config.authority})),
        ),
        gate=MountGate(identity=people, app_passwords=app_passwords, strips_domain=config.mount.strip_domain),
        app_passwords=app_passwords,
        user_keys=UserKeys(
            keys=store.table(USER_KEYS), identity=people, now=core.now, max_per_user=config.mount.ssh_keys
        ),
    )


def doors(core: Core, mounts: Mounts, parts: ApiParts) -> tuple[Door, ...]:
    """Return the mount's doors: WebDAV, REST and pages."""
    config, users = core.config, parts.gate
    door = MountDoor(
        users=users,
        gate=mounts.gate,
        dav=DavDoor(),
        open_mount=mounts.trees.share,
        root=mounts.trees.root,
        max_requests=config.limits.requests_per_user,
    )
    api = AppPasswordApi(parts=parts, app_passwords=mounts.app_passwords)
    keys = UserKeyApi(parts=parts, user_keys=mounts.user_keys)
    pages = MountPages(
        pages=Pages(gate=users, prefix=config.prefix),
        app_passwords=mounts.app_passwords,
        user_keys=mounts.user_keys,
        public_url=config.public_url,
        ssh_address=config.ssh.address(config.authority) if config.ssh.enabled and config.mount.over_ssh else "",
    )
    return (*door.doors(), *api.doors(), *keys.doors(), *pages.doors())
