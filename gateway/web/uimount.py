"""The page on mounting what one received: app passwords, and how each client is set up, with the user's own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.identity.apppasswords import NAME_MAX_CHARS, AppPasswords
from gateway.identity.userkeys import UserKeys, fingerprint_of
from gateway.ocm.dialects.davwords import RCLONE_VENDOR
from gateway.web.doors import Door
from gateway.web.pages import Pages, Visitor
from gateway.web.status import http_status


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPages:
    """Handlers of the page.

    Attributes:
        public_url: the gateway's origin.
        ssh_address: `host:port` of the SSH door, empty where users do not come in there.
    """

    pages: Pages
    app_passwords: AppPasswords
    user_keys: UserKeys
    public_url: str
    ssh_address: str

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.pages.door
        return (
            door("GET", "/mount", "how to mount what was received, and app passwords", self.page),
            door("POST", "/mount/app-passwords", "make an app password", self.create),
            door("POST", "/mount/app-passwords/{password}/withdraw", "withdraw an app password", self.withdraw),
            door("POST", "/mount/ssh-keys", "add an SSH key", self.add_key),
            door("POST", "/mount/ssh-keys/{key}/remove", "remove an SSH key", self.remove_key),
        )

    async def page(self, request: web.Request) -> web.Response:
        """Show the page."""
        return await self._show(request, await self.pages.visitor(request))

    async def create(self, request: web.Request) -> web.Response:
        """Make an app password and show it, this once: the answer is the page itself, so it stands in no URL."""
        visitor, fields = await self.pages.form(request)
        name = fields.get("name", "")
        try:
            _, password = await self.app_passwords.create(visitor.user, name)
        except GatewayError as error:
            if error.kind not in (Kind.INVALID, Kind.CONFLICT):
                raise
            return await self._show(request, visitor, status=http_status(error), fields=fields, fault=error)
        return await self._show(request, visitor, made=password.reveal(), made_name=name)

    async def withdraw(self, request: web.Request) -> web.Response:
        """End an app password."""
        visitor, _ = await self.pages.form(request)
        await self.app_passwords.withdraw(visitor.user.identifier, request.match_info["password"])
        return self.pages.go("/mount", notice="app-password-withdrawn")

    async def add_key(self, request: web.Request) -> web.Response:
        """Register a public key."""
        visitor, fields = await self.pages.form(request)
        try:
            await self.user_keys.add(visitor.user, fields.get("key_name", ""), fields.get("key", ""))
        except GatewayError as error:
            if error.kind not in (Kind.INVALID, Kind.CONFLICT):
                raise
            return await self._show(request, visitor, status=http_status(error), key_fault=error, fields=fields)
        return self.pages.go("/mount", notice="ssh-key-added")

    async def remove_key(self, request: web.Request) -> web.Response:
        """End a key."""
        visitor, _ = await self.pages.form(request)
        await self.user_keys.remove(visitor.user.identifier, request.match_info["key"])
        return self.pages.go("/mount", notice="ssh-key-removed")

    async def _show(self, request: web.Request, visitor: Visitor, *, status: int = 200, **more: object) -> web.Response:
        user = visitor.user.identifier
        keys = [(key, fingerprint_of(key.key)) for key in await self.user_keys.list(user)] if self.ssh_address else []
        context = {
            "app_passwords": await self.app_passwords.list(user),
            "keys": keys,
            "name_max": NAME_MAX_CHARS,
            "fields": {},
            "fault": None,
            "key_fault": None,
            "made": "",
            **self._values(),
            **more,
        }
        return self.pages.show(request, "mount.html", visitor, status=status, tab="mount", **context)

    def _values(self) -> Mapping[str, str]:
        """Return what is typed into clients."""
        parts = urlsplit(self.public_url)
        place = f"{self.pages.prefix}/received/"
        is_secure = parts.scheme == "https"
        return {
            "mount_url": f"{self.public_url}{place}",
            "mount_host": parts.hostname or "",
            "mount_port": str(parts.port or (443 if is_secure else 80)),
            "mount_path": place,
            "mount_drive": f"\\\\{parts.hostname}{'@SSL' if is_secure else ''}{f'@{parts.port}' if parts.port else ''}"
            f"\\DavWWWRoot{place.rstrip('/').replace('/', chr(92))}",
            "dav_scheme": "davs" if is_secure else "dav",
            "kio_scheme": "webdavs" if is_secure else "webdav",
            "mount_authority": parts.netloc,
            "rclone_vendor": RCLONE_VENDOR,
            "ssh_host": self.ssh_address.rpartition(":")[0],
            "ssh_port": self.ssh_address.rpartition(":")[2],
        }
