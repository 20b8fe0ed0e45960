"""What an SSH or SFTP failure means (DESIGN 6, status discipline): the one table for it.

Whatever has to do with the connection is an outage: refused log-in, changed host key, drop, time-out, nonsense. SFTP
version 3 has one word, `failure`, for a full disk, a name that exists and much else; that is `Vague`, and who meets it
finds out by asking again what is there.
"""

from __future__ import annotations

import asyncssh
from asyncssh.sftp import (
    SFTPDirNotEmpty,
    SFTPFileAlreadyExists,
    SFTPFileIsADirectory,
    SFTPNoSpaceOnFilesystem,
    SFTPNotADirectory,
    SFTPQuotaExceeded,
    SFTPWriteProtect,
)

from gateway.errors import CREDENTIAL_REFUSED, GatewayError, Kind, unavailable

_MEANINGS: tuple[tuple[tuple[type[Exception], ...], Kind, str], ...] = (
    (
        (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, SFTPNotADirectory),
        Kind.NOT_FOUND,
        "There is no such file or folder.",
    ),
    ((asyncssh.SFTPPermissionDenied, SFTPWriteProtect), Kind.FORBIDDEN, "The storage does not allow this."),
    ((SFTPNoSpaceOnFilesystem,), Kind.NO_SPACE, "The storage is full."),
    ((SFTPQuotaExceeded,), Kind.NO_SPACE, "The quota of the storage is used up."),
    ((SFTPFileAlreadyExists,), Kind.CONFLICT, "Something is there already."),
    ((SFTPDirNotEmpty,), Kind.CONFLICT, "The folder was changed meanwhile."),
    ((SFTPFileIsADirectory,), Kind.CONFLICT, "This is a folder."),
)


class Dropped(GatewayError):  # noqa: N818 - it says what happened
    """The connection is gone, or no longer to be trusted with another request.

    Args:
        is_timeout: whether the server was silent for too long; then nobody waits as long again.
    """

    def __init__(self, log: str, *, is_timeout: bool = False) -> None:
        self.is_timeout = is_timeout
        super().__init__(Kind.UNAVAILABLE, "The storage cannot be reached.", log=f"sftp: {log}", retry_after=30)


class NotOffered(GatewayError):  # noqa: N818 - not an error but an answer
    """The server does not know this request."""

    def __init__(self) -> None:
        super().__init__(Kind.FORBIDDEN, "The storage cannot do this.", log="sftp: not supported")


class Vague(GatewayError):  # noqa: N818 - not an error but an answer
    """The server says that it failed, and not why."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAVAILABLE, "The storage does not do this now.", log="sftp: failure without a reason", retry_after=30
        )


def told(error: Exception) -> GatewayError:
    """Return what an error of an SFTP request means; the server's own words are not passed on."""
    for types, kind, public in _MEANINGS:
        if isinstance(error, types):
            return GatewayError(kind, public, log=f"sftp: {type(error).__name__}")
    if isinstance(error, asyncssh.SFTPOpUnsupported):
        return NotOffered()
    if isinstance(error, asyncssh.SFTPFailure):
        return Vague()
    return Dropped(type(error).__name__)


def refused(error: Exception) -> GatewayError:
    """Return what it means that no connection could be made."""
    log = f"sftp: {type(error).__name__}"
    if isinstance(error, asyncssh.PermissionDenied):
        refusal = unavailable("The storage does not let us in.", log=f"{log}: log-in refused")
        refusal.code = CREDENTIAL_REFUSED
        return refusal
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return unavailable("The storage is not the one we know.", log=f"{log}: its host key is not a trusted one")
    return unavailable("The storage cannot be reached.", log=log)


def nonsense(what: str) -> GatewayError:
    """Return the error for a server that does not keep to the protocol, or lies."""
    return unavailable("The storage gives no usable answer.", log=f"sftp: {what}")
