"""Whether all clocks agree: ours, the running gateway's, the proxy's before it, the store's and the peer's.

Signatures are refused when clocks differ by minutes (SIG-4; Nextcloud takes 300 seconds). Clocks of one machine agree
also when all of them are wrong, so somebody outside is the better witness: a configured directory, or the peer that
is looked at. Without one that is said.
"""

from __future__ import annotations

from contextlib import suppress
from email.utils import parsedate_to_datetime

import aiohttp

from gateway.app.doctor.finding import Result, doubt, fault, good, note
from gateway.app.doctor.ground import Ground
from gateway.app.peers import guard_of
from gateway.app.state import open_external
from gateway.errors import GatewayError
from gateway.model.address import host_of_url
from gateway.peers.guard import guarded_session, tls_context

# A peer may refuse a signature from further in the future than this, in seconds.
WRONG_SECONDS = 60.0
OFF_SECONDS = 5.0
MINUTES_FROM_SECONDS = 120.0
WITNESS_SECONDS = 10.0
_NO_WITNESS = note(
    "No clock outside was asked, and all of ours may be wrong together.",
    todo="name a peer (`ocm-gateway doctor HOST`), whose clock is then compared too.",
)


async def check_clock(ground: Ground) -> list[Result]:
    """Compare every clock that can be read with ours."""
    outside = await _outside(ground)
    readings = await _readings(ground) | outside
    worst = max(readings, key=lambda name: abs(readings[name]), default="")
    if not worst or abs(readings[worst]) <= OFF_SECONDS:
        told = ", ".join(readings) or "no other"
        agreed = good(f"The clocks agree (this machine, {told}).")
        return [agreed] if ground.has_peer or any(name in readings for name in outside) else [agreed, _NO_WITNESS]
    words = "; ".join(f"{name} {_off(seconds)}" for name, seconds in readings.items())
    if abs(readings[worst]) <= WRONG_SECONDS:
        todo = "run a time service (chrony, systemd-timesyncd) on every machine."
        return [doubt(f"Compared with this machine: {words}.", "Signatures may soon be refused.", todo)]
    return [
        fault(
            f"Compared with this machine: {words}.",
            "Signatures of or to the machine that is wrong are refused as too old or from the future.",
            "set the clock of that machine, and run a time service there (chrony, systemd-timesyncd).",
        )
    ]


async def _readings(ground: Ground) -> dict[str, float]:
    """Return by how many seconds each clock is ahead of ours; those that cannot be read are left out."""
    readings = {}
    seen = await ground.stranger.ask("GET", "/.well-known/ocm")
    if seen.date is not None:
        # It tells whole seconds only.
        readings["the public answer"] = _rounded(seen.date - ground.now())
    if ground.keys is not None:
        reflection = await ground.reflect()
        if reflection.told is not None:
            readings["the gateway"] = float(reflection.told["now"]) - ground.now()
    if not ground.config.store.is_embedded and ground.keys is not None:
        try:
            async with open_external(ground.config, ground.keys) as store:
                readings["the store"] = (await store.health.facts()).now - ground.now()
        except GatewayError:
            pass
    return readings


async def _outside(ground: Ground) -> dict[str, float]:
    """Return by how many seconds the clocks of the configured directories are ahead of ours."""
    config = ground.config
    readings = {}
    async with guarded_session(
        guard_of(config), tls=tls_context(config.peers.ca_file), total_seconds=WITNESS_SECONDS
    ) as session:
        for directory in config.peers.directories:
            with suppress(aiohttp.ClientError, TimeoutError, GatewayError, ValueError, OSError):
                async with session.head(directory.url, allow_redirects=False) as answer:
                    told = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
                readings[f"the directory at {host_of_url(directory.url)}"] = _rounded(told - ground.now())
    return readings


def _rounded(seconds: float) -> float:
    return 0.0 if abs(seconds) <= 1.0 else seconds


def _off(seconds: float) -> str:
    if abs(seconds) <= OFF_SECONDS:
        return "agrees"
    size = f"{abs(seconds) / 60:.0f} min" if abs(seconds) > MINUTES_FROM_SECONDS else f"{abs(seconds):.0f} s"
    return f"is {size} {'ahead' if seconds > 0 else 'behind'}"
