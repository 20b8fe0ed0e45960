"""The composition root: where the parts become a gateway. `run` holds the story, the other modules one part each."""

from __future__ import annotations

from gateway.app.inspect import discover_peer, probe_storage
from gateway.app.migrate import rebind_shares
from gateway.app.peeradmin import peer_admin
from gateway.app.run import Gateway, running, serve_until_stopped
from gateway.app.state import mark_store

__all__ = [
    "Gateway",
    "discover_peer",
    "mark_store",
    "peer_admin",
    "probe_storage",
    "rebind_shares",
    "running",
    "serve_until_stopped",
]
