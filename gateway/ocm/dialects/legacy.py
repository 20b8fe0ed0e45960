"""The OCM 1.0 form of `protocol`: `name` and `options` instead of an object for each protocol (`dialects.md` 3.3, 4).

Nextcloud up to 33, ownCloud 10 and Seafile write it and read nothing else; oCIS and OpenCloud refuse it. It says
neither where the resource is nor what is allowed: the one is the discovered WebDAV path, the other is learned from the
storage.
"""

from __future__ import annotations

from gateway.model.secret import Secret
from gateway.model.share import Permission
from gateway.ocm.fields import Fields

_WEBDAV_NAMES = frozenset({"", "webdav", "multi"})
# Nextcloud puts a WebDAV property's name where a permission should be, ownCloud nothing. Resharing is never presumed.
PRESUMED_PERMISSIONS = frozenset({Permission.READ, Permission.WRITE})


# What Nextcloud writes there; Seafile wants the member to be there, whatever it says (8.3).
_OPTIONS_PERMISSIONS = "{http://open-cloud-mesh.org/ns}share-permissions"


def options_protocol(secret: Secret) -> dict[str, object]:
    """Return the `protocol` of a share as these servers read it."""
    options = {"sharedSecret": secret.reveal(), "permissions": _OPTIONS_PERMISSIONS}
    return {"name": "webdav", "options": options}


def is_webdav(name: str) -> bool:
    """Tell whether `protocol.name` speaks of WebDAV; where it is missing nothing else can be meant."""
    return name in _WEBDAV_NAMES


def webdav_options(protocol: Fields, name: str) -> Fields | None:
    """Return the `options` that stand for a WebDAV offer, or None if there are none."""
    options = protocol.object("options")
    return options if options and options.members and is_webdav(name) else None
