"""The kinds of storage that the gateway knows, each giving the same folder away: the sides of several subjects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.gateways import Settings, folder_storage, webdav_storage
from bench.place import Place
from bench.servers import apache

FOLDER, WEBDAV = "gateway, folder", "gateway, WebDAV"
KINDS = (FOLDER, WEBDAV)


@contextlib.contextmanager
def storages(place: Place) -> Iterator[dict[str, Settings]]:
    """Serve the folder in each way; give the storage sections of the gateway's configuration, by side."""
    with apache(place) as webdav:
        yield {FOLDER: folder_storage(place), WEBDAV: webdav_storage(webdav, relay="never")}
