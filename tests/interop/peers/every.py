"""The peers that are tried."""

from __future__ import annotations

from interop.peers.base import Peer
from interop.peers.nextcloud import Nextcloud31, Nextcloud33, Nextcloud35
from interop.peers.others import Draft, Draft03, Draft05, OpencloudmeshGo, Seafile
from interop.peers.owncloud import OwnCloud10
from interop.peers.reva import Cernbox, Ocis, OpenCloud

PEERS: tuple[type[Peer], ...] = (
    Nextcloud31,
    Nextcloud33,
    Nextcloud35,
    OwnCloud10,
    Ocis,
    OpenCloud,
    Cernbox,
    OpencloudmeshGo,
    Seafile,
    Draft03,
    Draft05,
    Draft,
)
