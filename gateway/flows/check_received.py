"""We look for ourselves whether a received share still opens (DESIGN 8 "Hints"; NOTE-2).

A hint that a share ended is worth a look, no more. The storage is believed: if it refuses the credential or says that
the resource is gone, the share has ended; if it does not answer, nothing is known and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import GatewayError, Kind
from gateway.flows.use_remote import UseRemote
from gateway.log import get_logger
from gateway.model.resource import ResourcePath
from gateway.model.share import RECEIVED_STEPS, ReceivedShare, ReceivedState
from gateway.store.base import Table

log = get_logger(__name__)

# The codes by which storage clients say that it was our credential that was not taken.
REFUSED = frozenset({"credential-refused", "storage-login-refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReceived:
    """Polls a received share once."""

    shares: Table[ReceivedShare]
    use_remote: UseRemote

    async def check(self, share_id: str) -> None:
        """Look at the share's root and end the share if the sender's storage says that it is over."""
        share = await self.shares.get(share_id)
        if share is None or ReceivedState.UNSHARED not in RECEIVED_STEPS[share.state]:
            return
        self.use_remote.forget(share_id)
        try:
            backend = await self.use_remote.connect(share)
            # The exchange first, by itself: what the token end point or discovery answers is no word on the share.
            await self.use_remote.prepare(share)
        except GatewayError as error:
            log.info("share could not be checked", share=share_id, reason=str(error))
            return
        try:
            await backend.stat(ResourcePath())
        except GatewayError as error:
            if error.kind is Kind.NOT_FOUND or error.code in REFUSED:
                await self.shares.update(share_id, _ended)
                log.info("share found ended", share=share_id, peer=share.peer)
            else:
                log.info("share could not be checked", share=share_id, reason=str(error))


def _ended(share: ReceivedShare) -> ReceivedShare:
    # Its recipient may have given it back meanwhile.
    return share.step(ReceivedState.UNSHARED) if ReceivedState.UNSHARED in RECEIVED_STEPS[share.state] else share
