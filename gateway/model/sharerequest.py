"""Requests for shares: somebody elsewhere asks one of our users to share something (REQ-1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.address import OcmAddress

# How long a request is remembered, in seconds.
KEPT_SECONDS = 30 * 86_400.0


class RequestState(StrEnum):
    """What the owner made of a request."""

    OPEN = "open"
    GRANTED = "granted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRequest:
    """One request, as the requester's server signed it.

    Attributes:
        owner: our user who is asked.
        requester: who asks, at the server that signed.
        resource: what is asked for, in the requester's words: an id or a URL.
        share_id: the share by which it is granted; once somebody has begun to grant it, no other can.
    """

    owner: str
    requester: OcmAddress
    resource: str
    created_at: float
    state: RequestState = RequestState.OPEN
    share_id: str = ""

    @property
    def request_id(self) -> str:
        """The name of the request: asking for the same thing twice is one request."""
        return hashlib.sha256(f"{self.owner}\n{self.requester}\n{self.resource}".encode()).hexdigest()[:32]
