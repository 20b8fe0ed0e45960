"""The self-test: the list of checks, run side by side and each within its time (`dialects.md` 13).

Checks that need the public URL wait for the first ones, which tell whether it can be reached at all; where it cannot,
the others are not run, so that one broken thing is told once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from gateway.app.doctor import clock, closed, discovery, inside, passage, reach
from gateway.app.doctor.examine_peer import PEER_CHECKS, examine_peer
from gateway.app.doctor.finding import Finding, Report, Result, State, fault, note
from gateway.app.doctor.ground import Ground, read_keys
from gateway.app.doctor.known import line_to
from gateway.app.doctor.stranger import Lookup, Place, look_up, stranger
from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.errors import GatewayError
from gateway.model.address import Host, parse_host
from gateway.peers.guard import tls_context

CHECK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One idea.

    Attributes:
        about: what it looks at, for the page of checks.
        needs_keys: whether it makes no sense without our keys.
    """

    name: str
    about: str
    run: Callable[[Ground], Awaitable[list[Result]]]
    needs_keys: bool = False


INSIDE = (
    Check("keys", "the key file: complete, private, of this host, not old", inside.check_keys),
    Check("folder", "the data folder: private, with room on its disk", inside.check_folder),
    Check("store", "the store: ours, evicts nothing, writes to disk", inside.check_store),
    Check("storage", "each storage: answers the account that grants are served with", inside.check_storages),
)
REACH = (
    Check("name", "the public name leads to a public address", reach.check_name),
    Check("tls", "the certificate: for this name, trusted, not about to end", reach.check_tls),
    Check("answer", "something answers at the public URL", reach.check_answer),
)
OUTSIDE = (
    Check("discovery", "all four paths of discovery, to three kinds of reader", discovery.check_discovery),
    Check("one-name", "one host in addresses, end point, keys and WebDAV", discovery.check_one_name, needs_keys=True),
    Check("jwks", "the world sees the keys that we sign with", discovery.check_keys_published, needs_keys=True),
    Check("signature", "a signed message to ourselves holds, in both ways of signing", passage.check_signature, True),
    Check("fields", "header fields arrive: Authorization, Signature, Depth, Destination …", passage.check_fields, True),
    Check("target", "request targets arrive byte for byte: %2F, //, escapes", passage.check_target, True),
    Check("size", "bodies larger than 1 MiB pass", passage.check_size, True),
    Check("expect", "`Expect: 100-continue` passes", passage.check_waiting),
    Check("methods", "the methods of WebDAV pass", closed.check_methods),
    Check("probes", "nothing answers at /status.php and /ocs-provider", closed.check_probes),
    Check("proxies", "the gateway knows who stands behind the proxy", passage.check_proxies, needs_keys=True),
    Check("egress", "the address we are seen from is one of the public name", passage.check_egress, needs_keys=True),
    Check("clock", "all clocks agree", clock.check_clock),
)
CHECKS = (*INSIDE, *REACH, *OUTSIDE, *PEER_CHECKS)


async def examine(
    config: Config,
    *,
    peer: str = "",
    user: str = "",
    may_write: bool = False,
    via: Place | None = None,
    lookup: Lookup = look_up,
    resolver: AbstractResolver | None = None,
    now: Callable[[], float] = time.time,
) -> Report:
    """Return what is found at this gateway, and how it gets along with one peer.

    Args:
        peer: the peer's host; empty where only the gateway itself is looked at.
        user: whose part of the storages is tried, where each user has one.
        may_write: also try the storages out in scratch folders.
        via: dial this place instead of what the public name leads to.
        lookup: the name service.
        resolver: looks up the peer's name, by default in the system's way.

    Raises:
        GatewayError: `INVALID` if `peer` is no host.
    """
    host = parse_host(peer) if peer else None
    keys = _keys_or_none(config)
    tls = tls_context(config.peers.ca_file)
    async with stranger(config.public_url, tls, lookup, via) as outside:
        ground = Ground(
            config=config,
            keys=keys,
            stranger=outside,
            lookup=lookup,
            via=via,
            now=now,
            user=user,
            may_write=may_write,
            has_peer=host is not None,
        )
        behind = asyncio.create_task(_all(ground, INSIDE))
        reached = await _all(ground, REACH)
        if any(finding.result.state is State.FAILED for finding in reached):
            reason = note("The other checks from outside were not run: first mend the above.")
            beyond = [Finding("outside", reason)]
        else:
            beyond = await _all(ground, OUTSIDE)
        ours = (*await behind, *reached, *beyond)
    if host is None:
        return Report(subject=config.authority, findings=ours)
    theirs, meaning = await _together(config, keys, host, resolver, now)
    return Report(subject=f"{config.authority} with {host}", findings=(*ours, *theirs), meaning=meaning)


async def _together(
    config: Config, keys: KeyBox | None, host: Host, resolver: AbstractResolver | None, now: Callable[[], float]
) -> tuple[list[Finding], tuple[str, ...]]:
    if keys is None:
        return [Finding("peer", note("The peer was not asked: that needs our keys."))], ()
    async with line_to(config, keys, host, resolver=resolver, now=now) as line:
        return await examine_peer(line)


async def _all(ground: Ground, checks: Iterable[Check]) -> list[Finding]:
    chosen = [check for check in checks if ground.keys is not None or not check.needs_keys]
    found = await asyncio.gather(*(_bounded(ground, check) for check in chosen))
    return [Finding(check.name, result) for check, results in zip(chosen, found, strict=True) for result in results]


async def _bounded(ground: Ground, check: Check) -> list[Result]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.run(ground)
    except TimeoutError:
        words = f"This took longer than {CHECK_SECONDS:.0f} s."
    except GatewayError as error:
        words = error.public
    except OSError as error:
        words = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}."
    return [fault(words, "It could not be looked at.", "mend what the other findings say, and try again.")]


def _keys_or_none(config: Config) -> KeyBox | None:
    try:
        return read_keys(config.keys_file)
    except GatewayError:
        return None
