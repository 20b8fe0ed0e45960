"""The lock PEER tells who sent this message, and whether it is new (SIG-3 to SIG-8; DESIGN 8).

A message passes in this order: its size, its signature's form, the lists of allowed and denied hosts, the key of the
host that it claims to come from, the signature itself, and the memory of signatures already seen. What comes out is a
`VerifiedPeer`, or an `UnsignedPeer` that the policy admits. A repeated signature is answered from the recorded
outcome of the first; a refused message leaves no trace in that memory.

Keys that cannot be fetched are an outage (503), not a refusal. Whatever has to be asked for, of however many hosts, has
a few seconds together: deployed senders wait five for the answer (`dialects.md` 14.3).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from gateway.crypto import httpsig
from gateway.crypto.refusal import Reason, SignatureError
from gateway.errors import GatewayError, Kind, unavailable
from gateway.identity.throttle import network_of
from gateway.log import get_logger
from gateway.model.address import Host
from gateway.model.peer import AnyPeer, UnsignedPeer, VerifiedPeer
from gateway.model.policy import SIGNATURE_MISSING, Deny, PeerRules, may_accept_unsigned, may_contact
from gateway.peers.resolver import PeerResolver
from gateway.store.base import Busy, Counter, Once, Recorded
from gateway.web.proofs import Message, Proof, claimed_proof

log = get_logger(__name__)

# A signature cannot be repeated once it is too old; until then its outcome is kept, in seconds.
REPLAY_KEEP_SECONDS = httpsig.WINDOW_SECONDS + 2 * httpsig.SKEW_SECONDS
# A message whose handler died may be handled again after this long, in seconds.
REPLAY_HOLD_SECONDS = 30.0

Claim = Callable[[str | None], Awaitable[tuple[Host, ...]]]
"""From the key id (None if unsigned) to the hosts that the message may come from, most likely first."""
Answer = Callable[[AnyPeer], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerGate:
    """Proves who sent a message and lets it have one effect."""

    resolver: PeerResolver
    rules: PeerRules
    once: Once
    counter: Counter
    public_url: str
    now: Callable[[], float]
    max_bytes: int
    verification_seconds: float
    messages_per_second: float
    messages_burst: int

    async def read(self, request: web.Request) -> bytes:
        """Return the body, whole and bounded.

        Raises:
            GatewayError: `TOO_LARGE`.
        """
        pieces = bytearray()
        async for piece in request.content.iter_any():
            pieces += piece
            if len(pieces) > self.max_bytes:
                raise GatewayError(Kind.TOO_LARGE, f"This message exceeds {self.max_bytes} bytes.")
        return bytes(pieces)

    async def admit(self, request: web.Request, body: bytes, claim: Claim, answer: Answer) -> web.Response:
        """Prove the sender of a message and answer it, once.

        Raises:
            GatewayError: `UNAUTHENTICATED` or `FORBIDDEN` for a signature or sender that is refused, `UNAVAILABLE`
                if the sender's keys or the store cannot be reached, `LIMITED`.
        """
        message = Message(request.method, self.public_url, request.raw_path, _fields(request), body)
        deadline = asyncio.get_running_loop().time() + self.verification_seconds
        try:
            proof = claimed_proof(message)
            await self._check_rate(f"messages-from:{network_of(request.remote or '')}")
            if proof is None:
                return await answer(await self._unsigned(await claim(None), deadline))
            peer = await self._verified(proof, await claim(proof.unverified_key_id), deadline)
        except SignatureError as error:
            log.warning("signature refused", reason=error.reason.value)
            raise GatewayError(Kind.UNAUTHENTICATED, str(error), code=error.reason.value) from error
        return await self._once(proof.replay_key, lambda: answer(peer))

    async def _unsigned(self, hosts: tuple[Host, ...], deadline: float) -> UnsignedPeer:
        host = hosts[0] if hosts else None
        if host is not None:
            self._check_lists(host)
        # Where everybody has to sign, nobody is asked for the sake of who does not.
        if self.rules.must_sign:
            raise GatewayError(Kind.UNAUTHENTICATED, "Messages have to be signed here.", code=SIGNATURE_MISSING)
        if host is None:
            return UnsignedPeer(None)
        # What it publishes decides whether it has to sign, so it is asked if we do not know it.
        verdict = may_accept_unsigned(await self.resolver.recall(host, deadline=deadline), self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()
        return UnsignedPeer(host)

    async def _verified(self, proof: Proof, hosts: Iterable[Host], deadline: float) -> VerifiedPeer:
        refusal = SignatureError(Reason.KEY_UNKNOWN, "The key of this signature is not known.")
        for host in hosts:
            self._check_lists(host)
            try:
                await proof.check(host, self.resolver, now=self.now(), deadline=deadline)
            except SignatureError as error:
                if error.reason is not Reason.KEY_UNKNOWN:
                    refusal = error
                continue
            # Counted only now: who cannot sign for a host cannot use up its share.
            await self._check_rate(f"messages-of:{host}")
            await self.resolver.heard_from(host)
            return VerifiedPeer(host, proof.unverified_key_id)
        raise refusal

    async def _check_rate(self, key: str) -> None:
        wait = await self.counter.take(key, per_second=self.messages_per_second, burst=self.messages_burst)
        if wait > 0:
            raise GatewayError(Kind.LIMITED, "Too many messages. Wait and try again.", retry_after=int(wait) + 1)

    def _check_lists(self, host: Host) -> None:
        verdict = may_contact(host, self.rules)
        if isinstance(verdict, Deny):
            raise verdict.error()

    async def _once(self, key: str, act: Callable[[], Awaitable[web.Response]]) -> web.Response:
        state = await self.once.begin(f"signature:{key}", hold_seconds=REPLAY_HOLD_SECONDS)
        if isinstance(state, Recorded):
            log.info("repeated message answered from memory")
            return _unpacked(state.outcome)
        if isinstance(state, Busy):
            raise unavailable("This very message is being handled now.", retry_after=1)
        try:
            response = await act()
        except BaseException:
            await self.once.abandon(f"signature:{key}")
            raise
        if response.status < web.HTTPBadRequest.status_code:
            await self.once.finish(f"signature:{key}", _packed(response), keep_seconds=REPLAY_KEEP_SECONDS)
        else:
            await self.once.abandon(f"signature:{key}")
        return response


def _fields(request: web.Request) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]


def _packed(response: web.Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b""
    return json.dumps([response.status, response.content_type, body.decode()]).encode()


def _unpacked(outcome: bytes) -> web.Response:
    status, content_type, text = json.loads(outcome)
    # An outcome may hold an access token (the store keeps it sealed): nobody on the way may keep it.
    return web.Response(status=status, content_type=content_type, text=text, headers={"Cache-Control": "no-store"})
