"""The service behind this host name, where one is configured: what goes to it, and by which connections (DESIGN 5)."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.app.core import Core
from gateway.web.parents import Parents
from gateway.web.passhead import Hop
from gateway.web.passpool import Pool
from gateway.web.passsend import Patience
from gateway.web.passthrough import Elsewhere, Passthrough
from gateway.web.places import Places


def build(core: Core, cookie: str) -> Elsewhere:
    """Return the handler of all paths that no door has; `cookie` is the name of ours, which stays here."""
    config, passthrough = core.config, core.config.passthrough
    places = Places(prefix=config.prefix, pass_probes=passthrough.pass_probes)
    parents = Parents(f"{config.prefix}/received")
    if passthrough.url is None:
        return Elsewhere(behind=None, places=places, parents=parents)
    pool = Pool(origin=passthrough.url, most=passthrough.connections, connect_seconds=passthrough.connect_seconds)
    core.stack.callback(pool.close)
    scheme = urlsplit(config.public_url).scheme
    behind = Passthrough(
        pool=pool,
        hop=Hop(host=config.authority, scheme=scheme, cookie=cookie, has_via=passthrough.via),
        patience=Patience(first_byte=passthrough.first_byte_seconds, idle=passthrough.idle_seconds),
        metrics=core.metrics,
        tunnels_max=passthrough.tunnels,
        tunnel_idle_seconds=passthrough.tunnel_idle_seconds,
    )
    return Elsewhere(behind=behind, places=places, parents=parents)
