"""Which kind of peer this is, from its discovery document alone (`dialects.md` 2, 14.2; DESIGN 8).

The kinds are asked in the order of the table below, and the first that knows the document answers. Nobody is known by
a name in a header: what counts is the document's shape, its paths and its capabilities, as deployed servers write
them. Who fits none of them is spoken to in the oldest form first and in the draft's form if that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.model.dialect import ChangeNotice, Dialect, Payload
from gateway.model.peer import Discovery, Role, Shape

_OLD_VERSION = "1.0-proposal1"
_EXCHANGE_TOKEN = "exchange-token"  # noqa: S105 - the draft's word, not a secret
_DRAFT_WORDS = frozenset({"http-sig", "protocol-object", _EXCHANGE_TOKEN})

UNKNOWN = Dialect(
    name="", why="its document says nothing that tells it from others", payloads=(Payload.OPTIONS, Payload.MULTI)
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One row: how it is known, and what it needs."""

    is_it: Callable[[Discovery], bool]
    dialect: Dialect


def recognise(discovery: Discovery | None) -> Dialect:
    """Return how a peer with this document is spoken to; None is a peer whose document we have not got."""
    if discovery is None:
        return UNKNOWN
    for kind in _KINDS:
        if kind.is_it(discovery):
            return _fitted(kind.dialect, discovery)
    return UNKNOWN


def _fitted(dialect: Dialect, discovery: Discovery) -> Dialect:
    """Return the dialect with what the peer says for itself."""
    names = {offer.name for offer in discovery.resource_types}
    return replace(dialect, takes_folders=True) if "folder" in names else dialect


def _webdav(discovery: Discovery) -> str:
    return (discovery.webdav_path() or "").strip("/")


def _is_nextcloud(discovery: Discovery) -> bool:
    # 3.1: a key or a second version beside the common path, up to 34; later ones say so in `provider`.
    has_common_path = _webdav(discovery) == "public.php/webdav"
    is_marked = discovery.public_key is not None or Shape.VERSION in discovery.shapes
    return discovery.provider.startswith("Nextcloud") or (has_common_path and is_marked)


def _is_owncloud_10(discovery: Discovery) -> bool:
    return Shape.SHARE_TYPES in discovery.shapes  # section 4


def _is_seafile(discovery: Discovery) -> bool:
    return Shape.OBJECT_TYPES in discovery.shapes or _webdav(discovery) == "seafdav"  # 8.3


def _is_cernbox(discovery: Discovery) -> bool:
    return _webdav(discovery) == "remote.php/dav/ocm"  # section 7


def _is_opencloud(discovery: Discovery) -> bool:
    return _webdav(discovery) == "dav/ocm" and "protocol-object" in discovery.capabilities  # section 6


def _is_ocis(discovery: Discovery) -> bool:
    return _webdav(discovery) == "dav/ocm"  # section 5


def _is_opencloudmesh_go(discovery: Discovery) -> bool:
    return {"must-exchange-token", "must-use-http-sig"} <= discovery.criteria  # 8.1


def _speaks_the_draft(discovery: Discovery) -> bool:
    has_receive_role = any(Role.WEBDAV_RECEIVE in offer.protocols for offer in discovery.resource_types)
    return has_receive_role or bool(_DRAFT_WORDS & discovery.capabilities)


def _has_the_old_version(discovery: Discovery) -> bool:
    return discovery.api_version == _OLD_VERSION


# What "share with folders" means to those who refuse the word: 2, row `resourceType`.
_KINDS = (
    _Kind(
        _is_nextcloud,
        Dialect(
            name="Nextcloud",
            why="its WebDAV path and its key or version are those of Nextcloud",
            # 3.3: only a secret up to 33; later ones take an object too, and need it for what is required.
            payloads=(Payload.OPTIONS, Payload.NAMED),
            takes_folders=False,
            tells_shared_on=True,
        ),
    ),
    _Kind(
        _is_owncloud_10,
        Dialect(
            name="ownCloud 10",
            why="it lists its resource types under shareTypes",
            payloads=(Payload.OPTIONS,),
            takes_folders=False,
            change_notice=ChangeNotice.RESHARE,
            tells_shared_on=True,
            serves_at_owner=True,
        ),
    ),
    _Kind(
        _is_seafile,
        Dialect(
            name="Seafile",
            why="its WebDAV path, or its object of resource types, is that of Seafile",
            payloads=(Payload.OPTIONS,),
            takes_folders=False,
        ),
    ),
    _Kind(
        _is_cernbox,
        Dialect(
            name="CERNBox",
            why="its WebDAV path is that of CERNBox",
            payloads=(Payload.MULTI,),
            announces_end=False,
        ),
    ),
    _Kind(
        _is_opencloud,
        Dialect(
            name="OpenCloud",
            why="its WebDAV path is that of oCIS and OpenCloud, and it knows protocol-object",
            payloads=(Payload.MULTI,),
            announces_end=False,
        ),
    ),
    _Kind(
        _is_ocis,
        Dialect(
            name="oCIS",
            why="its WebDAV path is that of oCIS",
            payloads=(Payload.MULTI,),
            change_notice=ChangeNotice.SHARE,
        ),
    ),
    _Kind(
        _is_opencloudmesh_go,
        Dialect(
            name="opencloudmesh-go",
            why="it demands signatures and token exchange",
            payloads=(Payload.MULTI,),
            takes_folders=False,
        ),
    ),
    _Kind(
        _speaks_the_draft,
        Dialect(
            name="the draft",
            why="its capabilities or roles are those of the draft",
            payloads=(Payload.MULTI, Payload.OPTIONS),
            takes_folders=False,
            change_notice=ChangeNotice.RESEND,
        ),
    ),
    _Kind(
        _has_the_old_version,
        Dialect(
            name="OCM 1.0",
            why=f"its version is {_OLD_VERSION}",
            payloads=(Payload.OPTIONS, Payload.MULTI),
            takes_folders=False,
        ),
    ),
)
