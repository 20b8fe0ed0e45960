"""The two ways in which a message is signed, seen as one: RFC 9421 (SIG-1 to SIG-5), and the draft before it (KEYS-3).

A message that carries `Signature-Input` is read by RFC 9421, any other `Signature` by the older draft. What is found
is claimed. `check` proves it against the keys of one host, each scheme against its own: the JWK set, or the one RSA
key of the discovery document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.crypto import cavage, httpsig
from gateway.crypto.refusal import Reason, SignatureError
from gateway.model.address import Host, authority_of
from gateway.peers.resolver import PeerResolver


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came.

    Attributes:
        public_url: our own origin, which the message was sent to whatever it says itself (SIG-6).
    """

    method: str
    public_url: str
    raw_target: str
    headers: list[tuple[str, str]]
    body: bytes


class Proof(Protocol):
    """A claimed signature."""

    @property
    def unverified_key_id(self) -> str:
        """The key that is said to have signed."""

    @property
    def replay_key(self) -> str:
        """The name under which this very signature is remembered (SIG-8)."""

    async def check(self, host: Host, resolver: PeerResolver, *, now: float, deadline: float) -> None:
        """Prove that `host` has signed the message.

        Raises:
            SignatureError: `KEY_UNKNOWN` if the host has no such key, else why the signature does not hold.
            GatewayError: `UNAVAILABLE` if the keys cannot be had by `deadline` (in the time of the running loop).
        """


def claimed_proof(message: Message) -> Proof | None:
    """Return the signature that a message claims to carry, or None if it is unsigned.

    Raises:
        SignatureError: if what is there cannot be read.
    """
    signature = httpsig.find_signature(message.headers)
    if signature is not None:
        return Rfc9421Proof(message, signature)
    older = cavage.find_signature(message.headers)
    return CavageProof(message, older) if older is not None else None


@dataclass(frozen=True, slots=True)
class Rfc9421Proof:
    """A signature of RFC 9421; its key stands in the host's JWK set."""

    message: Message
    claimed: httpsig.ClaimedSignature

    @property
    def unverified_key_id(self) -> str:
        """The key that is said to have signed."""
        return self.claimed.unverified_key_id

    @property
    def replay_key(self) -> str:
        """The name under which this very signature is remembered."""
        return httpsig.replay_key(self.claimed)

    async def check(self, host: Host, resolver: PeerResolver, *, now: float, deadline: float) -> None:
        """Prove the signature; see `Proof`."""
        jwk = await resolver.key(host, self.unverified_key_id, deadline=deadline)
        if jwk is None:
            raise _unknown_key()
        message = self.message
        head = httpsig.SignedHead(message.method, message.public_url + message.raw_target, message.headers)
        httpsig.verify(self.claimed, head, message.body, jwk=jwk, now=now)


@dataclass(frozen=True, slots=True)
class CavageProof:
    """A signature of the older draft; its key stands in the host's discovery document."""

    message: Message
    claimed: cavage.ClaimedSignature

    @property
    def unverified_key_id(self) -> str:
        """The key that is said to have signed."""
        return self.claimed.unverified_key_id

    @property
    def replay_key(self) -> str:
        """The name under which this very signature is remembered."""
        return cavage.replay_key(self.claimed)

    async def check(self, host: Host, resolver: PeerResolver, *, now: float, deadline: float) -> None:
        """Prove the signature; see `Proof`."""
        pem = await self._pem(host, resolver, deadline)
        try:
            self._verify(pem, now)
        except SignatureError as error:
            if error.reason is not Reason.SIGNATURE_WRONG:
                raise
            # A server that was set up anew has another key under the old name (live-captures.md 2, item 18).
            fresh = await self._pem(host, resolver, deadline, is_doubted=True)
            if fresh == pem:
                raise
            self._verify(fresh, now)

    async def _pem(self, host: Host, resolver: PeerResolver, deadline: float, *, is_doubted: bool = False) -> str:
        pem = await resolver.cavage_key(host, self.unverified_key_id, deadline=deadline, is_doubted=is_doubted)
        if pem is None:
            raise _unknown_key()
        return pem

    def _verify(self, pem: str, now: float) -> None:
        message = self.message
        head = cavage.SignedHead(
            message.method, message.raw_target, authority_of(message.public_url), tuple(message.headers)
        )
        cavage.verify(self.claimed, head, message.body, pem=pem, now=now)


def _unknown_key() -> SignatureError:
    return SignatureError(Reason.KEY_UNKNOWN, "The key of this signature is not known.")
