"""What operators of other servers add to their configuration, so that their users can be invited from here.

Servers of the reva family discover nobody before an invitation; they know other providers from a file
(`ocmproviders.json`; `dialects.md` 5 to 7, 14.8). The family disagrees about one member: with host verification oCIS
and OpenCloud split a port off `host` and fail without one, CERNBox compares it as it stands. The domain has to be exact
everywhere.
"""

from __future__ import annotations

import json

from gateway.model.address import DEFAULT_PORT, authority_of, without_port
from gateway.ocm.discovery import webdav_path

KINDS = ("ocis", "opencloud", "cernbox", "nextcloud")
_WITH_PORT = frozenset({"ocis", "opencloud"})


def snippet(kind: str, *, public_url: str, prefix: str, name: str) -> str:
    """Return the text for operators of servers of one kind, from `KINDS`."""
    authority = authority_of(public_url)
    if kind == "nextcloud":
        return _NEXTCLOUD.format(authority=authority)
    bare = without_port(authority)
    port = authority.removeprefix(bare).removeprefix(":") or str(DEFAULT_PORT)
    host = f"{bare}:{port}" if kind in _WITH_PORT else bare
    services = [
        _service("OCM", "Open Cloud Mesh API", f"{public_url}{prefix}/", host),
        _service("Webdav", "WebDAV API", f"{public_url}{webdav_path(prefix)}", host),
    ]
    entry = {
        "name": name,
        "full_name": name,
        "organization": name,
        "domain": authority if kind in _WITH_PORT else bare,
        "homepage": public_url,
        "description": f"{name} (Open Cloud Mesh gateway)",
        "services": services,
    }
    return f"{_HEAD}\n{json.dumps(entry, indent=4, ensure_ascii=False)}\n{_TAIL[kind]}"


def _service(kind: str, about: str, path: str, host: str) -> dict[str, object]:
    return {
        "endpoint": {
            "type": {"name": kind, "description": about},
            "name": about,
            "path": path,
            "is_monitored": True,
        },
        "api_version": "0.0.1",
        "host": host,
    }


_HEAD = "Add this entry to the list in ocmproviders.json, and restart the server: it reads the file at its start."
_VERIFIED = (
    "If the server verifies hosts (OCM_OCM_PROVIDER_AUTHORIZER_VERIFY_REQUEST_HOSTNAME), the address from which this\n"
    "gateway calls out has to be among those that DNS tells for its host name."
)
_TAIL = {
    "ocis": _VERIFIED,
    "opencloud": _VERIFIED,
    "cernbox": "The host stands without a port here: this kind of server compares it as it is.",
}
_NEXTCLOUD = (
    "Nothing has to be added: a Nextcloud server finds {authority} by itself.\n"
    "To have its users invited, its contacts app needs Open Cloud Mesh invitations switched on."
)
