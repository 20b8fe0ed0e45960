"""The `protocol` member of a share: how the resource can be reached (SHARE-2, SHARE-3).

Three spellings are understood: `{name, options}`, `{name: X, X: {…}}` and `{name: "multi", X: {…}, Y: {…}}`; also the
first two at once, as some senders write them. Of what is offered, WebDAV and SSH are used; the rest is noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from gateway.errors import GatewayError, Kind
from gateway.model.access import SshAccess
from gateway.model.dialect import Payload
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import AccessType, Permission, Requirement, WebdavOffer
from gateway.ocm.access import check_uri
from gateway.ocm.dialects import aliases, legacy
from gateway.ocm.fields import Fields

WEBDAV = "webdav"
SSH = "ssh"
URI_MAX_CHARS = 2048
SIZE_MAX_BYTES = 2**63 - 1
# Where there was a fault, which is told in the end.
_NO_SECRET = Secret("")
PORT_MAX = 65_535
# No option, no blank and no colon can hide in a user name or host; IPv6 stands in brackets.
_SSH_URI = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})@"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)"
    r":(?P<port>[0-9]{1,5})(?P<path>(?:/[!-~]*)?)"
)
_USED = frozenset({"name", "options", WEBDAV})

W = TypeVar("W", bound=StrEnum)


def read_webdav(share: Fields) -> WebdavOffer | None:
    """Return the WebDAV offer of a share; None after a fault, or if it offers nothing that we can use."""
    protocol = share.object("protocol", is_required=True)
    if protocol is None:
        return None
    name = protocol.text("name")
    entry, options = protocol.object(WEBDAV), legacy.webdav_options(protocol, name)
    secret = _secret(share, entry, options)
    if entry is not None:
        return _offer(entry, secret)
    if options is not None:
        return WebdavOffer(uri="", secret=secret, permissions=legacy.PRESUMED_PERMISSIONS)
    if legacy.is_webdav(name) and not other_protocols(share):
        protocol.fault(WEBDAV, "is missing")
    return None


def read_ssh(share: Fields, *, is_alone: bool) -> SshAccess | None:
    """Return the SSH offer of a share (SHARE-4), without keys; None if there is none, or after a fault.

    Args:
        is_alone: whether nothing else is offered: only then an offer that cannot be used is a fault.
    """
    protocol = share.object("protocol")
    members = protocol.members.get(SSH) if protocol is not None else None
    if protocol is None or not isinstance(members, dict):
        return None
    entry = Fields(members, f"{protocol.path}{SSH}.", share.faults if is_alone else [])
    access, access_types = entry.read("uri", parse_ssh_uri, max_chars=URI_MAX_CHARS), _access_types(entry)
    return None if access is None or entry.faults else replace(access, access_types=access_types)


def parse_ssh_uri(text: str) -> SshAccess:
    """Return where `user@host:port/path` leads; the path is percent-encoded and begins at the door's root.

    Raises:
        GatewayError: `INVALID` if it is not exactly that.
    """
    match = _SSH_URI.fullmatch(text)
    if match is None or not 0 < int(match["port"]) <= PORT_MAX:
        raise GatewayError(Kind.INVALID, "it is not user@host:port/path")
    host = match["host"].strip("[]").lower()
    return SshAccess(user=match["user"], host=host, port=int(match["port"]), path=ResourcePath.from_url(match["path"]))


def other_protocols(share: Fields) -> tuple[str, ...]:
    """Return the names of the offered protocols beside WebDAV."""
    protocol = share.object("protocol")
    return tuple(name for name in protocol.members if name not in _USED) if protocol else ()


def render_protocol(offer: WebdavOffer, form: Payload = Payload.MULTI, *, ssh_uri: str = "") -> dict[str, object]:
    """Return the `protocol` of a share that is sent, in one of its forms; only one has room for SSH too (SHARE-4)."""
    match form:
        case Payload.OPTIONS:
            return legacy.options_protocol(offer.secret)
        case Payload.NAMED:
            return {"name": WEBDAV, WEBDAV: render_webdav(offer)}
        case Payload.MULTI:
            webdav = render_webdav(offer)
            ssh = {"uri": ssh_uri} | {name: webdav[name] for name in ("accessTypes",) if name in webdav}
            multi: dict[str, object] = {"name": "multi", WEBDAV: webdav}
            return multi | ({SSH: ssh} if ssh_uri else {})


def render_webdav(offer: WebdavOffer) -> dict[str, object]:
    """Return the draft's form of an offer; what is as it is anyway is left out."""
    webdav: dict[str, object] = {
        "uri": offer.uri,
        "sharedSecret": offer.secret.reveal(),
        "permissions": [permission.value for permission in Permission if permission in offer.permissions],
    }
    if offer.requirements:
        webdav["requirements"] = sorted(offer.requirements)
    if offer.access_types != {AccessType.REMOTE}:
        webdav["accessTypes"] = [access.value for access in AccessType if access in offer.access_types]
    if offer.size is not None:
        webdav["size"] = offer.size
    return webdav


def _secret(share: Fields, entry: Fields | None, options: Fields | None) -> Secret:
    """Return the secret from the best of its places; a fault names the place where it should be."""
    places = [(place, "sharedSecret") for place in (entry, options) if place is not None]
    if not places:
        return _NO_SECRET
    for place, name in (*places, (share, "code")):
        if place.members.get(name) not in (None, ""):
            return place.secret(name) or _NO_SECRET
    places[0][0].fault("sharedSecret", "is missing")
    return _NO_SECRET


def _offer(entry: Fields, secret: Secret) -> WebdavOffer | None:
    permissions = aliases.translated(entry.words("permissions"), aliases.REQUIREMENTS)
    # Once, requiring a second factor was a permission.
    wanted = aliases.translated(entry.words("requirements"), aliases.REQUIREMENTS) | permissions & set(Requirement)
    offer = WebdavOffer(
        uri=_uri(entry),
        secret=secret,
        permissions=_known(entry, "permissions", Permission, permissions) or frozenset({Permission.READ}),
        access_types=_access_types(entry),
        requirements=frozenset(word for word in Requirement if word in wanted),
        size=entry.number("size", at_most=SIZE_MAX_BYTES),
    )
    # What is required and not known here cannot be fulfilled.
    return offer if wanted == offer.requirements else None


def _uri(entry: Fields) -> str:
    name = entry.first_of(*aliases.WEBDAV_URI)
    uri = entry.text(name, max_chars=URI_MAX_CHARS)
    try:
        check_uri(uri)
    except GatewayError:
        entry.fault(name, "cannot be used")
    return uri


def _access_types(entry: Fields) -> frozenset[AccessType]:
    found = entry.words("accessTypes")
    return _known(entry, "accessTypes", AccessType, found) or frozenset({AccessType.REMOTE})


def _known(entry: Fields, name: str, words: type[W], found: Iterable[str]) -> frozenset[W]:
    """Return the words that we know; those of later drafts may stand beside them."""
    known = frozenset(word for word in words if word in set(found))
    if entry.members.get(name) is not None and not known:
        entry.fault(name, f"has to hold at least one of {', '.join(words)}")
    return known
