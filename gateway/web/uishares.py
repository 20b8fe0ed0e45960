"""Pages of shares: the form, what the user shared, and what she received.

Before something is sent, the form can show who is at the other end: what the provider says of itself. What fails is
told beside the field that it is about, with what to do next, and nothing that was typed is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.end_share import EndShare
from gateway.flows.ports import Clock, Storages
from gateway.flows.send_share import DESCRIPTION_MAX_CHARS, SendShare, ShareDraft
from gateway.model.address import Host, OcmAddress, parse_address
from gateway.model.peer import Peer
from gateway.model.resource import ResourcePath
from gateway.model.share import (
    SENT_STEPS,
    STANDING,
    AccessType,
    Permission,
    ReceivedShare,
    ReceivedState,
    SentShare,
    SentState,
)
from gateway.store.base import Table
from gateway.web import files, pagewords
from gateway.web.pages import Pages, Visitor
from gateway.web.status import http_status

PAGE_SHARES = 50
FIELDS = ("recipient", "may_write", "may_share", "may_copy", "expires", "description")
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFault:
    """What is wrong with a form: a sentence, what to do next, and the field that it is about (empty for the whole)."""

    message: str
    hint: str
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePages:
    """Handlers of the pages of shares."""

    pages: Pages
    storages: Storages
    send_share: SendShare
    end_share: EndShare
    answer_share: AnswerShare
    sent: Table[SentShare]
    received: Table[ReceivedShare]
    now: Clock

    async def form_page(self, request: web.Request) -> web.Response:
        """Show the form for sharing a file or folder."""
        visitor = await self.pages.visitor(request)
        return await self._form(request, visitor, {})

    async def send(self, request: web.Request) -> web.Response:
        """Share, or only look who is at the other end."""
        visitor, fields = await self.pages.form(request)
        try:
            recipient = parse_address(fields.get("recipient", ""))
        except GatewayError as error:
            return await self._form(request, visitor, fields, fault=_recipient_fault(error), status=400)
        if fields.get("step") == "check":
            return await self._checked(request, visitor, fields, recipient)
        return await self._send(request, visitor, fields)

    async def sent_page(self, request: web.Request) -> web.Response:
        """List what the user shared, newest first."""
        visitor = await self.pages.visitor(request)
        page = await self.sent.page(
            "owner",
            visitor.user.identifier,
            cursor=request.query.get("cursor"),
            limit=PAGE_SHARES,
            newest_first=True,
        )
        rows = [_sent_row(share, self.now()) for share in page.records]
        return self.pages.show(request, "shared-by-me.html", visitor, tab="sent", rows=rows, cursor=page.cursor)

    async def ask_revoke(self, request: web.Request) -> web.Response:
        """Ask before revoking."""
        visitor = await self.pages.visitor(request)
        share = await self.sent.get(request.match_info["share"])
        if share is None or share.owner != visitor.user.identifier:
            raise GatewayError(Kind.NOT_FOUND, "You have no such share.")
        return self.pages.show(
            request,
            "confirm.html",
            visitor,
            tab="sent",
            title=f"Revoke “{share.name}”?",
            text=f"{share.recipient} can open it no more, at once; running downloads are cut. To undo this you would "
            "have to share it again.",
            action=f"/shared-by-me/{share.provider_id}/revoke",
            button="Revoke",
            back="/shared-by-me",
        )

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a share."""
        visitor, _ = await self.pages.form(request)
        await self.end_share.revoke(visitor.user.identifier, request.match_info["share"])
        return self.pages.go("/shared-by-me", notice="revoked")

    async def received_page(self, request: web.Request) -> web.Response:
        """List what the user received, newest first."""
        visitor = await self.pages.visitor(request)
        page = await self.received.page(
            "recipient",
            visitor.user.identifier,
            cursor=request.query.get("cursor"),
            limit=PAGE_SHARES,
            newest_first=True,
        )
        rows = [_received_row(share, self.now()) for share in page.records]
        return self.pages.show(request, "shared-with-me.html", visitor, tab="received", rows=rows, cursor=page.cursor)

    async def accept(self, request: web.Request) -> web.Response:
        """Accept a share."""
        visitor, _ = await self.pages.form(request)
        await self.answer_share.accept(visitor.user.identifier, request.match_info["share"])
        return self.pages.go("/shared-with-me", notice="accepted")

    async def ask_decline(self, request: web.Request) -> web.Response:
        """Ask before declining or leaving."""
        visitor = await self.pages.visitor(request)
        share = await self.answer_share.get(visitor.user.identifier, request.match_info["share"])
        is_leaving = share.state is ReceivedState.ACCEPTED
        return self.pages.show(
            request,
            "confirm.html",
            visitor,
            tab="received",
            title=f"{'Give back' if is_leaving else 'Decline'} “{share.name}”?",
            text=f"{share.sender} will be told. To open it later they would have to share it with you again.",
            action=f"/received/{share.share_id}/decline",
            button="Give back" if is_leaving else "Decline",
            back="/shared-with-me",
        )

    async def decline(self, request: web.Request) -> web.Response:
        """Decline a share, or give it back."""
        visitor, _ = await self.pages.form(request)
        identifier, share_id = visitor.user.identifier, request.match_info["share"]
        was_accepted = (await self.answer_share.get(identifier, share_id)).state is ReceivedState.ACCEPTED
        await self.answer_share.decline(identifier, share_id)
        return self.pages.go("/shared-with-me", notice="left" if was_accepted else "declined")

    async def _checked(
        self, request: web.Request, visitor: Visitor, fields: Mapping[str, str], recipient: OcmAddress
    ) -> web.Response:
        try:
            peer = await self.send_share.resolver.discover(recipient.host, interactive=True)
        except GatewayError as error:
            fault = _send_fault(error, recipient.host)
            return await self._form(request, visitor, fields, fault=fault, status=http_status(error))
        return await self._form(request, visitor, fields, found=(recipient, peer))

    async def _send(self, request: web.Request, visitor: Visitor, fields: Mapping[str, str]) -> web.Response:
        try:
            draft = _draft(fields, files.path_of(request))
        except ValueError:
            fault = FormFault(message="This is not a date.", hint="Choose a day, or leave it empty.", field="expires")
            return await self._form(request, visitor, fields, fault=fault, status=400)
        try:
            share = await self.send_share.send(visitor.user, draft)
        except GatewayError as error:
            fault = _send_fault(error, parse_address(draft.claimed_recipient).host)
            return await self._form(request, visitor, fields, fault=fault, status=http_status(error))
        return self.pages.go("/shared-by-me", notice=_SENT_NOTICES.get(share.state, "sharing"))

    async def _form(
        self,
        request: web.Request,
        visitor: Visitor,
        fields: Mapping[str, str],
        *,
        fault: FormFault | None = None,
        found: tuple[OcmAddress, Peer] | None = None,
        status: int = 200,
    ) -> web.Response:
        path = files.path_of(request)
        entry = await self.storages.as_user(visitor.user).stat(path)
        return self.pages.show(
            request,
            "share.html",
            visitor,
            status=status,
            tab="files",
            path=path,
            entry=entry,
            fields={name: fields.get(name, "") for name in FIELDS},
            fault=fault,
            found=found,
            tomorrow=pagewords.today(self.now() + DAY_SECONDS),
            description_max=DESCRIPTION_MAX_CHARS,
        )


