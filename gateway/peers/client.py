"""Our messages to peers: signed where the peer can check it, guarded, bounded, and with patience (SIG-1, SIG-9, TOK-1).

`peers.signing` says how a message to a peer is signed: once signed, never unsigned again. That we sign is written down
before the message leaves. What is signed is the very URL that is sent, and a redirect is never followed: it would take
a signed message to where it was not meant to go. Bodies are never logged; they hold secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from gateway.errors import GatewayError, Kind, unavailable
from gateway.log import get_logger
from gateway.model.address import Host, host_of_url
from gateway.model.peer import Peer, Scheme
from gateway.peers.answer import Answer, read_answer
from gateway.peers.backoff import Backoff
from gateway.peers.faults import wire_errors
from gateway.peers.records import PeerRecords
from gateway.peers.resolver import PeerResolver, announces_signatures
from gateway.peers.signing import MessageSigner, scheme_for
from gateway.peers.urls import MayContact, checked_url

log = get_logger(__name__)

__all__ = ["Answer", "PeerClient"]

# An end point that is gone may have moved: the document is asked for again, if it is older than this.
MOVED_SECONDS = 60.0
_MOVED = frozenset({301, 302, 303, 307, 308, 404, 405, 410})

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    url: URL
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerClient:
    """Posts to other providers.

    Attributes:
        session: a guarded one, without connections kept alive.
    """

    session: aiohttp.ClientSession
    resolver: PeerResolver
    records: PeerRecords
    backoff: Backoff
    may_contact: MayContact
    signer: MessageSigner
    now: Callable[[], float]
    allow_http: bool = False

    async def post_json(
        self, host: Host, path: str, document: Mapping[str, object], *, interactive: bool = False
    ) -> Answer:
        """Post a JSON object to `path` (such as `shares`) below the peer's end point.

        Args:
            interactive: a user waits: try also a peer that is being left in peace.

        Raises:
            GatewayError: `UNAVAILABLE` if the peer cannot be reached now or rests after failures; `FORBIDDEN` if we
                may not contact it; `NOT_FOUND` if it does not speak OCM.
        """
        body = json.dumps(document).encode()
        async with self.backoff.attempt(host, interactive=interactive) as attempt:
            peer = await self._peer(host, interactive=interactive)
            answer = await self._send_below(peer, path, body)
            if answer.status in _MOVED:
                fresh = await self.resolver.discover(host, max_age=MOVED_SECONDS)
                if _end_point(fresh) != _end_point(peer):
                    answer = await self._send_below(fresh, path, body)
            if answer.is_temporary:
                attempt.fail(answer.retry_after, answer.error().public)
        return answer

    async def post_token(
        self, host: Host, token_end_point: str, form: Mapping[str, str], *, interactive: bool = False
    ) -> Answer:
        """Post a form to the token end point that the peer's document names (TOK-1). Raises as `post_json`."""
        async with self.backoff.attempt(host, interactive=interactive) as attempt:
            peer = await self._peer(host, interactive=interactive)
            url = checked_url(token_end_point, allow_http=self.allow_http)
            answer = await self._send(peer, _Message(url=url, body=urlencode(form).encode(), content_type=_FORM))
            if answer.is_temporary:
                attempt.fail(answer.retry_after, answer.error().public)
        return answer

    async def _peer(self, host: Host, *, interactive: bool) -> Peer:
        peer = await self.resolver.discover(host, interactive=interactive)
        if peer.discovery is not None and not peer.discovery.enabled:
            raise unavailable(f"{host} has switched Open Cloud Mesh off.")
        if announces_signatures(peer):
            return peer
        try:
            return await self.resolver.with_keys(host, interactive=interactive)
        except GatewayError as error:
            # The scheme that it took before is good enough while it cannot say whether it has keys.
            if peer.scheme is None or error.kind is not Kind.UNAVAILABLE:
                raise
            return peer

    async def _send_below(self, peer: Peer, path: str, body: bytes) -> Answer:
        url = checked_url(f"{_end_point(peer)}/{path}", allow_http=self.allow_http)
        return await self._send(peer, _Message(url=url, body=body, content_type=_JSON))

    async def _send(self, peer: Peer, message: _Message) -> Answer:
        self.may_contact(host_of_url(str(message.url)))
        headers = {"Content-Type": message.content_type, "Accept": _JSON}
        scheme = scheme_for(peer)
        if scheme is not None:
            await self._note_signing(peer, scheme)
            headers |= self.signer.sign(scheme, "POST", message.url, message.body, now=self.now())
        with wire_errors(peer.host):
            async with self.session.post(
                message.url, data=message.body, headers=headers, allow_redirects=False
            ) as response:
                answer = await read_answer(peer.host, response, now=self.now())
        log.info(
            "told peer",
            method="POST",
            url=str(message.url),
            status=answer.status,
            is_signed=scheme is not None,
            scheme=scheme.value if scheme else "none",
        )
        return answer

    async def _note_signing(self, peer: Peer, scheme: Scheme) -> None:
        if not peer.we_signed_to or peer.scheme is not scheme:
            await self.records.change(peer.host, lambda record: replace(record, we_signed_to=True, scheme=scheme))


def _end_point(peer: Peer) -> str:
    assert peer.discovery is not None  # `discover` raises where there is none
    return peer.discovery.end_point
