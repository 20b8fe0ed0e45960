"""Dialects: how one peer wants to be spoken to, in words that name no product (DESIGN 3, "Every tolerance has a name").

`ocm.dialects.recognise` makes a `Dialect` from a peer's discovery document; all other code acts on what it says here.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.share import Requirement


class Payload(StrEnum):
    """How the `protocol` of a share is written (SHARE-2).

    `OPTIONS` is the form of OCM 1.0: it carries a secret, and neither a URL, a folder nor a requirement. `NAMED` is
    `{name: "webdav", webdav: {…}}`, `MULTI` the draft's `{name: "multi", webdav: {…}, …}`.
    """

    OPTIONS = "options"
    NAMED = "named"
    MULTI = "multi"


class ChangeNotice(StrEnum):
    """How a peer learns that the permissions of a share changed, other than by looking at the storage."""

    NONE = "none"
    RESHARE = "RESHARE_CHANGE_PERMISSION"
    SHARE = "SHARE_CHANGE_PERMISSION"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one kind of peer needs.

    Attributes:
        name: which kind, for people; empty where it could not be told.
        why: what in its document says so, for people.
        payloads: the forms of a share that it may take, the likeliest first.
        takes_folders: whether `resourceType` may be `folder`; else a folder is announced as a file.
        change_notice: how it is told of changed permissions.
        announces_end: whether it tells when its user ends a share; else we look from time to time.
        tells_shared_on: whether it tells the new recipient itself when its user shares something on.
        serves_at_owner: whether its storage is found at the host of the share's owner, not at that of its end point.
    """

    name: str
    why: str
    payloads: tuple[Payload, ...]
    takes_folders: bool = True
    change_notice: ChangeNotice = ChangeNotice.NONE
    announces_end: bool = True
    tells_shared_on: bool = False
    serves_at_owner: bool = False

    def forms(self, requirements: AbstractSet[Requirement], remembered: Payload | None = None) -> tuple[Payload, ...]:
        """Return the forms in which a share may be sent, in the order of trying.

        What is required of the recipient's provider has to be said to it, so the form that cannot say it is left out
        (SHARE-6).

        Args:
            remembered: the form that this peer took the last time; then only that.
        """
        able = tuple(form for form in self.payloads if not requirements or form is not Payload.OPTIONS)
        return (remembered,) if remembered in able else able