_SENT_NOTICES = {
    SentState.DELIVERED: "shared",
    SentState.ACCEPTED: "shared",
    SentState.REFUSED: "share-refused",
}


def _draft(fields: Mapping[str, str], path: ResourcePath) -> ShareDraft:
    """Return what the form asks for; a share ends with the day that was chosen.

    Raises:
        ValueError: if that is no day.
    """
    text, expires_at = fields.get("expires", "").strip(), None
    if text:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        expires_at = int(day.timestamp()) + DAY_SECONDS - 1
    ticked = {"may_write": Permission.WRITE, "may_share": Permission.SHARE}
    permissions = {Permission.READ, *(permission for name, permission in ticked.items() if fields.get(name))}
    access_types = {AccessType.REMOTE} | ({AccessType.DATATX} if fields.get("may_copy") else set())
    return ShareDraft(
        claimed_recipient=fields.get("recipient", ""),
        path=path,
        permissions=frozenset(permissions),
        access_types=frozenset(access_types),
        expires_at=expires_at,
        description=fields.get("description", "").replace("\r\n", "\n").strip(),
    )


def _recipient_fault(error: GatewayError) -> FormFault:
    return FormFault(
        message=error.public,
        hint="Write it like ada@cloud.example.org. Their own cloud shows it to them, under sharing or federation.",
        field="recipient",
    )


def _send_fault(error: GatewayError, host: Host) -> FormFault:
    if error.kind is Kind.UNAVAILABLE:
        return FormFault(
            message=error.public,
            hint=f"Check “{host}” for typing errors. If it is right, try again in a few minutes.",
            field="recipient",
        )
    hint = pagewords.next_step(error.kind)
    if error.kind is Kind.CONFLICT:
        hint = f"Ask the other person whether {host} can be set up for this, or use another provider of theirs."
    return FormFault(message=error.public, hint=hint)


def _sent_row(share: SentShare, now: float) -> Mapping[str, object]:
    waiting = next((message for message in share.outbox if message.last_error), None)
    return {
        "share": share,
        "words": pagewords.sent_words(share, now),
        "tone": pagewords.sent_tone(share, now),
        "problem": _problem(share),
        "next_attempt": pagewords.soon_words(waiting.due, now) if waiting else "",
        "may_write": Permission.WRITE in share.permissions,
        "can_end": SentState.REVOKED in SENT_STEPS[share.state] and share.stands(now),
    }


def _problem(share: SentShare) -> str:
    if share.state is SentState.REFUSED:
        return share.closed_reason
    return pagewords.waiting_words(share) or (share.problem if share.state in STANDING else "")


def _received_row(share: ReceivedShare, now: float) -> Mapping[str, object]:
    has_ended = share.expires_at is not None and share.expires_at <= now
    can_open = share.state is ReceivedState.ACCEPTED and not has_ended
    return {
        "share": share,
        "words": pagewords.received_words(share, now),
        "may_write": Permission.WRITE in share.webdav.permissions,
        "can_answer": share.state is ReceivedState.PENDING and not has_ended,
        "can_browse": can_open and AccessType.REMOTE in share.access_types,
        "can_copy": can_open and AccessType.DATATX in share.access_types,
        "needs_host_key": can_open and share.ssh is not None and not share.ssh.host_keys,
        "can_open": can_open,
        "is_over": has_ended or share.state not in (ReceivedState.PENDING, ReceivedState.ACCEPTED),
    }
