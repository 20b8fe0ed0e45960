"""How our messages are signed: one scheme for each peer, the newest that it can check (SIG-1, SIG-9; KEYS-3).

RFC 9421 for a peer that has a usable JWK set or announces `http-sig`; the draft before it for one whose document shows
an RSA key; else none. A peer that takes the older draft would refuse a message that carries the newer one "just in
case" (live-captures.md 2, item 16), so never both. Once we have signed to a peer we never send it anything unsigned:
it would be refused (item 17).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from yarl import URL

from gateway.crypto import cavage, httpsig
from gateway.crypto.refusal import SignatureError
from gateway.crypto.ring import KeyRing
from gateway.model.address import authority_of
from gateway.model.peer import Peer, Scheme
from gateway.peers.resolver import announces_signatures, has_key_set


def scheme_for(peer: Peer) -> Scheme | None:
    """Return how a message to `peer` is signed, or None if it goes unsigned."""
    if has_key_set(peer) or announces_signatures(peer):
        return Scheme.RFC9421
    if _shows_cavage_key(peer):
        return Scheme.CAVAGE
    return (peer.scheme or Scheme.RFC9421) if peer.we_signed_to else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSigner:
    """Signs our messages.

    Attributes:
        keys: returns the key ring of now (it may be rotated while we run).
        nonce: returns a fresh nonce for a signature.
    """

    keys: Callable[[], KeyRing]
    nonce: Callable[[], str]

    def sign(self, scheme: Scheme, method: str, url: URL, body: bytes, *, now: float) -> dict[str, str]:
        """Return the header fields that sign a message to `url`, to be sent exactly so.

        Args:
            now: seconds since the epoch.
        """
        date = formatdate(now, usegmt=True)
        ring = self.keys()
        if scheme is Scheme.CAVAGE:
            key = ring.cavage_key(now)
            host = authority_of(str(url.origin()))
            return dict(cavage.sign(method, url.raw_path_qs, host, body, key_id=key.key_id, key=key.private, date=date))
        return httpsig.sign(
            method, str(url), body, key=ring.signing_key(), created=int(now), nonce=self.nonce(), date=date
        )


def _shows_cavage_key(peer: Peer) -> bool:
    shown = peer.discovery.public_key if peer.discovery is not None else None
    if shown is None:
        return False
    try:
        cavage.public_key(shown[1])
    except SignatureError:
        return False
    return True
