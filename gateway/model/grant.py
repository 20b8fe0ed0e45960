"""Grants: what a proven credential opens, and the credentials before they are proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.address import OcmAddress
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import Permission


class CredentialForm(StrEnum):
    """How a stranger presented a secret: `Bearer`, or as the user name of `Basic` (ACC-2)."""

    BEARER = "bearer"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class ClaimedCredential:
    """A secret or token as it came with a request; nothing about it is proven."""

    form: CredentialForm
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a proven credential opens: one subtree (or file) of one storage, with its permissions.

    Made only by `flows.open_access`, from a share that stands.

    Attributes:
        grant_id: the share's `providerId`; also names its locks, streams and cache entry.
        owner: local identifier; `owner` and `storage` choose the service view of the storage.
        root: the shared file or folder, seen from the owner's root.
        expires_at: seconds since the epoch, or None.
    """

    grant_id: str
    owner: str
    recipient: OcmAddress
    storage: str
    root: ResourcePath
    kind: EntryKind
    permissions: frozenset[Permission]
    expires_at: int | None = None

    @property
    def may_write(self) -> bool:
        """Whether the grant allows changing anything."""
        return Permission.WRITE in self.permissions
