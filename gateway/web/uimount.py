"""The page on mounting what one received: app passwords, and how each client is set up, with the user's own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from gateway.errors import GatewayError, Kind
from gateway.identity.apppasswords import NAME_MAX_CHARS, AppPasswords
from gateway.model.secret import Secret
from gateway.ocm.dialects.davwords import RCLONE_VENDOR
from gateway.web.aio import admit_later
from gateway.web.doors import Door, Handler, Lock, Style
from gateway.web.pages import Pages, Visitor
from gateway.web.status import http_status


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPages:
    """Handlers of the page.

    Attributes:
        public_url: the gateway's origin.
    """

    pages: Pages
    app_passwords: AppPasswords
    public_url: str

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        return (
            self._door("GET", "/mount", "how to mount what was received, and app passwords", self.page),
            self._door("POST", "/mount/app-passwords", "make an app password", self.create),
            self._door("POST", "/mount/app-passwords/{password}/withdraw", "withdraw an app password", self.withdraw),
        )

    def _door(self, method: str, path: str, about: str, handler: Handler) -> Door:
        return Door(
            name="ui",
            method=method,
            path=f"{self.pages.root}{path}",
            lock=Lock.USER,
            style=Style.PAGE,
            about=about,
            handler=handler,
            expect_handler=admit_later,
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
            return await self._show(request, visitor, status=http_status(error), name=name, fault=error)
        return await self._show(request, visitor, made=(name, password))

    async def withdraw(self, request: web.Request) -> web.Response:
        """End an app password."""
        visitor, _ = await self.pages.form(request)
        await self.app_passwords.withdraw(visitor.user.identifier, request.match_info["password"])
        return self.pages.go("/mount", notice="app-password-withdrawn")

    async def _show(
        self,
        request: web.Request,
        visitor: Visitor,
        *,
        status: int = 200,
        name: str = "",
        fault: GatewayError | None = None,
        made: tuple[str, Secret] | None = None,
    ) -> web.Response:
        return self.pages.show(
            request,
            "mount.html",
            visitor,
            status=status,
            tab="mount",
            app_passwords=await self.app_passwords.list(visitor.user.identifier),
            name=name,
            name_max=NAME_MAX_CHARS,
            fault=fault,
            made_name=made[0] if made else "",
            made=made[1].reveal() if made else "",
            **self._values(),
        )

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
        }
