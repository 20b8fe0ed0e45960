"""The WebDAV properties that are the gateway's own, whatever a storage says (DESIGN 6; `dialects.md` 14.4).

Permissions in the three forms that peers read, a stable id, and the quota. `oc:permissions` letters: R may be shared
on, G readable, D deletable, N renamable, V movable, W writable file, C and K files and folders may be made inside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from xml.sax.saxutils import escape

from gateway.model.grant import Grant
from gateway.model.resource import Quota, ResourcePath
from gateway.model.share import Permission
from gateway.ocm.dialects.davwords import OC_NAMESPACE as OC
from gateway.ocm.dialects.davwords import OCM_NAMESPACE as OCM
from gateway.ocm.dialects.davwords import OCS_NAMESPACE as OCS

PERMISSIONS = f"{OC}}}permissions"
OC_ID = f"{OC}}}id"
OCS_PERMISSIONS = f"{OCS}}}share-permissions"
OCM_PERMISSIONS = f"{OCM}}}share-permissions"
QUOTA_AVAILABLE = "DAV:}quota-available-bytes"
QUOTA_USED = "DAV:}quota-used-bytes"
GETETAG = "DAV:}getetag"

QUOTA_NAMES = frozenset({QUOTA_AVAILABLE, QUOTA_USED})
OWN_NAMES = frozenset({PERMISSIONS, OC_ID, OCS_PERMISSIONS, OCM_PERMISSIONS}) | QUOTA_NAMES

_READ, _UPDATE, _CREATE, _DELETE, _SHARE = 1, 2, 4, 8, 16


def own_values(grant: Grant, path: ResourcePath, *, is_folder: bool, quota: Quota) -> dict[str, str]:
    """Return the values of our own properties for `path` (seen from the share's root); unknown ones are left out."""
    values = {
        PERMISSIONS: letters(grant, is_root=path.is_root, is_folder=is_folder),
        OC_ID: resource_id(grant, path),
        OCS_PERMISSIONS: str(bits(grant, is_root=path.is_root, is_folder=is_folder)),
        OCM_PERMISSIONS: json.dumps(_words(grant), separators=(",", ":")),
    }
    if quota.available is not None:
        values[QUOTA_AVAILABLE] = str(quota.available)
    if quota.used is not None:
        values[QUOTA_USED] = str(quota.used)
    return values


def letters(grant: Grant, *, is_root: bool, is_folder: bool) -> str:
    """Return the value of `oc:permissions`; the share's root can be neither removed nor moved."""
    text = "RG" if Permission.SHARE in grant.permissions else "G"
    if not grant.may_write:
        return text
    return text + ("" if is_root else "DNV") + ("CK" if is_folder else "W")


def bits(grant: Grant, *, is_root: bool, is_folder: bool) -> int:
    """Return the value of the OCS `share-permissions`: 1 read, 2 update, 4 create, 8 delete, 16 share."""
    value = _READ
    if grant.may_write:
        value |= _UPDATE | (_CREATE if is_folder else 0)
        # Of a shared folder the delete bit means what is in it; a shared file cannot be removed.
        value |= 0 if is_root and not is_folder else _DELETE
    return value | (_SHARE if Permission.SHARE in grant.permissions else 0)


def resource_id(grant: Grant, path: ResourcePath) -> str:
    """Return the value of `oc:id`: the same in every share that shows the resource, and telling nothing of its path."""
    place = f"{grant.storage}\n{grant.owner}\n{(grant.root / path).to_url()}"
    return hashlib.blake2b(place.encode(), digest_size=16).hexdigest()


def element(name: str, text: str | None = None) -> bytes:
    """Return a property (`namespace}name`) as an XML element that declares its own namespace; empty without text."""
    namespace, _, local = name.partition("}")
    opening = f'x:{local} xmlns:x="{escape(namespace)}"'
    return (f"<{opening}/>" if text is None else f"<{opening}>{escape(text)}</x:{local}>").encode()


def propstat(properties: Iterable[bytes], status: str) -> bytes:
    """Return a `propstat` element that holds the given properties."""
    inside = b"".join(properties)
    return (
        b'<x:propstat xmlns:x="DAV:"><x:prop>'
        + inside
        + b"</x:prop><x:status>HTTP/1.1 "
        + status.encode()
        + b"</x:status></x:propstat>"
    )


def _words(grant: Grant) -> list[str]:
    allowed = grant.permissions | {Permission.READ}
    return [permission.value for permission in Permission if permission in allowed]
