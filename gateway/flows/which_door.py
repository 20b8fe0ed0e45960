"""Which of a sender's two doors is used, where a share is offered over WebDAV and over SSH (SHARE-3, SHARE-4; ACC-5).

WebDAV comes first. Making its client asks nobody, so the share's root is looked at before it is trusted with more:
where that does not answer, or refuses, the SSH door is looked at in the same way. What was found is believed for a
short time by who browses; whoever begins something long looks anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.backends.base import Backend
from gateway.errors import GatewayError
from gateway.flows.ports import Clock
from gateway.flows.reach_ssh import HOST_KEY_UNKNOWN
from gateway.log import get_logger
from gateway.model.resource import ResourcePath

log = get_logger(__name__)

Opens = Callable[[], Awaitable[Backend]]

# How long the door that answered is used without another look, in seconds.
BELIEF_SECONDS = 30.0
MEMORY_MAX_SHARES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichDoor:
    """Remembers which door of which share answered."""

    now: Clock
    # Until when which door is believed: WebDAV, if true.
    _found: OrderedDict[str, tuple[float, bool]] = field(default_factory=OrderedDict)

    async def opened(self, share_id: str, webdav: Opens, ssh: Opens, *, afresh: bool) -> Backend:
        """Return the client of the door that answers.

        Args:
            afresh: look, whatever was found a moment ago.

        Raises:
            GatewayError: what WebDAV says if neither door opens, since it is asked first; but where only the user's
                word on the host key is missing, that.
        """
        until, is_webdav = self._found.get(share_id, (0.0, True))
        if not afresh and self.now() < until:
            return await (webdav if is_webdav else ssh)()
        try:
            backend = await _looked_at(webdav)
        except GatewayError as error:
            log.info("trying SSH instead of WebDAV", share=share_id, reason=str(error))
            backend = await self._over_ssh(ssh, error)
            self._remember(share_id, is_webdav=False)
            return backend
        self._remember(share_id, is_webdav=True)
        return backend

    def forget(self, share_id: str) -> None:
        """Look anew at the next use."""
        self._found.pop(share_id, None)

    async def _over_ssh(self, ssh: Opens, refusal: GatewayError) -> Backend:
        try:
            return await _looked_at(ssh)
        except GatewayError as error:
            if error.code == HOST_KEY_UNKNOWN:
                raise
            log.info("SSH does not open either", reason=str(error))
            raise refusal from error

    def _remember(self, share_id: str, *, is_webdav: bool) -> None:
        self._found[share_id] = (self.now() + BELIEF_SECONDS, is_webdav)
        self._found.move_to_end(share_id)
        while len(self._found) > MEMORY_MAX_SHARES:
            self._found.popitem(last=False)


async def _looked_at(opens: Opens) -> Backend:
    backend = await opens()
    await backend.stat(ResourcePath())
    return backend
