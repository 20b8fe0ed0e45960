"""How a received resource may be used, and with what one that is offered over SSH is opened (ACC-5, SHARE-4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret


class AccessType(StrEnum):
    """How a resource may be used (ACC-5)."""

    REMOTE = "remote"
    DATATX = "datatx"


class PinnedBy(StrEnum):
    """Why the host keys of a sender's SSH door are believed."""

    STATEMENT = "statement"
    FIRST_USE = "first-use"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """The `ssh` entry of a received share (SHARE-4), and what we open it with.

    The key pair is this share's own, so that neither two senders nor two shares can be told to be one recipient's, and
    it goes when the share goes.

    Attributes:
        user, host, port, path: where it is, as the sender wrote it; the path begins at the door's root.
        private_key: our key in OpenSSH's form; None until the share is kept.
        public_key: the line that the sender was answered, `type base64`.
        host_keys: the keys that the door may show, `type base64`; empty until some are believed.
        pinned_by: why they are.
    """

    user: str
    host: str
    port: int
    path: ResourcePath
    access_types: frozenset[AccessType] = frozenset({AccessType.REMOTE})
    private_key: Secret | None = None
    public_key: str = ""
    host_keys: tuple[str, ...] = ()
    pinned_by: PinnedBy | None = None

    @property
    def address(self) -> str:
        """The `host:port` of the door."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
