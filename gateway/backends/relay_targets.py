"""What may be asked of a share: which permission each method needs, and which targets it may have (ACC-6; DESIGN 6)."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.backends.base import RelayCall
from gateway.errors import GatewayError, Kind
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind
from gateway.model.share import Permission

# OPTIONS is answered by the door, which knows its own methods.
PERMISSION_OF: Mapping[str, Permission] = {
    "GET": Permission.READ,
    "HEAD": Permission.READ,
    "PROPFIND": Permission.READ,
    "PUT": Permission.WRITE,
    "DELETE": Permission.WRITE,
    "MKCOL": Permission.WRITE,
    "COPY": Permission.WRITE,
    "MOVE": Permission.WRITE,
    "PROPPATCH": Permission.WRITE,
    "LOCK": Permission.WRITE,
    "UNLOCK": Permission.WRITE,
}
TRANSFERS = frozenset({"COPY", "MOVE"})
_REMOVING = frozenset({"DELETE", "MOVE"})


def check_permission(method: str, grant: Grant) -> None:
    """Refuse what the grant does not allow.

    Raises:
        GatewayError: `NOT_ALLOWED` for a method that is not in the table, `FORBIDDEN` without its permission.
    """
    permission = PERMISSION_OF.get(method)
    if permission is None:
        raise GatewayError(Kind.NOT_ALLOWED, "This method is not offered here.")
    # `write` implies `read` (SHARE-3).
    if permission not in grant.permissions and not grant.may_write:
        raise GatewayError(Kind.FORBIDDEN, "This share does not allow that.")


def check_target(call: RelayCall, grant: Grant) -> None:
    """Refuse targets that no permission opens: above all the shared resource itself stays where it is.

    Raises:
        GatewayError: `FORBIDDEN`, `NOT_ALLOWED`, `NOT_FOUND` or `INVALID`.
    """
    is_file = grant.kind is EntryKind.FILE
    if is_file and not call.path.is_root:
        raise GatewayError(Kind.NOT_FOUND, "There is nothing here.")
    if call.path.is_root and call.method in _REMOVING:
        raise GatewayError(Kind.FORBIDDEN, "The shared resource itself can be neither removed nor moved.")
    if call.path.is_root and (call.method == "MKCOL" or (call.method == "PUT" and not is_file)):
        raise GatewayError(Kind.NOT_ALLOWED, "The shared folder is there already.")
    if call.method in TRANSFERS:
        _check_destination(call, grant)
    if call.method == "PUT" and "content-range" in call.headers:
        raise GatewayError(Kind.INVALID, "Files are written whole: PUT has no Content-Range.")


def _check_destination(call: RelayCall, grant: Grant) -> None:
    if call.destination is None:
        raise GatewayError(Kind.INVALID, "The header Destination is missing.")
    if call.destination.is_root or grant.kind is EntryKind.FILE:
        raise GatewayError(Kind.FORBIDDEN, "The shared resource itself cannot be overwritten.")
    if call.destination.is_within(call.path) or call.path.is_within(call.destination):
        raise GatewayError(Kind.FORBIDDEN, "Source and destination lie within each other.")
