"""Invitations: a secret that a user gives to somebody elsewhere, good once and for a while (INV-1, INV-2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.errors import GatewayError, Kind
from gateway.model.address import OcmAddress
from gateway.model.secret import Secret

DESCRIPTION_MAX_CHARS = 50
# How long after its end an invitation is remembered, in seconds: so long a late guest is told what happened.
KEPT_SECONDS = 30 * 86_400.0
ALREADY_ACCEPTED = "invite-already-accepted"


class InviteState(StrEnum):
    """What has become of an invitation."""

    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who accepted an invitation, as the guest's server told."""

    address: OcmAddress
    claimed_user_id: str
    display_name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """An invitation of one of our users.

    Attributes:
        user: who invites.
        description: a note of the user to herself.
        guest: who accepted it, None until then.
        is_entered: whether the guest has been entered into the user's contacts; written after that was done, so that
            a crash in between is made good later.
    """

    invite_id: str
    user: str
    token: Secret
    created_at: float
    expires_at: float
    description: str = ""
    guest: Guest | None = None
    accepted_at: float = 0.0
    is_withdrawn: bool = False
    is_entered: bool = False

    def state(self, now: float) -> InviteState:
        """Return what has become of it."""
        if self.guest is not None:
            return InviteState.ACCEPTED
        if self.is_withdrawn:
            return InviteState.WITHDRAWN
        return InviteState.OPEN if now < self.expires_at else InviteState.EXPIRED

    def accepted(self, guest: Guest, now: float) -> Invite:
        """Return it as accepted by `guest`.

        Raises:
            GatewayError: `CONFLICT` if somebody has accepted it before, `INVALID` if it is not open any more.
        """
        match self.state(now):
            case InviteState.OPEN:
                return replace(self, guest=guest, accepted_at=now)
            case InviteState.ACCEPTED:
                raise GatewayError(Kind.CONFLICT, "This invitation was accepted already.", code=ALREADY_ACCEPTED)
            case _:
                raise unknown_invite()

    def withdrawn(self, now: float) -> Invite:
        """Return it as withdrawn.

        Raises:
            GatewayError: `CONFLICT` if it was accepted.
        """
        if self.state(now) is InviteState.ACCEPTED:
            raise GatewayError(Kind.CONFLICT, "This invitation was accepted already; remove the contact instead.")
        return replace(self, is_withdrawn=True)


def unknown_invite() -> GatewayError:
    """Return the one refusal of tokens that open nothing: nobody learns whether there ever was such an invitation."""
    return GatewayError(
        Kind.INVALID, "This invitation is not known here, or it is over. Ask for a new one.", code="invite-unknown"
    )
