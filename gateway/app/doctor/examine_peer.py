"""The self-test's second part: the list of checks about one peer, and what they come to for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.app.doctor import peer
from gateway.app.doctor.finding import Finding, Result, State, fault
from gateway.app.doctor.known import Known, Line, known
from gateway.errors import GatewayError, Kind
from gateway.model.peer import Role

CHECK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PeerCheck:
    """One idea about a peer."""

    name: str
    about: str
    run: Callable[[Known], Awaitable[list[Result]]]


PEER_CHECKS = (
    PeerCheck("peer", "its discovery: each path, each oddity, one host", peer.check_document),
    PeerCheck("peer-kind", "which kind it is taken for, why, and how it is written and signed to", peer.check_dialect),
    PeerCheck("peer-message", "a harmless signed message is not refused for its signature", peer.check_dry_run),
    PeerCheck("peer-files", "its WebDAV path asks for a credential", peer.check_files),
    PeerCheck("peer-token", "its token end point answers", peer.check_token),
    PeerCheck("peer-clock", "its clock agrees with ours", peer.check_peer_clock),
)


async def examine_peer(line: Line) -> tuple[list[Finding], tuple[str, ...]]:
    """Return what is found at a peer, and what it means for people."""
    try:
        found = await known(line)
    except GatewayError as error:
        return [Finding("peer", await _missing(line, error))], (f"Nothing can be shared with {line.host} now.",)
    results = await asyncio.gather(*(_bounded(found, check) for check in PEER_CHECKS))
    findings = [
        Finding(check.name, result) for check, some in zip(PEER_CHECKS, results, strict=True) for result in some
    ]
    return findings, tuple(_meaning(found, findings))


async def _missing(line: Line, error: GatewayError) -> Result:
    if error.kind is Kind.FORBIDDEN:
        todo = "see `peers.allow`, `peers.deny` and `peers.allow_cidr` in the configuration."
        return fault(error.public, "This gateway does not speak with it.", todo)
    misses = await line.misses()
    return fault(
        f"{error.public} {'; '.join(misses)}",
        "As seen from here it takes no part in Open Cloud Mesh.",
        "see that the name is right and the server is up; else tell its operator which path answers what.",
    )


async def _bounded(found: Known, check: PeerCheck) -> list[Result]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.run(found)
    except TimeoutError:
        words = f"This took longer than {CHECK_SECONDS:.0f} s."
    except GatewayError as error:
        words = error.public
    return [fault(words, "It could not be looked at.", "try again later; if it stays so, tell its operator.")]


def _meaning(found: Known, findings: list[Finding]) -> list[str]:
    host = found.line.host
    bad = {one.name for one in findings if one.result.state is State.FAILED}
    doubtful = {one.name for one in findings if one.result.state is State.WARNING}
    hindering = bad & {"peer", "peer-kind", "peer-message", "peer-clock"}
    if hindering:
        sending = f"Sending to {host} fails now: our users see their share as failed, with its server's reason."
    elif "peer-message" in doubtful:
        sending = f"Whether shares arrive at {host} is doubtful: share something small to try."
    else:
        sending = f"What our users share should arrive at {host}, where its users are asked to accept it."
    lines = [sending, _receiving(found, is_hindered=bool(bad), is_doubtful="peer-files" in doubtful)]
    if not found.dialect.announces_end:
        lines.append("It does not tell when its users end a share; ours notice it after a while.")
    if not found.dialect.takes_folders:
        lines.append("Folders are announced to it in its own words, as files; they open as folders.")
    return [*lines, "Whether its operator has us on a list of servers cannot be seen from here: ask there."]


def _receiving(found: Known, *, is_hindered: bool, is_doubtful: bool) -> str:
    host = found.line.host
    if not any(Role.WEBDAV in offer.protocols for offer in found.discovery.resource_types):
        return f"{host} names no way by which what it shares could be opened."
    if is_hindered:
        return f"What users of {host} share with ours may not arrive or open before the above is mended."
    return f"What users of {host} share with ours {'may not open' if is_doubtful else 'should arrive and open here'}."
