"""The JSON of the REST interface: what a user asks for, and shares and files as programs see them.

No document ever holds a share's secret. Times are whole seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeGuard, TypeVar

from gateway.errors import Fault, GatewayError, Kind
from gateway.flows.change_share import ShareChange
from gateway.flows.send_share import ShareDraft
from gateway.model.resource import Entry, ResourcePath
from gateway.model.share import AccessType, Permission, Protocol, ReceivedShare, SentShare

W = TypeVar("W", bound=StrEnum)

_MAY_GRANT = tuple(permission.value for permission in Permission)
_MAY_CHANGE = frozenset({"permissions", "expires_at", "description"})
_MEMBERS = frozenset({"path", "recipient", "permissions", "expires_at", "description", "access_types", "protocols"})
# The year 9999: later ends cannot be written as a date.
_LATEST = 253_402_300_799


def draft_of(document: Mapping[str, object]) -> ShareDraft:
    """Return the share that a user's document asks for.

    Raises:
        GatewayError: `INVALID`, naming every member at fault.
    """
    faults = [Fault(name, "This member is not known.") for name in sorted(set(document) - _MEMBERS)]
    path, recipient = document.get("path"), document.get("recipient")
    expires_at, description = document.get("expires_at"), document.get("description", "")
    names = document.get("permissions", [Permission.READ.value])
    if not isinstance(path, str):
        faults.append(Fault("path", "The path of a file or folder is missing."))
    if not isinstance(recipient, str):
        faults.append(Fault("recipient", "The address user@host of the recipient is missing."))
    if not _is_time(expires_at):
        faults.append(Fault("expires_at", "The end of the share is a whole number of seconds since 1970."))
    if not isinstance(description, str):
        faults.append(Fault("description", "The description is a text."))
    if not _are_permissions(names):
        faults.append(Fault("permissions", f"Permissions are a list of {', '.join(_MAY_GRANT)}."))
    access_types = _words(document, "access_types", AccessType, faults)
    protocols = _words(document, "protocols", Protocol, faults)
    if faults:
        raise GatewayError(Kind.INVALID, "The share is not described well.", faults=tuple(faults))
    assert isinstance(path, str)
    assert isinstance(recipient, str)
    assert isinstance(description, str)
    assert _is_time(expires_at)
    assert _are_permissions(names)
    return ShareDraft(
        claimed_recipient=recipient,
        path=ResourcePath.parse(path),
        permissions=frozenset(Permission(name) for name in names),
        access_types=access_types or frozenset({AccessType.REMOTE}),
        protocols=protocols,
        expires_at=expires_at,
        description=description,
    )


def change_of(document: Mapping[str, object]) -> ShareChange:
    """Return the change that a user's document asks for; a member that is `null` is taken away, one not there stays.

    Raises:
        GatewayError: `INVALID`, naming every member at fault.
    """
    faults = [Fault(name, "This member cannot be changed.") for name in sorted(set(document) - _MAY_CHANGE)]
    names, expires_at = document.get("permissions"), document.get("expires_at")
    description = document.get("description")
    if "permissions" in document and not _are_permissions(names):
        faults.append(Fault("permissions", f"Permissions are a list of {', '.join(_MAY_GRANT)}."))
    if not _is_time(expires_at):
        faults.append(Fault("expires_at", "The end of the share is a whole number of seconds since 1970."))
    if not isinstance(description, str | None):
        faults.append(Fault("description", "The description is a text."))
    if faults or not document:
        raise GatewayError(Kind.INVALID, "The change is not described well.", faults=tuple(faults))
    assert isinstance(description, str | None)
    assert _is_time(expires_at)
    return ShareChange(
        permissions=frozenset(Permission(name) for name in names) if _are_permissions(names) else None,
        expires_at=(expires_at or 0) if "expires_at" in document else None,
        description=(description or "") if "description" in document else None,
    )


def sent_document(share: SentShare) -> dict[str, object]:
    """Return one of the user's own shares as JSON."""
    return {
        "id": share.provider_id,
        "state": share.state.value,
        "path": str(share.root),
        "kind": share.kind.value,
        "name": share.name,
        "description": share.description,
        "recipient": str(share.recipient),
        "recipient_display_name": share.recipient_display_name,
        "permissions": sorted(share.permissions),
        "requirements": sorted(share.requirements),
        "access_types": sorted(share.access_types),
        "ssh_uri": share.ssh_uri,
        "ssh_keys": len(share.recipient_public_keys),
        "created_at": int(share.created_at),
        "expires_at": share.expires_at,
        "shared_on_by": share.shared_on_by or None,
        "problem": problem_of(share),
        "transferred_at": None if share.transferred_at is None else int(share.transferred_at),
        "next_attempt_at": min((int(message.due) for message in share.outbox), default=None),
    }


def problem_of(share: SentShare) -> str:
    """Return why the share ended, or what is wrong with its delivery or resource; empty if nothing is."""
    waiting = next((message.last_error for message in share.outbox if message.last_error), "")
    return share.closed_reason or waiting or share.problem


def received_document(share: ReceivedShare) -> dict[str, object]:
    """Return a received share as JSON."""
    return {
        "id": share.share_id,
        "state": share.state.value,
        "name": share.name,
        "description": share.description,
        "owner": str(share.owner),
        "owner_display_name": share.owner_display_name,
        "sender": str(share.sender),
        "sender_display_name": share.sender_display_name,
        "peer": share.peer,
        "is_signed": share.is_signed,
        "permissions": sorted(share.webdav.permissions),
        "access_types": sorted(share.access_types),
        "ssh": None if share.ssh is None else share.ssh.address,
        "received_at": int(share.received_at),
        "expires_at": share.expires_at,
    }


def entry_document(entry: Entry) -> dict[str, object]:
    """Return a file or folder as JSON; `url_path` goes behind `files/` as it is."""
    return {
        "path": str(entry.path),
        "url_path": entry.path.to_url(),
        "kind": entry.kind.value,
        "size": entry.size,
        "modified": None if entry.modified is None else int(entry.modified),
        "etag": entry.etag,
    }


def _words(document: Mapping[str, object], name: str, words: type[W], faults: list[Fault]) -> frozenset[W] | None:
    """Return the words of a list that may be left out."""
    found = document.get(name)
    if found is None:
        return None
    if isinstance(found, list) and found and all(isinstance(word, str) and word in set(words) for word in found):
        return frozenset(words(word) for word in found)
    faults.append(Fault(name, f"This is a list of {', '.join(words)}."))
    return None


def _is_time(value: object) -> TypeGuard[int | None]:
    # `true` is an int to Python.
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LATEST)


def _are_permissions(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and len(value) > 0 and all(name in _MAY_GRANT for name in value)
