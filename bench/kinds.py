"""The kinds of storage that the gateway knows, each giving the same folder away: the sides of several subjects."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator

from bench.gateways import Settings, folder_storage, webdav_storage
from bench.openssh import Key, sshd
from bench.place import Place
from bench.process import Server
from bench.servers import apache

FOLDER, SFTP, WEBDAV = "gateway, folder", "gateway, SFTP", "gateway, WebDAV"
KINDS = (FOLDER, SFTP, WEBDAV)
_SSHD = "sshd-storage"


@contextlib.contextmanager
def storages(place: Place) -> Iterator[dict[str, Settings]]:
    """Serve the folder in each way; give the storage sections of the gateway's configuration, by side."""
    key = Key.fresh(place.root / "storage-key")
    with apache(place) as webdav, sshd(place, key, _SSHD, place.cores.storage) as server:
        yield {
            FOLDER: folder_storage(place),
            SFTP: _sftp_storage(place, server, key),
            WEBDAV: webdav_storage(webdav, relay="never"),
        }


def _sftp_storage(place: Place, server: Server, key: Key) -> Settings:
    address = f"127.0.0.1:{server.ports['ssh']}"
    known_hosts = place.root / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.ports['ssh']} {(place.root / _SSHD / 'host.pub').read_text()}")
    return {
        "url": f"sftp://{getpass.getuser()}@{address}{place.files}",
        "private_key_file": str(key.file),
        "known_hosts_file": str(known_hosts),
        "view": "service",
    }
