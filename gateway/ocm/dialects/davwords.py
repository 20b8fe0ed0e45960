"""The WebDAV words that peers expect beyond RFC 4918: three ways to say what a recipient may do (dialects.md, 3.6).

Nextcloud and ownCloud believe the OCS bit mask first, then the OCM list, then the letters; where they find none they
show everything as writable (live-captures.md, 24). Texts only; who may really do what is enforced elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet

from gateway.model.share import Permission

OC_NAMESPACE = "http://owncloud.org/ns"
OCS_NAMESPACE = "http://open-collaboration-services.org/ns"
OCM_NAMESPACE = "http://open-cloud-mesh.org/ns"
# In this namespace Nextcloud and ownCloud look for the sentence of an error.
ERROR_NAMESPACE = "http://sabredav.org/ns"
# rclone knows WebDAV servers by their product: under this name it keeps times (`X-OC-Mtime`) and checksums and uploads
# in one stream, which all work here; under others it does without, or wants addresses that we do not have.
RCLONE_VENDOR = "owncloud"
# Windows' Mini-Redirector sets times and attributes of each file that it copies, by these properties.
WINDOWS_NAMESPACE = "urn:schemas-microsoft-com:"

_READ, _UPDATE, _CREATE, _DELETE, _SHARE = 1, 2, 4, 8, 16


def ocs_mask(permissions: AbstractSet[Permission], *, is_folder: bool, is_root: bool) -> int:
    """Return the bit mask of `share-permissions`; nothing can be made inside a file, and a shared file stays."""
    mask = _READ
    if Permission.WRITE in permissions:
        mask |= _UPDATE
        mask |= _CREATE | _DELETE if is_folder else 0 if is_root else _DELETE
    if Permission.SHARE in permissions:
        mask |= _SHARE
    return mask


def ocm_list(permissions: AbstractSet[Permission]) -> str:
    """Return the JSON list of OCM's own `share-permissions`; `write` implies `read`."""
    allowed = set(permissions) | {Permission.READ}
    return json.dumps([permission.value for permission in Permission if permission in allowed])


def letters(permissions: AbstractSet[Permission], *, is_folder: bool, is_root: bool) -> str:
    """Return `oc:permissions`: R share on, G read, D delete, N rename, V move, W write, CK make files and folders."""
    text = "R" if Permission.SHARE in permissions else ""
    text += "G"
    if Permission.WRITE in permissions:
        text += "" if is_root else "DNV"
        text += "CK" if is_folder else "W"
    return text
