"""Invitations as text: the string that people pass on, and the message that accepts one (INV-1, INV-2).

The string is read in every form that deployed servers give out (`dialects.md` 3.10, 14.8): plain `token@host`, base64
of it in either alphabet with or without padding, and a link that carries both. The message is read by either spelling
of its members, also from inside an `invite` object as the oldest servers wrote it, and written in both.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from gateway.errors import GatewayError, Kind
from gateway.model.address import ADDRESS_MAX_CHARS, Host, parse_host
from gateway.model.secret import Secret
from gateway.ocm.dialects import aliases
from gateway.ocm.fields import SECRET_MAX_CHARS, Fields

STRING_MAX_CHARS = 4096
TOKEN_MIN_CHARS = 32

_TOKEN = re.compile(r"[!-~]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class InviteString:
    """An invitation as it is passed on: the secret, and the server to show it to."""

    token: Secret
    provider: Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What a server tells about somebody who accepts an invitation; nothing of it is proven.

    Attributes:
        claimed_provider: the guest's server; some leave its port out.
    """

    token: Secret
    claimed_provider: Host
    claimed_user_id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inviter:
    """What the answer tells about who invites."""

    claimed_user_id: str
    email: str
    name: str


def new_token(authority: Host, token_hex: Callable[[int], str]) -> Secret:
    """Return a fresh token of at least 128 bits.

    Its length makes `token@authority` divisible by three. Then base64 needs no padding, and since hex and host names
    are ASCII it holds no character that the alphabets differ in: one string is right for every reader (DESIGN 10).
    """
    length = TOKEN_MIN_CHARS + -(TOKEN_MIN_CHARS + 1 + len(authority)) % 3
    return Secret(token_hex((length + 1) // 2)[:length])


def plain(invite: InviteString) -> str:
    """Return `token@host`."""
    return f"{invite.token.reveal()}@{invite.provider}"


def encoded(invite: InviteString) -> str:
    """Return the invite string of the draft: base64 of `token@host`."""
    return base64.urlsafe_b64encode(plain(invite).encode()).decode().rstrip("=")


def parse_string(text: str) -> InviteString:
    """Return the invitation in a text that somebody pasted, in whichever form.

    Raises:
        GatewayError: `INVALID` if it is none.
    """
    text = text.strip()
    if len(text) > STRING_MAX_CHARS:
        raise _no_invite()
    return _parse_open(text) or _parse_encoded(text) or _refuse()


def parse_acceptance(document: Mapping[str, object]) -> Acceptance:
    """Return what a message to `invite-accepted` says.

    Raises:
        GatewayError: `INVALID` with every fault.
    """
    fields = Fields(document)
    # reva of 2023 and the OCM stub wrap it (live-captures.md, OCM-stub).
    fields = fields.object("invite") or fields
    token = fields.secret("token")
    if token is None:
        fields.fault("token", "is missing")
    provider = fields.read("recipientProvider", parse_host)
    user_id = fields.text(fields.first_of(*aliases.USER_ID), is_required=True, max_chars=ADDRESS_MAX_CHARS)
    email, name = fields.text("email"), fields.text("name")
    fields.check("This answer to an invitation")
    assert token is not None
    assert provider is not None
    return Acceptance(token=token, claimed_provider=provider, claimed_user_id=user_id, email=email, name=name)


def render_acceptance(token: Secret, provider: Host, inviter: Inviter) -> dict[str, object]:
    """Return the message by which our user accepts an invitation."""
    return {"recipientProvider": str(provider), "token": token.reveal(), **render_person(inviter)}


def render_person(person: Inviter) -> dict[str, object]:
    """Return how one of our users is told to the other side, in both spellings (`dialects.md` 14.8)."""
    user_id = person.claimed_user_id
    return {"userID": user_id, "userId": user_id, "email": person.email, "name": person.name}


def parse_answer(document: Mapping[str, object] | None) -> Inviter:
    """Return who invited, from the answer to an acceptance.

    Raises:
        GatewayError: `INVALID` if it does not say.
    """
    fields = Fields(document or {})
    user_id = fields.text(fields.first_of(*aliases.USER_ID), is_required=True, max_chars=ADDRESS_MAX_CHARS)
    email, name = fields.text("email"), fields.text("name")
    fields.check("The other server's answer")
    return Inviter(claimed_user_id=user_id, email=email, name=name)


def _parse_open(text: str) -> InviteString | None:
    """Return the invitation in a link or in `token@host`, or None if it is neither."""
    if text.lower().startswith(("https://", "http://")):
        return _parse_link(text)
    # Where there is no `@`, the token is empty, and that is none.
    token, _, provider = text.rpartition("@")
    return _made(token, provider)


def _parse_link(text: str) -> InviteString | None:
    try:
        members = dict(parse_qsl(urlsplit(text).query, max_num_fields=20))
    except ValueError:
        return None
    return _made(members.get("token", ""), members.get("providerDomain") or members.get("provider") or "")


def _made(token: str, provider: str) -> InviteString | None:
    if not _TOKEN.fullmatch(token) or len(token) > SECRET_MAX_CHARS:
        return None
    try:
        return InviteString(Secret(token), parse_host(provider))
    except GatewayError:
        return None


def _parse_encoded(text: str) -> InviteString | None:
    if not _BASE64.fullmatch(text):
        return None
    try:
        # Padding that is too much does no harm; too little does.
        octets = base64.b64decode(text.translate(_STANDARD_ALPHABET) + "==")
        return _parse_open(octets.decode().strip())
    except ValueError:
        return None


def _refuse() -> InviteString:
    raise _no_invite()


def _no_invite() -> GatewayError:
    return GatewayError(
        Kind.INVALID, "This is no invitation. Paste it whole: a link, token@host, or the long string of letters."
    )
