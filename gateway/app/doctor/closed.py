"""What has to answer at the public host, and what must not: the methods of WebDAV, and what peers mistake us by."""

from __future__ import annotations

import secrets

from gateway.app.doctor.finding import Result, fault, good
from gateway.app.doctor.ground import Ground

METHODS = ("PROPFIND", "PROPPATCH", "MKCOL", "PUT", "DELETE", "COPY", "MOVE", "LOCK", "UNLOCK")
PROBES = ("/status.php", "/ocs-provider/", "/ocs-provider/index.php", "/ocs/v2.php/cloud/shares")
_UNAUTHORIZED = 401
_NOT_FOUND = 404


async def check_methods(ground: Ground) -> list[Result]:
    """Knock at the door of shares with every method that peers use, and expect its own refusal."""
    # A name that nobody has: whoever answers here instead of us shall have nothing to change.
    target = f"{ground.config.prefix}/dav/doctor-{secrets.token_hex(8)}"
    refused = []
    for method in METHODS:
        seen = await ground.stranger.ask(method, target)
        if seen.status != _UNAUTHORIZED or "WWW-Authenticate" not in seen.headers:
            refused.append(f"{method} with {seen.words()}")
    if not refused:
        return [good(f"{', '.join(METHODS)} reach the door of shares.")]
    return [
        fault(
            f"{target} answers {'; '.join(refused)} instead of asking for a credential.",
            "Peers cannot list, change or lock what is shared with them.",
            "let the proxy pass all methods: no `limit_except` (nginx) or `<LimitExcept>` (Apache), no firewall rules "
            "without WebDAV, no handling of WebDAV by the proxy itself.",
        )
    ]


async def check_probes(ground: Ground) -> list[Result]:
    """Ask for what peers ask to find out which product they speak with: nothing may be there."""
    answered = []
    for path in PROBES:
        seen = await ground.stranger.ask("GET", path)
        if seen.status != _NOT_FOUND:
            answered.append(f"{path} with {seen.words()}")
    if not answered:
        return [good("Nothing answers where peers would mistake us for another product.")]
    return [
        fault(
            f"The public host answers {'; '.join(answered)}.",
            "Peers take it for another product, speak another protocol with it, and may delete shares.",
            "leave `passthrough.pass_probes` off; in the proxy: nginx `location = /status.php { return 404; }`, and "
            "the same for /ocs-provider and /ocs.",
        )
    ]
