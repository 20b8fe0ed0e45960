"""A configured storage as somebody sees it (DESIGN 6, "As whom?").

A storage URL may hold `{user}`, which stands for the user's own folder. Where the log-in was tried against a WebDAV
storage, a user browses with her own name and pass word; the service account serves only grants.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.model.address import LOCAL_IDENTIFIER
from gateway.model.secret import Secret
from gateway.model.user import LocalUser

Authorize = Callable[[], Awaitable[Mapping[str, str]]]

USER_PLACE = "{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStorage:
    """Folders of a mounted file system; `root` may hold `{user}`."""

    root: str
    folder: Callable[[Path], Backend]

    def as_user(self, user: LocalUser) -> Backend:
        """Return the user's folder."""
        return self.as_service(user.identifier)

    def as_service(self, owner: str) -> Backend:
        """Return the owner's folder; on a local disk the gateway is its own service account."""
        return self.folder(Path(_filled(self.root, owner)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebdavStorage:
    """A WebDAV server; `url` may hold `{user}`.

    Attributes:
        name: its name among the storages; pass words that were proven at another one never go there.
        client: makes the storage client for a URL from a callable that returns its credentials.
        service: gives the service account's credentials, if the storage has a log-in.
    """

    name: str
    url: str
    client: Callable[[str, Authorize], Backend]
    service: Authorize

    def as_user(self, user: LocalUser) -> Backend:
        """Return the storage with the user's own credentials, or the service account's where she has none here."""
        is_hers = user.password is not None and user.proven_at == self.name
        own = basic((user.login, user.password)) if is_hers and user.password else self.service
        return self.client(_filled(self.url, user.identifier), own)

    def as_service(self, owner: str) -> Backend:
        """Return the owner's part of the storage with the service account's credentials."""
        return self.client(_filled(self.url, owner), self.service)


def basic(credentials: tuple[str, Secret] | None) -> Authorize:
    """Return the callable that gives the `Authorization` field for a name and pass word (RFC 7617)."""

    async def authorize() -> Mapping[str, str]:
        if credentials is None:
            return {}
        name, password = credentials
        packed = base64.b64encode(f"{name}:{password.reveal()}".encode()).decode()
        return {"Authorization": f"Basic {packed}"}

    return authorize


def _filled(template: str, identifier: str) -> str:
    if USER_PLACE not in template:
        return template
    # `.` and `..` are identifiers, but no folders.
    if not LOCAL_IDENTIFIER.fullmatch(identifier) or identifier.strip(".") == "":
        raise GatewayError(Kind.FORBIDDEN, "This user name cannot have a folder here.")
    return template.replace(USER_PLACE, quote(identifier))
