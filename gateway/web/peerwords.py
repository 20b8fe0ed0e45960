"""What is known of another server, in words and as JSON, for administrators: the same facts on pages and over REST."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.flows.peer_admin import PeerAdmin
from gateway.model.peer import Peer, Scheme, Trust
from gateway.model.policy import Deny, may_accept_unsigned
from gateway.peers.resolver import announces_signatures, has_key_set

# State and how it is coloured (`style.css`).
TRUST: Mapping[Trust, tuple[str, str]] = {
    Trust.ALLOWED: ("Allowed", "good"),
    Trust.DENIED: ("Blocked", "bad"),
    Trust.UNKNOWN: ("Not decided", "over"),
}
_SCHEMES = {Scheme.RFC9421: "RFC 9421", Scheme.CAVAGE: "the older way (draft-cavage)"}
_SHORT = {Scheme.RFC9421: "RFC 9421", Scheme.CAVAGE: "cavage"}


def row_of(admin: PeerAdmin, peer: Peer) -> dict[str, object]:
    """Return what a list shows of a peer."""
    report = admin.report(peer)
    words, tone = TRUST[peer.trust]
    why_not = admin.why_not(peer.host)
    return {
        "peer": peer,
        "words": words,
        "tone": tone,
        "why_not": why_not,
        "is_refused": bool(why_not) and peer.trust is not Trust.DENIED,
        "kind": report.dialect.name or "unknown" if report else "",
        "signatures": _signatures_in_short(peer),
        "rests_until": peer.quiet_until if peer.quiet_until > admin.now() else None,
    }


def signature_words(admin: PeerAdmin, peer: Peer) -> list[str]:
    """Return who has to sign to whom, and whether that is for good, in sentences."""
    verdict = may_accept_unsigned(peer, admin.rules)
    if peer.has_signed_to_us:
        theirs = "It has signed to us. That is pinned: what it sends unsigned is refused."
    elif isinstance(verdict, Deny):
        theirs = f"It has not signed to us yet, but has to: {verdict.public}"
    elif announces_signatures(peer) and not has_key_set(peer):
        theirs = "It has not signed to us yet. It says that it signs: that is demanded when its keys have been read."
    else:
        theirs = "It has not signed to us; what it sends unsigned is heard."
    if peer.we_signed_to and peer.scheme is not None:
        ours = f"We sign to it by {_SCHEMES[peer.scheme]}. That is pinned: nothing goes there unsigned any more."
    else:
        ours = "We have not signed to it yet."
    return [theirs, ours]


def peer_document(admin: PeerAdmin, peer: Peer) -> dict[str, object]:
    """Return what is known of a peer as JSON; times are whole seconds since 1970."""
    report = admin.report(peer)
    must_sign = isinstance(may_accept_unsigned(peer, admin.rules), Deny)
    return {
        "host": peer.host,
        "trust": peer.trust.value,
        "refused_because": admin.why_not(peer.host) or None,
        "provider": peer.discovery.provider if peer.discovery else "",
        "api_version": peer.discovery.api_version if peer.discovery else "",
        "kind": {"name": report.dialect.name, "because": report.dialect.why} if report else None,
        "signatures": {
            "has_signed": peer.has_signed_to_us,
            "must_sign": must_sign,
            "we_signed": peer.we_signed_to,
            "scheme": peer.scheme.value if peer.scheme else None,
        },
        "failures": peer.failures,
        "quiet_until": _time(peer.quiet_until),
        "last_failure": {"at": _time(peer.failed_at), "reason": peer.failure} if peer.failed_at else None,
        "first_seen": _time(peer.first_seen),
        "last_seen": _time(peer.last_seen),
        "discovered_at": _time(peer.discovered_at),
    }


def full_document(admin: PeerAdmin, peer: Peer) -> dict[str, object]:
    """Return the same with what the peer says of itself and what that means."""
    report = admin.report(peer)
    said = report.document if report else None
    return peer_document(admin, peer) | {"discovery": said, "meaning": report.meaning() if report else []}


def _signatures_in_short(peer: Peer) -> list[str]:
    said = ["it signs, pinned"] if peer.has_signed_to_us else []
    if peer.we_signed_to and peer.scheme is not None:
        said.append(f"we sign ({_SHORT[peer.scheme]}), pinned")
    return said


def _time(seconds: float) -> int | None:
    return int(seconds) if seconds else None
