"""Fills `{user}` in the place of a storage, so that it stays exactly one folder of that name."""

from __future__ import annotations

from gateway.errors import GatewayError, Kind
from gateway.model.address import LOCAL_IDENTIFIER

USER_PLACE = "{user}"


def filled(template: str, identifier: str) -> str:
    """Return the place with the user's name put in; these names hold nothing that a path or URL would escape.

    Raises:
        GatewayError: `FORBIDDEN` if the name cannot be a folder's.
    """
    if USER_PLACE not in template:
        return template
    # `.` and `..` are identifiers, but no folders.
    if not LOCAL_IDENTIFIER.fullmatch(identifier) or identifier.strip(".") == "":
        raise GatewayError(Kind.FORBIDDEN, "This user name cannot have a folder here.")
    return template.replace(USER_PLACE, identifier)
